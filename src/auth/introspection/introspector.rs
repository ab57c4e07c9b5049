//! The port that asks about a token: [`Introspector`].

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::store::{BoxFuture, SharedError};

/// Asks the authorization server about a token: [`Introspection::new`](super::Introspection::new)
/// does over HTTP, or a transport of your own.
///
/// The cache in front of it asks about one token at most once at a time, within a budget and with a
/// deadline; an introspector need not cache, limit or retry. What the response says is judged by
/// portcullis, not by the introspector.
///
/// ```
/// use bytes::Bytes;
/// use portcullis::{
///     auth::introspection::{Introspection, IntrospectionError, Introspector},
///     store::BoxFuture,
/// };
///
/// /// Over the connection that a sidecar keeps to the authorization server.
/// #[derive(Debug)]
/// struct Sidecar;
/// # impl Sidecar { async fn ask(&self, _: &str) -> Result<String, std::io::Error> { Ok(r#"{"active":false}"#.into()) } }
///
/// impl Introspector for Sidecar {
///     fn introspect<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bytes, IntrospectionError>> {
///         Box::pin(async move {
///             let json = self.ask(token).await.map_err(IntrospectionError::unreachable)?;
///             Ok(json.into())
///         })
///     }
/// }
///
/// let tokens = Introspection::with("https://id.example.com", Sidecar).audience("orders").build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub trait Introspector: fmt::Debug + Send + Sync + 'static {
    /// The response about `token`: the JSON object of RFC 7662 §2.2, at most 64 KiB. Given up after 5 s.
    ///
    /// # Errors
    /// [`IntrospectionError`]; the answer is then 503, never 401.
    fn introspect<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bytes, IntrospectionError>>;
}

impl<I: Introspector + ?Sized> Introspector for Arc<I> {
    fn introspect<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bytes, IntrospectionError>> {
        (**self).introspect(token)
    }
}

/// The authorization server could not be asked, so nobody knows.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// No connection, or it broke.
    #[error("the introspection endpoint cannot be reached")]
    Unreachable(#[source] SharedError),
    /// No answer in time.
    #[error("the introspection endpoint did not answer in time")]
    TimedOut,
    /// An answer other than 200. A 401 means that this service's own credentials are wrong.
    #[error("the introspection endpoint answered with status {0}")]
    Status(u16),
    /// More than 64 KiB.
    #[error("the introspection endpoint answered with more than 64 KiB")]
    TooLarge,
    /// Not a JSON object with distinct members, of which `active` is a boolean.
    #[error("the introspection endpoint did not answer as RFC 7662 has it")]
    Malformed,
    /// More new tokens than the budget lets be asked about.
    #[error("more unknown tokens arrive than may be asked about")]
    Overloaded,
    /// It has just failed, and is left alone for a second.
    #[error("the introspection endpoint failed a moment ago")]
    Resting,
}

impl IntrospectionError {
    /// No connection, or it broke.
    pub fn unreachable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable(Arc::from(source.into()))
    }
}

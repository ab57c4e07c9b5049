use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri, request::Parts};

use super::{Verified, credentials::Via};
use crate::{rejection::Rejection, request::RequestContext, store::BoxFuture};

/// What is enough for a body of the sizes that are read whole.
pub(in crate::auth) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// One kind of credential beside bearer tokens and API keys: signed requests, client certificates,
/// or one of your own.
///
/// All authenticators of a layer are asked first whether the request carries *their* credential;
/// exactly one may say [`Presence::Present`], and its word is final: what one refuses is never
/// shown to another.
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// The name in logs: short, `snake_case`.
    fn name(&self) -> &'static str;

    /// Whether the request carries this kind of credential. By its form alone: no store, no
    /// cryptography, and the same answer for the same request.
    fn presence(&self, head: Head<'_>) -> Presence;

    /// How many bytes of the body are needed for the verdict. With more than zero the body is read
    /// whole (a larger one is 413) and handed on unchanged. Default: none.
    fn body_limit(&self) -> usize {
        0
    }

    /// How long the body may take to arrive, if it is needed (then 408). Default: 10 s.
    fn body_timeout(&self) -> Duration {
        BODY_TIMEOUT
    }

    /// What can be refused without the body, before anybody waits for it. Without waiting. Not
    /// asked if the body is not needed. Default: nothing.
    ///
    /// # Errors
    /// A refusal, as of [`authenticate`](Self::authenticate).
    fn before_body(&self, request: Presented<'_>) -> Result<(), Rejection> {
        let _ = request;
        Ok(())
    }

    /// Verifies the credential. Called only after [`Presence::Present`] or
    /// [`Presence::Ambient`].
    ///
    /// # Errors
    /// A refusal (401, or 400 for what is malformed), or [`Rejection::backend`] if a store could not
    /// answer.
    fn authenticate<'a>(&'a self, request: Presented<'a>) -> BoxFuture<'a, Result<Verified, Rejection>>;

    /// The same without waiting, where that is possible: `None` means "ask
    /// [`authenticate`](Self::authenticate)". Saves the layer a box. Not asked if the body is
    /// needed.
    fn authenticate_now(&self, request: Presented<'_>) -> Option<Result<Verified, Rejection>> {
        let _ = request;
        None
    }

    /// The `WWW-Authenticate` line that offers this scheme (RFC 9110 §11.6.1), if there is one.
    /// `realm` is fit for a quoted string.
    fn challenge(&self, realm: &str) -> Option<HeaderValue> {
        let _ = realm;
        None
    }
}

/// Whether a request carries a kind of credential.
#[derive(Debug)]
pub enum Presence {
    /// It does not.
    Absent,
    /// It does.
    Present,
    /// Something that comes with the connection, as a client certificate does: it counts if the
    /// request carries nothing else.
    Ambient,
    /// It means to, and cannot be read: 400.
    Malformed(Rejection),
}

/// A request without its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target, as the server received it.
    pub uri: &'a Uri,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// What the server and outer layers left.
    pub extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers, extensions: &parts.extensions }
    }
}

/// A request, as those who verify something about it see it.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The request without its body.
    pub head: Head<'a>,
    /// The body, if [`Authenticator::body_limit`] asked for it; else empty.
    pub body: &'a Bytes,
    /// When it came, from where.
    pub context: &'a RequestContext,
    /// By which scheme.
    pub(in crate::auth) via: Via,
}

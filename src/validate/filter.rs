//! The port for what looks at whole requests: a web application firewall, a scanner, a model.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::request::Parts;

use crate::{
    request::RequestContext,
    store::{BoxFuture, StoreError},
};

/// How long a filter may take; then 503.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);

/// What a filter sees of a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inspected<'a> {
    /// The head.
    pub head: &'a Parts,
    /// The body, where the filter [wants](RequestFilter::wants_body) it and there is one.
    pub body: Option<&'a Bytes>,
    /// The client's address, the caller, the route, the one reading of the clock.
    pub context: &'a RequestContext,
}

/// What a filter says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterVerdict {
    /// The request goes on.
    Pass,
    /// The request is refused with 403. The reason goes to the log, and never to the client, who would
    /// learn from it how to get through.
    Refuse(String),
}

/// Judges requests by rules of its own: the place of a web application firewall.
///
/// This crate brings none: rule sets such as OWASP's CRS refuse much that is harmless, and need to be
/// tuned by whoever knows the application. A filter is asked when everything that is known here holds,
/// so it never sees a malformed path or an oversized body. Filters are asked one after the other, in
/// the order in which they were added; those that do not want the body before it is read. Each has three
/// seconds, or what the layer's builder says.
///
/// # A filter of your own
/// ```
/// use axum::{Router, body::Body, routing::post};
/// use bytes::Bytes;
/// use http::{Request, StatusCode, request::Parts};
/// use portcullis::{
///     store::{BoxFuture, StoreError},
///     validate::{FilterVerdict, Inspected, RequestFilter, RequestValidationLayer, Rule},
/// };
/// use tower::ServiceExt;
///
/// /// Asks another service about uploads.
/// #[derive(Debug)]
/// struct Scanner { pool: tokio::sync::Semaphore }
///
/// impl Scanner {
///     async fn scan(&self, upload: &Bytes) -> Result<bool, StoreError> {
///         let _turn = self.pool.acquire().await.map_err(StoreError::unavailable)?;
///         // … here a connection would be used.
///         Ok(upload.windows(5).any(|five| five == b"EICAR"))
///     }
/// }
///
/// impl RequestFilter for Scanner {
///     fn wants_body(&self, head: &Parts) -> bool {
///         head.uri.path().starts_with("/uploads")
///     }
///
///     fn inspect<'a>(&'a self, seen: Inspected<'a>) -> BoxFuture<'a, Result<FilterVerdict, StoreError>> {
///         Box::pin(async move {
///             let Some(upload) = seen.body else { return Ok(FilterVerdict::Pass) };
///             if self.scan(upload).await? {
///                 return Ok(FilterVerdict::Refuse(format!("a virus from {:?}", seen.context.client_ip().ip())));
///             }
///             Ok(FilterVerdict::Pass)
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = RequestValidationLayer::builder()
///     .default_rule(Rule::opaque("application/octet-stream"))
///     .filter(Scanner { pool: tokio::sync::Semaphore::new(8) })
///     .build()?;
/// let app = Router::new().route("/uploads", post(|body: Bytes| async move { body })).layer(layer);
/// for (upload, expected) in [("harmless", StatusCode::OK), ("an EICAR test", StatusCode::FORBIDDEN)] {
///     let request = Request::post("/uploads").header("content-type", "application/octet-stream");
///     let response = app.clone().oneshot(request.body(Body::from(upload))?).await?;
///     assert_eq!(response.status(), expected);
/// }
/// # Ok(()) }
/// ```
pub trait RequestFilter: fmt::Debug + Send + Sync + 'static {
    /// Whether the body is to be there when [`inspect`](Self::inspect) is called. Default: not.
    fn wants_body(&self, head: &Parts) -> bool {
        let _ = head;
        false
    }

    /// Looks at a request. Must not block.
    ///
    /// # Errors
    /// If the filter cannot tell: the request is then answered with 503, and never let through.
    fn inspect<'a>(&'a self, seen: Inspected<'a>) -> BoxFuture<'a, Result<FilterVerdict, StoreError>>;
}

/// Why a filter refused, for the log.
#[derive(Debug, thiserror::Error)]
#[error("a request filter refused: {0}")]
pub(super) struct Refused(pub(super) String);

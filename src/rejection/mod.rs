//! Why a request was refused, and how that is said.
//!
//! Every layer refuses with a [`Rejection`]. One table ([`RejectionKind`]) gives each kind its
//! status, code, problem type, title, severity and documentation; one renderer writes it as
//! `application/problem+json` (RFC 9457). Gates return rejections, and never build responses.
//!
//! The rejection also travels in the response's extensions, so an application restyles all of
//! them in one place:
//!
//! ```
//! use axum::{Router, response::Response, routing::get};
//! use portcullis::rejection::LegacyJson;
//! use tower::ServiceBuilder;
//!
//! let app: Router = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .layer(ServiceBuilder::new().map_response(|response: Response| LegacyJson::Workflow.restyle(response)));
//! ```

mod graphql;
mod kind;
mod legacy;
mod render;

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::LengthLimitError;
use serde_json::Value;
use tower_http::timeout::TimeoutError;

pub(crate) use self::render::{Stamp, forget_body, render, restamp};
pub use self::{
    graphql::GraphQlErrors,
    kind::{RejectionKind, Severity},
    legacy::LegacyJson,
};
use crate::{store::SharedError, time::secs_ceil};

/// A refused request: the kind, what to tell the client, and what to tell the owner.
///
/// `detail` and the members go to the client; `source` goes to the log and nowhere else.
#[derive(Clone)]
pub struct Rejection {
    inner: Arc<Inner>,
    /// In place of the headers of `inner`: the same for many rejections, and so not copied.
    lines: Option<Arc<Lines>>,
    /// Rendered with the request's id.
    stamped: bool,
}

/// Header fields of a response.
pub(crate) type Lines = Vec<(HeaderName, HeaderValue)>;

#[derive(Clone)]
struct Inner {
    kind: RejectionKind,
    /// The kind's, or that of the foreign error which it stands for.
    status: StatusCode,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
    headers: Lines,
    members: Vec<(&'static str, Value)>,
    source: Option<SharedError>,
    /// The form of the body, where it is no problem document.
    body: Option<GraphQlErrors>,
}

impl Inner {
    fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: Cow::Borrowed(kind.detail()),
            retry_after: None,
            headers: Vec::new(),
            members: Vec::new(),
            source: None,
            body: None,
        }
    }
}

impl Rejection {
    /// A rejection of `kind` with the kind's usual detail.
    pub fn new(kind: RejectionKind) -> Self {
        // One for each kind: who is refused for nothing but that costs no allocation here.
        static SHARED: [OnceLock<Arc<Inner>>; RejectionKind::COUNT] = [const { OnceLock::new() }; RejectionKind::COUNT];
        let make = || Arc::new(Inner::new(kind));
        let inner = SHARED.get(kind.index()).map_or_else(make, |shared| Arc::clone(shared.get_or_init(make)));
        Self { inner, lines: None, stamped: false }
    }

    /// The rejection for a bare status, such as that of an axum extractor: the kind whose status
    /// it is, else `invalid_request` for the 4xx and `internal_error` for the 5xx. The status stays
    /// as it is; one below 400 becomes 500.
    ///
    /// ```
    /// use http::StatusCode;
    /// use portcullis::rejection::{Rejection, RejectionKind};
    ///
    /// let rejection = Rejection::from_status(StatusCode::UNPROCESSABLE_ENTITY);
    /// assert_eq!(rejection.kind(), RejectionKind::UnprocessableContent);
    /// assert_eq!(rejection.kind().code(), "unprocessable_content");
    /// ```
    pub fn from_status(status: StatusCode) -> Self {
        let rejection = Self::new(RejectionKind::of_status(status));
        if status.as_u16() < 400 {
            return rejection;
        }
        rejection.edit(|inner| inner.status = status)
    }

    /// The rejection for a request body that could not be read: 413 where a limit outside was hit,
    /// 408 where a deadline was, else 400.
    ///
    /// ```
    /// use axum::body::Body;
    /// use http_body_util::{BodyExt, Limited};
    /// use portcullis::rejection::{Rejection, RejectionKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let body = Body::new(Limited::new(Body::from("too long"), 3));
    /// let error = body.collect().await.unwrap_err();
    /// assert_eq!(Rejection::from_body_error(&error).kind(), RejectionKind::PayloadTooLarge);
    /// # }
    /// ```
    pub fn from_body_error(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::cut_off(error).unwrap_or_else(|| RejectionKind::InvalidRequest.into())
    }

    /// The rejection for what an axum extractor refused: as [`from_status`](Self::from_status), but
    /// 413 or 408 where a limit or a deadline outside cut the body off, which axum calls 400.
    ///
    /// ```
    /// use axum::{Json, extract::rejection::JsonRejection};
    /// use portcullis::rejection::Rejection;
    ///
    /// async fn create(order: Result<Json<u32>, JsonRejection>) -> Result<String, Rejection> {
    ///     let Json(order) = order.map_err(|error| Rejection::from_extractor(error.status(), &error))?;
    ///     Ok(format!("{order} ordered"))
    /// }
    /// ```
    pub fn from_extractor(status: StatusCode, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::cut_off(error).unwrap_or_else(|| Self::from_status(status))
    }

    /// Looks for the cause through the chain of sources.
    fn cut_off(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|cause| {
            if cause.is::<LengthLimitError>() {
                return Some(RejectionKind::PayloadTooLarge.into());
            }
            cause.is::<TimeoutError>().then(|| RejectionKind::RequestTimeout.into())
        })
    }

    /// A layer is missing or misplaced: 500 `misconfigured`, with `cure` in the log only.
    pub fn misconfigured(cure: &'static str) -> Self {
        Self::new(RejectionKind::Misconfigured).with_source(Misconfigured(cure))
    }

    /// A backend could not answer: 503 with `Retry-After: 1`, never a denial.
    pub fn backend(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(RejectionKind::BackendUnavailable).with_retry_after(Duration::from_secs(1)).with_source(source)
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// Says more to the client. Must not repeat what the client sent, nor name a backend.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.edit(|inner| inner.detail = detail.into())
    }

    /// When the same request may succeed: `Retry-After` in whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.edit(|inner| inner.retry_after = Some(after))
    }

    /// Adds one header to the response. `Content-Type`, `Content-Length`, `Cache-Control` and
    /// `Retry-After` are the renderer's.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let lines = self.lines.take();
        self.edit(|inner| {
            if let Some(lines) = lines {
                inner.headers.clone_from(&lines);
            }
            inner.headers.push((name, value));
        })
    }

    /// Adds lines that many rejections have.
    pub(crate) fn with_lines(mut self, lines: &Arc<Lines>) -> Self {
        if self.headers().is_empty() {
            self.lines = Some(Arc::clone(lines));
            return self;
        }
        lines.iter().fold(self, |all, (name, value)| all.with_header(name.clone(), value.clone()))
    }

    /// Adds one `WWW-Authenticate` challenge (RFC 9110 §11.6.1), each in a line of its own.
    #[must_use]
    pub fn with_challenge(self, challenge: HeaderValue) -> Self {
        self.with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// Adds an extension member to the problem document (RFC 9457 §3.2).
    #[must_use]
    pub fn with_member(self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.edit(|inner| inner.members.push((name, value)))
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.edit(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Answers as a GraphQL server does, in place of the problem document.
    #[must_use]
    pub fn with_graphql_body(self, form: GraphQlErrors) -> Self {
        self.edit(|inner| inner.body = Some(form))
    }

    /// Why.
    pub fn kind(&self) -> RejectionKind {
        self.inner.kind
    }

    /// The HTTP status: the kind's, unless the rejection was made [from another](Self::from_status).
    pub fn status(&self) -> StatusCode {
        self.inner.status
    }

    /// What the client is told.
    pub fn detail(&self) -> &str {
        &self.inner.detail
    }

    /// `Retry-After` in whole seconds, as the header has it.
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.inner.retry_after.map(|after| secs_ceil(after).max(1))
    }

    /// The headers beside those that every rejection has.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        self.lines.as_ref().map_or(&self.inner.headers, |lines| lines)
    }

    /// One of the extension members.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.inner.members.iter().find(|(held, _)| *held == name).map(|(_, value)| value)
    }

    /// What the owner is told.
    pub fn source(&self) -> Option<&SharedError> {
        self.inner.source.as_ref()
    }

    pub(crate) fn members(&self) -> &[(&'static str, Value)] {
        &self.inner.members
    }

    pub(crate) fn graphql_body(&self) -> Option<GraphQlErrors> {
        self.inner.body
    }

    pub(crate) fn is_stamped(&self) -> bool {
        self.stamped
    }

    fn stamped(self) -> Self {
        Self { stamped: true, ..self }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misconfigured(&'static str);

/// The problem document without a request id. A portcullis layer on the way out adds the id.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        render(self, None)
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.inner.kind)
            .field("detail", &self.inner.detail)
            .field("source", &self.inner.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.kind.code(), self.inner.detail)
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests;

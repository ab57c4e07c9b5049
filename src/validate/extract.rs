use std::{any::type_name, sync::Arc};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
};

/// The JSON of the body, as [`RequestValidationLayer`](super::RequestValidationLayer) has read and
/// checked it; a request extension, and an extractor. Cheap to clone.
///
/// The body itself is still there, unchanged: another extractor may read it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedJson(Arc<Value>);

impl ParsedJson {
    pub(super) fn new(value: Value) -> Self {
        Self(Arc::new(value))
    }

    /// The document.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// The JSON of the body as a type of yours, without parsing it a second time: what axum's `Json` is
/// where no layer has parsed it before.
///
/// A document that passed the schema and is none of that type is 422; no JSON body at all is 400, or
/// `None` for an `Option`; and no [`RequestValidationLayer`](super::RequestValidationLayer) outside is
/// a 500 whose log line says so.
///
/// ```
/// use axum::{Router, body::Body, routing::post};
/// use http::{Request, StatusCode};
/// use portcullis::validate::{RequestValidationLayer, ValidatedJson};
/// use serde::Deserialize;
/// use tower::ServiceExt;
///
/// #[derive(Deserialize)]
/// struct Order { pieces: u32 }
///
/// async fn order(ValidatedJson(order): ValidatedJson<Order>) -> String {
///     format!("{} ordered", order.pieces)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Router::new().route("/orders", post(order)).layer(RequestValidationLayer::builder().build()?);
/// let send = |body: &'static str| {
///     let request = Request::post("/orders").header("content-type", "application/json").body(Body::from(body));
///     app.clone().oneshot(request.unwrap())
/// };
/// assert_eq!(send(r#"{"pieces":3}"#).await?.status(), StatusCode::OK);
/// assert_eq!(send(r#"{"pieces":3,"pieces":-1}"#).await?.status(), StatusCode::BAD_REQUEST);
/// assert_eq!(send(r#"{"pieces":-1}"#).await?.status(), StatusCode::UNPROCESSABLE_ENTITY);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidatedJson<T>(pub T);

/// The value itself goes nowhere: serde's own message would repeat it.
#[derive(Debug, thiserror::Error)]
#[error("the body passed the validation, and is no {0}: let its schema say what the type does")]
struct Unfit(&'static str);

fn parsed(parts: &Parts) -> Result<Option<&ParsedJson>, Rejection> {
    if let Some(parsed) = parts.extensions.get::<ParsedJson>() {
        return Ok(Some(parsed));
    }
    let context = RequestContext::from_parts(parts)?;
    if context.marks() & Place::Validation.bit() == 0 {
        return Err(Rejection::misconfigured(
            "a validated body is needed, but no RequestValidationLayer stands outside: add it to this route",
        ));
    }
    Ok(None)
}

fn absent() -> Rejection {
    Rejection::new(RejectionKind::InvalidRequest).with_detail("A JSON body is expected here.")
}

fn typed<T: DeserializeOwned>(parsed: &ParsedJson) -> Result<ValidatedJson<T>, Rejection> {
    T::deserialize(parsed.value())
        .map(ValidatedJson)
        .map_err(|_| Rejection::new(RejectionKind::UnprocessableContent).with_source(Unfit(type_name::<T>())))
}

impl<S: Sync> FromRequestParts<S> for ParsedJson {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parsed(parts)?.cloned().ok_or_else(absent)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for ValidatedJson<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        typed(parsed(parts)?.ok_or_else(absent)?)
    }
}

/// `None` is a request without a JSON body; a missing layer is still a 500.
impl<T: DeserializeOwned, S: Sync> OptionalFromRequestParts<S> for ValidatedJson<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        parsed(parts)?.map(typed).transpose()
    }
}

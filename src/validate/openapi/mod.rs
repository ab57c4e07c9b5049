//! Rules from an `OpenAPI` 3.1 document.

mod content;
mod document;
mod operation;
mod parameter;

use serde_json::Value;

use self::document::Document;
use super::{
    Rules,
    builder::RequestValidationLayerBuilder,
    json::{self, Bounds, DEEPEST},
};
use crate::config_error::{ConfigError, ConfigIssues};

/// An `OpenAPI` 3.1 document, of which [`Rules`] are made: paths, parameters, request bodies with their
/// media types, and schemas with a `$ref` into the document.
///
/// What this crate cannot check is a [`ConfigError`] that names the place in the document, as a JSON
/// pointer: nothing is silently left out. Where that is meant,
/// [`leave_unchecked`](Self::leave_unchecked) says so for a media type.
///
/// | of the document | becomes |
/// |---|---|
/// | a path and a method | the rule of that route; the names of parameters may differ from the router's |
/// | no `requestBody` | no body is taken |
/// | `requestBody.content` | the media types that are taken; of `required: false`, a body may be missing |
/// | a schema of a JSON type | checked, formats included; `int32` and `int64` bound their number |
/// | another type without a schema, or of `type: string` | bounded, and not looked into |
/// | `parameters` in path, query, header, cookie | checked; lists in `form` style or with commas |
/// | responses, security, servers of the document, callbacks, webhooks, links | nothing: no part of a request's shape |
/// | other types with a schema, objects as parameters, `content` of parameters, `servers` of a path | an error |
///
/// ```
/// use axum::{Router, body::Body, routing::post};
/// use http::{Request, StatusCode};
/// use portcullis::validate::{OpenApi, RequestValidationLayer, Rules};
/// use serde_json::json;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let document = json!({
///     "openapi": "3.1.0",
///     "info": { "title": "Orders", "version": "1" },
///     "paths": { "/orders/{id}/lines": { "post": {
///         "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } }],
///         "requestBody": { "required": true, "content": { "application/json": {
///             "schema": { "$ref": "#/components/schemas/Line" }
///         } } },
///         "responses": { "201": { "description": "added" } }
///     } } },
///     "components": { "schemas": { "Line": {
///         "type": "object",
///         "properties": { "pieces": { "type": "integer", "minimum": 1 } },
///         "required": ["pieces"],
///         "additionalProperties": false
///     } } }
/// });
/// // The document's paths begin below the prefix that its `servers` have.
/// let rules = Rules::new().nest("/v1", OpenApi::new(document).rules()?);
/// let layer = RequestValidationLayer::builder().rules(rules).refuse_unlisted().build()?;
/// let app = Router::new().route("/v1/orders/{order}/lines", post(|| async { "added" })).layer(layer);
///
/// for (path, body, expected) in [
///     ("/v1/orders/7/lines", r#"{"pieces":2}"#, StatusCode::OK),
///     ("/v1/orders/7/lines", r#"{"pieces":0}"#, StatusCode::UNPROCESSABLE_ENTITY),
///     ("/v1/orders/x/lines", r#"{"pieces":2}"#, StatusCode::UNPROCESSABLE_ENTITY),
///     ("/v1/orders", r#"{"pieces":2}"#, StatusCode::NOT_FOUND),
/// ] {
///     let request = Request::post(path).header("content-type", "application/json").body(Body::from(body))?;
///     assert_eq!(app.clone().oneshot(request).await?.status(), expected, "{path} {body}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct OpenApi {
    document: Value,
    unchecked: Vec<String>,
}

impl OpenApi {
    /// The document.
    pub fn new(document: Value) -> Self {
        Self { document, unchecked: Vec::new() }
    }

    /// The document as JSON text. (Of YAML, make JSON first.)
    ///
    /// # Errors
    /// If it is no JSON, or a member stands twice in it.
    pub fn text(document: &str) -> Result<Self, ConfigError> {
        match json::parse(document.as_bytes(), Bounds { depth: DEEPEST, values: usize::MAX }) {
            Ok(document) => Ok(Self::new(document)),
            Err(fault) => {
                let reason = format!("the document is no JSON, at byte {} ({:?})", fault.offset, fault.what);
                Err(ConfigError::new("openapi", reason, "convert YAML to JSON, and remove members that stand twice"))
            }
        }
    }

    /// Bodies of this media type are bounded and not looked into, although the document has a schema for
    /// them: `"multipart/form-data"`, `"application/x-www-form-urlencoded"`.
    pub fn leave_unchecked(mut self, media_type: impl Into<String>) -> Self {
        self.unchecked.push(media_type.into());
        self
    }

    /// The rules.
    ///
    /// # Errors
    /// Everything in the document that is wrong, or that this crate cannot check, each with its place.
    pub fn rules(&self) -> Result<Rules, ConfigError> {
        let mut issues = ConfigIssues::new();
        let document = Document::new(&self.document, &self.unchecked);
        let rules = operation::rules(&document, &mut issues);
        // The schemas are compiled once more with the layer: here, so that all mistakes are told at once.
        RequestValidationLayerBuilder::new().rules(rules.clone()).add_mistakes(&mut issues);
        issues.finish(rules)
    }
}

impl Rules {
    /// The rules of an `OpenAPI` 3.1 document: [`OpenApi`].
    ///
    /// # Errors
    /// As [`OpenApi::rules`].
    pub fn from_openapi(document: &Value) -> Result<Self, ConfigError> {
        OpenApi::new(document.clone()).rules()
    }

    /// The same, of JSON text.
    ///
    /// # Errors
    /// As [`OpenApi::text`] and [`OpenApi::rules`].
    pub fn from_openapi_text(document: &str) -> Result<Self, ConfigError> {
        OpenApi::text(document)?.rules()
    }
}

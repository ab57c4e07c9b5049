//! Rejections as a GraphQL client reads them.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};

use super::{Rejection, legacy::restyled};

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// Renders rejections as the response of a GraphQL server (GraphQL over HTTP, *Response*), for clients that
/// look nowhere else for errors:
/// `{"errors": [{"message": …, "extensions": {"code": "query_too_complex", …}}]}`.
///
/// Status and headers stay as they are; only the body and its media type change. `GraphQlLimitLayer` uses
/// it on request; for what all other layers refuse, put it outside:
///
/// ```
/// use axum::{Router, response::Response, routing::post};
/// use portcullis::rejection::GraphQlErrors;
/// use tower::ServiceBuilder;
///
/// let app: Router = Router::new()
///     .route("/graphql", post(|| async { "{}" }))
///     .layer(ServiceBuilder::new().map_response(|response: Response| GraphQlErrors::Response.restyle(response)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphQlErrors {
    /// `application/graphql-response+json`, which clients read whatever the status is.
    Response,
    /// `application/json`, for clients from before that media type.
    Json,
}

impl GraphQlErrors {
    /// The one of the two that the request accepts; `application/json` if it names neither.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let named = |line: &HeaderValue| {
            // Media types are compared without regard to case (RFC 9110 §8.3.1).
            line.as_bytes()
                .windows(GRAPHQL_RESPONSE.len())
                .any(|part| part.eq_ignore_ascii_case(GRAPHQL_RESPONSE.as_bytes()))
        };
        if headers.get_all(header::ACCEPT).iter().any(named) { Self::Response } else { Self::Json }
    }

    /// Rewrites the body if the response is a rejection; returns every other response untouched.
    pub fn restyle(self, response: Response) -> Response {
        restyled(response, &self.media_type(), |rejection| self.body(rejection))
    }

    /// The body for one rejection.
    pub fn body(self, rejection: &Rejection) -> Value {
        self.body_with(rejection, None)
    }

    #[expect(clippy::unused_self, reason = "the forms may come to differ in more than their media type")]
    pub(super) fn body_with(self, rejection: &Rejection, request_id: Option<&str>) -> Value {
        let mut extensions = Map::new();
        extensions.insert("code".into(), rejection.kind().code().into());
        extensions.insert("status".into(), rejection.status().as_u16().into());
        if let Some(id) = request_id {
            extensions.insert("request_id".into(), id.into());
        }
        if let Some(secs) = rejection.retry_after_secs() {
            extensions.insert("retry_after".into(), secs.into());
        }
        for (name, value) in rejection.members() {
            extensions.insert((*name).into(), value.clone());
        }
        json!({ "errors": [{ "message": rejection.detail(), "extensions": extensions }] })
    }

    pub(super) fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Response => GRAPHQL_RESPONSE,
            Self::Json => "application/json",
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::rejection::RejectionKind;

    async fn body_of(response: Response) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    fn refused() -> Rejection {
        Rejection::new(RejectionKind::QueryTooComplex).with_detail("Too deep.").with_member("limit", 15)
    }

    #[tokio::test]
    async fn a_rejection_can_be_rendered_as_graphql_from_the_beginning_or_later() {
        let wanted = json!({ "errors": [{
            "message": "Too deep.", "extensions": { "code": "query_too_complex", "status": 422, "limit": 15 },
        }] });
        let rendered = refused().with_graphql_body(GraphQlErrors::Response).into_response();
        assert_eq!(
            (rendered.status().as_u16(), &rendered.headers()["cache-control"]),
            (422, &"no-store".parse().unwrap())
        );
        let restyled = GraphQlErrors::Json.restyle(refused().into_response());
        for (response, media_type) in [(rendered, GRAPHQL_RESPONSE), (restyled, "application/json")] {
            assert_eq!(response.headers()["content-type"], media_type);
            assert_eq!(body_of(response).await, wanted);
        }
    }

    #[tokio::test]
    async fn the_request_id_is_added_like_that_of_a_problem() {
        let rejection = refused().with_graphql_body(GraphQlErrors::Json);
        let stamp = crate::rejection::Stamp { request_id: "req_1", is_head: false };
        let late = crate::rejection::restamp(rejection.clone().into_response(), rejection.clone(), stamp);
        let early = crate::rejection::render(rejection, Some(stamp));
        for response in [late, early] {
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(body_of(response).await["errors"][0]["extensions"]["request_id"], "req_1");
        }
    }

    #[test]
    fn the_media_type_is_the_one_that_is_accepted() {
        let of = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT, line.parse().unwrap());
            }
            GraphQlErrors::accepted(&headers)
        };
        assert_eq!(of(&[]), GraphQlErrors::Json);
        assert_eq!(of(&["*/*"]), GraphQlErrors::Json);
        assert_eq!(of(&["application/json", "application/GraphQL-Response+json;q=0.9"]), GraphQlErrors::Response);
    }
}

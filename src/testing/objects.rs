use axum::{Router, body::Body, response::Response};
use http::Request;
use http_body_util::BodyExt as _;
use serde::Serialize;
use tower::{ServiceExt as _, util::MapResponseLayer};

use crate::{
    authz::{
        fields::{self, FieldScopes},
        object::Authorized,
    },
    rejection::{Rejection, RejectionKind},
};

/// An object as a handler gets it once it was checked: for calling handlers as functions.
///
/// ```
/// use portcullis::{authz::object::{Authorized, Read}, testing::authorized};
///
/// struct Order { item: String }
///
/// async fn read(order: Authorized<Order, Read>) -> String {
///     order.into_inner().item
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(read(authorized(Order { item: "tea".into() })).await, "tea");
/// # }
/// ```
pub fn authorized<R, A>(object: R) -> Authorized<R, A> {
    Authorized::new(object)
}

/// A layer to put around the application of a test: where a handler answered without the check that
/// its route [owes](crate::authz::object), the test panics, whatever it asserts, and the message
/// names the route. (Without it the test sees a 500 `authorization_not_checked`.)
///
/// Put it where all tests get their application from, outside everything else: further inside,
/// a layer that catches panics would make a response of it.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use portcullis::{
///     authz::{Requirement, ScopeLayer},
///     testing::{enforce_obligations, principal, with_principal},
/// };
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scope = ScopeLayer::builder(Requirement::authenticated().object_level()).build()?;
/// let app: Router = Router::new()
///     .route("/orders/{id}", get(|| async { "whosever it is" }))
///     .layer(ServiceBuilder::new().layer(with_principal(principal("usr_1").build())).layer(scope))
///     .layer(enforce_obligations());
///
/// let test = tokio::spawn(app.oneshot(Request::get("/orders/7").body(Body::empty())?));
/// assert!(test.await.unwrap_err().is_panic());
/// # Ok(()) }
/// ```
pub fn enforce_obligations() -> MapResponseLayer<fn(Response) -> Response> {
    MapResponseLayer::new(demand_check)
}

#[expect(clippy::panic, reason = "only tests call this, and it is what they are to fail with")]
fn demand_check(response: Response) -> Response {
    let rejection = response.extensions().get::<Rejection>();
    match rejection.filter(|rejection| rejection.kind() == RejectionKind::AuthorizationNotChecked) {
        Some(rejection) => {
            let place = rejection.source().map(ToString::to_string).unwrap_or_default();
            panic!("an obligation was not met: {place}");
        }
        None => response,
    }
}

/// The rows of [`FieldScopes`] that lead to nothing in `sample`: misspelled ones, or ones of fields that
/// were renamed, which hide nothing. Should be empty for a sample with every field filled.
///
/// ```
/// use portcullis::{authz::fields::field_scopes, testing::unmatched_fields};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// #[serde(rename_all = "camelCase")]
/// struct Order { item: &'static str, net_margin: f64 }
///
/// field_scopes! { Order { net_margin => "read:margins" } }
///
/// // In the JSON it is `netMargin`, and everybody sees it.
/// assert_eq!(unmatched_fields::<Order>(&Order { item: "tea", net_margin: 0.4 }), ["/net_margin"]);
/// ```
///
/// # Panics
/// If the sample cannot be written as JSON: the test is wrong.
#[expect(clippy::expect_used, reason = "only tests call this, and a wrong test should say where")]
pub fn unmatched_fields<T: FieldScopes + ?Sized>(sample: &(impl Serialize + ?Sized)) -> Vec<String> {
    let text = serde_json::to_vec(sample).expect("a sample that can be written as JSON");
    fields::unmatched::<T>(&text).expect("a sample that is not nested too deeply")
}

/// Sends two requests, one for an object that is somebody else's and one for an object that does not
/// exist, and fails unless the answers are the same: status, header fields and body, the request's id
/// apart. For every route with an id, this is what no caller should be able to tell apart.
///
/// ```
/// use axum::{Router, body::Body, extract::Path, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::testing::assert_indistinguishable;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let app: Router = Router::new().route("/orders/{id}", get(|Path(id): Path<u64>| async move {
///     match id {
///         1 => (StatusCode::OK, "tea"),
///         2 => (StatusCode::NOT_FOUND, "order not found"), // somebody else's
///         _ => (StatusCode::NOT_FOUND, "not found"),
///     }
/// }));
/// let ask = |path: &str| Request::get(path).body(Body::empty()).unwrap();
/// let test = tokio::spawn(async move { assert_indistinguishable(&app, ask("/orders/2"), ask("/orders/3")).await });
/// assert!(test.await.unwrap_err().is_panic());
/// # }
/// ```
///
/// # Panics
/// If the answers differ.
pub async fn assert_indistinguishable(app: &Router, theirs: Request<Body>, missing: Request<Body>) {
    let place = format!("{} {}", theirs.method(), theirs.uri().path());
    let (theirs, missing) = (shown(app, theirs).await, shown(app, missing).await);
    assert_eq!(theirs, missing, "{place} tells that there is something");
}

/// Status, header fields and body, as text, without the id of the request.
#[expect(clippy::expect_used, reason = "only tests call this, and it is what they are to fail with")]
async fn shown(app: &Router, request: Request<Body>) -> String {
    let response = app.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let mut fields: Vec<String> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    fields.sort_unstable();
    let text = format!("{}\n{}\n{}", parts.status, fields.concat(), String::from_utf8_lossy(&body));
    match parts.headers.get("x-request-id").and_then(|id| id.to_str().ok()) {
        Some(id) if !id.is_empty() => text.replace(id, "(id)"),
        _ => text,
    }
}

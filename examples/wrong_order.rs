//! The same layers in two orders: what goes wrong in the first, how it is noticed, and the cure.
//!
//! ```sh
//! cargo run --example wrong_order
//! ```
//!
//! Nothing of it is visible in a type, and every happy path works in both orders. Three things tell:
//! the log, at the first request; [`check_edge`] in a test, which asks what a browser and an attacker
//! would; and [`Stack`], in which there is no wrong order.
#![allow(clippy::print_stdout, reason = "it is an example for people")]

use axum::{Router, body::Body, routing::get};
use http::{Method, Request, StatusCode, header};
use portcullis::{
    auth::AuthLayer,
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    stack::Stack,
    testing::{EdgeReport, TestIssuer, check_edge},
};
use tower::{ServiceBuilder, ServiceExt as _};

const ORIGIN: &str = "https://app.example.com";

type Error = Box<dyn std::error::Error>;

/// Everything that the two orders have in common.
struct Parts {
    issuer: TestIssuer,
    auth: AuthLayer,
    cors: CorsSecurityLayer,
    headers: SecurityHeadersLayer,
}

impl Parts {
    fn new() -> Result<Self, Error> {
        let issuer = TestIssuer::new("https://issuer.test");
        let auth = AuthLayer::builder().jwt(issuer.verifier()).build()?;
        let cors = CorsSecurityLayer::builder()
            .allow_origin(ORIGIN)
            .methods(["GET"])
            .request_headers([header::AUTHORIZATION])
            .build()?;
        Ok(Self { issuer, auth, cors, headers: SecurityHeadersLayer::api() })
    }

    /// Sixty requests an hour for each address. It counts for itself in each of the two routers.
    fn limit() -> Result<RateLimitLayer, Error> {
        let rule = Rule::new("address", Key::ip(), Rate::per_hour(60)).fixed_window();
        Ok(RateLimitLayer::builder(MemoryStore::new()).rule(rule).build()?)
    }

    fn routes() -> Router {
        Router::new().route("/orders", get(|| async { "your orders\n" }))
    }

    /// As the data flows in the head of whoever writes it down: first see who calls, then the rest. And
    /// one route was forgotten, and added at the end.
    fn wrong(&self) -> Result<Router, Error> {
        let layers = ServiceBuilder::new()
            .layer(Self::limit()?)
            .layer(self.auth.clone())
            .layer(self.cors.clone())
            .layer(self.headers.clone());
        Ok(Self::routes().layer(layers).route("/invoices", get(|| async { "everybody's invoices\n" })))
    }

    /// The cure: all routes first, then one `Stack`, which nests the layers as they belong.
    fn right(&self) -> Result<Router, Error> {
        let edge = Stack::new()
            .rate_limit_before_auth(&Self::limit()?)
            .auth(&self.auth)
            .cors(&self.cors)
            .security_headers(&self.headers);
        Ok(Self::routes().route("/invoices", get(|| async { "your invoices\n" })).layer(edge))
    }

    /// What a test of the application says, in either order.
    async fn check(&self, app: Router) -> EdgeReport {
        check_edge(app)
            .origin(ORIGIN)
            .preflight_headers(["authorization"])
            .route(Method::GET, "/orders")
            .route(Method::GET, "/invoices")
            .credential("authorization", &self.bearer())
            .limited_route(Method::GET, "/orders", 60)
            .await
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.issuer.token("usr_1").sign())
    }
}

/// What the browser asks before it sends a page's request with a token.
fn preflight() -> Result<Request<Body>, Error> {
    let request = Request::options("/orders")
        .header("origin", ORIGIN)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    Ok(request.body(Body::empty())?)
}

async fn show(name: &str, parts: &Parts, app: Router) -> Result<StatusCode, Error> {
    println!("--- {name}");
    // Whoever tries it with curl is content: the warning in the log is all there is to see.
    let request = Request::get("/orders").header("authorization", parts.bearer()).body(Body::empty())?;
    println!("curl gets      {}", app.clone().oneshot(request).await?.status());
    // No browser gets that far.
    let answer = app.clone().oneshot(preflight()?).await?;
    println!("a preflight    {}", answer.status());
    println!("{}", parts.check(app).await);
    Ok(answer.status())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().without_time().init();
    let parts = Parts::new()?;
    show("the wrong order", &parts, parts.wrong()?).await?;
    show("the cure", &parts, parts.right()?).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_wrong_order_is_refused_and_the_right_one_is_not() {
        let parts = Parts::new().unwrap();
        let wrong = parts.check(parts.wrong().unwrap()).await;
        for code in [
            "route-open",
            "cors-missing",
            "preflight-needs-credentials",
            "preflight-costs-rate-limit",
            "preflight-not-answered",
            "security-headers-missing",
        ] {
            assert!(wrong.with_code(code).next().is_some(), "{code}: {wrong}");
        }
        parts.check(parts.right().unwrap()).await.assert_ok();
    }

    #[tokio::test]
    async fn the_happy_path_tells_nothing() {
        let parts = Parts::new().unwrap();
        let refused = show("wrong", &parts, parts.wrong().unwrap()).await.unwrap();
        let answered = show("right", &parts, parts.right().unwrap()).await.unwrap();
        assert_eq!((refused, answered), (StatusCode::UNAUTHORIZED, StatusCode::NO_CONTENT));
    }
}

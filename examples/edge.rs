//! A whole HTTP edge in one place: web pages, security headers, proxies, addresses, plain HTTP, versions,
//! the shape of requests, errors. Identity is a test issuer's token, so that the edge can be seen.
//!
//! ```sh
//! cargo run --example edge        # prints a token, and lines to try
//! cargo test --example edge       # asks it what browsers and attackers would
//! ```
#![allow(clippy::print_stdout, reason = "it is an example for people")]

use std::net::SocketAddr;

use axum::{
    Json, Router,
    routing::{get, post},
};
use http::{Method, header};
use portcullis::{
    auth::{AuthLayer, IdentityHeaders},
    backend::memory::MemoryStore,
    blocks::BlockList,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    identity::Principal,
    ip_filter::IpFilterLayer,
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    request::TrustedProxies,
    require_https::RequireHttpsLayer,
    stack::Stack,
    testing::TestIssuer,
    validate::{RequestValidationLayer, Rule as Shape, ValidatedJson},
    versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate},
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error>;

/// The page that may call the API.
const PAGE: &str = "https://app.example.com";
/// The load balancers: only what they say of a client's address and scheme is believed.
const PROXIES: [&str; 2] = ["10.0.0.0/8", "127.0.0.1"];
/// From there only attacks have come.
const KEPT_OUT: [&str; 1] = ["198.51.100.0/24"];
/// No route takes more.
const LONGEST_BODY: usize = 64 * 1024;
/// For each client's address, before anybody looks at a credential.
const PER_MINUTE: u64 = 120;

/// The edge, and what an operator keeps of it.
struct Edge {
    stack: Stack,
    /// Who still calls the old version?
    versions: ApiVersionLayer,
    /// Keeps out for a while who misbehaves.
    blocks: BlockList,
}

impl Edge {
    fn new(auth: &AuthLayer) -> Result<Self, Error> {
        let cors = CorsSecurityLayer::builder()
            .allow_origin(PAGE)
            .methods([Method::GET, Method::POST])
            .request_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
            .build()?;
        let addresses = Rule::new("address", Key::ip(), Rate::per_minute(PER_MINUTE)).fixed_window();
        let versions = ApiVersionLayer::builder([
            SupportedVersion::new(ApiVersion::number(1))
                .deprecated(UtcDate::new(2026, 6, 1))
                // Usual are six to twelve months; this example is to work for longer.
                .sunset(UtcDate::new(2099, 12, 31))
                .successor_link("/v2"),
            SupportedVersion::new(ApiVersion::number(2)),
        ])
        .build()?;
        let shapes = RequestValidationLayer::builder()
            .route(Method::POST, "/v1/orders", Shape::json().required_body().max_body(4_096))
            .route(Method::POST, "/v2/orders", Shape::json().required_body())
            .build()?;
        let proxies = TrustedProxies::cidrs(PROXIES)?;
        // The balancers are never blocked, whatever a clever client has them say.
        let blocks = BlockList::builder(MemoryStore::new()).trusted_proxies(&proxies).build()?;
        let filter = IpFilterLayer::builder().deny(KEPT_OUT).blocks(&blocks).build()?;
        let stack = Stack::new()
            .trusted_proxies(proxies)
            .security_headers(&SecurityHeadersLayer::api())
            .cors(&cors)
            .ip_filter(&filter)
            .require_https(&RequireHttpsLayer::new())
            .body_limit(LONGEST_BODY)
            .rate_limit_before_auth(&RateLimitLayer::builder(MemoryStore::new()).rule(addresses).build()?)
            .api_version(&versions)
            .auth(auth)
            .validation(&shapes);
        Ok(Self { stack, versions, blocks })
    }
}

#[derive(Debug, Deserialize, Serialize)]
struct Order {
    item: String,
}

/// The layer has parsed it already.
async fn order(caller: Principal, ValidatedJson(order): ValidatedJson<Order>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "for": caller.subject(), "item": order.item }))
}

async fn orders(caller: Principal, version: ApiVersion) -> String {
    format!("the orders of {}, as {version} has them\n", caller.subject())
}

/// All routes first, then the stack: what is added later stands outside.
fn app(edge: &Edge) -> Router {
    let version = || Router::new().route("/orders", get(orders).merge(post(order)));
    Router::new().nest("/v1", version()).nest("/v2", version()).layer(edge.stack.clone())
}

fn auth(issuer: &TestIssuer) -> Result<AuthLayer, Error> {
    // A service behind this one reads who calls in X-User-ID; what clients write there is taken out.
    Ok(AuthLayer::builder().jwt(issuer.verifier()).identity_headers(IdentityHeaders::new()).build()?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let issuer = TestIssuer::new("https://issuer.test");
    let edge = Edge::new(&auth(&issuer)?)?;
    for issue in edge.stack.lint().issues() {
        println!("{issue}");
    }
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    // You are the load balancer, and say that it was HTTPS.
    let token = issuer.token("usr_1").sign();
    println!(
        "curl -i -H 'x-forwarded-proto: https' -H 'authorization: Bearer {token}' http://127.0.0.1:3000/v2/orders"
    );
    println!("curl -i -H 'authorization: Bearer {token}' http://127.0.0.1:3000/v2/orders   # refused, and noted");
    let service = app(&edge).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stopped()).await?;
    println!("blocked at the end: {:?}", edge.blocks.list().await?);
    for caller in edge.versions.usage().callers(ApiVersion::number(1)) {
        println!("still calls v1: {caller:?}");
    }
    Ok(())
}

async fn stopped() {
    drop(tokio::signal::ctrl_c().await);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{body::Body, extract::ConnectInfo, response::Response};
    use http::{Request, StatusCode};
    use portcullis::testing::check_edge;
    use tower::ServiceExt as _;

    use super::*;

    struct Scene {
        app: Router,
        blocks: BlockList,
        bearer: String,
    }

    impl Scene {
        fn new() -> Self {
            let issuer = TestIssuer::new("https://issuer.test");
            let edge = Edge::new(&auth(&issuer).unwrap()).unwrap();
            Self { app: app(&edge), blocks: edge.blocks, bearer: format!("Bearer {}", issuer.token("usr_1").sign()) }
        }

        /// By way of a load balancer, which says that it was HTTPS.
        async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
            let request = Request::builder().method(method).uri(path).header("authorization", &self.bearer);
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let mut request = request.body(Body::from(body.to_owned())).unwrap();
            request.headers_mut().entry("x-forwarded-proto").or_insert(http::HeaderValue::from_static("https"));
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
            self.app.clone().oneshot(request).await.unwrap()
        }
    }

    #[tokio::test]
    async fn it_stands_up_to_browsers_and_attackers() {
        let scene = Scene::new();
        let report = check_edge(scene.app.clone())
            .origin(PAGE)
            .preflight_headers(["authorization", "content-type"])
            .route(Method::GET, "/v2/orders")
            .route(Method::POST, "/v2/orders")
            .credential("authorization", &scene.bearer)
            .body_limit(LONGEST_BODY)
            .limited_route(Method::GET, "/v2/orders", usize::try_from(PER_MINUTE).unwrap())
            .await;
        report.assert_ok();
    }

    #[tokio::test]
    async fn each_layer_has_its_say() {
        let scene = Scene::new();
        let json = ("content-type", "application/json");
        let status = async |method, path, headers: &[_], body| scene.send(method, path, headers, body).await.status();
        assert_eq!(status(Method::POST, "/v2/orders", &[json], r#"{"item":"book"}"#).await, StatusCode::OK);
        let twice = r#"{"item":"book","item":"gold"}"#;
        assert_eq!(status(Method::POST, "/v2/orders", &[json], twice).await, StatusCode::BAD_REQUEST);
        let text = ("content-type", "text/plain");
        assert_eq!(status(Method::POST, "/v2/orders", &[text], "{}").await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let long = format!(r#"{{"item":"{}"}}"#, "a".repeat(5_000));
        assert_eq!(status(Method::POST, "/v1/orders", &[json], &long).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(status(Method::POST, "/v2/orders", &[json], &long).await, StatusCode::OK);
        assert_eq!(status(Method::GET, "/v3/orders", &[], "").await, StatusCode::NOT_FOUND);
        // The balancer says that it was plain HTTP.
        let plain = ("x-forwarded-proto", "http");
        assert_eq!(status(Method::GET, "/v2/orders", &[plain], "").await, StatusCode::FORBIDDEN);

        let old = scene.send(Method::GET, "/v1/orders", &[("origin", PAGE)], "").await;
        assert_eq!(old.headers()["x-api-version"], "v1");
        assert_eq!(old.headers()["sunset"], "Thu, 31 Dec 2099 00:00:00 GMT");
        assert_eq!(old.headers()["access-control-allow-origin"], PAGE);
        assert_eq!(old.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains");
    }

    #[tokio::test]
    async fn who_misbehaves_is_kept_out_by_the_address_that_the_balancer_wrote() {
        let scene = Scene::new();
        let from = async |address: &str| {
            scene.send(Method::GET, "/v2/orders", &[("x-forwarded-for", address)], "").await.status()
        };
        assert_eq!(from("198.51.100.7").await, StatusCode::FORBIDDEN);
        assert_eq!(from("203.0.113.9").await, StatusCode::OK);
        let network = "203.0.113.9/32".parse().unwrap();
        scene.blocks.block_network(network, Duration::from_secs(900), "guesses tokens").await.unwrap();
        assert_eq!(from("203.0.113.9").await, StatusCode::FORBIDDEN);
        // What he writes himself stands further to the left.
        assert_eq!(from("203.0.113.66, 203.0.113.9").await, StatusCode::FORBIDDEN);
        assert_eq!(from("203.0.113.66").await, StatusCode::OK);
    }

    /// What an operator is told when it starts.
    #[test]
    fn nothing_about_it_is_grave() {
        let issuer = TestIssuer::new("https://issuer.test");
        let report = Edge::new(&auth(&issuer).unwrap()).unwrap().stack.lint();
        assert!(report.check().is_ok(), "{report}");
        assert!(report.with_code("no-audit").next().is_some(), "the example keeps no records");
    }
}

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    response::{IntoResponse as _, Response},
    routing::{get, options},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    gate::{Entry, Gate, GateLayer, ProblemLayer},
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

mod browser;
mod configuration;
mod explanations;
#[cfg(feature = "tower-http-interop")]
mod interop;
mod pains;
mod patterns;
mod reloads;
mod seed_bugs;
mod sources;
mod validation;

const APP: &str = "https://app.example.com";

fn builder() -> CorsSecurityLayerBuilder {
    CorsSecurityLayer::builder()
        .allow_origins([APP, "https://admin.example.com"])
        .allow_credentials()
        .methods([Method::GET, Method::PUT, Method::DELETE])
        .request_headers(["Authorization", "Content-Type", "X-API-Key"])
}

/// Refuses `/401`, `/403` and `/429`, as inner layers do.
struct Refuser;

impl<B> Gate<B> for Refuser {
    const NAME: &'static str = "refuser";
    type Pass = ();

    fn enter(
        self: &std::sync::Arc<Self>,
        request: &mut Request<B>,
        _: &std::sync::Arc<RequestContext>,
    ) -> Entry<B, Self::Pass> {
        match request.uri().path() {
            "/401" => Entry::Reject(
                Rejection::new(RejectionKind::MissingCredentials).with_challenge(HeaderValue::from_static("Bearer")),
            ),
            "/403" => Entry::Reject(RejectionKind::Forbidden.into()),
            "/429" => {
                Entry::Reject(Rejection::new(RejectionKind::RateLimited).with_retry_after(Duration::from_secs(3)))
            }
            _ => Entry::Pass(()),
        }
    }
}

fn router(cors: CorsSecurityLayer) -> Router {
    let leaky = || async {
        let mut response = "leaky".into_response();
        response.headers_mut().insert("access-control-allow-origin", HeaderValue::from_static("*"));
        response.headers_mut().append("access-control-allow-origin", HeaderValue::from_static("null"));
        response.headers_mut().insert("access-control-allow-credentials", HeaderValue::from_static("true"));
        response.headers_mut().insert("access-control-expose-headers", HeaderValue::from_static("*"));
        response
    };
    Router::new()
        .route("/", get(|| async { "inner" }))
        .route("/options", options(|| async { "the handler's own" }))
        .route("/leaky", get(leaky))
        .route("/vary", get(|| async { ([(header::VARY, "Accept-Encoding, origin")], "varied") }))
        .route("/vary-else", get(|| async { ([(header::VARY, "Accept")], "varied") }))
        .layer(ServiceBuilder::new().layer(cors).layer(ProblemLayer::new()).layer(GateLayer::new(Refuser)))
}

async fn send(cors: CorsSecurityLayer, method: &str, path: &str, headers: &[(&str, &[u8])]) -> Response {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    router(cors).oneshot(request).await.unwrap()
}

async fn ask(method: &str, path: &str, headers: &[(&str, &[u8])]) -> Response {
    send(builder().build().unwrap(), method, path, headers).await
}

async fn preflight(headers: &[(&str, &[u8])]) -> Response {
    ask("OPTIONS", "/", headers).await
}

fn cors_headers(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("access-control-")).collect()
}

fn all_of(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

const ORIGIN: (&str, &[u8]) = ("origin", APP.as_bytes());
const PUT: (&str, &[u8]) = ("access-control-request-method", b"PUT");
const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

#[tokio::test]
async fn an_allowed_preflight_gets_what_it_asked_for_and_no_more() {
    let asked = ("access-control-request-headers", &b"authorization,content-type"[..]);
    let response = preflight(&[ORIGIN, PUT, asked]).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], APP);
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(headers["access-control-allow-methods"], "PUT");
    assert_eq!(headers["access-control-allow-headers"], "authorization,content-type");
    assert_eq!(headers["access-control-max-age"], "7200");
    assert_eq!(all_of(headers, "vary"), [PREFLIGHT_VARY]);
    // Browsers ignore it here (seed bug 10).
    assert!(!headers.contains_key("access-control-expose-headers"));
    assert_eq!(cors_headers(headers).len(), 5);
}

#[tokio::test]
async fn a_preflight_without_header_names_or_credentials_says_nothing_of_them() {
    let cors = CorsSecurityLayer::builder().allow_origin(APP).max_age(Duration::from_millis(1_900)).build().unwrap();
    let post = ("access-control-request-method", &b"POST"[..]);
    let response = send(cors, "OPTIONS", "/nowhere", &[ORIGIN, post]).await;
    let headers = response.headers();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(headers["access-control-max-age"], "1");
    assert!(!headers.contains_key("access-control-allow-credentials"));
    assert!(!headers.contains_key("access-control-allow-headers"));
}

#[tokio::test]
async fn a_refused_preflight_is_told_nothing() {
    let method = |method: &'static [u8]| ("access-control-request-method", method);
    let asked = |names: &'static [u8]| ("access-control-request-headers", names);
    let origin = |origin: &'static [u8]| ("origin", origin);
    let commas = b",".repeat(60_000);
    let cases: &[&[(&str, &[u8])]] = &[
        // The origin: others, look-alikes, `null`, repeated, not ASCII, empty.
        &[origin(b"https://evil.example"), PUT],
        &[origin(b"https://app.example.com.evil.example"), PUT],
        &[origin(b"https://evilapp.example.com"), PUT],
        &[origin(b"https://app.example.com/"), PUT],
        &[origin(b"https://app.example.com:443"), PUT],
        &[origin(b"https://APP.example.com"), PUT],
        &[origin(b"http://app.example.com"), PUT],
        &[origin(b"null"), PUT],
        &[origin(b"*"), PUT],
        &[origin(b""), PUT],
        &[origin(b"https://app.example.com\xff"), PUT],
        &[origin(b"https://app.example.com https://admin.example.com"), PUT],
        &[ORIGIN, ORIGIN, PUT],
        &[ORIGIN, origin(b"https://evil.example"), PUT],
        // The method: not listed, in lower case (methods are case-sensitive), safelisted but not listed.
        &[ORIGIN, method(b"PATCH")],
        &[ORIGIN, method(b"put")],
        &[ORIGIN, method(b"POST")],
        &[ORIGIN, method(b"*")],
        // The headers: not listed, a wildcard, too many.
        &[ORIGIN, PUT, asked(b"x-other")],
        &[ORIGIN, PUT, asked(b"authorization,x-other")],
        &[ORIGIN, PUT, asked(b"*")],
        &[ORIGIN, PUT, asked(b"authorization"), asked(b"x-other")],
        &[ORIGIN, PUT, asked(b"caf\xe9")],
        &[ORIGIN, PUT, ("access-control-request-headers", &commas)],
    ];
    for case in cases {
        let response = preflight(case).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{case:?}");
        assert_eq!(cors_headers(response.headers()), [""; 0], "{case:?}");
        assert_eq!(all_of(response.headers(), "vary"), [PREFLIGHT_VARY], "{case:?}");
    }
}

#[tokio::test]
async fn options_without_the_marks_of_a_preflight_is_the_applications() {
    let cases: &[&[(&str, &[u8])]] = &[
        &[],
        &[ORIGIN],
        &[PUT],
        &[ORIGIN, PUT, ("access-control-request-method", b"GET")],
        &[ORIGIN, ("access-control-request-method", b"GET, DELETE")],
        &[ORIGIN, ("access-control-request-method", b"")],
        &[ORIGIN, ("access-control-request-method", b"P\xffT")],
    ];
    for case in cases {
        let response = ask("OPTIONS", "/options", case).await;
        assert_eq!(response.status(), StatusCode::OK, "{case:?}");
        assert_eq!(response.headers().contains_key("access-control-allow-origin"), case.contains(&ORIGIN), "{case:?}");
        assert!(!response.headers().contains_key("access-control-allow-methods"), "{case:?}");
        assert_eq!(all_of(response.headers(), "vary"), ["Origin"], "{case:?}");
    }
    // What looks like a preflight with another method is none, either.
    assert_eq!(ask("GET", "/", &[ORIGIN, PUT]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_refusal_of_every_inner_layer_can_be_read_by_an_allowed_origin() {
    for (path, status) in [("/", 200), ("/401", 401), ("/403", 403), ("/429", 429), ("/nowhere", 404)] {
        let response = ask("GET", path, &[ORIGIN]).await;
        assert_eq!(response.status(), status);
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], APP, "{path}");
        assert_eq!(headers["access-control-allow-credentials"], "true", "{path}");
        let exposed = headers["access-control-expose-headers"].to_str().unwrap();
        for name in
            ["retry-after", "ratelimit", "x-ratelimit-reset", "x-request-id", "www-authenticate", "x-quota-used"]
        {
            assert!(exposed.split(", ").any(|held| held == name), "{path}: {name} in {exposed}");
        }
        assert_eq!(all_of(headers, "vary"), ["Origin"], "{path}");
    }
    let response = ask("POST", "/", &[ORIGIN]).await;
    assert_eq!((response.status().as_u16(), cors_headers(response.headers()).len()), (405, 3));
    let response = ask("GET", "/429", &[ORIGIN]).await;
    assert_eq!(response.headers()["retry-after"], "3");
}

#[tokio::test]
async fn others_get_the_response_without_cors_but_with_vary() {
    for origin in [&b"https://evil.example"[..], b"null", b"\xff", b""] {
        for path in ["/", "/401", "/leaky", "/nowhere"] {
            let response = ask("GET", path, &[("origin", origin)]).await;
            assert_eq!(cors_headers(response.headers()), [""; 0], "{path} {origin:?}");
            assert_eq!(all_of(response.headers(), "vary"), ["Origin"], "{path}");
        }
    }
    let response = ask("GET", "/", &[]).await;
    assert_eq!(cors_headers(response.headers()), [""; 0]);
    assert_eq!(all_of(response.headers(), "vary"), ["Origin"]);
}

#[tokio::test]
async fn there_is_one_policy_whatever_the_handler_says() {
    let response = ask("GET", "/leaky", &[ORIGIN]).await;
    assert_eq!(all_of(response.headers(), "access-control-allow-origin"), [APP]);
    assert_ne!(response.headers()["access-control-expose-headers"], "*");
}

#[tokio::test]
async fn vary_is_merged_without_duplicates() {
    assert_eq!(all_of(ask("GET", "/vary", &[]).await.headers(), "vary"), ["Accept-Encoding, origin"]);
    assert_eq!(all_of(ask("GET", "/vary-else", &[]).await.headers(), "vary"), ["Accept", "Origin"]);
}

#[tokio::test]
async fn preflights_never_reach_what_stands_inside() {
    let cors = builder().build().unwrap();
    let refuser = GateLayer::new(Refuser);
    let service = cors.layer(refuser.layer(router(cors.clone())));
    for _ in 0..50 {
        let request = Request::options("/401")
            .header("origin", APP)
            .header("access-control-request-method", "GET")
            .body(Body::empty())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], APP);
    }
    assert_eq!((refuser.verdicts().passed, refuser.verdicts().rejected), (0, vec![]));
    assert_eq!((cors.verdicts().answered, cors.verdicts().passed), (50, 0));
}

#[tokio::test]
async fn what_is_exposed_can_be_chosen() {
    let exposed = |builder: CorsSecurityLayerBuilder| async {
        let response = send(builder.build().unwrap(), "GET", "/", &[ORIGIN]).await;
        response.headers().get("access-control-expose-headers").map(|value| value.to_str().unwrap().to_owned())
    };
    let more = exposed(builder().expose(["X-Total-Count", "retry-after"])).await.unwrap();
    assert_eq!(more.split(", ").filter(|name| ["x-total-count", "retry-after"].contains(name)).count(), 2, "{more}");
    assert_eq!(exposed(builder().expose_only(["X-Total-Count"])).await.unwrap(), "x-total-count");
    assert_eq!(exposed(builder().expose_only([""; 0])).await, None);
    assert!(exposed(builder().expose_only([""; 0]).expose_standard()).await.unwrap().contains("sunset"));
    let public = CorsSecurityLayer::builder().allow_any_origin().expose_any();
    assert_eq!(exposed(public).await.unwrap(), "*");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic_or_let_a_stranger_in(
        origins in proptest::collection::vec("[ -~\\x80-\\xff]{0,40}", 0..3),
        method in "[ -~]{0,8}",
        asked in proptest::collection::vec("[ -~]{0,40}", 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut headers: Vec<(&str, &[u8])> = vec![("access-control-request-method", method.as_bytes())];
        headers.extend(origins.iter().map(|origin| ("origin", origin.as_bytes())));
        headers.extend(asked.iter().map(|names| ("access-control-request-headers", names.as_bytes())));
        for verb in ["OPTIONS", "GET"] {
            let response = runtime.block_on(ask(verb, "/", &headers));
            proptest::prop_assert!(cors_headers(response.headers()).is_empty());
            proptest::prop_assert!(response.status().as_u16() < 500);
        }
    }
}

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response, routing::any};
use http::{Method, Request, StatusCode, header};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    audit::{AuditLayer, MemorySink},
    gate::RequestContextLayer,
    lint::Severity,
    rejection::{Rejection, RejectionKind},
    request::TrustedProxies,
};

fn router(layer: &RequireHttpsLayer) -> Router {
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap();
    let context = RequestContextLayer::new().trusted_proxies(proxies);
    Router::new()
        .route("/", any(|| async { "inner" }))
        .route("/{*rest}", any(|| async { "inner" }))
        .layer(ServiceBuilder::new().layer(context).layer(layer.clone()))
}

async fn call(layer: &RequireHttpsLayer, request: http::request::Builder) -> Response {
    router(layer).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn kind(response: &Response) -> Option<RejectionKind> {
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

/// Every place where a credential can be, over plain HTTP.
#[tokio::test]
async fn a_credential_over_plain_http_is_refused_and_never_redirected() {
    let layer = RequireHttpsLayer::builder()
        .redirect_without_credentials(["api.example"])
        .credential_header("X-Session")
        .credential_parameter("ticket")
        .build()
        .unwrap();
    for (name, value) in [
        ("authorization", "Bearer abc"),
        ("proxy-authorization", "Basic abc"),
        ("cookie", "theme=dark"),
        ("x-api-key", "pk_live_abc"),
        ("x-session", "abc"),
        ("authorization", ""),
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            let request = Request::builder().method(method).uri("http://api.example/").header(name, value);
            let response = call(&layer, request).await;
            assert_eq!(kind(&response), Some(RejectionKind::CredentialExposed), "{name}");
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert!(!response.headers().contains_key(header::LOCATION));
        }
    }
    for query in ["access_token=abc", "a=b&API_KEY=abc", "ticket=1"] {
        let response = call(&layer, Request::get(format!("http://api.example/?{query}"))).await;
        assert_eq!(kind(&response), Some(RejectionKind::CredentialExposed), "{query}");
    }
    let response = call(&layer, Request::get("http://api.example/?token=&tokens=5")).await;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    let credential = Request::get("https://api.example/?token=abc").header("cookie", "a=b");
    assert_eq!(call(&layer, credential).await.status(), StatusCode::OK);
}

/// A redirect to a host that the client names is an open redirect.
#[tokio::test]
async fn redirects_go_to_listed_hosts_only() {
    let hosts = ["api.example", "www.example:8443"];
    let layer = RequireHttpsLayer::builder().redirect_without_credentials(hosts).build().unwrap();
    for (uri, host, wanted) in [
        ("http://api.example/a?b=c", None, Some("https://api.example/a?b=c")),
        ("http://API.example:80/", None, Some("https://api.example/")),
        ("http://www.example/a", None, Some("https://www.example:8443/a")),
        ("http://api.example//evil.example", None, Some("https://api.example//evil.example")),
        ("http://evil.example/", None, None),
        ("http://api.example.evil.example/", None, None),
        ("http://api.example/", Some("evil.example"), Some("https://api.example/")),
    ] {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = call(&layer, request).await;
        let location = response.headers().get(header::LOCATION).map(|value| value.to_str().unwrap());
        assert_eq!(location, wanted, "{uri}");
        assert_eq!(response.status(), wanted.map_or(StatusCode::FORBIDDEN, |_| StatusCode::PERMANENT_REDIRECT));
    }
    // HTTP/1.1 behind a trusted proxy: the host stands in `Host`.
    for (hosts, wanted) in
        [(&["api.example"][..], 308), (&["evil.example"], 403), (&["api.example", "api.example"], 403), (&[], 403)]
    {
        let mut request = Request::get("/").header("x-forwarded-proto", "http");
        for host in hosts {
            request = request.header("host", *host);
        }
        let response = call(&layer, request.extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))))).await;
        assert_eq!(response.status().as_u16(), wanted, "{hosts:?}");
    }
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let response = call(&layer, Request::builder().method(method).uri("http://api.example/")).await;
        assert_eq!(kind(&response), Some(RejectionKind::HttpsRequired));
    }
}

#[tokio::test]
async fn without_a_redirect_plain_http_is_refused() {
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let response =
            call(&RequireHttpsLayer::new(), Request::builder().method(method).uri("http://api.example/")).await;
        assert_eq!(kind(&response), Some(RejectionKind::HttpsRequired));
    }
}

/// Only a trusted proxy's word on the scheme counts, and what nobody knows is refused.
#[tokio::test]
async fn the_scheme_is_a_trusted_proxys() {
    let plain = RequireHttpsLayer::new();
    let lax = RequireHttpsLayer::builder().dangerously_pass_unknown_scheme().build().unwrap();
    for (peer, proto, strictly, laxly) in [
        ([10, 0, 0, 1], Some("https"), 200, 200),
        ([10, 0, 0, 1], Some("http"), 403, 403),
        ([10, 0, 0, 1], Some("https, http"), 403, 403),
        ([10, 0, 0, 1], None, 403, 200),
        ([192, 0, 2, 1], Some("https"), 403, 200),
    ] {
        for (layer, wanted) in [(&plain, strictly), (&lax, laxly)] {
            let mut request = Request::get("/").header("x-api-key", "abc");
            if let Some(proto) = proto {
                request = request.header("x-forwarded-proto", proto);
            }
            let response = call(layer, request.extension(ConnectInfo(SocketAddr::from((peer, 1))))).await;
            assert_eq!(response.status().as_u16(), wanted, "{peer:?} {proto:?}");
        }
    }
    // Nobody knows whether it was shown to anybody: it is not called exposed.
    let response = call(&plain, Request::get("/").header("x-api-key", "abc")).await;
    assert_eq!(kind(&response), Some(RejectionKind::HttpsRequired));
}

#[tokio::test]
async fn a_health_check_may_be_plain_but_without_a_credential() {
    let layer = RequireHttpsLayer::builder().plaintext_path("/healthz").build().unwrap();
    for (uri, cookie, wanted) in [
        ("http://a.example/healthz", false, 200),
        ("/healthz", false, 200),
        ("http://a.example/healthz", true, 403),
        ("/healthz", true, 403),
        ("http://a.example/healthz/", false, 403),
        ("http://a.example/", false, 403),
    ] {
        let request = Request::get(uri);
        let request = if cookie { request.header("cookie", "a=b") } else { request };
        assert_eq!(call(&layer, request).await.status().as_u16(), wanted, "{uri} {cookie}");
    }
}

type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

struct Keep(Seen);

impl ExposureObserver for Keep {
    fn exposed(&self, exposed: &Exposed<'_>) {
        let mut seen = self.0.lock().unwrap();
        for name in exposed.headers() {
            seen.extend(exposed.values(name).map(|value| (name.to_string(), value.to_vec())));
        }
        seen.extend(exposed.parameters().map(|(name, value)| (name.to_owned(), value.into())));
        assert!(!format!("{exposed:?}").contains("pk_live"), "names only");
    }
}

#[tokio::test]
async fn the_owner_can_revoke_what_was_shown() {
    let seen = Seen::default();
    let layer = RequireHttpsLayer::builder().on_exposure(Keep(Arc::clone(&seen))).build().unwrap();
    let sink = MemorySink::new();
    let audit = AuditLayer::builder(sink.clone()).build().unwrap();
    let handle = audit.handle();
    let app = Router::new().layer(ServiceBuilder::new().layer(audit).layer(layer));
    for _ in 0..2 {
        let request = Request::get("http://a.example/?token=t0k3n").header("x-api-key", "pk_live_8c1f20");
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    }
    handle.shutdown().await;
    let exposed = [("x-api-key", "pk_live_8c1f20"), ("token", "t0k3n")];
    let exposed = exposed.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(*seen.lock().unwrap(), [exposed.clone(), exposed].concat());
    let records = sink.records();
    assert_eq!(records[0]["error"]["code"], "credential_exposed");
    assert_eq!(records[0]["error"]["security_event"], "credential_exposure");
    assert_eq!(records[0]["action"], "credential.exposed");
    assert_eq!(records[0]["resources"][0]["kind"], "x-api-key");
    assert_eq!(records[0]["resources"], records[1]["resources"], "the same credential is recognised");
    let text = format!("{records:?}");
    assert!(!text.contains("pk_live_8c1f20") && !text.contains("t0k3n"), "{text}");
}

#[test]
fn every_mistake_is_listed_at_once() {
    let error = RequireHttpsLayer::builder()
        .credential_header("bad name")
        .credential_parameter("")
        .redirect_without_credentials(["https://a.example", "*.example", "A.example", "user@a.example"])
        .plaintext_path("healthz")
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    let redirect = "redirect_without_credentials";
    assert_eq!(
        fields,
        ["credential_header", "credential_parameter", redirect, redirect, redirect, redirect, "plaintext_path"]
    );
    let none: [&str; 0] = [];
    assert!(RequireHttpsLayer::builder().redirect_without_credentials(none).build().is_err());
}

#[test]
fn what_weakens_it_is_reported() {
    assert!(RequireHttpsLayer::new().report().is_empty());
    let layer = RequireHttpsLayer::builder()
        .dangerously_pass_unknown_scheme()
        .redirect_without_credentials(["a.example"])
        .plaintext_path("/healthz")
        .build()
        .unwrap();
    let found: Vec<_> = layer.report().issues().iter().map(|issue| (issue.code, issue.severity)).collect();
    let wanted = [
        ("unknown-scheme-passes", Severity::Medium),
        ("plaintext-redirected", Severity::Low),
        ("plaintext-path", Severity::Info),
    ];
    assert_eq!(found, wanted);
}

proptest::proptest! {
    #[test]
    fn no_request_makes_it_panic(path in "[!-~]{0,40}", host in "[ -~]{0,30}") {
        let layer = RequireHttpsLayer::builder().redirect_without_credentials(["a.example"]).build().unwrap();
        let Ok(uri) = format!("http://{host}/{path}").parse::<http::Uri>() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(call(&layer, Request::get(uri).header("host", host.trim())));
        proptest::prop_assert!([403, 308].contains(&response.status().as_u16()));
    }
}

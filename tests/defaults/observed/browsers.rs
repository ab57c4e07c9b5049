//! CORS, security headers and HTTPS.

use std::time::Duration;

use axum::{Router, body::Body, routing};
use http::{HeaderMap, Request, header};
use portcullis::{cors::CorsSecurityLayer, headers::SecurityHeadersLayer, require_https::RequireHttpsLayer};

use super::{Observed, ask, codes, get, greatest, status};

const CORS: &str = "CORS";
const HEADERS: &str = "Security headers";
const HTTPS: &str = "HTTPS";
const PAGE: &str = "https://app.example.com";

pub(super) async fn look(seen: &mut Observed) {
    cors(seen).await;
    headers(seen).await;
    https(seen).await;
}

async fn cors(seen: &mut Observed) {
    let origins = CorsSecurityLayer::builder().build();
    seen.see(CORS, "origins", if origins.is_err() { "none" } else { "some" });
    let layer = CorsSecurityLayer::builder().allow_origin(PAGE).build().unwrap();
    let app = Router::new().route("/", routing::get(|| async {})).layer(layer);
    let preflight = async |method: &str, names: Option<&str>| {
        let request =
            Request::options("/").header(header::ORIGIN, PAGE).header(header::ACCESS_CONTROL_REQUEST_METHOD, method);
        let request = match names {
            Some(names) => request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, names),
            None => request,
        };
        let (_, headers, _) = ask(&app, request.body(Body::empty()).unwrap()).await;
        headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN).then_some(headers)
    };
    let mut methods = Vec::new();
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        if preflight(method, None).await.is_some() {
            methods.push(method);
        }
    }
    seen.see(CORS, "methods", codes(methods));
    let mut names = Vec::new();
    for name in ["authorization", "content-type", "x-api-key", "x-request-id"] {
        if preflight("GET", Some(name)).await.is_some() {
            names.push(name);
        }
    }
    seen.see(CORS, "request headers", if names.is_empty() { "none".into() } else { codes(names) });
    let allowed = preflight("GET", None).await.unwrap();
    let text = |headers: &HeaderMap, name: header::HeaderName| headers[name].to_str().unwrap().to_owned();
    seen.see(CORS, "max age of a preflight", format!("{} s", text(&allowed, header::ACCESS_CONTROL_MAX_AGE)));
    let (_, response, _) = ask(&app, get("/", &[("origin", PAGE)])).await;
    let credentials = response.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    seen.see(CORS, "credentials", if credentials { "yes" } else { "no" });
    let exposed = text(&response, header::ACCESS_CONTROL_EXPOSE_HEADERS);
    seen.see(CORS, "exposed headers", codes(exposed.split(", ")));
    let patch =
        Request::options("/").header(header::ORIGIN, PAGE).header(header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH");
    let (status, refused, _) = ask(&app, patch.body(Body::empty()).unwrap()).await;
    seen.see(CORS, "status of a refused preflight", status.as_u16().to_string());
    let told = refused.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS);
    seen.see(CORS, "preflights that fail are explained", if told { "yes" } else { "no" });
    let network =
        Request::options("/").header(header::ORIGIN, PAGE).header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let network = network.header("access-control-request-private-network", "true").body(Body::empty()).unwrap();
    let opened = ask(&app, network).await.1.contains_key("access-control-allow-private-network");
    seen.see(CORS, "private network access", if opened { "yes" } else { "no" });
    let age = async |secs: u64| {
        CorsSecurityLayer::builder().allow_origin(PAGE).max_age(Duration::from_secs(secs)).build().is_ok()
    };
    seen.see(CORS, "longest max age", format!("{} s", greatest(0..=1_000_000, age).await));
}

async fn headers(seen: &mut Observed) {
    let app = |layer: SecurityHeadersLayer| {
        let chatty = || async { ([("server", "x/1"), ("x-powered-by", "x")], "") };
        Router::new().route("/", routing::get(chatty)).layer(layer)
    };
    let assumed = SecurityHeadersLayer::builder().assume_https().build().unwrap();
    let (_, headers, _) = ask(&app(assumed), get("/", &[])).await;
    for setting in [
        "`Strict-Transport-Security`",
        "`X-Content-Type-Options`",
        "`X-Frame-Options`",
        "`Content-Security-Policy`",
        "`Referrer-Policy`",
        "`Permissions-Policy`",
        "`Cache-Control`",
        "`Cross-Origin-Resource-Policy`",
    ] {
        seen.see(HEADERS, setting, codes([headers[setting.trim_matches('`')].to_str().unwrap()]));
    }
    let told = headers.contains_key("server") || headers.contains_key("x-powered-by");
    seen.see(HEADERS, "`Server`, `X-Powered-By`", if told { "kept" } else { "removed" });
    let mut sent = Vec::new();
    for uri in ["/", "http://api.example.com/", "https://api.example.com/"] {
        let (_, headers, _) = ask(&app(SecurityHeadersLayer::api()), get(uri, &[])).await;
        sent.push(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
    let known = if sent == [false, false, true] { "over known HTTPS only" } else { "elsewhere, too" };
    seen.see(HEADERS, "where HSTS is sent", known);
    let timed = headers.contains_key("x-response-time") || headers.contains_key("server-timing");
    seen.see(HEADERS, "`X-Response-Time`, `Server-Timing`", if timed { "sent" } else { "not sent" });
    let version = headers.contains_key("x-api-version");
    seen.see(HEADERS, "`X-API-Version`", if version { "sent" } else { "not sent" });
    let app = Router::new().fallback(|| async {}).layer(SecurityHeadersLayer::api());
    let mut policies = Vec::new();
    for path in ["/", "/docs", "/docs/index.html", "/swagger"] {
        policies.push(ask(&app, get(path, &[])).await.1["content-security-policy"].clone());
    }
    policies.dedup();
    seen.see(HEADERS, "headers by path", if policies.len() == 1 { "the same everywhere" } else { "by path" });
}

async fn https(seen: &mut Observed) {
    let layer = RequireHttpsLayer::new();
    let app = Router::new().fallback(|| async {}).layer(layer);
    let exposed = async |uri: &str, header: &str| {
        let fields = [(header, "secret")];
        let (_, _, body) = ask(&app, get(uri, if header.is_empty() { &[] } else { &fields })).await;
        body.contains("credential_exposed")
    };
    let mut names = Vec::new();
    for name in ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-request-id"] {
        if exposed("http://a.example/", name).await {
            names.push(name);
        }
    }
    seen.see(HTTPS, "credential headers", codes(names));
    let mut names = Vec::new();
    for name in ["access_token", "api_key", "apikey", "token", "code", "key", "page"] {
        if exposed(&format!("http://a.example/?{name}=secret"), "").await {
            names.push(name);
        }
    }
    seen.see(HTTPS, "credential parameters", codes(names));
    let said = |status: u16| if status == 403 { "refused" } else { "passes" };
    seen.see(HTTPS, "plain HTTP without a credential", said(status(&app, get("http://a.example/", &[])).await));
    seen.see(HTTPS, "unknown scheme", said(status(&app, get("/", &[])).await));
}

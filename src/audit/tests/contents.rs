//! What the record says, and what it never says.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{extract::ConnectInfo, routing::get};
use http::{HeaderValue, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::{
    audit::{Audit, Geo, GeoIp, redact::is_unsafe},
    gate::{Entry, Gate, GateLayer},
    identity::{AuthMethod, Principal, PrincipalParts, Scopes},
    request::{DataAccess, Place, QuotaStatus, RateLimitStatus, RequestContext},
};

/// Fills the context as all the layers would.
struct Everything;

impl<B> Gate<B> for Everything {
    const NAME: &'static str = "everything";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.set_principal(Principal::new(PrincipalParts {
            subject: "usr_1".into(),
            tenant: Some("acme".into()),
            plan: Some("pro".into()),
            email: Some("alice.secret@example.com".into()),
            method: Some(AuthMethod::ApiKey),
            scopes: Scopes::from_own_data(["read:orders", "write:*"]).unwrap(),
            credential_id: Some("key_7".into()),
            fingerprint: Some(crate::secret::Fingerprint::ZERO),
            claims: "{\"hidden\":\"claim\"}".into(),
            ..PrincipalParts::default()
        }));
        let reset = NOON.saturating_add(Duration::from_secs(60));
        context.add_rate_limit(RateLimitStatus::new("burst".into(), 20, 3, Duration::ZERO, reset));
        context.set_quota(QuotaStatus::new("pro".into(), 900, Some(1_000), reset));
        Entry::Pass(())
    }
}

#[derive(Debug)]
struct Utrecht;

impl GeoIp for Utrecht {
    fn locate(&self, ip: std::net::IpAddr) -> Option<Geo> {
        assert!(ip.is_ipv4(), "a look-up that panics is a look-up that failed");
        Some(Geo::country("NL").city("Utrecht"))
    }
}

fn from(mut request: Request<Body>, peer: &str) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    request
}

#[tokio::test]
async fn everything_that_is_known_stands_in_the_record() {
    let desk = Desk::with(|sink| {
        AuditLayer::builder(sink).service("orders/1").geo(Utrecht).query_values(["page"]).build().unwrap()
    });
    let handler = |audit: Audit| async move {
        audit.action("order.refund").resource("order", "ord_7").resource("customer", "bob@example.com");
        audit.accessed(DataAccess::Update, 1).accessed(DataAccess::Read, 12);
        (StatusCode::CREATED, "done")
    };
    let app = desk.wrap(Router::new().route("/orders/{id}", get(handler)).layer(GateLayer::new(Everything)));
    let mut request = from(request("/orders/7?page=2&name=Bob"), "203.0.113.9:1");
    request.headers_mut().insert("user-agent", HeaderValue::from_static("curl/8"));
    read(call(&app, request).await).await;
    let record = desk.record().await;
    assert_eq!(record["service"], "orders/1");
    assert_eq!(record["query"], "page=2&name=***");
    assert_eq!(
        record["client"],
        serde_json::json!({
            "ip": "203.0.113.9", "ip_source": "peer", "user_agent": "curl/8", "geo": {"country": "NL", "city": "Utrecht"},
        })
    );
    assert_eq!(
        record["user"],
        serde_json::json!({"id": "usr_1", "email": "a***@example.com", "tenant": "acme", "plan": "pro"})
    );
    assert_eq!(
        record["auth"],
        serde_json::json!({
            "method": "api_key", "issuer": null, "client_id": null, "token_id": "key_7", "key_fingerprint": "0000000000000000",
            "scopes": ["read:orders", "write:*"],
        })
    );
    assert_eq!(
        record["rate_limit"],
        serde_json::json!({"policy": "burst", "limit": 20, "remaining": 3, "reset_at": "2024-11-21T12:01:00.000000Z"})
    );
    assert_eq!(
        record["quota"],
        serde_json::json!({
            "plan": "pro", "used": 900, "limit": 1_000, "percent": 90, "reset_at": "2024-11-21T12:01:00.000000Z",
        })
    );
    assert_eq!(record["action"], "order.refund");
    assert_eq!(
        record["resources"],
        serde_json::json!([{"kind": "order", "id": "ord_7"}, {"kind": "customer", "id": "[email]"}])
    );
    assert_eq!(
        record["data_access"],
        serde_json::json!([{"access": "update", "records": 1}, {"access": "read", "records": 12}])
    );
    assert!(!desk.sink.text().contains("secret") && !desk.sink.text().contains("hidden"));
}

#[tokio::test]
async fn a_geo_lookup_that_panics_costs_no_record() {
    let desk = Desk::with(|sink| AuditLayer::builder(sink).geo(Utrecht).build().unwrap());
    let app = desk.wrap(Router::new().route("/", get(|| async {})));
    call(&app, from(request("/"), "[2001:db8::1]:1")).await;
    call(&app, from(request("/"), "192.0.2.1:1")).await;
    let records = desk.records().await;
    assert_eq!(records[0]["client"]["ip"], "2001:db8::1");
    assert_eq!((&records[0]["client"]["geo"], &records[1]["client"]["geo"]["country"]), (&Value::Null, &"NL".into()));
}

#[tokio::test]
async fn a_handler_in_a_loop_fills_no_memory() {
    let desk = Desk::new();
    let handler = |audit: Audit| async move {
        for _ in 0..10_000 {
            audit.resource(&"kind".repeat(1_000), &"id ".repeat(1_000)).accessed(DataAccess::Read, 1);
        }
    };
    call(&desk.wrap(Router::new().route("/", get(handler))), request("/")).await;
    let record = desk.record().await;
    assert_eq!(record["resources"].as_array().unwrap().len(), 16);
    assert_eq!(record["data_access"].as_array().unwrap().len(), 16);
    assert!(desk.sink.text().len() < 16 * 300 + 2_000);
}

#[tokio::test]
async fn audit_without_its_layer_fails_closed() {
    let app = Router::new()
        .route(
            "/",
            get(|audit: Audit| async move {
                audit.action("x");
            }),
        )
        .layer(RequestContextLayer::new());
    assert_eq!(call(&app, request("/")).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

#[tokio::test]
async fn no_secret_reaches_the_sink() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().fallback(|| async { "found" }).layer(GateLayer::new(Everything)));
    let key = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
    let targets = [
        format!("/reset/{JWT}?token={JWT}&api_key={key}&sig=zz-signed-zz&next=/secret-place"),
        format!("/keys/{key}?{key}"),
        "/users/alice.secret%40example.com?email=alice.secret%40example.com".to_owned(),
        "/cards/4111111111111111?pan=4111111111111111".to_owned(),
    ];
    for target in &targets {
        let mut request = request(target);
        let headers = request.headers_mut();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {JWT}")).unwrap());
        headers.insert("cookie", HeaderValue::from_static("session=cookie-secret"));
        headers.insert("x-api-key", HeaderValue::from_static(key));
        headers.insert("user-agent", HeaderValue::from_str(&format!("bot/1 {JWT} alice.secret@example.com")).unwrap());
        read(call(&app, request).await).await;
    }
    assert_eq!(desk.records().await.len(), targets.len());
    let text = desk.sink.text();
    for secret in ["eyJ", "sk_live", "secret", "41111111", "zz-signed-zz", "session", "uthorization", "ookie", "Bearer"]
    {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn no_client_can_forge_a_line() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().fallback(|| async {}));
    for user_agent in [
        "x\u{1b}[2J\u{2028}{\"kind\":\"request\"}\u{202e}".as_bytes(),
        b"\xff\xfe\x80 not utf-8 \xe2\x80",
        "\t\u{85}\u{9b}31m".as_bytes(),
    ] {
        let mut request = request("/a%0d%0a%7b%22kind%22%7d/b?c%0a=d");
        // Not every byte is allowed in a header; those that are must be harmless.
        let bytes: Vec<u8> = user_agent.iter().copied().filter(|byte| *byte != 0x1b).collect();
        request.headers_mut().insert("user-agent", HeaderValue::from_bytes(&bytes).unwrap());
        call(&app, request).await;
    }
    let text = {
        desk.records().await;
        desk.sink.text()
    };
    assert_eq!(text.lines().count(), 3);
    assert!(text.ends_with('\n') && !text.trim_end().contains(|c| is_unsafe(c) && c != '\n'), "{text:?}");
    assert!(
        desk.sink
            .records()
            .iter()
            .all(|record| record["kind"] == "request" && record["path"] == "/a%0d%0a%7b%22kind%22%7d/b")
    );
    assert!(desk.sink.records()[1]["client"]["user_agent"].as_str().unwrap().contains("not utf-8"));
}

#[tokio::test]
async fn over_long_fields_are_cut() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().fallback(|| async {}));
    let target = format!("/{}?{}", "a/".repeat(10_000), "b=c&".repeat(5_000));
    let mut request = request(&target);
    request.headers_mut().insert("user-agent", HeaderValue::from_str(&"w ".repeat(10_000)).unwrap());
    call(&app, request).await;
    let record = desk.record().await;
    assert!(desk.sink.text().len() < 4_096, "{record:#}");
}

proptest! {
    #[test]
    fn whatever_comes_the_line_is_json(path in "/[!-~&&[^#?]]{0,80}", query in "[!-~&&[^#]]{0,80}", agent in proptest::collection::vec(0x20_u8..=0x7e, 0..80)) {
        let Ok(uri) = format!("{path}?{query}").parse::<http::Uri>() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::new();
            let app = desk.wrap(Router::new().fallback(|| async {}));
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = uri;
            request.headers_mut().insert("user-agent", HeaderValue::from_bytes(&agent).unwrap());
            call(&app, request).await;
            assert!(desk.record().await.is_object());
        });
    }
}

mod paths;

use std::time::Duration;

use super::*;
use crate::{
    auth::signed::{SigV4, SigV4Builder, SignatureForm},
    testing::SigV4Signer,
};

fn verifier(store: MemoryStore) -> SigV4Builder {
    SigV4::builder(store, "eu-1", "orders")
}

fn auth(verifier: SigV4Builder) -> AuthLayerBuilder {
    AuthLayer::builder().authenticator(verifier.build().unwrap())
}

fn service() -> Router {
    app(auth(verifier(store([key()]))), NOW)
}

fn signer() -> SigV4Signer {
    SigV4Signer::new(KEY_ID, SECRET, "eu-1", "orders").at(NOW)
}

fn order() -> Request<&'static str> {
    let body = "{\"n\": 1}";
    Request::post("/orders?b=2&a=1")
        .header("host", "api.example.com")
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(body)
        .unwrap()
}

fn edited(mut request: Request<Body>, edit: impl FnOnce(&mut HeaderMap)) -> Request<Body> {
    edit(request.headers_mut());
    request
}

fn set(name: &'static str, value: &str) -> impl FnOnce(&mut HeaderMap) {
    let value = HeaderValue::from_str(value).unwrap();
    move |headers| drop(headers.insert(name, value))
}

#[tokio::test]
async fn the_handler_gets_the_caller_and_the_body_as_it_was_sent() {
    let answer = send(&service(), signer().sign(order())).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, "{\"n\": 1}"));
    assert_eq!(answer.headers["x-caller"], "svc_billing");
    assert_eq!(answer.headers["x-length"], "8");
    let large = "x".repeat(700_000);
    let request = Request::post("/").header("host", "a").body(large.clone()).unwrap();
    assert_eq!(send(&service(), signer().sign(request)).await.body, large);
}

#[tokio::test]
async fn the_principal_is_the_keys_record() {
    let handler = |caller: Principal| async move {
        let scopes: Vec<_> = caller.scopes().exact().collect();
        format!(
            "{} {:?} {} {:?} {scopes:?}",
            caller.subject(),
            caller.tenant(),
            caller.method().as_str(),
            caller.credential_id()
        )
    };
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    let layers = ServiceBuilder::new().layer(context).layer(auth(verifier(store([key()]))).build().unwrap());
    let app = Router::new().route("/", any(handler)).layer(layers);
    let request = Request::get("/").header("host", "a").body("").unwrap();
    assert_eq!(
        send(&app, signer().sign(request)).await.body,
        r#"svc_billing Some("acme") signed_request Some("AKIDEXAMPLE") ["read:orders"]"#
    );
}

#[tokio::test]
async fn in_a_nested_router_the_whole_path_is_signed() {
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    let layers = ServiceBuilder::new().layer(context).layer(auth(verifier(store([key()]))).build().unwrap());
    let inner = Router::new().route("/orders", any(|| async { "nested" })).layer(layers);
    let app = Router::new().nest("/v1", inner);
    let request = |path: &str| Request::get(path).header("host", "a").body("").unwrap();
    assert_eq!(send(&app, signer().sign(request("/v1/orders"))).await.body, "nested");
    let mut moved = signer().sign(request("/orders"));
    *moved.uri_mut() = "/v1/orders".parse().unwrap();
    assert!(send(&app, moved).await.is(401, "invalid_signature"));
}

#[tokio::test]
async fn http2_names_its_host_in_the_target() {
    let mut request = signer().sign(order());
    request.headers_mut().remove("host");
    *request.uri_mut() = "https://api.example.com/orders?b=2&a=1".parse().unwrap();
    assert_eq!(send(&service(), request).await.status, 200);
    // Two names for one host are a request for two.
    let mut request = signer().sign(order());
    *request.uri_mut() = "https://evil.example.com/orders?b=2&a=1".parse().unwrap();
    assert!(send(&service(), request).await.is(400, "malformed_signature"));
}

#[tokio::test]
async fn whatever_is_changed_after_signing_is_refused() {
    let app = service();
    let altered = |change: fn(&mut Request<Body>)| {
        let mut request = signer().sign(order());
        change(&mut request);
        request
    };
    let changes: [fn(&mut Request<Body>); 7] = [
        |request| *request.method_mut() = http::Method::PUT,
        |request| *request.uri_mut() = "/orders/2?b=2&a=1".parse().unwrap(),
        |request| *request.uri_mut() = "/orders?b=2&a=1&a=1".parse().unwrap(),
        |request| *request.uri_mut() = "/orders?b=2".parse().unwrap(),
        |request| *request.body_mut() = Body::from("{\"n\": 2}"),
        |request| set("host", "other.example.com")(request.headers_mut()),
        |request| {
            request.headers_mut().append("content-type", HeaderValue::from_static("text/plain"));
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let answer = send(&app, altered(change)).await;
        assert!(answer.is(401, "invalid_signature"), "{index}: {}", answer.body);
        assert!(answer.headers.get_all("www-authenticate").iter().any(|line| line == "AWS4-HMAC-SHA256 realm=\"api\""));
    }
    // What means the same is the same.
    let mut same = signer().sign(order());
    *same.uri_mut() = "/orders?a=%31&b=2".parse().unwrap();
    assert_eq!(send(&app, same).await.status, 200);
}

#[tokio::test]
async fn a_field_that_is_not_signed_is_refused_if_it_must_be() {
    let app = service();
    let added = edited(signer().sign(order()), set("x-amz-meta-admin", "1"));
    assert!(send(&app, added).await.is(401, "invalid_signature"));
    // What is neither signed nor required passes, and what is required does not.
    let added = || edited(signer().sign(Request::get("/").header("host", "a").body("").unwrap()), set("x-note", "1"));
    assert_eq!(send(&app, added()).await.status, 200);
    let strict = super::app(auth(verifier(store([key()])).require_signed(["x-note"])), NOW);
    assert!(send(&strict, added()).await.is(401, "invalid_signature"));
    let without_host = edited(signer().sign(order()), |headers| {
        let value = headers["authorization"].to_str().unwrap().replace(";host", "");
        set("authorization", &value)(headers);
    });
    assert!(send(&app, without_host).await.is(401, "invalid_signature"));
}

#[tokio::test]
async fn what_is_malformed_is_400_and_is_not_repeated() {
    let app = service();
    let good = signer().sign(order());
    let text = good.headers()["authorization"].to_str().unwrap().to_owned();
    let values = [
        "AWS4-HMAC-SHA256".to_owned(),
        text.replace("Credential", "credential"),
        text.replace("host;", "HOST;"),
        text.replace("Signature=", "Signature=0"),
        format!("{text}, {text}"),
        text.replace(KEY_ID, &"K".repeat(9_000)),
        text.replace("20261121", "20261122"),
    ];
    for value in values {
        let answer = send(&app, edited(signer().sign(order()), set("authorization", &value))).await;
        assert!(answer.is(400, "malformed_signature"), "{value}: {}", answer.body);
        assert!(!answer.body.contains(KEY_ID) && !answer.body.contains("KKKK"), "{}", answer.body);
    }
    for (name, value) in [
        ("x-amz-date", "2026-11-21T08:05:00Z"),
        ("x-amz-date", ""),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-content-sha256", "abc"),
        ("x-amz-content-sha256", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"),
    ] {
        let answer = send(&app, edited(signer().sign(order()), set(name, value))).await;
        assert!(answer.is(400, "malformed_signature"), "{name} {value}: {}", answer.body);
    }
    for name in ["x-amz-date", "x-amz-content-sha256", "host"] {
        let doubled = edited(signer().sign(order()), |headers| {
            let value = headers[name].clone();
            headers.append(name, value);
        });
        assert!(send(&app, doubled).await.is(400, "malformed_signature"), "{name}");
    }
    let missing = edited(signer().sign(order()), |headers| drop(headers.remove("content-type")));
    assert!(send(&app, missing).await.is(400, "malformed_signature"));
    let twice = edited(signer().sign(order()), |headers| {
        let value = headers["authorization"].clone();
        headers.append("authorization", value);
    });
    assert!(send(&app, twice).await.is(400, "invalid_request"));
}

#[tokio::test]
async fn the_scope_is_that_of_the_service_and_of_the_day() {
    let app = service();
    for signer in [
        SigV4Signer::new(KEY_ID, SECRET, "us-1", "orders").at(NOW),
        SigV4Signer::new(KEY_ID, SECRET, "eu-1", "billing").at(NOW),
        signer().form(SignatureForm::aws().with_terminator("aws5_request")),
        signer().form(SignatureForm::aws().with_key_prefix("AWS5")),
        SigV4Signer::new(KEY_ID, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ", "eu-1", "orders").at(NOW),
        SigV4Signer::new("AKIDUNKNOWN", SECRET, "eu-1", "orders").at(NOW),
    ] {
        let answer = send(&app, signer.sign(order())).await;
        assert!(answer.is(401, "invalid_signature"), "{signer:?}: {}", answer.body);
        assert!(!answer.body.contains("AKID"));
    }
    for (seconds, past) in [(301, true), (301, false)] {
        let window = Duration::from_secs(seconds);
        let at = if past { NOW.saturating_sub(window) } else { NOW.saturating_add(window) };
        assert!(send(&app, signer().at(at).sign(order())).await.is(401, "timestamp_out_of_window"));
    }
}

#[tokio::test]
async fn keys_end_at_once() {
    let keys = store([key()]);
    let app = app(auth(verifier(keys.clone())), NOW);
    assert_eq!(send(&app, signer().sign(order())).await.status, 200);
    assert!(keys.revoke_signing_key(KEY_ID, NOW));
    assert!(send(&app, signer().sign(order())).await.is(401, "invalid_signature"));
    for ended in [key().expires_at(NOW), key().services(["billing"]), key().revoked_at(Timestamp::MAX)] {
        let app = super::app(auth(verifier(store([ended]))), NOW);
        assert!(send(&app, signer().sign(order())).await.is(401, "invalid_signature"));
    }
    let lasting = key().expires_at(NOW.saturating_add(Duration::from_secs(1))).services(["billing", "orders"]);
    let app = super::app(auth(verifier(store([lasting]))), NOW);
    assert_eq!(send(&app, signer().sign(order())).await.status, 200);
}

#[tokio::test]
async fn both_secrets_of_a_rotation_verify() {
    let secrets = crate::secret::SecretSet::new(Secret::new(SECRET));
    let key = SigningKey::secret(KEY_ID, "svc", secrets.clone());
    let app = app(auth(verifier(store([key]))), NOW);
    let next = "another secret with at least 32 bytes";
    let new = SigV4Signer::new(KEY_ID, next, "eu-1", "orders").at(NOW);
    assert!(send(&app, new.sign(order())).await.is(401, "invalid_signature"));
    secrets.rotate(Secret::new(next), NOW.saturating_add(Duration::from_secs(1)));
    for signer in [&new, &signer()] {
        assert_eq!(send(&app, signer.sign(order())).await.status, 200);
    }
    secrets.forget_previous();
    assert!(send(&app, signer().sign(order())).await.is(401, "invalid_signature"));
    // A secret that a rotation made too short verifies nothing.
    secrets.rotate(Secret::new("short"), NOW);
    let short = SigV4Signer::new(KEY_ID, "short", "eu-1", "orders").at(NOW);
    assert!(send(&app, short.sign(order())).await.is(401, "invalid_signature"));
}

#[tokio::test]
async fn an_unsigned_body_is_accepted_only_on_request() {
    let unsigned = || signer().unsigned_payload().sign(order());
    assert!(send(&service(), unsigned()).await.is(401, "invalid_signature"));
    let open = app(auth(verifier(store([key()])).dangerously_allow_unsigned_payload()), NOW);
    assert_eq!(send(&open, unsigned()).await.status, 200);
    // A signed body stays signed.
    let mut changed = signer().sign(order());
    *changed.body_mut() = Body::from("{\"n\": 2}");
    assert!(send(&open, changed).await.is(401, "invalid_signature"));
}

/// A body that must not be touched.
struct Untouched;
impl http_body::Body for Untouched {
    type Data = Bytes;
    type Error = std::convert::Infallible;
    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn the_body_is_bounded_and_not_read_for_nothing() {
    let small = app(auth(verifier(store([key()])).max_body(7)), NOW);
    assert!(send(&small, signer().sign(order())).await.is(413, "payload_too_large"));
    for stale in [
        signer().at(Timestamp::EPOCH).sign(order()),
        edited(signer().sign(order()), set("authorization", "AWS4-HMAC-SHA256 x")),
    ] {
        let request = stale.map(|_| Body::new(Untouched));
        assert!(send(&service(), request).await.status.is_client_error());
    }
}

#[tokio::test]
async fn urls_count_only_on_request_and_until_they_end() {
    let url =
        || signer().presign(Request::get("/orders?x=1").header("host", "a").body("").unwrap(), Duration::from_secs(60));
    // Nobody looks at the query: there is no credential.
    assert!(send(&service(), url()).await.is(401, "missing_credentials"));
    let at = |seconds: u64| {
        app(auth(verifier(store([key()])).presigned_urls()), NOW.saturating_add(Duration::from_secs(seconds)))
    };
    assert_eq!(send(&at(60), url()).await.status, 200);
    assert!(send(&at(61), url()).await.is(401, "timestamp_out_of_window"));
    let uri = url().uri().to_string();
    for (bad, status) in [
        (uri.replace("x=1", "x=2"), 401),
        (uri.replace("Expires=60", "Expires=61"), 401),
        (uri.replace("Expires=60", "Expires=604801"), 400),
        (uri.replace("Expires=60", "Expires=0"), 400),
        (uri.replace("X-Amz-Expires=60&", ""), 400),
        (format!("{uri}&X-Amz-Expires=60"), 400),
        (format!("{uri}&X-Amz-Signature=00"), 400),
        (uri.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), 400),
        (uri.replace("SignedHeaders=host", "SignedHeaders=Host"), 400),
        (format!("{uri}&y=1"), 401),
    ] {
        let request = Request::get(&*bad).header("host", "a").body(Body::empty()).unwrap();
        assert_eq!(send(&at(0), request).await.status, status, "{bad}");
    }
    let both = edited(url(), set("authorization", "AWS4-HMAC-SHA256 x"));
    assert!(send(&at(0), both).await.is(400, "invalid_request"));
}

#[tokio::test]
async fn the_seeds_form_works_under_its_own_names() {
    let form = || SignatureForm::new("ACME1-HMAC-SHA256", "x-acme-");
    let verifier = SigV4::generic(form(), store([key()]), "eu-1", "orders").presigned_urls();
    let app = app(auth(verifier), NOW);
    let signed = signer().form(form()).session_token("opaque").sign(order());
    assert!(signed.headers().contains_key("x-acme-content-sha256"));
    assert_eq!(send(&app, signed).await.status, 200);
    let url =
        signer().form(form()).presign(Request::get("/").header("host", "a").body("").unwrap(), Duration::from_secs(9));
    assert!(url.uri().query().unwrap().contains("X-Acme-Signature"));
    assert_eq!(send(&app, url).await.status, 200);
    // AWS's own names are another scheme here.
    assert!(send(&app, signer().sign(order())).await.is(401, "missing_credentials"));
}

#[test]
fn every_mistake_of_a_builder_is_named() {
    let form = SignatureForm::new("a b", "x-acme");
    let error = SigV4::generic(form, MemoryStore::new(), "", "a/b")
        .window(Duration::ZERO)
        .max_body(0)
        .body_timeout(Duration::from_secs(301))
        .require_signed(["a b"])
        .s3_paths()
        .presigned_urls()
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(
        fields,
        [
            "form.algorithm",
            "form.terminator",
            "form.headers",
            "region",
            "service",
            "window",
            "max_body",
            "body_timeout",
            "presigned_urls",
            "require_signed[0]"
        ]
    );
    let error =
        SigningKey::secret("a,b", "", Secret::new("short")).services([""; 0]).scopes(["*"]).build().unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(fields, ["id", "subject", "services", "scopes", "secret"]);
}

#[test]
fn debug_shows_no_secret() {
    let key = key().build().unwrap();
    let text = format!("{key:?} {:?} {:?}", super::key(), verifier(store([super::key()])).build().unwrap());
    assert!(!text.contains("wJalr"), "{text}");
}

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::{
    auth::{
        jwt::Algorithm,
        signed::{HttpSignatures, HttpSignaturesBuilder},
    },
    store::{BoxFuture, SeenKey, SeenStore, Sighting, StoreError},
    testing::MessageSigner,
};

fn verifier(store: MemoryStore) -> HttpSignaturesBuilder {
    HttpSignatures::builder(store)
}

fn service_of(verifier: HttpSignaturesBuilder) -> Router {
    app(AuthLayer::builder().authenticator(verifier.build().unwrap()), NOW)
}

fn service() -> Router {
    service_of(verifier(store([key()])))
}

fn signer() -> MessageSigner {
    MessageSigner::hmac(KEY_ID, SECRET).at(NOW)
}

fn order() -> Request<&'static str> {
    Request::post("/orders?b=2&a=1")
        .header("host", "API.example.com:443")
        .header("content-type", "application/json")
        .header("content-length", "8")
        .body("{\"n\": 1}")
        .unwrap()
}

/// The default origin drops the port of HTTPS, which the signer of the tests is told.
fn sign(signer: MessageSigner) -> Request<Body> {
    signer.origin("https", "api.example.com").sign(order())
}

#[tokio::test]
async fn the_handler_gets_the_caller_and_the_body_as_it_was_sent() {
    let answer = send(&service(), sign(signer())).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, "{\"n\": 1}"), "{}", answer.body);
    assert_eq!(answer.headers["x-caller"], "svc_billing");
    assert_eq!(answer.headers["x-length"], "8");
}

#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
#[tokio::test]
async fn every_algorithm_verifies_and_the_key_decides_which_rfc9421_3_2() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Ps512, Algorithm::Rs256] {
        let signer = || MessageSigner::generate("pair", algorithm).at(NOW);
        let pair = signer();
        let key = SigningKey::jwk("pair", "svc", pair.jwk());
        let name = SigningKey::jwk("pair", "svc", pair.jwk()).build().unwrap().algorithm();
        let app = service_of(verifier(store([key])));
        let answer = send(&app, sign(pair.clone())).await;
        assert_eq!(answer.status, 200, "{algorithm}: {}", answer.body);
        let named = pair.clone().parameter(&format!("alg=\"{name}\""));
        assert_eq!(send(&app, sign(named)).await.status, 200, "{algorithm}");
        let other = pair.parameter("alg=\"hmac-sha256\"");
        assert!(send(&app, sign(other)).await.is(401, "invalid_signature"), "{algorithm}");
        assert!(send(&app, sign(signer())).await.is(401, "invalid_signature"), "{algorithm}, another key");
    }
}

/// The attack of RFC 8725 §2.1, in this form: the public key as the secret of an HMAC.
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
#[tokio::test]
async fn a_public_key_is_no_secret_rfc9421_3_2() {
    let pair = MessageSigner::generate("pair", Algorithm::EdDsa);
    let app = service_of(verifier(store([SigningKey::jwk("pair", "svc", pair.jwk())])));
    let forged = MessageSigner::hmac("pair", pair.jwk()).at(NOW).parameter("alg=\"hmac-sha256\"");
    assert!(send(&app, sign(forged)).await.is(401, "invalid_signature"));
}

#[tokio::test]
async fn whatever_is_changed_after_signing_is_refused_rfc9421_3_2() {
    let changes: [fn(&mut Request<Body>); 6] = [
        |request| *request.method_mut() = http::Method::PUT,
        |request| *request.uri_mut() = "/orders/2?b=2&a=1".parse().unwrap(),
        |request| *request.uri_mut() = "/orders?a=1&b=2".parse().unwrap(),
        |request| *request.body_mut() = Body::from("{\"n\": 2}"),
        |request| *request.body_mut() = Body::empty(),
        |request| drop(request.headers_mut().insert("host", HeaderValue::from_static("other.example.com"))),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut request = sign(signer());
        change(&mut request);
        let answer = send(&service(), request).await;
        assert!(answer.is(401, "invalid_signature"), "{index}: {}", answer.body);
        let lines: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert!(lines.iter().any(|line| *line == "Signature realm=\"api\""), "{lines:?}");
        assert_eq!(
            answer.headers["accept-signature"],
            r#"sig1=("@method" "@target-uri" "content-digest");created;keyid"#
        );
    }
}

#[tokio::test]
async fn what_must_be_covered_is_rfc9421_3_2_1() {
    let app = service_of(verifier(store([key()])).require_covered(["content-type", "x-absent"]));
    let covering = |names: &str| {
        let names: Vec<String> = names.split(' ').map(|name| format!("\"{name}\"")).collect();
        sign(signer().components(names))
    };
    for good in [
        "@method @target-uri content-digest content-type",
        "@method @authority @path @query content-digest content-type",
        "@method @authority @request-target content-digest content-type",
    ] {
        assert_eq!(send(&app, covering(good)).await.status, 200, "{good}");
    }
    for bad in [
        "@method @target-uri content-digest",
        "@method @target-uri content-type",
        "@target-uri content-digest content-type",
        "@method @authority @path content-digest content-type",
        "@method @path @query content-digest content-type",
    ] {
        assert!(send(&app, covering(bad)).await.is(401, "invalid_signature"), "{bad}");
    }
    // A query that is added to a signature without one is not covered by it.
    let request = Request::get("/orders").header("host", "a").body("").unwrap();
    let mut request = signer().components(["\"@method\"", "\"@authority\"", "\"@path\""]).sign(request);
    *request.uri_mut() = "/orders?admin=1".parse().unwrap();
    assert!(send(&service(), request).await.is(401, "invalid_signature"));
}

#[tokio::test]
async fn times_are_checked_rfc9421_3_2_1() {
    let window = Duration::from_secs(300);
    for (signer, good) in [
        (signer().at(NOW.saturating_sub(window)), true),
        (signer().at(NOW.saturating_sub(window + Duration::from_secs(1))), false),
        (signer().at(NOW.saturating_add(window)), true),
        (signer().at(NOW.saturating_add(window + Duration::from_secs(1))), false),
        (signer().expires(Duration::from_secs(NOW.as_secs() + 1)), true),
        (signer().expires(Duration::from_secs(NOW.as_secs())), false),
    ] {
        let answer = send(&service(), sign(signer)).await;
        assert!(if good { answer.status == 200 } else { answer.is(401, "timestamp_out_of_window") }, "{}", answer.body);
    }
}

#[tokio::test]
async fn what_is_malformed_is_400_and_is_not_repeated_rfc9421_4() {
    let app = service();
    for (name, value) in [
        ("signature-input", ""),
        ("signature-input", "sig1=()"),
        ("signature-input", "sig1=(\"@method\");created=1"),
        ("signature-input", "sig1=(\"@method\");keyid=\"needle\""),
        ("signature-input", "needle=(\"@method\");created=1;keyid=\"needle\""),
        ("signature-input", "sig1=(\"@method\" \"@method\");created=1;keyid=\"needle\""),
        ("signature-input", "\u{e9}"),
        ("signature", ""),
        ("signature", "sig1=needle"),
        ("signature", "needle=:AAAA:"),
        ("signature", "sig1=:AAAA"),
    ] {
        let mut request = sign(signer());
        request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let answer = send(&app, request).await;
        assert!(answer.is(400, "malformed_signature"), "{name} {value}: {}", answer.body);
        assert!(!answer.body.contains("needle"), "{}", answer.body);
    }
    for name in ["signature-input", "signature"] {
        let mut request = sign(signer());
        let value = request.headers()[name].clone();
        request.headers_mut().append(name, value);
        assert!(send(&app, request).await.is(400, "malformed_signature"), "{name} twice");
        let mut request = sign(signer());
        request.headers_mut().remove(name);
        assert!(send(&app, request).await.is(400, "malformed_signature"), "no {name}");
    }
    let digest = |value: &'static str| {
        let request = order().map(|_| "");
        let mut request = Request::from_parts(request.into_parts().0, "");
        request.headers_mut().insert("content-digest", HeaderValue::from_static(value));
        signer().origin("https", "api.example.com").sign(request)
    };
    for value in ["md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", "sha-256=:AAAA:", "sha-256", ""] {
        assert!(send(&app, digest(value)).await.is(400, "malformed_signature"), "{value}");
    }
    let good = "md5=:AAAA:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    assert_eq!(send(&app, digest(good)).await.status, 200);
}

#[tokio::test]
async fn of_several_signatures_one_is_meant_rfc9421_3_2() {
    let twice = |first: MessageSigner, second: MessageSigner| {
        let (parts, _) = sign(first).into_parts();
        let mut again = Request::from_parts(parts, "{\"n\": 1}");
        again.headers_mut().remove("content-digest");
        second.origin("https", "api.example.com").sign(again)
    };
    let both = || twice(signer().tag("proxy"), signer().label("sig2").tag("app"));
    assert!(send(&service(), both()).await.is(400, "malformed_signature"));
    for chosen in [verifier(store([key()])).label("sig2"), verifier(store([key()])).tag("app")] {
        assert_eq!(send(&service_of(chosen), both()).await.status, 200);
    }
    for missing in [verifier(store([key()])).label("sig3"), verifier(store([key()])).tag("other")] {
        assert!(send(&service_of(missing), both()).await.is(400, "malformed_signature"));
    }
}

#[tokio::test]
async fn a_nonce_counts_once_rfc9421_3_2_1() {
    let app = service_of(verifier(store([key()])).nonces(MemoryStore::new()));
    let answer = send(&app, sign(signer())).await;
    assert!(answer.is(401, "invalid_signature"));
    assert!(answer.headers["accept-signature"].to_str().unwrap().contains(";nonce"));
    assert_eq!(send(&app, sign(signer().nonce("1"))).await.status, 200);
    assert!(send(&app, sign(signer().nonce("1"))).await.is(401, "invalid_signature"));
    assert_eq!(send(&app, sign(signer().nonce("2"))).await.status, 200);
    // A signature that is wrong does not use its nonce up.
    let mut forged = sign(signer().nonce("3"));
    *forged.body_mut() = Body::from("{\"n\": 2}");
    assert!(send(&app, forged).await.is(401, "invalid_signature"));
    assert_eq!(send(&app, sign(signer().nonce("3"))).await.status, 200);
}

/// By the clock that was set back, or by that of another instance, it is as good as new.
#[tokio::test]
async fn a_nonce_is_remembered_for_longer_than_clocks_differ() {
    let clock = ManualClock::at(NOW);
    let nonces = verifier(store([key()])).nonces(MemoryStore::new()).build().unwrap();
    let app = app_by(AuthLayer::builder().authenticator(nonces), clock.clone());
    clock.set_wall(NOW.saturating_add(Duration::from_secs(300)));
    assert_eq!(send(&app, sign(signer().nonce("1"))).await.status, 200);
    clock.advance(Duration::from_secs(2));
    clock.set_wall(NOW.saturating_add(Duration::from_secs(270)));
    assert!(send(&app, sign(signer().nonce("1"))).await.is(401, "invalid_signature"));
}

/// Writes down for how long it is to remember.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<Duration>>>);

impl SeenStore for Kept {
    fn see(&self, _: SeenKey, keep: Duration, _: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
        self.0.lock().unwrap().push(keep);
        Box::pin(std::future::ready(Ok(Sighting::First)))
    }
}

/// A request is dated when its head comes, and its nonce looked up once its body is there.
#[tokio::test]
async fn a_nonce_is_remembered_until_the_slowest_body_is_there() {
    let kept = Kept::default();
    let app = service_of(verifier(store([key()])).nonces(kept.clone()).body_timeout(Duration::from_secs(20)));
    let last = signer().at(NOW.saturating_sub(Duration::from_secs(300))).nonce("1");
    assert_eq!(send(&app, sign(last)).await.status, 200);
    assert_eq!(send(&app, sign(signer().nonce("2"))).await.status, 200);
    assert_eq!(*kept.0.lock().unwrap(), [80_000_001, 380_000_001].map(Duration::from_micros));
}

#[tokio::test]
async fn the_origin_is_what_clients_know() {
    let local = service_of(verifier(store([key()])).origin("http://localhost:3000"));
    let request = || Request::get("/").header("host", "10.0.0.7").body("").unwrap();
    assert_eq!(send(&local, signer().origin("http", "localhost:3000").sign(request())).await.status, 200);
    assert!(send(&local, signer().sign(request())).await.is(401, "invalid_signature"));
    assert_eq!(send(&service(), signer().sign(request())).await.status, 200);
}

#[tokio::test]
async fn unknown_keys_of_every_form_are_refused_alike() {
    for algorithm in ["hmac-sha256", "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "x"] {
        let unknown = MessageSigner::hmac("unknown", SECRET).at(NOW).parameter(&format!("alg=\"{algorithm}\""));
        let answer = send(&service(), sign(unknown)).await;
        assert!(answer.is(401, "invalid_signature") && !answer.body.contains("unknown"), "{}", answer.body);
    }
    let restricted = key().services(["orders"]);
    assert!(send(&service_of(verifier(store([restricted]))), sign(signer())).await.is(401, "invalid_signature"));
    let named = verifier(store([key().services(["orders"])])).service("orders");
    assert_eq!(send(&service_of(named), sign(signer())).await.status, 200);
}

#[test]
fn every_mistake_of_a_builder_is_named() {
    let error = verifier(MemoryStore::new())
        .window(Duration::from_secs(901))
        .max_body(usize::MAX)
        .body_timeout(Duration::ZERO)
        .require_covered(["@method"])
        .label("Sig")
        .tag("")
        .service("")
        .origin("api.example.com")
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(
        fields,
        ["window", "max_body", "body_timeout", "require_covered[0]", "label", "tag", "service", "origin"]
    );
}

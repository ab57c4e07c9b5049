//! What `SigV4` accepts.

use std::time::Duration;

use axum::{Router, routing};
use http::Request;
use portcullis::{
    auth::{
        AuthLayer,
        signed::{SigV4, SigningKey},
    },
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    secret::Secret,
    testing::SigV4Signer,
    time::{ManualClock, Timestamp},
};
use tower::ServiceBuilder;

use super::{Observed, bytes, greatest, status};

const SIGNED: &str = "Signed requests";
const NOW: Timestamp = Timestamp::from_secs(1_795_248_300);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn service(now: Timestamp) -> Router {
    let keys = MemoryStore::new();
    keys.insert_signing_key(SigningKey::secret("key", "svc", Secret::new(SECRET)).build().unwrap()).unwrap();
    let signed = SigV4::builder(keys, "eu-1", "orders").build().unwrap();
    let auth = AuthLayer::builder().authenticator(signed).build().unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(now));
    Router::new().route("/", routing::any(|| async {})).layer(ServiceBuilder::new().layer(context).layer(auth))
}

fn signer() -> SigV4Signer {
    SigV4Signer::new("key", SECRET, "eu-1", "orders").at(NOW)
}

fn request(body: Vec<u8>) -> Request<Vec<u8>> {
    Request::post("/").header("host", "a").body(body).unwrap()
}

pub(super) async fn look(seen: &mut Observed) {
    let past = async |seconds: u64| {
        let app = service(NOW.saturating_add(Duration::from_secs(seconds)));
        status(&app, signer().sign(request(Vec::new()))).await == 200
    };
    let future = async |seconds: u64| {
        let app = service(NOW.saturating_sub(Duration::from_secs(seconds)));
        status(&app, signer().sign(request(Vec::new()))).await == 200
    };
    let (past, future) = (greatest(0..=2_000, past).await, greatest(0..=2_000, future).await);
    assert_eq!(past, future);
    seen.see(SIGNED, "age of a signature, to either side", format!("{past} s"));

    let window = async |seconds: u64| {
        let builder = SigV4::builder(MemoryStore::new(), "eu-1", "orders");
        builder.window(Duration::from_secs(seconds)).build().is_ok()
    };
    seen.see(SIGNED, "longest window", format!("{} s", greatest(1..=5_000, window).await));

    let app = service(NOW);
    let body = async |length: u64| {
        let body = vec![b'x'; usize::try_from(length).unwrap()];
        status(&app, signer().sign(request(body))).await == 200
    };
    seen.see(SIGNED, "largest signed body", bytes(greatest((1 << 19)..=(1 << 21), body).await));

    let unsigned = status(&app, signer().unsigned_payload().sign(request(Vec::new()))).await;
    seen.see(SIGNED, "unsigned bodies", if unsigned == 401 { "refused" } else { "accepted" });
    let dotted = Request::post("/x/../").header("host", "a").body(Vec::new()).unwrap();
    let dotted = status(&app, signer().sign(dotted)).await;
    seen.see(SIGNED, "paths with `.`, `..` or empty segments", if dotted == 400 { "refused" } else { "accepted" });
    let url = super::ask(&app, signer().presign(request(Vec::new()), Duration::from_secs(60))).await;
    let looked_at = !(url.0.as_u16() == 401 && url.2.contains("missing_credentials"));
    seen.see(SIGNED, "signatures in the query", if looked_at { "looked at" } else { "not looked at" });

    let secret = async |length: u64| {
        let secret = Secret::new("x".repeat(usize::try_from(length).unwrap()));
        SigningKey::secret("key", "svc", secret).build().is_err()
    };
    seen.see(SIGNED, "shortest secret of a signing key", bytes(greatest(0..=256, secret).await + 1));
}

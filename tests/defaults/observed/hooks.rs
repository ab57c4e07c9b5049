//! Webhooks.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, routing};
use base64ct::{Base64, Encoding as _};
use http::{HeaderValue, Request};
use portcullis::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    secret::Secret,
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
    webhook::{Claimed, Fence, Provider, ReplayKey, ReplayStore, Settlement, WebhookVerifyLayer},
};
use tower::ServiceBuilder;

use super::{Observed, bytes, greatest, status};

const HOOKS: &str = "Webhooks";
const NOW: Timestamp = Timestamp::from_secs(1_795_248_300);

fn secret() -> Secret {
    Secret::new("whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5")
}

fn app(provider: Provider, store: impl ReplayStore) -> Router {
    let layer = WebhookVerifyLayer::builder(provider, secret(), store).build().unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    let hook = || routing::post(|| async {});
    let gates = ServiceBuilder::new().layer(context).layer(layer);
    Router::new().route("/a", hook()).route("/b", hook()).layer(gates)
}

fn signed(provider: &Provider, path: &str, at: Timestamp, body: &str) -> Request<Body> {
    let mut request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
    request.headers_mut().extend(provider.sign(&secret(), "evt_1", at, body.as_bytes()).unwrap());
    request
}

pub(super) async fn look(seen: &mut Observed) {
    windows(seen).await;
    bounds(seen).await;
    claims(seen).await;
    repetitions(seen).await;
}

async fn windows(seen: &mut Observed) {
    let stripe = Provider::stripe();
    let accepts = async |at: Timestamp| {
        status(&app(stripe.clone(), MemoryStore::new()), signed(&stripe, "/a", at, "{}")).await == 200
    };
    let old = async |secs: u64| accepts(NOW.saturating_sub(Duration::from_secs(secs))).await;
    let early = async |secs: u64| accepts(NOW.saturating_add(Duration::from_secs(secs))).await;
    seen.see(HOOKS, "age of a signed timestamp", format!("{} s", greatest(0..=10_000, old).await));
    seen.see(HOOKS, "timestamp in the future", format!("{} s", greatest(0..=10_000, early).await));
    let allowed = async |secs: u64| {
        let builder = WebhookVerifyLayer::builder(Provider::stripe(), secret(), MemoryStore::new());
        builder.past_window(Duration::from_secs(secs)).remember_for(Duration::from_secs(1 << 20)).build().is_ok()
    };
    seen.see(HOOKS, "longest window", format!("{} h", greatest(1..=1_000_000, allowed).await / 3_600));
}

async fn bounds(seen: &mut Observed) {
    let github = Provider::github();
    let fits = async |length: u64| {
        let body = "x".repeat(usize::try_from(length).unwrap());
        status(&app(github.clone(), MemoryStore::new()), signed(&github, "/a", NOW, &body)).await == 200
    };
    seen.see(HOOKS, "largest body", bytes(greatest(0..=2_000_000, fits).await));
    let many = async |count: u64| {
        let mut request = signed(&Provider::stripe(), "/a", NOW, "{}");
        let line = request.headers()["stripe-signature"].to_str().unwrap().to_owned();
        let (time, signature) = line.split_once(',').unwrap();
        let list = vec![signature; usize::try_from(count).unwrap()].join(",");
        let value = HeaderValue::try_from(format!("{time},{list}")).unwrap();
        request.headers_mut().insert("stripe-signature", value);
        status(&app(Provider::stripe(), MemoryStore::new()), request).await == 200
    };
    seen.see(HOOKS, "most signatures in a header", greatest(1..=40, many).await.to_string());
    let short = async |length: u64| {
        let secret = Secret::new(Base64::encode_string(&vec![7; usize::try_from(length).unwrap()]));
        WebhookVerifyLayer::builder(Provider::standard_webhooks(), secret, MemoryStore::new()).build().is_err()
    };
    let shortest = greatest(0..=64, short).await + 1;
    seen.see(HOOKS, "shortest key of Standard Webhooks", format!("{shortest} bytes"));
}

/// Says what it was told, and for how long.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<Duration>>>);

impl ReplayStore for Told {
    fn claim(&self, _: ReplayKey, lease: Duration, _: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        self.0.lock().unwrap().push(lease);
        Box::pin(std::future::ready(Ok(Claimed::Fresh(Fence::new(1)))))
    }

    fn settle(
        &self,
        _: ReplayKey,
        _: Fence,
        settlement: Settlement,
        _: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        if let Settlement::Complete { ttl } = settlement {
            self.0.lock().unwrap().push(ttl);
        }
        Box::pin(std::future::ready(Ok(true)))
    }
}

async fn claims(seen: &mut Observed) {
    let told = Told::default();
    let stripe = Provider::stripe();
    assert_eq!(status(&app(stripe.clone(), told.clone()), signed(&stripe, "/a", NOW, "{}")).await, 200);
    let [lease, memory] = told.0.lock().unwrap()[..] else { panic!("{told:?}") };
    // It runs from the arrival, so the time for the body is added.
    seen.see(HOOKS, "lease of an event", format!("{} s", lease.as_secs() - 10));
    let hours = memory.as_secs() / 3_600;
    seen.see(
        HOOKS,
        "memory of a completed event",
        format!("a day longer than the provider retries (Stripe: {hours} h)"),
    );
}

/// Another one's event.
#[derive(Debug)]
struct Busy;

impl ReplayStore for Busy {
    fn claim(&self, _: ReplayKey, lease: Duration, _: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        Box::pin(std::future::ready(Ok(Claimed::InFlight { retry_after: lease })))
    }

    fn settle(&self, _: ReplayKey, _: Fence, _: Settlement, _: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}

async fn repetitions(seen: &mut Observed) {
    let github = Provider::github();
    let deliver = async |app: &Router, path: &str, body: &str| {
        let (status, headers, _) = super::ask(app, signed(&github, path, NOW, body)).await;
        (status.as_u16(), headers.contains_key("x-webhook-duplicate"))
    };
    let hook = app(github.clone(), MemoryStore::new());
    assert_eq!(deliver(&hook, "/a", "one").await, (200, false));
    let (completed, repeated) = deliver(&hook, "/a", "two").await;
    seen.see(HOOKS, "what is a repetition", if repeated { "the event's id" } else { "the signed bytes" });
    seen.see(HOOKS, "answer to a completed event", completed.to_string());
    let (_, repeated) = deliver(&hook, "/b", "one").await;
    seen.see(HOOKS, "endpoint", if repeated { "one for all" } else { "the route's template" });
    let (busy, _) = deliver(&app(github.clone(), Busy), "/a", "one").await;
    seen.see(HOOKS, "answer to an event in flight", busy.to_string());
}

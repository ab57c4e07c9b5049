//! What owners allow is on record: once, whatever becomes of the first attempts.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum::routing::get;

use super::*;
use crate::{
    audit::{AuditBatch, AuditSink},
    gate::{Entry, Gate, GateLayer},
    lint::{Lint, Lints, Severity, Waivers},
    request::RequestContext,
    store::{BoxFuture, StoreError},
};

const OPEN: Lint = Lint { code: "open", severity: Severity::High, fix: "shut it", spec: "https://example.com/doors" };

struct Door(Option<Arc<Waivers>>);

impl<B> Gate<B> for Door {
    const NAME: &'static str = "door";
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.announce(self.0.as_ref());
        Entry::Pass(())
    }
}

fn door(reason: &'static str) -> GateLayer<Door> {
    let mut lints = Lints::new().allow("open", reason);
    lints.add(&OPEN, "door", "is\nopen", Some("*"));
    lints.add(&OPEN, "window", "is open, too", None);
    GateLayer::new(Door(lints.report().waivers("door")))
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_finding_is_one_line_before_the_first_request() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().route("/", get(|| async {})).layer(door("it is the museum's")));
    for _ in 0..3 {
        call(&app, request("/")).await;
    }
    let records = desk.records().await;
    assert_eq!(kinds(&records), ["waiver", "waiver", "request", "request", "request"]);
    assert_eq!((&records[0]["field"], &records[1]["field"]), (&"door".into(), &"window".into()));
    assert_eq!((&records[0]["value"], &records[1]["value"]), (&"*".into(), &Value::Null));
    assert_eq!(records[0]["message"], "is\nopen", "one line nevertheless");
    assert_eq!(records[0]["timestamp"], NOON.to_rfc3339());
    assert_eq!(records[0]["reason"], "it is the museum's");
    assert!(records.iter().enumerate().all(|(index, record)| record["seq"] == index));
}

/// The gate may stand on a route that is rarely called, and outside of the audit layer.
#[tokio::test]
async fn it_is_written_when_it_is_first_used_wherever_the_gate_stands() {
    let desk = Desk::new();
    let rare = Router::new().route("/rare", get(|| async {})).layer(door("rare"));
    let inner = desk.wrap(Router::new().route("/", get(|| async {})).merge(rare));
    let app = Router::new().fallback_service(inner).layer(door("outside"));
    for path in ["/", "/", "/rare"] {
        call(&app, request(path)).await;
    }
    let records = desk.records().await;
    assert_eq!(kinds(&records), ["waiver", "waiver", "request", "request", "waiver", "waiver", "request"]);
    assert_eq!((&records[0]["reason"], &records[4]["reason"]), (&"outside".into(), &"rare".into()));
}

/// Fails until it is mended.
#[derive(Clone, Debug)]
struct Broken(Arc<AtomicBool>, MemorySink);

impl AuditSink for Broken {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        if self.0.load(SeqCst) { self.1.write(batch) } else { Box::pin(std::future::ready(Err(StoreError::TimedOut))) }
    }
}

#[tokio::test]
async fn what_a_sink_loses_is_written_again() {
    let broken = Broken(Arc::default(), MemorySink::new());
    let layer = AuditLayer::builder(broken.clone()).build().unwrap();
    let handle = layer.handle();
    let app = Router::new().route("/", get(|| async {})).layer(ServiceBuilder::new().layer(layer).layer(door("why")));
    call(&app, request("/")).await;
    handle.flush().await;
    broken.0.store(true, SeqCst);
    call(&app, request("/")).await;
    call(&app, request("/")).await;
    handle.shutdown().await;
    let records = broken.1.records();
    assert_eq!(kinds(&records), ["gap", "waiver", "waiver", "request", "request"]);
    assert_eq!(records[0]["lost"], 1, "only requests are counted");
}

/// Without an audit layer nobody is kept from anything.
#[tokio::test]
async fn without_an_audit_layer_it_stays_in_the_log() {
    let app = Router::new().route("/", get(|| async {})).layer(door("why"));
    let response = call(&app, request("/")).await;
    assert!(response.status().is_success());
}

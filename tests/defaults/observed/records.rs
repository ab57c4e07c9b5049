//! Audit.

use axum::{Router, routing};
use portcullis::audit::{AuditLayer, MemorySink};

use super::{Observed, ask, get, greatest, grouped};

const AUDIT: &str = "Audit";

pub(super) async fn look(seen: &mut Observed) {
    let sink = MemorySink::new();
    let builder = AuditLayer::builder(sink.clone());
    let settings = format!("{builder:?}");
    let (_, rest) = settings.split_once("queue_capacity: ").unwrap();
    let queue: u64 = rest.split(',').next().unwrap().parse().unwrap();
    seen.see(AUDIT, "queue", format!("{} records", grouped(queue)));
    let allowed = async |records: u64| {
        let builder = AuditLayer::builder(MemorySink::new()).queue_capacity(usize::try_from(records).unwrap());
        builder.build().is_ok()
    };
    seen.see(AUDIT, "largest queue", format!("{} records", grouped(greatest(1..=10_000_000, allowed).await)));

    let layer = builder.build().unwrap();
    let handle = layer.handle();
    let app = Router::new().route("/", routing::get(|| async {})).layer(layer);
    ask(&app, get("/?page=2", &[])).await;
    handle.shutdown().await;
    let records = sink.records();
    let record = &records[0];
    seen.see(AUDIT, "service name", if record["service"].is_null() { "none" } else { "some" });
    seen.see(AUDIT, "query values", if record["query"] == "page=***" { "hidden" } else { "shown" });
    seen.see(AUDIT, "geo", if record["client"]["geo"].is_null() { "unknown" } else { "known" });
}

//! The queue, the writer and the sinks.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use axum::routing::get;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    audit::{AuditBatch, AuditSink, JsonLines, TracingSink},
    store::{BoxFuture, StoreError},
};

fn app(layer: &AuditLayer) -> Router {
    Router::new().route("/", get(|| async {})).layer(layer.clone())
}

async fn ask(app: &Router, times: usize) {
    for _ in 0..times {
        call(app, request("/")).await;
    }
}

/// Waits for a permit before each batch.
#[derive(Clone, Debug)]
struct Gated {
    permits: Arc<Semaphore>,
    sink: MemorySink,
}

impl Gated {
    fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), sink: MemorySink::new() }
    }

    fn open(&self) {
        self.permits.add_permits(1_000);
    }
}

impl AuditSink for Gated {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.permits.acquire().await.map_err(StoreError::unavailable)?.forget();
            self.sink.write(batch).await
        })
    }
}

fn kinds(records: &[Value]) -> Vec<(&str, Option<u64>)> {
    records.iter().map(|record| (record["kind"].as_str().unwrap(), record["lost"].as_u64())).collect()
}

fn assert_numbered(records: &[Value]) {
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], index);
        assert_eq!(record["stream"], records[0]["stream"]);
    }
}

#[tokio::test]
async fn what_does_not_fit_becomes_a_gap_where_it_is_missing() {
    let gated = Gated::new();
    let layer = AuditLayer::builder(gated.clone()).queue_capacity(4).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    // Nothing is awaited that would let the writer run: the queue holds four.
    ask(&app, 11).await;
    assert_eq!((handle.counts().accepted, handle.counts().lost, handle.counts().queued), (4, 7, 4));
    gated.open();
    handle.flush().await;
    ask(&app, 1).await;
    let counts = handle.shutdown().await;
    assert_eq!((counts.accepted, counts.written, counts.lost), (5, 5, 7));
    let records = gated.sink.records();
    let request = ("request", None);
    assert_eq!(kinds(&records), [request, request, request, request, ("gap", Some(7)), request]);
    assert_eq!(records[4]["level"], "ERROR");
    assert_numbered(&records);
}

#[tokio::test]
async fn a_sink_that_hangs_holds_up_no_request() {
    let gated = Gated::new();
    let layer = AuditLayer::builder(gated.clone()).queue_capacity(8).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    for _ in 0..100 {
        ask(&app, 1).await;
        tokio::task::yield_now().await;
    }
    let counts = handle.counts();
    assert_eq!((counts.accepted + counts.lost, counts.written), (100, 0));
    assert!(counts.lost > 80, "{counts:?}");
    gated.open();
    let counts = handle.shutdown().await;
    assert_eq!((counts.written + counts.lost, counts.queued), (100, 0));
    let gaps: u64 = gated.sink.records().iter().filter_map(|record| record["lost"].as_u64()).sum();
    assert_eq!(gaps, counts.lost);
}

/// Fails or panics until it is mended.
#[derive(Clone, Debug)]
struct Broken {
    mended: Arc<AtomicBool>,
    panics: bool,
    sink: MemorySink,
}

impl AuditSink for Broken {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        if self.mended.load(SeqCst) {
            return self.sink.write(batch);
        }
        assert!(!self.panics, "a sink that panics");
        Box::pin(std::future::ready(Err(StoreError::TimedOut)))
    }
}

#[tokio::test]
async fn what_a_sink_loses_becomes_a_gap() {
    for panics in [false, true] {
        let broken = Broken { mended: Arc::default(), panics, sink: MemorySink::new() };
        let layer = AuditLayer::builder(broken.clone()).build().unwrap();
        let (app, handle) = (app(&layer), layer.handle());
        for _ in 0..3 {
            ask(&app, 2).await;
            handle.flush().await;
        }
        assert_eq!((handle.counts().written, handle.counts().lost), (0, 6));
        broken.mended.store(true, SeqCst);
        ask(&app, 1).await;
        let counts = handle.shutdown().await;
        assert_eq!((counts.written, counts.lost), (1, 6));
        assert_eq!(kinds(&broken.sink.records()), [("gap", Some(6)), ("request", None)]);
    }
}

#[tokio::test]
async fn shutdown_delivers_what_was_accepted_and_takes_no_more() {
    let sink = MemorySink::new();
    let layer = AuditLayer::builder(sink.clone()).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    ask(&app, 1_000).await;
    let counts = handle.shutdown().await;
    assert_eq!((counts.accepted, counts.written, counts.lost, counts.queued), (1_000, 1_000, 0, 0));
    assert_numbered(&sink.records());
    ask(&app, 3).await;
    let again = handle.shutdown().await;
    assert_eq!((again.accepted, again.written, again.lost), (1_000, 1_000, 3));
}

#[derive(Debug)]
struct Witness(MemorySink, #[expect(dead_code, reason = "counted by its references")] Arc<()>);
impl AuditSink for Witness {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.write(batch)
    }
}

#[tokio::test]
async fn the_last_drop_ends_the_task_after_delivering() {
    let sink = MemorySink::new();
    let alive = Arc::new(());
    let layer = AuditLayer::builder(Witness(sink.clone(), Arc::clone(&alive))).build().unwrap();
    ask(&app(&layer), 10).await;
    drop(layer);
    while Arc::strong_count(&alive) > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sink.records().len(), 10);
}

#[test]
fn a_layer_may_be_made_before_the_runtime_and_counts_what_it_leaves() {
    let sink = Gated::new();
    let layer = AuditLayer::builder(sink).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        ask(&app, 5).await;
        tokio::task::yield_now().await;
        ask(&app, 5).await;
    });
    drop(runtime);
    assert_eq!((handle.counts().written, handle.counts().lost, handle.counts().queued), (0, 10, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_at_once_leave_ten_thousand_records() {
    let sink = MemorySink::new();
    let layer = AuditLayer::builder(sink.clone()).queue_capacity(16_384).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { ask(&app, 100).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let counts = handle.shutdown().await;
    assert_eq!((counts.accepted, counts.written, counts.lost), (10_000, 10_000, 0));
    let records = sink.records();
    assert_numbered(&records);
    let ids: std::collections::HashSet<_> = records.iter().map(|record| record["request_id"].to_string()).collect();
    assert_eq!(ids.len(), 10_000);
}

#[tokio::test]
async fn lines_go_to_a_file_of_the_owner() {
    let directory = std::env::temp_dir().join(format!("portcullis-audit-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (path, moved) = (directory.join("audit.jsonl"), directory.join("audit.1.jsonl"));
    std::fs::write(&path, "before\n").unwrap();
    std::fs::remove_file(&path).unwrap();
    let layer = AuditLayer::builder(JsonLines::file(&path).unwrap()).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    ask(&app, 2).await;
    handle.flush().await;
    std::fs::rename(&path, &moved).unwrap();
    ask(&app, 1).await;
    assert_eq!(handle.shutdown().await.written, 3);
    let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!((lines(&moved), if cfg!(unix) { lines(&path) } else { 1 }), (2, 1));
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(JsonLines::file(&path).is_err());
}

/// Takes a few bytes, then fails once.
#[derive(Clone, Default)]
struct Tearing(Arc<Mutex<(Vec<u8>, usize)>>);

impl Write for Tearing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().unwrap();
        inner.1 = inner.1.saturating_add(1);
        match inner.1 {
            1 => inner.0.extend_from_slice(&bytes[..10]),
            2 => return Err(io::Error::other("disk full")),
            _ => {
                inner.0.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
        }
        Ok(10)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_torn_line_spoils_no_other() {
    let tearing = Tearing::default();
    let layer = AuditLayer::builder(JsonLines::writer(tearing.clone())).build().unwrap();
    let (app, handle) = (app(&layer), layer.handle());
    ask(&app, 1).await;
    handle.flush().await;
    ask(&app, 1).await;
    let counts = handle.shutdown().await;
    assert_eq!((counts.written, counts.lost), (1, 1));
    let text = String::from_utf8(tearing.0.lock().unwrap().0.clone()).unwrap();
    let lines: Vec<_> = text.lines().map(|line| serde_json::from_str::<Value>(line).is_ok()).collect();
    assert_eq!(lines, [false, true, true], "{text}");
}

#[tokio::test]
async fn tracing_gets_the_line() {
    let written = Tearing(Arc::new(Mutex::new((Vec::new(), 2))));
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let layer = AuditLayer::builder(TracingSink::new()).build().unwrap();
    ask(&app(&layer), 1).await;
    layer.handle().shutdown().await;
    drop(guard);
    let text = String::from_utf8(written.0.lock().unwrap().0.clone()).unwrap();
    assert!(text.contains("portcullis::audit") && text.contains("request_id"), "{text}");
}

#[test]
fn all_mistakes_are_listed() {
    let error = AuditLayer::builder(MemorySink::new())
        .queue_capacity(0)
        .service("a\nb")
        .query_values(["page", "Token"])
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(fields, ["queue_capacity", "service", "query_values[1]"]);
}

//! The writer task: turns records into JSON lines, and batches into one write each.

use std::{mem, sync::Arc};

use bytes::BytesMut;
use tokio::sync::mpsc;

use super::{
    queue::{Counters, Message},
    record::Scribe,
    sink::{AuditBatch, AuditLevel, AuditSink},
};
use crate::{lint::Waivers, request::RequestContext};

const MAX_MESSAGES: usize = 256;
/// A page is delivered when it has grown to this, full or not.
const PAGE_BYTES: usize = 256 * 1024;

pub(super) struct Writer {
    inbox: mpsc::Receiver<Message>,
    counters: Arc<Counters>,
    sink: Arc<dyn AuditSink>,
    scribe: Scribe,
    page: Page,
    /// Failing since the last success: one complaint is enough.
    failing: bool,
}

/// Lines that wait for their delivery.
#[derive(Default)]
struct Page {
    /// One buffer for all pages: once a sink has let go of a batch, its memory is used again.
    bytes: BytesMut,
    lines: Vec<(usize, AuditLevel)>,
    /// How many of the lines are requests.
    records: u64,
    /// How many lost records the gap lines tell of.
    gap: u64,
    /// What the waiver lines tell of.
    waivers: Vec<Arc<Waivers>>,
}

impl Writer {
    pub(super) fn new(
        inbox: mpsc::Receiver<Message>,
        counters: Arc<Counters>,
        sink: Arc<dyn AuditSink>,
        scribe: Scribe,
    ) -> Self {
        Self { inbox, counters, sink, scribe, page: Page::default(), failing: false }
    }

    /// Ends when it is told to, or when nobody is left who could send a record.
    pub(super) async fn run(mut self) {
        let mut messages = Vec::with_capacity(MAX_MESSAGES);
        let mut closers = Vec::new();
        while self.inbox.recv_many(&mut messages, MAX_MESSAGES).await > 0 {
            let mut flushers = Vec::new();
            for message in messages.drain(..) {
                match message {
                    Message::Record(record) => {
                        self.note_gap(record.lost_before);
                        self.note_waivers(&record.context);
                        if self.scribe.request(&record, &mut self.page.bytes).is_ok() {
                            self.page.end_line(self.scribe.level(&record), 1, 0);
                        } else {
                            self.counters.lose(1);
                        }
                    }
                    Message::Flush(answer) => flushers.push(answer),
                    Message::Close(answer) => {
                        // What is in the queue is still taken out and written.
                        self.inbox.close();
                        closers.push(answer);
                    }
                }
                if self.page.bytes.len() >= PAGE_BYTES {
                    self.deliver().await;
                }
            }
            if self.inbox.is_empty() {
                self.note_gap(self.counters.take_gap());
            }
            self.deliver().await;
            for answer in flushers {
                // Who no longer waits need not be told.
                let _ = answer.send(());
            }
        }
        self.note_gap(self.counters.take_gap());
        self.deliver().await;
        for answer in closers {
            let _ = answer.send(());
        }
    }

    /// What is allowed stands before the first request that it was allowed for.
    fn note_waivers(&mut self, context: &RequestContext) {
        for waivers in context.announced().into_iter().filter(|waivers| waivers.take()) {
            for issue in waivers.issues() {
                let at = context.now().wall;
                if self.scribe.waiver(waivers.part(), issue, at, &mut self.page.bytes).is_ok() {
                    self.page.end_line(AuditLevel::Warn, 0, 0);
                }
            }
            self.page.waivers.push(waivers);
        }
    }

    fn note_gap(&mut self, lost: u64) {
        if lost == 0 {
            return;
        }
        if self.scribe.gap(lost, &mut self.page.bytes).is_ok() {
            self.page.end_line(AuditLevel::Error, 0, lost);
        } else {
            self.counters.owe_gap(lost);
        }
    }

    /// A task of its own for each batch, so that a sink that panics has merely failed.
    async fn deliver(&mut self) {
        let Some(batch) = self.page.batch() else { return };
        let sink = Arc::clone(&self.sink);
        let delivered = tokio::spawn(async move { sink.write(&batch).await }).await;
        let complaint = match delivered {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the sink panicked".to_owned()),
        };
        let (records, gap) = self.page.settle(complaint.is_none());
        let Some(complaint) = complaint else {
            self.failing = false;
            return self.counters.write(records);
        };
        self.counters.lose(records);
        self.counters.owe_gap(gap);
        if !mem::replace(&mut self.failing, true) {
            tracing::error!(target: "portcullis", error = complaint, "audit records are being lost");
        }
    }
}

/// The runtime ended before the queue did.
impl Drop for Writer {
    fn drop(&mut self) {
        let (records, _) = self.page.settle(false);
        self.counters.lose(records);
        self.inbox.close();
        while let Ok(message) = self.inbox.try_recv() {
            if matches!(message, Message::Record(_)) {
                self.counters.lose(1);
            }
        }
    }
}

impl Page {
    fn end_line(&mut self, level: AuditLevel, records: u64, gap: u64) {
        self.lines.push((self.bytes.len(), level));
        self.records = self.records.saturating_add(records);
        self.gap = self.gap.saturating_add(gap);
    }

    /// The lines so far; `settle` says what becomes of what they stand for.
    fn batch(&mut self) -> Option<AuditBatch> {
        if self.lines.is_empty() {
            return None;
        }
        let batch = AuditBatch::new(self.bytes.split().freeze(), &self.lines);
        self.lines.clear();
        Some(batch)
    }

    fn settle(&mut self, delivered: bool) -> (u64, u64) {
        self.waivers.drain(..).for_each(|waivers| waivers.settle(delivered));
        (mem::take(&mut self.records), mem::take(&mut self.gap))
    }
}

//! From the requests to the writer task: a bounded queue that never blocks.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{record::Record, writer::Writer};

/// What the writer task is told.
pub(super) enum Message {
    Record(Record),
    /// Answer when everything before has been delivered.
    Flush(oneshot::Sender<()>),
    /// The same, and take no more.
    Close(oneshot::Sender<()>),
}

/// What became of the records so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
    /// Lost, and not yet on record as a gap.
    unreported: AtomicU64,
}

impl Counters {
    pub(super) fn write(&self, records: u64) {
        self.written.fetch_add(records, Relaxed);
    }

    pub(super) fn lose(&self, records: u64) {
        self.lost.fetch_add(records, Relaxed);
        self.owe_gap(records);
    }

    /// A gap record is still to be written for this many.
    pub(super) fn owe_gap(&self, records: u64) {
        self.unreported.fetch_add(records, Relaxed);
    }

    /// Who takes the gap must write it, or give it back.
    pub(super) fn take_gap(&self) -> u64 {
        if self.unreported.load(Relaxed) == 0 { 0 } else { self.unreported.swap(0, Relaxed) }
    }
}

pub(super) struct Queue {
    sender: mpsc::Sender<Message>,
    counters: Arc<Counters>,
    started: AtomicBool,
    /// The writer until a runtime is there to drive it.
    waiting: Mutex<Option<Writer>>,
}

impl Queue {
    /// `writer` makes the writer from its end of the queue.
    pub(super) fn new(capacity: usize, writer: impl FnOnce(mpsc::Receiver<Message>, Arc<Counters>) -> Writer) -> Self {
        let (sender, inbox) = mpsc::channel(capacity);
        let counters = Arc::new(Counters::default());
        let waiting = Mutex::new(Some(writer(inbox, Arc::clone(&counters))));
        Self { sender, counters, started: AtomicBool::new(false), waiting }
    }

    /// Takes a record, or counts it as lost. Never waits.
    pub(super) fn accept(&self, mut record: Record) {
        self.start();
        record.lost_before = self.counters.take_gap();
        match self.sender.try_send(Message::Record(record)) {
            Ok(()) => {
                self.counters.accepted.fetch_add(1, Relaxed);
            }
            Err(mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message)) => {
                self.counters.lose(1);
                if let Message::Record(record) = message {
                    self.counters.owe_gap(record.lost_before);
                }
            }
        }
    }

    /// Spawns the writer task at the first record: a layer can be made before the runtime.
    fn start(&self) -> bool {
        if self.started.load(Relaxed) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else { return false };
        if let Some(writer) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.spawn(writer.run());
        }
        self.started.store(true, Relaxed);
        true
    }

    /// Tells the writer task something that it answers; `false` if there is none.
    pub(super) async fn ask(&self, question: impl FnOnce(oneshot::Sender<()>) -> Message) -> bool {
        let (answer, answered) = oneshot::channel();
        self.start() && self.sender.send(question(answer)).await.is_ok() && answered.await.is_ok()
    }

    pub(super) fn counts(&self) -> AuditCounts {
        AuditCounts {
            accepted: self.counters.accepted.load(Relaxed),
            written: self.counters.written.load(Relaxed),
            lost: self.counters.lost.load(Relaxed),
            queued: self.sender.max_capacity().saturating_sub(self.sender.capacity()),
        }
    }
}

/// What became of the requests' records so far. Gap records are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditCounts {
    /// Taken into the queue.
    pub accepted: u64,
    /// Delivered to the sink, which did not complain.
    pub written: u64,
    /// Not on record: the queue was full or closed, or the sink failed.
    pub lost: u64,
    /// In the queue at this moment.
    pub queued: usize,
}

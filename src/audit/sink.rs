use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::store::{BoxFuture, StoreError};

/// Where records go: a port with one method.
///
/// The writer task hands over batches of finished, redacted JSON lines, one batch at a time and in
/// order. What a sink reports as failed is counted as lost, and a gap record says so as soon as the
/// sink works again; nothing is repeated, so a sink that wants retries makes them itself. A sink
/// that takes long holds up no request: the queue fills, and what does not fit becomes a gap.
/// A sink that panics has failed.
///
/// # A sink of your own
/// ```
/// use std::sync::Mutex;
/// use portcullis::{
///     audit::{AuditBatch, AuditLayer, AuditLevel, AuditSink},
///     store::{BoxFuture, StoreError},
/// };
///
/// /// Keeps what is worth an alarm.
/// #[derive(Debug, Default)]
/// struct Alarms(Mutex<Vec<String>>);
///
/// impl AuditSink for Alarms {
///     fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
///         Box::pin(async move {
///             let mut kept = self.0.lock().map_err(|_| StoreError::unavailable("poisoned"))?;
///             let grave = batch.lines().filter(|line| line.level == AuditLevel::Error);
///             kept.extend(grave.map(|line| line.json.to_owned()));
///             Ok(())
///         })
///     }
/// }
/// let layer = AuditLayer::builder(Alarms::default()).build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Writes a batch. May take long; should be durable, as far as the sink promises that, when it
    /// returns `Ok`.
    ///
    /// # Errors
    /// [`StoreError`] if any line of the batch may not have been written.
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).write(batch)
    }
}

/// How grave a record is, by the response's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AuditLevel {
    /// Below 400.
    Info,
    /// 4xx, and requests whose client went away.
    Warn,
    /// 5xx, panics, bodies that failed, and gaps.
    Error,
}

impl AuditLevel {
    /// `INFO`, `WARN`, `ERROR`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Some records as JSON lines (UTF-8, each ended by one `\n`, none inside). Clones share the bytes.
#[derive(Clone, Debug)]
pub struct AuditBatch {
    bytes: Bytes,
    lines: Arc<[(usize, AuditLevel)]>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditLine<'a> {
    /// How grave it is.
    pub level: AuditLevel,
    /// The record: one JSON object, without the line's end.
    pub json: &'a str,
}

impl AuditBatch {
    /// `lines` holds the end of each line in `bytes`.
    pub(super) fn new(bytes: Bytes, lines: &[(usize, AuditLevel)]) -> Self {
        Self { bytes, lines: lines.into() }
    }

    /// All lines, as they belong into a file.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The lines one by one.
    pub fn lines(&self) -> impl Iterator<Item = AuditLine<'_>> {
        let mut start = 0;
        self.lines.iter().map(move |&(end, level)| {
            let line = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            AuditLine { level, json: std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\n') }
        })
    }

    /// How many lines there are; never zero in a batch that a sink is given.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

use std::{fmt, sync::Arc};

use super::{
    geo::GeoIp,
    layer::AuditLayer,
    queue::Queue,
    record::Scribe,
    redact::{NEVER_SHOWN, is_unsafe},
    sink::AuditSink,
    writer::Writer,
};
use crate::config_error::{ConfigError, ConfigIssues};

const DEFAULT_CAPACITY: usize = 8_192;
const MAX_CAPACITY: usize = 1 << 20;
const MAX_SHOWN: usize = 64;
const MAX_SERVICE: usize = 128;

/// The settings of an [`AuditLayer`], from [`AuditLayer::builder`].
pub struct AuditLayerBuilder {
    sink: Arc<dyn AuditSink>,
    capacity: usize,
    service: Option<Arc<str>>,
    shown: Vec<Box<str>>,
    geo: Option<Arc<dyn GeoIp>>,
}

impl AuditLayerBuilder {
    pub(super) fn new(sink: impl AuditSink) -> Self {
        Self { sink: Arc::new(sink), capacity: DEFAULT_CAPACITY, service: None, shown: Vec::new(), geo: None }
    }

    /// How many records wait for the writer task at most, 1 to 1,048,576; 8,192 by default. What
    /// comes when the queue is full is lost and becomes a gap record. A waiting record takes about
    /// 2 KiB, with its request's context.
    #[must_use]
    pub fn queue_capacity(mut self, records: usize) -> Self {
        self.capacity = records;
        self
    }

    /// The name of the service (and its instance), for the field `service`. None by default.
    #[must_use]
    pub fn service(mut self, name: impl Into<Arc<str>>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// The query parameters whose values are written down; of all others only the name is. None by
    /// default. Values that look like a credential, an e-mail address or a card number stay hidden.
    #[must_use]
    pub fn query_values<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.shown.extend(names.into_iter().map(Into::into));
        self
    }

    /// Where addresses are, for the field `client.geo`. Nobody is asked by default.
    #[must_use]
    pub fn geo(mut self, geo: impl GeoIp) -> Self {
        self.geo = Some(Arc::new(geo));
        self
    }

    /// The layer. Its writer task is spawned on the tokio runtime of the first request; until then
    /// none is needed.
    ///
    /// # Errors
    /// All that is wrong: a capacity out of range, a service name that is empty, longer than 128
    /// bytes or has control characters, a query parameter that usually carries a credential, more
    /// than 64 query parameters, and a system without random numbers.
    pub fn build(self) -> Result<AuditLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        self.check(&mut issues);
        let stream = stream_name(&mut issues);
        let Self { sink, capacity, service, shown, geo } = self;
        // A channel without room would panic; the issue is already noted.
        let queue = Queue::new(capacity.clamp(1, MAX_CAPACITY), |inbox, counters| {
            Writer::new(inbox, counters, sink, Scribe { service, stream, geo, next: 0 })
        });
        issues.finish(AuditLayer::new(Arc::new(queue), shown.into()))
    }

    fn check(&self, issues: &mut ConfigIssues) {
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            issues.add("queue_capacity", "is not between 1 and 1,048,576", "use 8,192, the default");
        }
        if let Some(name) = &self.service
            && (name.is_empty() || name.len() > MAX_SERVICE || name.chars().any(is_unsafe))
        {
            issues.add("service", "is empty, too long, or has control characters", "use a short name: orders-api/eu-1");
        }
        if self.shown.len() > MAX_SHOWN {
            issues.add("query_values", "has more than 64 names", "name only those that an investigator needs");
        }
        for (index, name) in self.shown.iter().enumerate() {
            if NEVER_SHOWN.iter().any(|secret| secret.eq_ignore_ascii_case(name)) {
                let reason = format!("{name:?} usually carries a credential or an address");
                issues.add(format!("query_values[{index}]"), reason, "leave it out: its value is never shown");
            }
        }
    }
}

impl fmt::Debug for AuditLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLayerBuilder")
            .field("sink", &self.sink)
            .field("queue_capacity", &self.capacity)
            .field("service", &self.service)
            .field("query_values", &self.shown)
            .finish_non_exhaustive()
    }
}

/// Two processes must not number their records in the same stream.
fn stream_name(issues: &mut ConfigIssues) -> Box<str> {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        issues.add("stream", "the system has no random numbers", "give the process access to getrandom(2)");
    }
    base16ct::lower::encode_string(&bytes).into_boxed_str()
}

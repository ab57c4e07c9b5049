//! What the sender of a key is told on the response: that the key is being replaced, or that it is
//! time to.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use quick_cache::sync::Cache;

use super::{ApiKeyRecord, slow_guard::KeyId};
use crate::time::Timestamp;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");
const DUE: HeaderName = HeaderName::from_static("x-api-key-rotation-due");

/// How often the log says that a key is due.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Keys of which it is known when the log last said so.
const REMINDED: usize = 10_000;

#[derive(Debug)]
pub(super) struct Notices {
    due_after: Duration,
    reminded: Cache<KeyId, Timestamp>,
}

impl Notices {
    pub(super) fn new(due_after: Duration) -> Self {
        Self { due_after, reminded: Cache::new(REMINDED) }
    }

    /// Allocates only if there is something to tell.
    pub(super) fn of(&self, record: &ApiKeyRecord, id: &KeyId, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        if let Some(superseded) = record.superseded() {
            let mut notices = Vec::with_capacity(2);
            // A Date of RFC 9651 §3.3.7, as RFC 9745 §2.1 wants it.
            push(&mut notices, DEPRECATION, format!("@{}", superseded.at().as_secs()));
            if let Some(end) = record.expires_at() {
                push(&mut notices, SUNSET, end.to_http_date());
            }
            return notices;
        }
        let Some(due) = record.created_at().map(|at| at.saturating_add(self.due_after)) else { return Vec::new() };
        if now < due {
            return Vec::new();
        }
        self.remind(record, id, due, now);
        let mut notices = Vec::with_capacity(1);
        push(&mut notices, DUE, due.to_http_date());
        notices
    }

    fn remind(&self, record: &ApiKeyRecord, id: &KeyId, due: Timestamp, now: Timestamp) {
        if self.reminded.get(id).is_some_and(|last| now.since(last) < REMIND_EVERY) {
            return;
        }
        self.reminded.insert(*id, now);
        tracing::warn!(target: "portcullis", key = record.id(), %due, "an API key is due for rotation");
    }
}

fn push(notices: &mut Vec<(HeaderName, HeaderValue)>, name: HeaderName, value: String) {
    notices.extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
}

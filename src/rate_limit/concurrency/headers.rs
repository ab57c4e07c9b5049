//! `RateLimit-Policy` and `RateLimit` of permits, joined with what other layers wrote.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::gate::written;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE: HeaderName = HeaderName::from_static("ratelimit");

/// What one request is told.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    pub(super) policy: Option<HeaderValue>,
    pub(super) rate: Option<HeaderValue>,
}

impl Stamp {
    /// With one more limit. There is no `t`: nobody knows when a request ends.
    pub(super) fn add(&mut self, policy: &HeaderValue, quoted: &str, remaining: u64) {
        let mut number = itoa::Buffer::new();
        let number = number.format(remaining);
        let most = quoted.len().saturating_add(number.len()).saturating_add(3);
        let item = written(most, |line: &mut BytesMut| {
            line.extend_from_slice(quoted.as_bytes());
            line.extend_from_slice(b";r=");
            line.extend_from_slice(number.as_bytes());
        });
        self.policy = joined(self.policy.take(), Some(policy.clone()));
        self.rate = joined(self.rate.take(), item);
    }

    pub(super) fn fields(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        [(POLICY, self.policy), (RATE, self.rate)].into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Into one line each: who reads a list from the first line alone misses none.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        for (name, value) in self.fields() {
            if let Some(value) = joined(Some(value), headers.get(&name).cloned()) {
                headers.insert(name, value);
            }
        }
    }
}

fn joined(first: Option<HeaderValue>, second: Option<HeaderValue>) -> Option<HeaderValue> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let line = [first.as_bytes(), b", ", second.as_bytes()].concat();
            HeaderValue::try_from(line).ok().or(Some(first))
        }
        (first, second) => first.or(second),
    }
}

//! The header fields that tell a caller where it stands.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Rate, compiled::CompiledLimit};
use crate::{request::RateLimitStatus, time::secs_ceil};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Which header fields a layer writes, on responses and refusals alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RateLimitHeaders {
    /// Both of the following. The default.
    #[default]
    Both,
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): an item for
    /// each limit that was charged. `q` is how much at once, `w` in how many seconds; `r` is what
    /// remains, `t` the seconds until there is more.
    Ietf,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (when all is available again, in seconds
    /// since the epoch) of the limit that is closest to exhaustion.
    Legacy,
    /// None. Refusals keep `Retry-After`.
    Off,
}

impl RateLimitHeaders {
    fn ietf(self) -> bool {
        matches!(self, Self::Both | Self::Ietf)
    }

    fn legacy(self) -> bool {
        matches!(self, Self::Both | Self::Legacy)
    }
}

/// An RFC 9651 String. The caller has checked that the text is printable ASCII.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// `"name";q=100;w=60`.
pub(super) fn policy_item(quoted: &str, limit: u64, window: Option<Duration>) -> String {
    let quota = limit.min(Rate::MOST);
    match window {
        Some(window) => format!("{quoted};q={quota};w={}", secs_ceil(window).clamp(1, Rate::MOST)),
        None => format!("{quoted};q={quota}"),
    }
}

/// Appends `"name";r=50;t=30`; `t` is left out where nothing more will come.
fn push_rate_item(line: &mut String, quoted: &str, remaining: u64, next_after: Duration) {
    let mut number = itoa::Buffer::new();
    line.push_str(quoted);
    line.push_str(";r=");
    line.push_str(number.format(remaining.min(Rate::MOST)));
    if !next_after.is_zero() {
        line.push_str(";t=");
        line.push_str(number.format(secs_ceil(next_after).min(Rate::MOST)));
    }
}

/// Collects the fields of one batch.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    headers: RateLimitHeaders,
    first: Option<&'a CompiledLimit>,
    policies: String,
    rates: String,
}

impl<'a> Fields<'a> {
    pub(super) fn new(headers: RateLimitHeaders) -> Self {
        Self { headers, first: None, policies: String::new(), rates: String::new() }
    }

    pub(super) fn add(&mut self, limit: &'a CompiledLimit, remaining: u64, next_after: Duration) {
        if !self.headers.ietf() {
            return;
        }
        match self.first {
            None => {
                self.first = Some(limit);
                self.rates.reserve(limit.quoted.len().saturating_add(48));
            }
            Some(first) => {
                if self.policies.is_empty() {
                    self.policies.push_str(&first.item);
                }
                self.policies.push_str(", ");
                self.policies.push_str(&limit.item);
                self.rates.push_str(", ");
            }
        }
        push_rate_item(&mut self.rates, &limit.quoted, remaining, next_after);
    }

    pub(super) fn finish(self, tightest: Option<&RateLimitStatus>) -> Stamp {
        // One limit is the common case: its value has been rendered at build.
        let policy = match self.first {
            Some(limit) if self.policies.is_empty() => Some(limit.header.clone()),
            Some(_) => HeaderValue::try_from(self.policies).ok(),
            None => None,
        };
        let rate = self.first.and_then(|_| HeaderValue::try_from(self.rates).ok());
        let legacy = tightest.filter(|_| self.headers.legacy()).map(|status| Legacy {
            limit: status.limit,
            remaining: status.remaining,
            reset: status.reset_at.as_secs_ceil(),
        });
        Stamp { policy, rate, legacy }
    }
}

/// The fields, ready to be written.
#[derive(Debug)]
pub(super) struct Stamp {
    policy: Option<HeaderValue>,
    rate: Option<HeaderValue>,
    legacy: Option<Legacy>,
}

#[derive(Clone, Copy, Debug)]
struct Legacy {
    limit: u64,
    remaining: u64,
    reset: u64,
}

impl Stamp {
    /// The fields by name, for a refusal.
    pub(super) fn fields(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let legacy = self.legacy.map(Legacy::fields).into_iter().flatten();
        let ietf = [(POLICY, self.policy), (RATE, self.rate)];
        ietf.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(legacy)
    }

    /// Writes the fields into a response, which may have those of an inner layer: the lists are
    /// joined, and of the legacy fields the tightest stay.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        crate::gate::room::make_room(headers, 5);
        for (name, value) in [(POLICY, self.policy), (RATE, self.rate)] {
            let Some(value) = value else { continue };
            let value = match headers.get(&name) {
                Some(inner) => join(&value, inner).unwrap_or(value),
                None => value,
            };
            headers.insert(name, value);
        }
        let Some(legacy) = self.legacy else { return };
        if Legacy::read(headers).is_none_or(|inner| legacy.is_tighter(inner)) {
            for (name, value) in legacy.fields() {
                headers.insert(name, value);
            }
        }
    }
}

fn join(outer: &HeaderValue, inner: &HeaderValue) -> Option<HeaderValue> {
    let line = [outer.as_bytes(), b", ", inner.as_bytes()].concat();
    HeaderValue::try_from(line).ok()
}

impl Legacy {
    fn fields(self) -> [(HeaderName, HeaderValue); 3] {
        [(LIMIT, self.limit.into()), (REMAINING, self.remaining.into()), (RESET, self.reset.into())]
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let number = |name: HeaderName| headers.get(name)?.to_str().ok()?.parse().ok();
        Some(Self { limit: number(LIMIT)?, remaining: number(REMAINING)?, reset: number(RESET)? })
    }

    fn is_tighter(self, other: Self) -> bool {
        is_tighter((self.remaining, self.limit), (other.remaining, other.limit))
    }
}

/// Whether the first share is the smaller one, compared without division.
pub(super) fn is_tighter(a: (u64, u64), b: (u64, u64)) -> bool {
    let product = |remaining: u64, limit: u64| u128::from(remaining).saturating_mul(limit.into());
    product(a.0, b.1) < product(b.0, a.1)
}

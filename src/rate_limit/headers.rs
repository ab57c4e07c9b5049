//! The header fields that tell a caller where it stands.

use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, header::Entry as Slot};

use super::{Decision, Rate, compiled::CompiledLimit};
use crate::{
    gate::{decimal, written},
    request::RateLimitStatus,
    time::secs_ceil,
};

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
fn put_rate_item(line: &mut BytesMut, quoted: &str, remaining: u64, next_after: Duration) {
    let mut number = itoa::Buffer::new();
    line.extend_from_slice(quoted.as_bytes());
    line.extend_from_slice(b";r=");
    line.extend_from_slice(number.format(remaining.min(Rate::MOST)).as_bytes());
    if !next_after.is_zero() {
        line.extend_from_slice(b";t=");
        line.extend_from_slice(number.format(secs_ceil(next_after).min(Rate::MOST)).as_bytes());
    }
}

/// What [`put_rate_item`] appends to the name at most, and what stands between two items.
const AFTER_NAME: usize = 48;

/// The fields, ready to be written.
#[derive(Debug)]
pub(super) struct Stamp {
    policy: Option<HeaderValue>,
    rate: Option<HeaderValue>,
    legacy: Option<Legacy>,
}

/// One limit is the common case: its value has been rendered at build.
fn policies<'a>(mut asked: impl Iterator<Item = (&'a CompiledLimit, &'a Decision)> + Clone) -> Option<HeaderValue> {
    let (first, _) = asked.next()?;
    if asked.clone().next().is_none() {
        return Some(first.header.clone());
    }
    let most = asked
        .clone()
        .fold(first.item.len(), |most, (limit, _)| most.saturating_add(limit.item.len()).saturating_add(2));
    written(most, |line| {
        line.extend_from_slice(first.item.as_bytes());
        for (limit, _) in asked {
            line.extend_from_slice(b", ");
            line.extend_from_slice(limit.item.as_bytes());
        }
    })
}

fn rates<'a>(asked: impl Iterator<Item = (&'a CompiledLimit, &'a Decision)> + Clone) -> Option<HeaderValue> {
    let most = asked
        .clone()
        .fold(0_usize, |most, (limit, _)| most.saturating_add(limit.quoted.len()).saturating_add(AFTER_NAME));
    // Every item has a name.
    (most > 0).then_some(())?;
    written(most, |line| {
        for (limit, decision) in asked {
            if !line.is_empty() {
                line.extend_from_slice(b", ");
            }
            put_rate_item(line, &limit.quoted, decision.remaining, decision.next_after);
        }
    })
}

#[derive(Clone, Copy, Debug)]
struct Legacy {
    limit: u64,
    remaining: u64,
    reset: u64,
}

impl Stamp {
    /// The fields of one batch: an item for each limit, and where the caller stands against the
    /// tightest of them.
    pub(super) fn of<'a>(
        headers: RateLimitHeaders,
        asked: impl Iterator<Item = (&'a CompiledLimit, &'a Decision)> + Clone,
        tightest: Option<&RateLimitStatus>,
    ) -> Self {
        let (policy, rate) = if headers.ietf() { (policies(asked.clone()), rates(asked)) } else { (None, None) };
        let legacy = tightest.filter(|_| headers.legacy()).map(|status| Legacy {
            limit: status.limit,
            remaining: status.remaining,
            reset: status.reset_at.as_secs_ceil(),
        });
        Self { policy, rate, legacy }
    }

    /// The fields by name, for a refusal.
    pub(super) fn fields(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let legacy = self.legacy.map(Legacy::fields).into_iter().flatten();
        let ietf = [(POLICY, self.policy), (RATE, self.rate)];
        ietf.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(legacy)
    }

    /// Writes the fields into a response, which may have those of an inner layer: the lists are
    /// joined, and of the legacy fields the tightest stay.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        for (name, value) in [(POLICY, self.policy), (RATE, self.rate)] {
            let Some(value) = value else { continue };
            match headers.entry(name) {
                Slot::Vacant(slot) => {
                    slot.insert(value);
                }
                Slot::Occupied(mut slot) => {
                    let joined = join(&value, slot.get());
                    slot.insert(joined.unwrap_or(value));
                }
            }
        }
        let Some(legacy) = self.legacy else { return };
        let [(limit, value), rest @ ..] = legacy.fields();
        // Looked for once: without the first of the three nobody inside has written them.
        if let Slot::Vacant(slot) = headers.entry(limit) {
            slot.insert(value);
        } else if Legacy::read(headers).is_none_or(|inner| legacy.is_tighter(inner)) {
            headers.insert(LIMIT, value);
        } else {
            return;
        }
        for (name, value) in rest {
            headers.insert(name, value);
        }
    }
}

fn join(outer: &HeaderValue, inner: &HeaderValue) -> Option<HeaderValue> {
    let line = [outer.as_bytes(), b", ", inner.as_bytes()].concat();
    HeaderValue::try_from(line).ok()
}

impl Legacy {
    fn fields(self) -> [(HeaderName, HeaderValue); 3] {
        [(LIMIT, decimal(self.limit)), (REMAINING, decimal(self.remaining)), (RESET, decimal(self.reset))]
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

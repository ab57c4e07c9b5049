//! The header fields that tell a caller where it stands.

mod items;
mod jitter;
mod stamp;

use std::time::Duration;

pub(super) use self::{
    items::{policy_item, quote, state_item},
    stamp::{Stamp, is_tighter},
};
use crate::request::RequestId;

/// Which header fields a layer writes, on responses and refusals alike.
///
/// There are the fields of an Internet-Draft, which changed from draft to draft ([`HeaderDialect`]), and the
/// ones that everybody had before it ([`LegacyReset`]). [`both`](Self::both) is the default: clients read what
/// they know.
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{HeaderDialect, LegacyReset, RateLimitHeaders};
///
/// // For clients that know nothing newer than the sixth draft, and wait for a number of seconds.
/// let old = RateLimitHeaders::off().dialect(HeaderDialect::Draft06).legacy_reset(LegacyReset::Seconds);
/// // What is said of waiting is up to five seconds later than the truth, so that callers who were refused
/// // together do not come back together.
/// let spread = RateLimitHeaders::both().retry_jitter(Duration::from_secs(5));
/// assert_ne!(old, spread);
/// ```
///
/// All numbers are at most 999,999,999,999,999 (RFC 9651 §3.3.1), times are rounded up to a second, and a
/// request that was charged nothing gets none of these fields. Where layers are nested, lists are joined, and of
/// the fields that hold one limit only, those of the tightest one stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimitHeaders {
    dialect: Option<HeaderDialect>,
    legacy: Option<LegacyReset>,
    legacy_policy: bool,
    jitter: Duration,
}

/// How the fields of draft-ietf-httpapi-ratelimit-headers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderDialect {
    /// Drafts 08 to 11, an item for each limit: `RateLimit-Policy: "burst";q=100;w=60` (how much at once, in how
    /// many seconds, and `qu` where units are no requests) and `RateLimit: "burst";r=50;t=30` (what remains, and
    /// the seconds until there is more).
    Draft11,
    /// Draft 07: `RateLimit-Policy: 100;w=60`, an item for each limit, and `RateLimit: limit=100, remaining=50,
    /// reset=30` of the tightest one.
    Draft07,
    /// Drafts 03 to 06: `RateLimit-Limit: 100`, `RateLimit-Remaining: 50` and `RateLimit-Reset: 30` of the
    /// tightest limit, and `RateLimit-Policy: 100;w=60` as in draft 07.
    Draft06,
}

/// What `X-RateLimit-Reset` counts. Nobody ever said which; clients know it of the API that they call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LegacyReset {
    /// Seconds since the epoch, as GitHub has it: when all is available again.
    Epoch,
    /// Seconds from now until all is available again.
    Seconds,
}

/// In which units a limit counts: the parameter `qu` of `RateLimit-Policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum QuotaUnit {
    /// Requests. The default, which is not written.
    #[default]
    Requests,
    /// Bytes of content.
    ContentBytes,
    /// Requests at the same time.
    ConcurrentRequests,
}

impl QuotaUnit {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ContentBytes => "content-bytes",
            Self::ConcurrentRequests => "concurrent-requests",
        }
    }
}

impl RateLimitHeaders {
    /// The newest draft's fields and `X-RateLimit-Limit`, `-Remaining` and `-Reset` (since the epoch). The default.
    pub const fn both() -> Self {
        Self::ietf().legacy_reset(LegacyReset::Epoch)
    }

    /// `RateLimit-Policy` and `RateLimit` of the newest draft.
    pub const fn ietf() -> Self {
        Self::off().dialect(HeaderDialect::Draft11)
    }

    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (since the epoch), of the tightest limit.
    pub const fn legacy() -> Self {
        Self::off().legacy_reset(LegacyReset::Epoch)
    }

    /// None. Refusals keep `Retry-After`.
    pub const fn off() -> Self {
        Self { dialect: None, legacy: None, legacy_policy: false, jitter: Duration::ZERO }
    }

    /// The draft's fields, as this draft has them.
    #[must_use]
    pub const fn dialect(mut self, dialect: HeaderDialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`, which counts what is said here.
    #[must_use]
    pub const fn legacy_reset(mut self, reset: LegacyReset) -> Self {
        self.legacy = Some(reset);
        self
    }

    /// Also `X-RateLimit-Policy`, the tightest limit in words: `20 requests per minute`.
    #[must_use]
    pub const fn legacy_policy(mut self) -> Self {
        self.legacy_policy = true;
        self
    }

    /// Lets `Retry-After` be later than the truth by up to so much, never earlier; other for each request (it
    /// follows from the request's id), so that callers who were refused at the same instant do not all come back at
    /// the same instant. Default: none. At most an hour.
    #[must_use]
    pub const fn retry_jitter(mut self, most: Duration) -> Self {
        const HOUR: Duration = Duration::from_secs(3_600);
        self.jitter = if most.as_nanos() > HOUR.as_nanos() { HOUR } else { most };
        self
    }

    /// What a caller who is to wait so long is told.
    pub(super) fn retry_after(self, truth: Duration, id: RequestId) -> Duration {
        if self.jitter.is_zero() { truth } else { jitter::later(truth, self.jitter, id) }
    }
}

impl Default for RateLimitHeaders {
    fn default() -> Self {
        Self::both()
    }
}

//! What a request costs, and when that is known.

use http::{HeaderName, StatusCode};

use super::{Rate, RequestView, view::unreadable};
use crate::{config_error::ConfigIssues, rejection::Rejection};

/// What a request costs a rule: a number of units, or where the number comes from.
///
/// Some costs are known only when the response is there. Of those the rule charges an estimate on the
/// way in ([`reserving`](Cost::reserving), 1 unless you say otherwise), and settles the difference
/// afterwards: what is missing becomes the caller's debt, what was too much is given back. If there
/// is no response (the handler panicked, the client went away), the estimate stands.
///
/// A difference belongs to the time in which the estimate was charged. Nothing is given back once the
/// estimate alone would have been refilled, and nothing of it is charged to a window that began later:
/// a settlement never changes what another period allows.
///
/// ```
/// use http::{HeaderName, Method};
/// use portcullis::rate_limit::{Cost, Key, Rate, Rule, StatusClass};
///
/// // Units are tokens of a language model: the handler says how many it took.
/// let tokens = Rule::new("tokens", Key::principal(), Rate::per_minute(100_000)).cost(Cost::reported().reserving(500));
/// // A kibibyte of response is a unit.
/// let bytes = Rule::new("bytes", Key::client(), Rate::per_minute(10_240)).cost(Cost::response_bytes(1_024));
/// // A log-in that succeeds costs nothing: only failures use up the guesses.
/// let login = Rule::new("login", Key::ip(), Rate::per_minute(5))
///     .on(Method::POST, "/auth/login")
///     .refund_on(StatusClass::Success);
/// // One endpoint costs ten, and another as many as it has items.
/// let clients = Rule::new("clients", Key::client(), Rate::per_minute(600))
///     .cost_at(Method::POST, "/reports", 10)
///     .cost_at(Method::POST, "/import", Cost::header(HeaderName::from_static("x-items"), 1, 100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The cost, or what is charged until it is known.
    pub(super) units: u64,
    pub(super) source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Fixed,
    Header { name: HeaderName, least: u64, most: u64 },
    Computed { most: u64 },
    Reported,
    Bytes { per_unit: u64 },
}

impl Cost {
    /// So many units.
    pub const fn units(units: u64) -> Self {
        Self { units, source: Source::Fixed }
    }

    /// The number in a header field of the request, which must lie between `least` and `most`; without
    /// the field, `most`. A value that is no number between them, and a field that comes twice, is
    /// answered 400.
    ///
    /// Whoever sets the field sets the price, down to `least`: that must be what an honest request
    /// costs at the least.
    pub const fn header(name: HeaderName, least: u64, most: u64) -> Self {
        Self { units: most, source: Source::Header { name, least, most } }
    }

    /// What a layer outside has computed, as `GraphQlLimitLayer` does of a query
    /// ([`RequestContext::computed_cost`](crate::request::RequestContext::computed_cost)), up to `most`: give
    /// that layer's own limit. A request of which nothing was computed costs 1.
    pub const fn computed(most: u64) -> Self {
        Self { units: 1, source: Source::Computed { most } }
    }

    /// What the handler says by the extractor [`RateLimitUsage`](super::RateLimitUsage), until the end
    /// of the response's body. If it says nothing, the estimate stands.
    pub const fn reported() -> Self {
        Self { units: 1, source: Source::Reported }
    }

    /// A unit for each `per_unit` bytes of the response's body that were sent, rounded up, and at least
    /// one.
    pub const fn response_bytes(per_unit: u64) -> Self {
        Self { units: 1, source: Source::Bytes { per_unit } }
    }

    /// What is charged until the cost is known. Default: 1.
    #[must_use]
    pub const fn reserving(mut self, units: u64) -> Self {
        self.units = units;
        self
    }

    /// What is charged on the way in.
    pub(super) fn on_entry(&self, view: &RequestView<'_>) -> Result<u64, Rejection> {
        if let Source::Computed { most } = self.source {
            return Ok(view.context().computed_cost().unwrap_or(self.units).min(most));
        }
        let Source::Header { name, least, most } = &self.source else { return Ok(self.units) };
        let Some(value) = view.single(name)? else { return Ok(*most) };
        // `parse` takes a sign, which RFC 9110 §5.6 numbers do not have.
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        number.filter(|units| (*least..=*most).contains(units)).ok_or_else(unreadable)
    }

    /// Whether it is known only when the response is there.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.source, Source::Reported | Source::Bytes { .. })
    }

    /// The largest charge on the way in.
    pub(super) fn most(&self) -> u64 {
        match self.source {
            Source::Header { most, .. } | Source::Computed { most } => most,
            _ => self.units,
        }
    }

    pub(super) fn check(&self, field: &str, issues: &mut ConfigIssues) {
        match &self.source {
            Source::Header { least, most, .. } if least > most || *least == 0 => {
                issues.add(
                    field.to_owned(),
                    "the bounds allow no cost, or a free one",
                    "use 1 or more, up to the most",
                );
            }
            Source::Computed { most: 0 } => {
                issues.add(field.to_owned(), "at most zero is free", "use the largest cost that is let through");
            }
            Source::Bytes { per_unit: 0 } => {
                issues.add(field.to_owned(), "a unit of zero bytes", "say how many bytes are a unit, as in 1024");
            }
            // A caller in debt would pass for ever.
            Source::Reported | Source::Bytes { .. } if self.units == 0 => {
                issues.add(field.to_owned(), "an estimate of zero refuses nobody", "reserve 1 or more");
            }
            _ => {}
        }
        if self.most() > Rate::MOST {
            issues.add(field.to_owned(), "more than 10^15 units fit no header", "use 999999999999999 at most");
        }
    }
}

impl From<u64> for Cost {
    fn from(units: u64) -> Self {
        Self::units(units)
    }
}

/// The first digit of a status, for what a rule makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusClass {
    /// 1xx.
    Informational,
    /// 2xx.
    Success,
    /// 3xx.
    Redirection,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
}

impl StatusClass {
    pub(super) const COUNT: usize = 5;

    /// The class of a status; what is above 599 counts as a server's error.
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            0..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

//! The fields of one response.

use std::{iter, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    HeaderDialect, LegacyReset, RateLimitHeaders,
    items::{AFTER_NAME, OLD, put_item, put_old_policy, put_old_state, read_old_state},
};
use crate::{
    gate::{decimal, repeated, written},
    rate_limit::{Decision, Rate, compiled::CompiledLimit},
    time::{Timestamp, secs_ceil},
};

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static STATE: HeaderName = HeaderName::from_static("ratelimit");
static LEGACY_POLICY: HeaderName = HeaderName::from_static("x-ratelimit-policy");

/// A limit, what remains of it and when it comes back, as a field each.
struct Triple([HeaderName; 3]);

static LEGACY: Triple = Triple([
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
]);
static DRAFT_06: Triple = Triple([
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
]);

/// One limit in numbers.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    limit: u64,
    remaining: u64,
    reset: u64,
}

/// What a response is to say of its limits.
#[derive(Debug)]
pub(in crate::rate_limit) enum Stamp {
    /// Of one, as most are: rendered when the response is there, because finished fields are dear to carry.
    One { limit: Arc<CompiledLimit>, told: Told, reset_at: Timestamp },
    /// Of several.
    Fields(Box<Fields>),
}

/// A decision, as far as it is told.
#[derive(Clone, Copy, Debug)]
pub(in crate::rate_limit) struct Told {
    limit: u64,
    remaining: u64,
    next_after: Duration,
    full_after: Duration,
}

impl From<&Decision> for Told {
    fn from(decision: &Decision) -> Self {
        let Decision { limit, remaining, next_after, full_after, .. } = *decision;
        Self { limit, remaining, next_after, full_after }
    }
}

/// The fields, ready to be written.
#[derive(Debug)]
pub(in crate::rate_limit) struct Fields {
    policy: Option<HeaderValue>,
    state: State,
    legacy: Option<Numbers>,
    /// Rarely asked for.
    legacy_policy: Option<Box<HeaderValue>>,
}

/// Where the caller stands, in a draft's fields.
#[derive(Debug)]
enum State {
    Absent,
    /// A list, to which nested layers add.
    Items(HeaderValue),
    /// One limit, of which the tightest stays.
    Line(Numbers),
    Triple(Numbers),
}

type Asked<'a> = (&'a CompiledLimit, Told);

/// The limit that is closest to its end, and when it will be whole again.
type Tightest<'a> = (&'a CompiledLimit, Told, Timestamp);

impl Stamp {
    /// What is to be said of one batch, which was decided at `wall`: an item for each limit, and where the
    /// caller stands against the tightest of them. `None` where there is no limit to tell of.
    pub(in crate::rate_limit) fn of<'a>(
        headers: RateLimitHeaders,
        asked: impl Iterator<Item = (&'a Arc<CompiledLimit>, &'a Decision)> + Clone,
        tightest: Option<(&'a Arc<CompiledLimit>, &'a Decision)>,
        wall: Timestamp,
    ) -> Option<Self> {
        let (limit, decision) = tightest?;
        let (told, reset_at) = (Told::from(decision), wall.saturating_add(decision.full_after));
        if asked.clone().nth(1).is_none() {
            return Some(Self::One { limit: Arc::clone(limit), told, reset_at });
        }
        let all = asked.map(|(limit, decision)| (&**limit, Told::from(decision)));
        Some(Self::Fields(Box::new(Fields::of(headers, all, (limit, told, reset_at)))))
    }

    /// The fields by name, for a refusal.
    pub(in crate::rate_limit) fn fields(
        self,
        headers: RateLimitHeaders,
    ) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        match self {
            Self::One { limit, told, reset_at } => Fields::of_one(headers, &limit, told, reset_at).named(),
            Self::Fields(fields) => fields.named(),
        }
    }

    /// Writes the fields into a response, which may have those of an inner layer: the lists are
    /// joined, and of the fields that hold one limit the tightest stay.
    pub(in crate::rate_limit) fn write(self, headers: RateLimitHeaders, response: &mut HeaderMap) {
        match self {
            Self::One { limit, told, reset_at } => Fields::of_one(headers, &limit, told, reset_at).write(response),
            Self::Fields(fields) => fields.write(response),
        }
    }
}

impl Fields {
    fn of_one(headers: RateLimitHeaders, limit: &CompiledLimit, told: Told, reset_at: Timestamp) -> Self {
        Self::of(headers, iter::once((limit, told)), (limit, told, reset_at))
    }

    fn of<'a>(
        headers: RateLimitHeaders,
        asked: impl Iterator<Item = Asked<'a>> + Clone,
        (limit, told, reset_at): Tightest<'a>,
    ) -> Self {
        let from_now = || Numbers {
            limit: told.limit.min(Rate::MOST),
            remaining: told.remaining.min(Rate::MOST),
            reset: secs_ceil(told.full_after),
        };
        let legacy = headers.legacy.map(|reset| match reset {
            LegacyReset::Epoch => {
                Numbers { limit: told.limit, remaining: told.remaining, reset: reset_at.as_secs_ceil() }
            }
            LegacyReset::Seconds => from_now(),
        });
        let legacy_policy = if headers.legacy_policy { in_words(limit, told).map(Box::new) } else { None };
        let (policy, state) = match headers.dialect {
            None => (None, State::Absent),
            Some(HeaderDialect::Draft11) => (policies(asked.clone()), states(asked)),
            Some(HeaderDialect::Draft07) => (old_policies(asked), State::Line(from_now())),
            Some(HeaderDialect::Draft06) => (old_policies(asked), State::Triple(from_now())),
        };
        Self { policy, state, legacy, legacy_policy }
    }

    fn named(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let (list, line, triple) = match self.state {
            State::Absent => (None, None, None),
            State::Items(list) => (Some(list), None, None),
            State::Line(numbers) => (None, numbers.line(), None),
            State::Triple(numbers) => (None, None, Some(numbers)),
        };
        let triple = triple.map(|numbers| numbers.fields(&DRAFT_06)).into_iter().flatten();
        let legacy = self.legacy.map(|numbers| numbers.fields(&LEGACY)).into_iter().flatten();
        let alone =
            [(&POLICY, self.policy), (&STATE, list.or(line)), (&LEGACY_POLICY, self.legacy_policy.map(|it| *it))];
        alone.into_iter().filter_map(|(name, value)| Some((name.clone(), value?))).chain(triple).chain(legacy)
    }

    fn write(self, headers: &mut HeaderMap) {
        if let Some(policy) = self.policy {
            append(headers, &POLICY, policy);
        }
        match self.state {
            State::Absent => {}
            State::Items(list) => append(headers, &STATE, list),
            State::Triple(numbers) => {
                numbers.write(headers, &DRAFT_06);
            }
            State::Line(numbers) => {
                let inner = headers.get(&STATE).and_then(|line| read_old_state(line.to_str().ok()?));
                let inner = inner.map(|[limit, remaining, reset]| Numbers { limit, remaining, reset });
                if let Some(line) = numbers.line().filter(|_| inner.is_none_or(|inner| numbers.is_tighter(inner))) {
                    headers.insert(&STATE, line);
                }
            }
        }
        let stays = self.legacy.is_none_or(|numbers| numbers.write(headers, &LEGACY));
        if let Some(words) = self.legacy_policy.filter(|_| stays || !headers.contains_key(&LEGACY_POLICY)) {
            headers.insert(&LEGACY_POLICY, *words);
        }
    }
}

fn append(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    // Most often there is none, and one search does.
    if let Some(inner) = headers.insert(name, value)
        && let Some(joined) = headers.get(name).and_then(|outer| join(outer, &inner))
    {
        headers.insert(name, joined);
    }
}

fn join(outer: &HeaderValue, inner: &HeaderValue) -> Option<HeaderValue> {
    let line = [outer.as_bytes(), b", ", inner.as_bytes()].concat();
    HeaderValue::try_from(line).ok()
}

/// One limit is the common case: its value has been rendered at build.
fn policies<'a>(mut asked: impl Iterator<Item = Asked<'a>> + Clone) -> Option<HeaderValue> {
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

fn states<'a>(asked: impl Iterator<Item = Asked<'a>> + Clone) -> State {
    let most = asked
        .clone()
        .fold(0_usize, |most, (limit, _)| most.saturating_add(limit.state.len()).saturating_add(AFTER_NAME));
    // Every item has a name.
    if most == 0 {
        return State::Absent;
    }
    let line = written(most, |line| {
        for (limit, decision) in asked {
            if !line.is_empty() {
                line.extend_from_slice(b", ");
            }
            put_item(line, &limit.state, decision.remaining, decision.next_after);
        }
    });
    line.map_or(State::Absent, State::Items)
}

fn old_policies<'a>(asked: impl Iterator<Item = Asked<'a>> + Clone) -> Option<HeaderValue> {
    let most = asked.clone().count().saturating_mul(OLD);
    (most > 0).then_some(())?;
    written(most, |line| {
        for (limit, decision) in asked {
            if !line.is_empty() {
                line.extend_from_slice(b", ");
            }
            put_old_policy(line, decision.limit, limit.algorithm.window());
        }
    })
}

/// `20 requests per minute`.
fn in_words(limit: &CompiledLimit, told: Told) -> Option<HeaderValue> {
    let rate = Rate::per(told.limit, limit.algorithm.window().unwrap_or(Duration::ZERO));
    let words = if rate.period().is_zero() { format!("{} requests", told.limit) } else { rate.to_string() };
    HeaderValue::try_from(words).ok()
}

impl Numbers {
    fn fields(self, names: &Triple) -> [(HeaderName, HeaderValue); 3] {
        let [limit, remaining, reset] = names.0.clone();
        [(limit, repeated(self.limit)), (remaining, decimal(self.remaining)), (reset, repeated(self.reset))]
    }

    fn line(self) -> Option<HeaderValue> {
        written(OLD, |line| put_old_state(line, self.limit, self.remaining, self.reset))
    }

    /// Writes the three, unless an inner layer wrote a tighter limit; whether it did.
    fn write(self, headers: &mut HeaderMap, names: &Triple) -> bool {
        let [limit, remaining, reset] = &names.0;
        // Without the first of the three nobody inside has written them.
        if let Some(inner) = headers.insert(limit, repeated(self.limit)) {
            let numbers = Self::read([Some(&inner), headers.get(remaining), headers.get(reset)]);
            if numbers.is_some_and(|numbers| !self.is_tighter(numbers)) {
                headers.insert(limit, inner);
                return false;
            }
        }
        headers.insert(remaining, decimal(self.remaining));
        headers.insert(reset, repeated(self.reset));
        true
    }

    fn read(fields: [Option<&HeaderValue>; 3]) -> Option<Self> {
        let [limit, remaining, reset] = fields.map(|field| field?.to_str().ok()?.parse().ok());
        Some(Self { limit: limit?, remaining: remaining?, reset: reset? })
    }

    fn is_tighter(self, other: Self) -> bool {
        is_tighter((self.remaining, self.limit), (other.remaining, other.limit))
    }
}

/// Whether the first share is the smaller one, compared without division.
pub(in crate::rate_limit) fn is_tighter(a: (u64, u64), b: (u64, u64)) -> bool {
    let product = |remaining: u64, limit: u64| u128::from(remaining).saturating_mul(limit.into());
    product(a.0, b.1) < product(b.0, a.1)
}

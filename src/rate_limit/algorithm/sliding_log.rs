use std::time::Duration;

use super::{Algorithm, AlgorithmId, Decision, Inherit, Op, Step, inherit, step::LATE, verdict::Verdict};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rate_limit::{Rate, State},
    time::{Timestamp, micros_ceil},
};

/// So many requests in any span of one period, exactly: every charge is remembered until it is a
/// period old.
///
/// **When**: where the promise itself is the point (a contract, a partner's own limit, five
/// messages a day), and limits are small. **Worst case in any span of one period**: the limit.
/// **State**: a word for each instant that was charged at, so up to `8 × limit` bytes for each key;
/// four instants are held without a box. **Cost**: time and, above four instants, an allocation in
/// proportion to the state, for each request that passes; a refusal allocates nothing. **Source**:
/// the log of "Rate limiting in the sliding window" in every text book; here in whole microseconds.
///
/// What is given back is taken off the *oldest* charges. Any other order could let more than the
/// limit pass within a period. A forced charge is remembered in full, up to the limit; for it the
/// oldest are forgotten.
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{Algorithm, Op, Rate, SlidingLog};
/// use portcullis::time::Timestamp;
///
/// let log = SlidingLog::new(Rate::per_minute(3))?;
/// let first = log.step(None, Timestamp::from_secs(0), Op::Take(1));
/// let second = log.step(first.state(), Timestamp::from_secs(50), Op::Take(2));
/// let third = log.step(second.state(), Timestamp::from_secs(55), Op::Take(2));
/// // The charge of second 0 is too old at second 60; but two are needed, so it takes until 110.
/// assert_eq!(third.decision.retry_after, Some(Duration::from_secs(55)));
/// assert_eq!(third.decision.next_after, Duration::from_secs(5));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SlidingLog {
    limit: u64,
    period: u64,
}

/// A charge in one word: when, and of how many units, less one. Microseconds since the epoch fit 53
/// bits until the year 2255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: u64,
    units: u64,
}

impl Entry {
    const COUNT_BITS: u32 = 11;
    /// What a word can count.
    const MOST: u64 = 1 << Self::COUNT_BITS;
    const LAST: u64 = u64::MAX >> Self::COUNT_BITS;

    const fn of(word: u64) -> Self {
        Self { at: word >> Self::COUNT_BITS, units: (word & (Self::MOST - 1)).saturating_add(1) }
    }

    const fn word(self) -> u64 {
        (self.at << Self::COUNT_BITS) | (self.units.saturating_sub(1) & (Self::MOST - 1))
    }
}

/// What counts at an instant: the charges that are younger than a period, the newest `limit` units
/// of them.
struct Live<'a> {
    log: &'a SlidingLog,
    words: &'a [u64],
    /// What durations count from.
    asked: u64,
    /// The same, or for whoever is a little late when the last charge was.
    now: u64,
    sum: u64,
    /// Of the oldest that are young enough: what a larger limit of before has left.
    excess: u64,
    /// Some lay in the future, and count as of now.
    moved: bool,
}

impl<'a> Live<'a> {
    fn new(log: &'a SlidingLog, state: Option<&'a State>, now: Timestamp) -> Self {
        let asked = now.as_micros().min(Entry::LAST);
        let words = state.map_or(&[] as &[u64], State::words);
        let newest = words.iter().map(|word| Entry::of(*word).at).max().unwrap_or(0);
        let now = if newest.saturating_sub(asked) > LATE { asked } else { newest.max(asked) };
        let mut live = Self { log, words, asked, now, sum: 0, excess: 0, moved: false };
        let mut sum = 0_u64;
        for entry in words.iter().map(|word| Entry::of(*word)) {
            live.moved |= entry.at > now;
            if live.is_young(entry.at.min(now)) {
                sum = sum.saturating_add(entry.units);
            }
        }
        live.sum = sum.min(log.limit);
        live.excess = sum.saturating_sub(log.limit);
        live
    }

    fn is_young(&self, at: u64) -> bool {
        self.now.saturating_sub(at) < self.log.period
    }

    /// Without the `less` oldest units.
    fn entries(&self, less: u64) -> impl Iterator<Item = Entry> {
        let mut skip = self.excess.saturating_add(less);
        self.words.iter().filter_map(move |word| {
            let Entry { at, units } = Entry::of(*word);
            let at = at.min(self.now);
            if !self.is_young(at) {
                return None;
            }
            let skipped = units.min(skip);
            skip = skip.saturating_sub(skipped);
            let units = units.saturating_sub(skipped);
            (units > 0).then_some(Entry { at, units })
        })
    }

    /// How long until the charge is a period old.
    fn left(&self, at: u64) -> Duration {
        Duration::from_micros(at.saturating_add(self.log.period).saturating_sub(self.asked))
    }

    /// How long until so many units more fit; nothing if they do now.
    fn wait(&self, cost: u64) -> Option<Duration> {
        let mut missing = self.sum.saturating_add(cost).saturating_sub(self.log.limit);
        if missing == 0 {
            return None;
        }
        self.entries(0).find_map(|entry| {
            missing = missing.saturating_sub(entry.units);
            (missing == 0).then(|| self.left(entry.at))
        })
    }

    fn decide(&self, verdict: Verdict) -> Decision {
        let oldest = self.entries(0).map(|entry| entry.at).min();
        let newest = self.entries(0).map(|entry| entry.at).max();
        let after = |at: Option<u64>| at.map_or(Duration::ZERO, |at| self.left(at));
        verdict
            .decision(self.log.limit, self.log.limit.saturating_sub(self.sum))
            .next_after(after(oldest))
            .full_after(after(newest))
    }

    fn stay(&self, verdict: Verdict) -> Step {
        let decision = self.decide(verdict);
        if self.moved { self.write(decision, 0, 0) } else { Step::keep(decision) }
    }

    /// Forgets the `less` oldest units, and adds `more` of now.
    fn change(&self, less: u64, more: u64) -> Step {
        match self.state(less, more) {
            None => Step::clear(Live::new(self.log, None, Timestamp::from_micros(self.asked)).decide(Verdict::Passed)),
            Some(state) => {
                let after = Live::new(self.log, Some(&state), Timestamp::from_micros(self.asked));
                let decision = after.decide(Verdict::Passed);
                Step::set(decision, state)
            }
        }
    }

    fn write(&self, decision: Decision, less: u64, more: u64) -> Step {
        match self.state(less, more) {
            None => Step::clear(decision),
            Some(state) => Step::set(decision, state),
        }
    }

    fn state(&self, less: u64, more: u64) -> Option<State> {
        let mut words = Words::new();
        for entry in self.entries(less) {
            words.push(entry);
        }
        let mut more = more;
        while more > 0 {
            let units = more.min(Entry::MOST);
            words.push(Entry { at: self.now, units });
            more = more.saturating_sub(units);
        }
        words.finish()
    }
}

/// Words in the making: no box until there is a fifth.
enum Words {
    Few([u64; State::INLINE_WORDS], usize),
    Many(Vec<u64>),
}

impl Words {
    const fn new() -> Self {
        Self::Few([0; State::INLINE_WORDS], 0)
    }

    fn last_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Few(words, len) => words.get_mut(..*len)?.last_mut(),
            Self::Many(words) => words.last_mut(),
        }
    }

    /// Units of one instant share a word as far as it can count.
    fn push(&mut self, entry: Entry) {
        let mut units = entry.units;
        if let Some(last) = self.last_mut() {
            let held = Entry::of(*last);
            if held.at == entry.at {
                let joined = Entry::MOST.saturating_sub(held.units).min(units);
                *last = Entry { at: held.at, units: held.units.saturating_add(joined) }.word();
                units = units.saturating_sub(joined);
            }
        }
        if units > 0 {
            self.append(Entry { at: entry.at, units }.word());
        }
    }

    fn append(&mut self, word: u64) {
        match self {
            Self::Few(words, len) => {
                if let Some(room) = words.get_mut(*len) {
                    *room = word;
                    *len = len.saturating_add(1);
                } else {
                    let mut many = Vec::with_capacity(State::INLINE_WORDS * 2);
                    many.extend_from_slice(words);
                    many.push(word);
                    *self = Self::Many(many);
                }
            }
            Self::Many(words) => words.push(word),
        }
    }

    fn finish(self) -> Option<State> {
        match self {
            Self::Few(_, 0) => None,
            Self::Few([a, ..], 1) => Some(a.into()),
            Self::Few([a, b, ..], 2) => Some([a, b].into()),
            Self::Few([a, b, c, _], 3) => Some([a, b, c].into()),
            Self::Few(words, _) => Some(words.into()),
            Self::Many(words) => Some(words.into()),
        }
    }
}

impl SlidingLog {
    /// The largest limit: a state of half a megabyte for each key.
    pub const MOST: u64 = 65_536;

    /// As many requests in any span of one period, which is rounded up to a microsecond, as the rate
    /// says.
    ///
    /// # Errors
    /// If the rate is none (see [`Rate`]), has a burst of its own, which a log cannot have, or
    /// exceeds [`SlidingLog::MOST`].
    pub fn new(rate: Rate) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        issues.take("", rate.check());
        if rate.capacity() != rate.refill() {
            issues.add(
                "burst",
                "a sliding log has no burst: all of its limit may be used at once",
                "leave .burst() out, or use a token bucket",
            );
        }
        if rate.capacity() > Self::MOST {
            issues.add(
                "rate",
                "a log of more than 65536 charges for each key takes too much memory",
                "use a sliding counter or a token bucket",
            );
        }
        let period = micros_ceil(Duration::from_nanos(rate.period_nanos())).max(1);
        issues.finish(Self { limit: rate.capacity(), period })
    }
}

impl Algorithm for SlidingLog {
    fn id(&self) -> AlgorithmId {
        AlgorithmId::new("sliding_log", 1, &[self.limit, self.period])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let live = Live::new(self, state, now);
        match op.at_once() {
            Op::Take(0) => live.stay(Verdict::Passed),
            Op::Take(cost) if cost > self.limit => live.stay(Verdict::Never),
            Op::Take(cost) => match live.wait(cost) {
                None => live.change(0, cost),
                wait => live.stay(wait.into()),
            },
            Op::Give(units) => live.change(units, 0),
            Op::Force(cost) => {
                let cost = cost.min(self.limit);
                live.change(live.sum.saturating_add(cost).saturating_sub(self.limit), cost)
            }
            Op::Reset => live.change(u64::MAX, 0),
            _ => live.stay(live.wait(1).into()),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        Live::new(self, Some(state), now).decide(Verdict::Passed).full_after
    }

    fn window(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.period))
    }

    fn is_windowed(&self) -> bool {
        true
    }

    /// The charges keep their instants.
    fn migrate(&self, state: &State, from: &dyn Algorithm, how: Inherit, now: Timestamp) -> Option<State> {
        let old = from.step(Some(state), now, Op::Peek).decision;
        match how {
            Inherit::Proportional if old.limit > 0 => {
                let mut words = Words::new();
                // Each instant by itself would be rounded up by itself: what is carried is the sum so far.
                let (mut before, mut carried) = (0_u64, 0_u64);
                for Entry { at, units } in state.words().iter().map(|word| Entry::of(*word)) {
                    before = before.saturating_add(units);
                    let scaled = inherit::carried(how, before, old.limit, self.limit);
                    let mut units = scaled.saturating_sub(carried).min(self.limit);
                    carried = scaled;
                    while units > 0 {
                        let part = units.min(Entry::MOST);
                        words.push(Entry { at, units: part });
                        units = units.saturating_sub(part);
                    }
                }
                words.finish()
            }
            Inherit::Reset => None,
            _ => Some(state.clone()),
        }
    }
}

//! How a law asks a store.

use std::{fmt, sync::Arc, time::Duration};

use super::RateClock;
use crate::{
    rate_limit::{Algorithm, Batch, Charge, ChargeKey, Decision, KeyPart, Op, RateLimitStore, Verdicts},
    time::{Clock as _, SystemClock, Timestamp},
};

/// When the time of laws begins that set it: away from any boundary of a minute, an hour or a day.
pub(super) const START: Timestamp = Timestamp::from_secs(1_700_000_040);

/// How far off a server's clock may be, and how slow a test.
const SKEW: Duration = Duration::from_secs(60);

/// One law at work on a store. Its keys are those of no other run.
pub(super) struct Probe<S: ?Sized> {
    law: &'static str,
    store: Arc<S>,
    pub(super) clock: RateClock,
    machine: SystemClock,
    rule: Arc<str>,
}

impl<S: ?Sized> Clone for Probe<S> {
    fn clone(&self) -> Self {
        Self {
            law: self.law,
            store: Arc::clone(&self.store),
            clock: self.clock,
            machine: self.machine.clone(),
            rule: Arc::clone(&self.rule),
        }
    }
}

/// One charge of a law: whose, how computed, what to do.
pub(super) type Ask<'a> = (ChargeKey<'a>, &'a dyn Algorithm, Op);

impl<S: RateLimitStore + ?Sized> Probe<S> {
    pub(super) fn new(law: &'static str, store: &Arc<S>, clock: RateClock) -> Self {
        let mut bytes = [0; 16];
        assert!(getrandom::fill(&mut bytes).is_ok(), "the operating system has random bytes");
        let rule = format!("conformance {}", base16ct::lower::encode_string(&bytes));
        Self { law, store: Arc::clone(store), clock, machine: SystemClock::new(), rule: rule.into() }
    }

    pub(super) fn holds(&self, held: bool, otherwise: impl FnOnce() -> String) {
        assert!(held, "the law `{}` is broken: {}", self.law, otherwise());
    }

    #[expect(clippy::needless_pass_by_value, reason = "laws compare what they have just made")]
    pub(super) fn is<T: PartialEq + fmt::Debug>(&self, found: T, expected: T, of: impl fmt::Display) {
        self.holds(found == expected, || format!("{of}: expected {expected:?}, found {found:?}"));
    }

    /// The time that has passed for the law is `passed`; where the clock is the server's, the machine's.
    pub(super) fn at(&self, passed: Duration) -> Timestamp {
        match self.clock {
            RateClock::Callers => START.saturating_add(passed),
            RateClock::Servers => self.real(),
        }
    }

    /// What the machine's clock says.
    pub(super) fn real(&self) -> Timestamp {
        self.machine.now().monotonic
    }

    pub(super) fn rule(&self) -> &str {
        &self.rule
    }

    pub(super) fn key<'a>(&'a self, part: &'a [u8]) -> ChargeKey<'a> {
        self.with(ChargeKey::new(self.rule()), KeyPart::Bytes(part))
    }

    /// A key has four places, and no law uses more.
    pub(super) fn with<'a>(&self, key: ChargeKey<'a>, part: KeyPart<'a>) -> ChargeKey<'a> {
        let longer = key.with(part);
        self.holds(longer.is_some(), || "a key has no place for another part".into());
        longer.unwrap_or(key)
    }

    /// Asks as the layer does: at once where the store can, else waiting.
    pub(super) async fn ask(&self, now: Timestamp, charges: &[Ask<'_>]) -> Verdicts {
        let batch = self.batch(now, charges);
        let answer = match self.store.try_now(&batch) {
            Some(answer) => answer,
            None => self.store.apply(&batch).await,
        };
        self.answer(answer, charges.len())
    }

    /// Asks without trying whether it can be had at once.
    pub(super) async fn ask_waiting(&self, now: Timestamp, charges: &[Ask<'_>]) -> Verdicts {
        let batch = self.batch(now, charges);
        self.answer(self.store.apply(&batch).await, charges.len())
    }

    fn answer(&self, answer: Result<Verdicts, crate::store::StoreError>, charges: usize) -> Verdicts {
        self.holds(answer.is_ok(), || format!("the store does not answer: {answer:?}"));
        let verdicts = answer.unwrap_or_default();
        self.is(verdicts.len(), charges, "verdicts for the charges of a batch");
        verdicts
    }

    pub(super) fn batch<'a>(&self, now: Timestamp, charges: &[Ask<'a>]) -> Batch<'a> {
        let mut batch = Batch::new(now);
        for (key, algorithm, op) in charges {
            let pushed = batch.push(Charge::new(*key, *algorithm, *op));
            self.holds(pushed.is_ok(), || "a batch has no place for another charge".into());
        }
        batch
    }

    pub(super) fn store(&self) -> &S {
        &self.store
    }

    /// One charge of the law's own key `part`.
    pub(super) async fn one(&self, now: Timestamp, part: &[u8], algorithm: &dyn Algorithm, op: Op) -> Decision {
        let verdicts = self.ask(now, &[(self.key(part), algorithm, op)]).await;
        verdicts.get(0).copied().unwrap_or(Decision::never(0, 0))
    }

    /// The same, asked alone before it is asked as a batch, as the layer does.
    pub(super) async fn one_alone(&self, now: Timestamp, part: &[u8], algorithm: &dyn Algorithm, op: Op) -> Decision {
        let answer = self.store.try_one(&Charge::new(self.key(part), algorithm, op), now);
        let Some(answer) = answer else { return self.one(now, part, algorithm, op).await };
        self.holds(answer.is_ok(), || format!("the store does not answer: {answer:?}"));
        answer.unwrap_or(Decision::never(0, 0))
    }

    /// How many units are left.
    pub(super) async fn remaining(&self, now: Timestamp, part: &[u8], algorithm: &dyn Algorithm) -> u64 {
        self.one(now, part, algorithm, Op::Peek).await.remaining
    }

    /// Whether a decision is the expected one: to the microsecond where the law sets the time, else
    /// with what has passed since `since` and what the server's clock may be off.
    pub(super) fn same(&self, found: &Decision, expected: &Decision, since: Timestamp) -> bool {
        let slack = match self.clock {
            RateClock::Callers => return found == expected,
            RateClock::Servers => SKEW.saturating_add(self.real().since(since)),
        };
        let near = |a: Duration, b: Duration| a.abs_diff(b) <= slack;
        let units = |of: &Decision| (of.allowed, of.limit, of.remaining, of.is_never());
        units(found) == units(expected)
            && near(found.delay(), expected.delay())
            && near(found.next_after, expected.next_after)
            && near(found.full_after, expected.full_after)
            && near(found.retry_after.unwrap_or_default(), expected.retry_after.unwrap_or_default())
    }
}

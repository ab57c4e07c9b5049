//! Stores as one writes them first: each breaks a law.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::RateClock;
use crate::{
    rate_limit::{Batch, Charge, ChargeKey, Decision, KeyPart, Op, RateLimitStore, State, Verdicts, Write},
    store::{BoxFuture, StoreError},
    time::{Clock as _, SystemClock, Timestamp},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    LooksThenWrites,
    ChargesOneByOne,
    WritesInParts,
    WritesNothingIfRefused,
    ForgetsEarly,
    ForgetsInASecond,
    NeverGetsOlder,
    WritesNothingFarAhead,
    ItsClockOnlyGoesForward,
    ForgivesTheLate,
    AnotherClock,
    CutsKeys,
    JoinsParts,
    FoldsCase,
    OneStateForAllAlgorithms,
    ABucketForEachRate,
    LooksCharge,
    GivesNothingBack,
    ForcesNothing,
    ResetsNothing,
    WholeSeconds,
    WaitsForWhatNeverComes,
    AnswersBackwards,
    FourWords,
    RetriesBlindly,
    CommitsHalf,
    AloneIsFree,
    /// By who asks it alone, and then by the batch that is left to.
    AloneIsChargedTwice,
}

/// A map behind a lock, with a fault.
#[derive(Debug)]
pub(super) struct Naive {
    fault: Fault,
    clock: RateClock,
    machine: SystemClock,
    latest: AtomicU64,
    states: Mutex<HashMap<Vec<u8>, Held>>,
    /// Whether the next reply is lost.
    loses: AtomicBool,
}

#[derive(Clone, Debug)]
struct Held {
    state: State,
    written: Timestamp,
    expires: Timestamp,
}

type Writes = Vec<(Vec<u8>, Option<Held>)>;

impl Naive {
    pub(super) fn new(fault: Fault, clock: RateClock) -> Self {
        Self {
            fault,
            clock,
            machine: SystemClock::new(),
            latest: AtomicU64::new(0),
            states: Mutex::default(),
            loses: AtomicBool::new(false),
        }
    }

    pub(super) fn lose(&self) {
        self.loses.store(true, SeqCst);
    }

    fn now(&self, batch: &Batch<'_>) -> Timestamp {
        let callers = (self.clock == RateClock::Callers) != (self.fault == Fault::AnotherClock);
        let now = if callers { batch.now() } else { self.machine.now().monotonic };
        if self.fault == Fault::ItsClockOnlyGoesForward {
            return Timestamp::from_micros(self.latest.fetch_max(now.as_micros(), SeqCst).max(now.as_micros()));
        }
        now
    }

    fn op(&self, op: Op) -> Op {
        match (self.fault, op) {
            (Fault::LooksCharge, Op::Peek) => Op::Take(1),
            (Fault::GivesNothingBack, Op::Give(_)) | (Fault::ResetsNothing, Op::Reset) => Op::Take(0),
            (Fault::ForcesNothing, Op::Force(units)) => Op::Take(units),
            (_, op) => op,
        }
    }

    fn identity(&self, charge: &Charge<'_>) -> Vec<u8> {
        let mut identity = charge.identity();
        let id = charge.algorithm().id();
        match self.fault {
            Fault::CutsKeys => identity.truncate(1_024),
            Fault::FoldsCase => identity.make_ascii_lowercase(),
            Fault::OneStateForAllAlgorithms => drop(identity.drain(..8 + id.name().len() + 2)),
            Fault::ABucketForEachRate => identity.extend(id.parameters().to_be_bytes()),
            Fault::JoinsParts => {
                let bytes = charge.key().parts().flat_map(|part| match part {
                    KeyPart::Bytes(bytes) => bytes.to_vec(),
                    other => {
                        Charge::new(ChargeKey::new("").with(*other).unwrap(), charge.algorithm(), Op::Peek).identity()
                    }
                });
                identity = charge.key().rule().bytes().chain(bytes).chain(*b"\0").chain(id.name().bytes()).collect();
            }
            _ => {}
        }
        identity
    }

    /// What is to be said and written.
    fn step(&self, batch: &Batch<'_>, states: &HashMap<Vec<u8>, Held>) -> (Verdicts, Writes) {
        let mut now = self.now(batch);
        let mut mine = Batch::new(now);
        batch.charges().for_each(|charge| {
            mine.push(Charge::new(*charge.key(), charge.algorithm(), self.op(charge.op()))).unwrap();
        });
        let keys: Vec<_> = mine.charges().map(|charge| self.identity(charge)).collect();
        let early = Duration::from_micros(u64::from(self.fault == Fault::ForgetsEarly));
        let live = |held: &&Held| match self.fault {
            Fault::ForgetsInASecond => now.since(held.written) < Duration::from_millis(100),
            Fault::ForgivesTheLate if held.written.since(now) <= Duration::from_secs(1) => held.written <= now,
            _ => held.expires > now.saturating_add(early) || self.fault == Fault::NeverGetsOlder,
        };
        let found: Vec<Option<Held>> = keys.iter().map(|key| states.get(key).filter(live).cloned()).collect();
        if let (Fault::NeverGetsOlder, Some(Some(held))) = (self.fault, found.first()) {
            now = now.min(held.expires.saturating_sub(Duration::from_micros(1)));
        }
        let mut steps = mine.step(now, |index| Some(&found[index].as_ref()?.state));
        let mut writes = Vec::new();
        for (index, (key, charge)) in keys.into_iter().zip(mine.charges()).enumerate() {
            if self.fault == Fault::WritesNothingIfRefused && !steps.verdicts.allowed() {
                break;
            }
            match steps.take_write(index) {
                Write::Keep => {}
                Write::Set(_) if self.fault == Fault::WritesNothingFarAhead && now.as_micros() > 1 << 52 => {}
                Write::Set(state) => {
                    let expires = now.saturating_add(charge.algorithm().expires_after(&state, now));
                    let most = if self.fault == Fault::FourWords { 4 } else { usize::MAX };
                    let words: Vec<u64> = state.words().iter().copied().take(most).collect();
                    writes.push((key, Some(Held { state: words.into(), written: now, expires })));
                }
                Write::Clear => writes.push((key, None)),
            }
        }
        (self.told(&steps.verdicts), writes)
    }

    fn told(&self, verdicts: &Verdicts) -> Verdicts {
        let mut decisions: Vec<Decision> = verdicts.decisions().copied().collect();
        if self.fault == Fault::AnswersBackwards {
            decisions.reverse();
        }
        let mut told = Verdicts::new();
        for mut decision in decisions {
            if self.fault == Fault::WholeSeconds {
                decision.retry_after = decision.retry_after.map(|wait| Duration::from_secs(wait.as_secs()));
            }
            if self.fault == Fault::WaitsForWhatNeverComes && !decision.allowed {
                decision.retry_after = decision.retry_after.or(Some(Duration::from_secs(1)));
            }
            told.push(decision).unwrap();
        }
        told
    }

    fn locked<T>(&self, work: impl FnOnce(&mut HashMap<Vec<u8>, Held>) -> T) -> T {
        work(&mut self.states.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, writes: Writes) {
        self.locked(|states| {
            for (key, held) in writes {
                match held {
                    Some(held) => drop(states.insert(key, held)),
                    None => drop(states.remove(&key)),
                }
            }
        });
    }

    /// Steps and writes under one lock, as it should be.
    fn at_once(&self, batch: &Batch<'_>) -> Verdicts {
        self.locked(|states| {
            let (verdicts, writes) = self.step(batch, states);
            for (key, held) in writes {
                match held {
                    Some(held) => drop(states.insert(key, held)),
                    None => drop(states.remove(&key)),
                }
            }
            verdicts
        })
    }

    async fn one_by_one(&self, batch: &Batch<'_>) -> Verdicts {
        let mut told = Verdicts::new();
        for charge in batch.charges() {
            let mut alone = Batch::new(batch.now());
            alone.push(*charge).unwrap();
            told.push(*self.at_once(&alone).get(0).unwrap()).unwrap();
            tokio::task::yield_now().await;
        }
        told
    }

    /// The server has done it, and nobody hears of it.
    fn lost(&self, batch: &Batch<'_>) -> StoreError {
        let mut half = Batch::new(batch.now());
        half.push(*batch.get(0).unwrap()).unwrap();
        self.at_once(if self.fault == Fault::CommitsHalf { &half } else { batch });
        if self.fault == Fault::RetriesBlindly {
            self.at_once(batch);
        }
        StoreError::TimedOut
    }
}

impl RateLimitStore for Naive {
    fn try_one(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Result<Decision, StoreError>> {
        let batch = Batch::of(now, *charge);
        let verdicts = match self.fault {
            Fault::AloneIsFree => self.locked(|states| self.step(&batch, states)).0,
            Fault::AloneIsChargedTwice => {
                self.at_once(&batch);
                return None;
            }
            _ => return None,
        };
        verdicts.get(0).copied().map(Ok)
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            if self.loses.swap(false, SeqCst) {
                return Err(self.lost(batch));
            }
            Ok(match self.fault {
                Fault::LooksThenWrites => {
                    let (verdicts, writes) = self.locked(|states| self.step(batch, states));
                    tokio::task::yield_now().await;
                    self.write(writes);
                    verdicts
                }
                Fault::WritesInParts => {
                    let (verdicts, writes) = self.locked(|states| self.step(batch, states));
                    for write in writes {
                        self.write(vec![write]);
                        tokio::task::yield_now().await;
                    }
                    verdicts
                }
                Fault::ChargesOneByOne => self.one_by_one(batch).await,
                _ => self.at_once(batch),
            })
        })
    }
}

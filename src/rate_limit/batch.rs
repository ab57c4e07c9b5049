use std::hash::{Hash, Hasher};

use super::{
    Algorithm, AlgorithmId, Decision, HashedPart, HashedRule, KeyPart, Op, State, Step, Write,
    identity::{bucket, mix},
    inline::Inline,
};
use crate::time::Timestamp;

/// What one limit is asked: whose bucket, how it is computed, what to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    key: ChargeKey<'a>,
    hash: u128,
    algorithm: &'a dyn Algorithm,
    op: Op,
}

impl<'a> Charge<'a> {
    /// A charge.
    #[inline]
    pub fn new(key: ChargeKey<'a>, algorithm: &'a dyn Algorithm, op: Op) -> Self {
        Self { hash: bucket(key.hash, algorithm.id().layout()), key, algorithm, op }
    }

    /// The same, of an algorithm whose id was asked before.
    #[inline]
    pub(super) fn of(key: ChargeKey<'a>, id: AlgorithmId, algorithm: &'a dyn Algorithm, op: Op) -> Self {
        Self { hash: bucket(key.hash, id.layout()), key, algorithm, op }
    }

    /// Whose bucket.
    pub const fn key(&self) -> &ChargeKey<'a> {
        &self.key
    }

    /// How it is computed. Its name and version belong to the identity: see [`Algorithm::id`].
    pub const fn algorithm(&self) -> &'a dyn Algorithm {
        self.algorithm
    }

    /// What to do.
    pub const fn op(&self) -> Op {
        self.op
    }

    /// The identity of the bucket in this process: a hash of the key parts, the rule's name, and the
    /// algorithm's name and version, by a secret of the process. Already made: costs nothing.
    ///
    /// Two buckets share one with a chance of 2⁻¹²⁸, and nobody outside can look for two that do. It
    /// means nothing to another process: a remote store goes by [`identity`](Self::identity).
    pub const fn identity_hash(&self) -> u128 {
        self.hash
    }

    /// The algorithm's step for this charge.
    pub fn step(&self, state: Option<&State>, now: Timestamp) -> Step {
        self.step_of(self.op, state, now)
    }

    /// The same with another operation.
    pub(crate) fn step_of(&self, op: Op, state: Option<&State>, now: Timestamp) -> Step {
        match state {
            Some(state) => self.algorithm.step(Some(state), now, op),
            None => self.algorithm.begin(&|| self.spread(), now, op),
        }
    }

    /// A number that differs from bucket to bucket, the same in every process: two that share a store
    /// must agree on it. Nobody is the better off for choosing his own. Asked for the first request of
    /// a key only, and by few algorithms.
    fn spread(&self) -> u64 {
        siphasher::sip::SipHasher13::new().hash(&self.identity())
    }

    /// The step that changes nothing, but shows where the key stands.
    fn peek(&self, state: Option<&State>, now: Timestamp) -> Step {
        self.algorithm.step(state, now, Op::Peek)
    }

    /// Bytes that are the same for the same bucket, and different for different ones, whatever
    /// bytes the parts hold: what a remote store keeps the state under. Allocates; a store in
    /// memory goes by the [`identity_hash`](Self::identity_hash) instead.
    pub fn identity(&self) -> Vec<u8> {
        let id = self.algorithm.id();
        let mut bytes = Vec::with_capacity(96);
        put(&mut bytes, id.name().as_bytes());
        bytes.extend_from_slice(&id.version().to_be_bytes());
        put(&mut bytes, self.key.rule.as_bytes());
        self.key.parts().for_each(|part| part.write(&mut bytes));
        bytes
    }
}

/// The [`identity_hash`](Charge::identity_hash), so that a map in this process may be keyed by the charge's identity.
impl Hash for Charge<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u128(self.hash);
    }
}

/// Length before content, so that no two lists of parts give the same bytes.
pub(super) fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

/// Whose bucket: the rule's name, and up to four parts borrowed from the request.
///
/// Each part is hashed as it is added; a [`HashedPart`] has been hashed before.
#[derive(Clone, Copy, Debug)]
pub struct ChargeKey<'a> {
    rule: &'a str,
    hash: u128,
    parts: [Option<KeyPart<'a>>; ChargeKey::MAX_PARTS],
}

impl<'a> ChargeKey<'a> {
    /// How many parts a key has at most.
    pub const MAX_PARTS: usize = 4;

    /// The key without parts: one bucket for all.
    #[inline]
    pub fn new(rule: impl Into<HashedRule<'a>>) -> Self {
        let rule = rule.into();
        Self { rule: rule.name(), hash: rule.hash(), parts: [None; ChargeKey::MAX_PARTS] }
    }

    /// The key of one part, as most are.
    #[inline]
    pub fn of(rule: impl Into<HashedRule<'a>>, part: impl Into<HashedPart<'a>>) -> Self {
        let (rule, part) = (rule.into(), part.into());
        let hash = mix(rule.hash(), part.hash());
        Self { rule: rule.name(), hash, parts: [Some(part.part()), None, None, None] }
    }

    /// The key again, with the hash that was made of it before; it had no more parts than fit.
    pub(crate) fn again(rule: &'a str, hash: u128, again: impl Iterator<Item = KeyPart<'a>>) -> Self {
        let mut parts = [None; ChargeKey::MAX_PARTS];
        parts.iter_mut().zip(again).for_each(|(place, part)| *place = Some(part));
        Self { rule, hash, parts }
    }

    /// With another part; `None` if there are four already.
    #[must_use]
    #[inline]
    pub fn with(mut self, part: impl Into<HashedPart<'a>>) -> Option<Self> {
        let part = part.into();
        *self.parts.iter_mut().find(|held| held.is_none())? = Some(part.part());
        self.hash = mix(self.hash, part.hash());
        Some(self)
    }

    /// The rule's name.
    pub const fn rule(&self) -> &'a str {
        self.rule
    }

    /// The parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = &KeyPart<'a>> {
        self.parts.iter().map_while(Option::as_ref)
    }

    /// What it is known by in this process: see [`Charge::identity_hash`], which mixes in the algorithm.
    pub const fn identity_hash(&self) -> u128 {
        self.hash
    }

    /// Bytes that are the same for the same key, and different for different ones: see
    /// [`Charge::identity`], which puts the algorithm before them.
    pub fn identity(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        put(&mut bytes, self.rule.as_bytes());
        self.parts().for_each(|part| part.write(&mut bytes));
        bytes
    }
}

impl PartialEq for ChargeKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.rule == other.rule && self.parts == other.parts
    }
}

impl Eq for ChargeKey<'_> {}

impl Hash for ChargeKey<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u128(self.hash);
    }
}

/// All limits that stand at one place, asked at once: all of them pass, or none is charged.
///
/// At most [`Batch::MAX`] charges, each of another bucket; what stands here was not allocated.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    now: Timestamp,
    charges: Inline<Charge<'a>, { Batch::MAX }>,
}

/// A batch has eight places, and all are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch has eight places, and all are taken")]
pub struct BatchFull;

/// The steps of a batch that has not been written yet: see [`Batch::step`].
#[derive(Clone, Debug)]
pub struct BatchSteps {
    /// What to tell.
    pub verdicts: Verdicts,
    writes: Inline<Write, { Batch::MAX }>,
}

impl BatchSteps {
    /// What to write for the charge with that index. Never absent for a charge of the batch.
    pub fn write(&self, index: usize) -> &Write {
        self.writes.get(index).unwrap_or(&Write::Keep)
    }

    /// The same by value, once.
    pub fn take_write(&mut self, index: usize) -> Write {
        self.writes.get_mut(index).map_or(Write::Keep, |write| std::mem::replace(write, Write::Keep))
    }
}

impl<'a> Batch<'a> {
    /// How many charges fit.
    pub const MAX: usize = 8;

    /// No charges yet. `now` is the request's monotonic reading: a store in this process steps with
    /// it, a remote one with its server's clock.
    #[inline]
    pub const fn new(now: Timestamp) -> Self {
        Self { now, charges: Inline::new() }
    }

    /// One charge, asked at `now`.
    #[inline]
    pub fn of(now: Timestamp, charge: Charge<'a>) -> Self {
        let mut batch = Self::new(now);
        // Eight places, none of them taken.
        let _ = batch.charges.push(charge);
        batch
    }

    /// Adds a charge.
    ///
    /// # Errors
    /// [`BatchFull`] if there are eight already.
    #[inline]
    pub fn push(&mut self, charge: Charge<'a>) -> Result<(), BatchFull> {
        self.charges.push(charge).map_err(|_| BatchFull)
    }

    /// The charge of a batch that has no other, as most have.
    #[inline]
    pub(crate) fn only(&self) -> Option<&Charge<'a>> {
        if self.len() == 1 { self.get(0) } else { None }
    }

    /// When it is asked.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// How many charges there are.
    pub const fn len(&self) -> usize {
        self.charges.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of the charges.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Charge<'a>> {
        self.charges.get(index)
    }

    /// The charges, in the order of the rules.
    #[inline]
    pub fn charges(&self) -> impl Iterator<Item = &Charge<'a>> {
        self.charges.iter()
    }

    /// Steps every charge on the state that `load` finds for its index, all or nothing: the rule
    /// that every store must keep. If one refuses, the others are shown as they stand, uncharged.
    ///
    /// The states must not change until what [`BatchSteps::write`] says has been written.
    pub fn step<'s>(&self, now: Timestamp, load: impl Fn(usize) -> Option<&'s State>) -> BatchSteps {
        let mut steps = BatchSteps { verdicts: Verdicts::new(), writes: Inline::new() };
        for (index, charge) in self.charges().enumerate() {
            let Step { decision, write } = charge.step(load(index), now);
            // As many places as charges: neither push fails.
            let _ = (steps.verdicts.push(decision), steps.writes.push(write));
        }
        if steps.verdicts.allowed() {
            return steps;
        }
        let held = steps.verdicts.decisions.iter_mut().zip(steps.writes.iter_mut());
        for ((index, charge), (decision, write)) in self.charges().enumerate().zip(held) {
            if decision.allowed {
                let peek = charge.peek(load(index), now);
                *decision = Decision { allowed: true, retry_after: None, ..peek.decision };
                *write = peek.write;
            }
        }
        steps
    }
}

/// What a store answers to a [`Batch`]: a [`Decision`] for each charge, in the same order.
#[derive(Clone, Debug)]
pub struct Verdicts {
    decisions: Inline<Decision, { Batch::MAX }>,
}

impl Verdicts {
    /// No decisions yet.
    #[inline]
    pub const fn new() -> Self {
        Self { decisions: Inline::new() }
    }

    /// Adds the decision of the next charge.
    ///
    /// # Errors
    /// [`BatchFull`] if there are eight already, as many as a batch has charges.
    #[inline]
    pub fn push(&mut self, decision: Decision) -> Result<(), BatchFull> {
        self.decisions.push(decision).map_err(|_| BatchFull)
    }

    /// Whether all passed, and so all were charged.
    #[inline]
    pub fn allowed(&self) -> bool {
        self.decisions().all(|decision| decision.allowed)
    }

    /// The decision on the charge with that index.
    pub fn get(&self, index: usize) -> Option<&Decision> {
        self.decisions.get(index)
    }

    /// The decisions.
    #[inline]
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> + Clone {
        self.decisions.iter()
    }

    /// The same, side by side.
    pub(super) fn as_slice(&self) -> &[Decision] {
        self.decisions.as_slice()
    }

    /// How many decisions there are.
    pub const fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Verdicts {
    fn default() -> Self {
        Self::new()
    }
}

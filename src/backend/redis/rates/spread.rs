//! Charges whose keys lie on several nodes of a cluster.

use tokio::{sync::oneshot, task::JoinSet};

use super::{Ask, Asked, View, answer::Found, shapes::Haste};
use crate::{
    backend::redis::RedisStore,
    rate_limit::{Batch, Decision, Op, Verdicts},
    store::StoreError,
};

/// Charges of one subject, by their places in the batch.
struct Group<'a> {
    places: Vec<usize>,
    batch: Batch<'a>,
    asked: Vec<Asked<'a>>,
}

/// What gives back what was taken, which is done when this is dropped, unless that was kept.
struct Taken {
    store: RedisStore,
    gives: Vec<Ask>,
}

impl Taken {
    fn keep(mut self) {
        self.gives.clear();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.gives.is_empty() {
            return;
        }
        let (store, gives) = (self.store.clone(), std::mem::take(&mut self.gives));
        // Without a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                for mut give in gives {
                    // Where it fails, it stays taken: too few are let in, never too many.
                    drop(store.find(&give.invocation()).await);
                }
            }));
        }
    }
}

type Answers = Vec<Result<Found, StoreError>>;

/// What takes, and what gives that back.
struct Undoable {
    take: Ask,
    give: Ask,
}

impl RedisStore {
    /// First all that can be undone, at once, by a task that goes on if nobody waits any more; then,
    /// if all passed, the others one by one.
    pub(super) async fn apply_spread<'a>(
        &self,
        batch: &Batch<'a>,
        asked: &[Asked<'a>],
    ) -> Result<Verdicts, StoreError> {
        let (first, later): (Vec<_>, Vec<_>) =
            groups(batch, asked).into_iter().partition(|group| group.asked.iter().all(Asked::can_be_undone));
        let mut outcome = Outcome::of(batch.len());
        let asks = first.iter().filter_map(|group| self.undoable(group)).collect();
        let (answers, taken) = self.take_all(asks).await?;
        let mut failure = None;
        for (group, answer) in first.iter().zip(answers) {
            match answer.and_then(|answer| self.read(answer, group)) {
                Ok((view, verdicts)) => outcome.add(group, &view, &verdicts),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        for group in &later {
            if !outcome.passed {
                outcome.look(group, &self.peek(group).await?);
                continue;
            }
            let verdicts = self.apply_together(&group.batch, &group.asked).await?;
            outcome.add_verdicts(group, &verdicts);
        }
        if outcome.passed {
            taken.keep();
        }
        outcome.verdicts()
    }

    fn undoable(&self, group: &Group<'_>) -> Option<Undoable> {
        let ask = |op: fn(Op) -> Op| self.alone(&group.batch, &group.asked, Haste::None, op);
        Some(Undoable { take: ask(|op| op)?, give: ask(|op| op.undo().unwrap_or(Op::Peek))? })
    }

    async fn take_all(&self, asks: Vec<Undoable>) -> Result<(Answers, Taken), StoreError> {
        let (tell, told) = oneshot::channel();
        let store = self.clone();
        drop(tokio::spawn(async move {
            let (takes, gives): (Vec<_>, Vec<_>) = asks.into_iter().map(|ask| (ask.take, ask.give)).unzip();
            let answers = store.send_all(takes).await;
            let took = |answer: &Result<Found, StoreError>| answer.as_ref().is_ok_and(Found::passed);
            let passed = gives.into_iter().zip(&answers).filter(|(_, answer)| took(answer));
            let undo = Taken { gives: passed.map(|(give, _)| give).collect(), store };
            // If nobody listens, it is dropped, and so given back.
            drop(tell.send((answers, undo)));
        }));
        told.await.map_err(|_| StoreError::unavailable("the runtime shuts down"))
    }

    async fn send_all(&self, takes: Vec<Ask>) -> Answers {
        let mut sent = JoinSet::new();
        let mut answers: Answers = takes.iter().map(|_| Err(StoreError::TimedOut)).collect();
        for (place, mut take) in takes.into_iter().enumerate() {
            let store = self.clone();
            sent.spawn(async move { (place, store.find(&take.invocation()).await) });
        }
        while let Some(answer) = sent.join_next().await {
            if let Ok((place, answer)) = answer
                && let Some(held) = answers.get_mut(place)
            {
                *held = answer;
            }
        }
        answers
    }

    fn read(&self, found: Found, group: &Group<'_>) -> Result<(View, Verdicts), StoreError> {
        if found.is_too_great() {
            // It was not decided on; a restart of the batch would be a second charge of the others.
            return Err(StoreError::corrupt("a rate limit holds a number that is too great for Redis"));
        }
        let view = View::of(found, &group.batch, self.rates.clock)?;
        let verdicts = view.verdicts(&group.batch)?;
        Ok((view, verdicts))
    }

    /// Where a group stands that is not charged, because another one refused.
    async fn peek(&self, group: &Group<'_>) -> Result<Verdicts, StoreError> {
        let mut batch = Batch::new(group.batch.now());
        for charge in group.batch.charges() {
            // As many as there were.
            let _ = batch.push(crate::rate_limit::Charge::new(*charge.key(), charge.algorithm(), Op::Peek));
        }
        self.apply_together(&batch, &Asked::all(&batch)).await
    }
}

fn groups<'a>(batch: &Batch<'a>, asked: &[Asked<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (place, asked) in asked.iter().enumerate() {
        let of_subject = |group: &Group<'_>| {
            group.asked.first().is_some_and(|held| held.address.subject() == asked.address.subject())
        };
        let found = groups.iter().position(of_subject).unwrap_or_else(|| {
            groups.push(Group { places: Vec::new(), batch: Batch::new(batch.now()), asked: Vec::new() });
            groups.len().saturating_sub(1)
        });
        if let Some(group) = groups.get_mut(found) {
            group.places.push(place);
            // No more than the whole batch has.
            let _ = group.batch.push(asked.charge);
            group.asked.push(asked.clone());
        }
    }
    groups
}

/// The decisions of all groups, each as if it had been charged, and as if it had not.
struct Outcome {
    passed: bool,
    charged: Vec<Option<Decision>>,
    uncharged: Vec<Option<Decision>>,
}

impl Outcome {
    fn of(charges: usize) -> Self {
        Self { passed: true, charged: vec![None; charges], uncharged: vec![None; charges] }
    }

    fn add(&mut self, group: &Group<'_>, view: &View, verdicts: &Verdicts) {
        self.add_verdicts(group, verdicts);
        if !view.passed() {
            return;
        }
        let peeks = group
            .batch
            .charges()
            .enumerate()
            .map(|(index, charge)| charge.algorithm().step(view.state(index), view.now, Op::Peek).decision);
        for (place, decision) in group.places.iter().zip(peeks) {
            set(&mut self.uncharged, *place, Decision { allowed: true, retry_after: None, ..decision });
        }
    }

    fn add_verdicts(&mut self, group: &Group<'_>, verdicts: &Verdicts) {
        self.passed &= verdicts.allowed();
        for (place, decision) in group.places.iter().zip(verdicts.decisions()) {
            set(&mut self.charged, *place, *decision);
            set(&mut self.uncharged, *place, *decision);
        }
    }

    fn look(&mut self, group: &Group<'_>, verdicts: &Verdicts) {
        for (place, decision) in group.places.iter().zip(verdicts.decisions()) {
            set(&mut self.uncharged, *place, Decision { allowed: true, retry_after: None, ..*decision });
        }
    }

    fn verdicts(self) -> Result<Verdicts, StoreError> {
        let mut verdicts = Verdicts::new();
        for decision in if self.passed { self.charged } else { self.uncharged } {
            let decision = decision.ok_or_else(|| StoreError::corrupt("a charge was not decided on"))?;
            // As many as a batch has.
            let _ = verdicts.push(decision);
        }
        Ok(verdicts)
    }
}

fn set(decisions: &mut [Option<Decision>], place: usize, decision: Decision) {
    if let Some(held) = decisions.get_mut(place) {
        *held = Some(decision);
    }
}

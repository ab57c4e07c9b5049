//! One request on its way through the gate: what is asked of which store, and what becomes of it.

use std::{iter, sync::Arc};

use http::HeaderValue;

use super::{
    Batch, Charge, Decision, OnStoreLoss, Op, RateLimitUsage,
    breaker::Permit,
    compiled::{CompiledLimit, CompiledRule},
    gate::Settings,
    headers::Stamp,
    outcome::Outcome,
    picks::Pick,
    ruleset::{Held, RuleSet},
};
use crate::{rejection::Rejection, request::RequestContext, store::StoreError, time::Timestamp};

/// Which batch is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The rules, of the store.
    Store,
    /// Those that go on counting in this process, because the store is lost.
    Local,
    /// Those that only count.
    Shadow,
    Done,
}

impl Stage {
    /// What is asked of a rule.
    fn op(self, pick: &Pick, rule: &CompiledRule) -> Option<Op> {
        let asks = match self {
            Self::Store => rule.shadow.is_none(),
            Self::Local => rule.shadow.is_none() && matches!(rule.loss, OnStoreLoss::Local { .. }),
            Self::Shadow => rule.shadow.is_some(),
            Self::Done => false,
        };
        asks.then_some(Op::Take(pick.units))
    }
}

pub(super) struct Asked {
    pub(super) held: Held,
    pub(super) permit: Option<Permit>,
    pub(super) usage: Option<RateLimitUsage>,
    pub(super) progress: Progress,
}

impl Asked {
    pub(super) fn new(permit: Option<Permit>) -> Self {
        let (stage, at, charged) = (Stage::Store, Timestamp::EPOCH, Vec::new());
        let progress = Progress { stage, at, stamp: None, shadowed: None, charged, local: false };
        Self { held: Held::default(), permit, usage: None, progress }
    }
}

/// How far it has come.
pub(super) struct Progress {
    pub(super) stage: Stage,
    /// When the store was asked that charges.
    pub(super) at: Timestamp,
    pub(super) stamp: Option<Stamp>,
    pub(super) shadowed: Option<HeaderValue>,
    /// What was charged, where that is to be settled.
    pub(super) charged: Vec<(Pick, Decision)>,
    pub(super) local: bool,
}

/// Puts into the batch what is to be asked at a stage.
pub(super) fn fill<'a>(
    batch: &mut Batch<'a>,
    stage: Stage,
    held: &'a Held,
    rules: &'a RuleSet,
    context: &'a RequestContext,
) {
    rules.fill(batch, held, context, stage == Stage::Local, |pick, rule| stage.op(pick, rule));
}

/// What is asked at a stage, if that is one charge.
pub(super) fn only<'a>(
    stage: Stage,
    held: &'a Held,
    rules: &'a RuleSet,
    context: &'a RequestContext,
) -> Option<Charge<'a>> {
    rules.only(held, context, stage == Stage::Local, |pick, rule| stage.op(pick, rule))
}

impl Progress {
    /// The time that the stage's store is asked with.
    pub(super) fn begin(&mut self, context: &RequestContext) -> Timestamp {
        let now = context.present().monotonic;
        if self.stage != Stage::Shadow {
            self.at = now;
        }
        now
    }

    /// Nothing is to be asked at this stage.
    pub(super) fn skip(&mut self, rules: &RuleSet) {
        self.stage = match self.stage {
            Stage::Store | Stage::Local if rules.shadows => Stage::Shadow,
            _ => Stage::Done,
        };
    }

    /// Takes the answer of this stage's store.
    pub(super) fn take(
        &mut self,
        held: &Held,
        settings: &Settings,
        rules: &RuleSet,
        answer: Result<&[Decision], &StoreError>,
        context: &RequestContext,
    ) -> Result<(), Rejection> {
        if self.stage == Stage::Shadow {
            self.take_shadow(held, settings, rules, answer.ok());
            self.stage = Stage::Done;
            return Ok(());
        }
        match answer {
            Ok(decisions) => self.conclude(held, settings, rules, decisions, context),
            Err(error) if self.stage == Stage::Store => self.lose(held, settings, rules, error, context),
            Err(error) => Err(Rejection::backend(error.clone())),
        }
    }

    fn picks<'a>(
        &self,
        held: &'a Held,
        rules: &'a RuleSet,
    ) -> impl Iterator<Item = (&'a Pick, &'a CompiledRule)> + Clone + use<'a> {
        let stage = self.stage;
        let asks = move |pick: &'a Pick| rules.rule(pick).filter(|rule| stage.op(pick, rule).is_some());
        held.picks.iter().filter_map(move |pick| Some((pick, asks(pick)?)))
    }

    /// The one limit that is asked, if there are no others.
    fn only<'a>(&self, held: &'a Held, rules: &'a RuleSet) -> Option<&'a Arc<CompiledLimit>> {
        let pick = held.picks.only()?;
        let rule = rules.rule(pick)?;
        self.stage.op(pick, rule)?;
        rule.limit(pick.choice)
    }

    fn conclude(
        &mut self,
        held: &Held,
        settings: &Settings,
        rules: &RuleSet,
        decisions: &[Decision],
        context: &RequestContext,
    ) -> Result<(), Rejection> {
        let allowed = decisions.iter().all(|decision| decision.allowed);
        let (wall, degraded) = (context.present().wall, self.stage == Stage::Local);
        let stamp = if let (Some(limit), [decision]) = (self.only(held, rules), decisions) {
            // As most have it: there is no list to go through again and again.
            let outcome = Outcome { asked: iter::once((limit, decision)), wall, degraded };
            outcome.conclude(allowed, settings.headers, context)?
        } else if decisions.len() == self.picks(held, rules).count() {
            let limits = self.picks(held, rules).filter_map(|(pick, _)| rules.limit(pick));
            let outcome = Outcome { asked: limits.zip(decisions), wall, degraded };
            outcome.conclude(allowed, settings.headers, context)?
        } else {
            // Never an open door: a store that forgets a charge has not decided on it.
            let error = StoreError::corrupt("as many verdicts as charges were expected");
            return if self.stage == Stage::Store {
                self.lose(held, settings, rules, &error, context)
            } else {
                Err(Rejection::backend(error))
            };
        };
        if rules.settles && self.picks(held, rules).any(|(_, rule)| rule.settles) {
            let picks = self.picks(held, rules).map(|(pick, _)| *pick);
            self.charged = picks.zip(decisions.iter().copied()).collect();
        }
        self.stamp = stamp;
        self.skip(rules);
        Ok(())
    }

    /// The store cannot answer: each rule says what that means, and the strictest is heard.
    fn lose(
        &mut self,
        held: &Held,
        settings: &Settings,
        rules: &RuleSet,
        error: &StoreError,
        context: &RequestContext,
    ) -> Result<(), Rejection> {
        if self.picks(held, rules).any(|(_, rule)| rule.loss == OnStoreLoss::Closed) {
            return Err(Rejection::backend(error.clone()));
        }
        settings.losses.say(error, context);
        let counts = self.picks(held, rules).any(|(_, rule)| matches!(rule.loss, OnStoreLoss::Local { .. }));
        if counts {
            (self.stage, self.local) = (Stage::Local, true);
        } else {
            self.skip(rules);
        }
        Ok(())
    }

    fn take_shadow(&mut self, held: &Held, settings: &Settings, rules: &RuleSet, decisions: Option<&[Decision]>) {
        let decisions = decisions.filter(|decisions| decisions.len() == self.picks(held, rules).count());
        let mut refused = String::new();
        for (index, (pick, rule)) in self.picks(held, rules).enumerate() {
            let Some(counts) = &rule.shadow else { continue };
            let Some(decision) = decisions.and_then(|decisions| decisions.get(index)) else {
                counts.unknown();
                continue;
            };
            if decision.allowed {
                counts.passed();
                continue;
            }
            counts.refused();
            tracing::info!(
                target: "portcullis",
                layer = "rate_limit",
                rule = &*rule.name,
                limit = decision.limit,
                retry_after = decision.retry_after.map(|after| after.as_secs_f64()),
                "a shadow rule would have refused this request"
            );
            if let Some(limit) = rules.limit(pick) {
                if !refused.is_empty() {
                    refused.push_str(", ");
                }
                refused.push_str(&limit.quoted);
            }
        }
        if settings.shadow_header.is_some() && !refused.is_empty() {
            self.shadowed = HeaderValue::try_from(refused).ok();
        }
    }
}

//! Policies made of others.

use std::{borrow::Cow, fmt, sync::Arc};

use super::{
    Effect, Policy, Question,
    lattice::{Sum, Tally},
};
use crate::store::BoxFuture;

/// Asks `inner` about the questions for which `condition` holds, and abstains from all others: for
/// policies about one action or one kind of resource.
pub fn when<R, C, P>(condition: C, inner: P) -> impl Policy<R>
where
    R: ?Sized + Sync + 'static,
    C: Fn(&Question<'_, R>) -> bool + Send + Sync + 'static,
    P: Policy<R>,
{
    When { condition, inner, of: std::marker::PhantomData }
}

struct When<R: ?Sized, C, P> {
    condition: C,
    inner: P,
    of: std::marker::PhantomData<fn(&R)>,
}

impl<R, C, P> Policy<R> for When<R, C, P>
where
    R: ?Sized + Sync + 'static,
    C: Fn(&Question<'_, R>) -> bool + Send + Sync + 'static,
    P: Policy<R>,
{
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn decide_now(&self, question: &Question<'_, R>) -> Option<Effect> {
        if (self.condition)(question) { self.inner.decide_now(question) } else { Some(Effect::Abstain) }
    }

    fn decide<'a>(&'a self, question: &'a Question<'a, R>) -> BoxFuture<'a, Effect> {
        self.inner.decide(question)
    }
}

impl<R: ?Sized, C, P: fmt::Debug> fmt::Debug for When<R, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("When").field(&self.inner).finish()
    }
}

/// Makes a condition of a policy that grants: where it does not, it vetoes. (A policy that abstains
/// leaves the decision to others; one that is required does not.)
pub fn required<R, P>(inner: P, reason: impl Into<Cow<'static, str>>) -> impl Policy<R>
where
    R: ?Sized + Sync + 'static,
    P: Policy<R>,
{
    Required { inner, reason: reason.into(), of: std::marker::PhantomData }
}

struct Required<R: ?Sized, P> {
    inner: P,
    reason: Cow<'static, str>,
    of: std::marker::PhantomData<fn(&R)>,
}

impl<R: ?Sized, P> Required<R, P> {
    /// A condition that holds grants nothing by itself.
    fn turned(&self, effect: Effect) -> Effect {
        match effect {
            Effect::Grant(_) => Effect::Abstain,
            Effect::Abstain => Effect::Veto(self.reason.clone()),
            other => other,
        }
    }
}

impl<R, P> Policy<R> for Required<R, P>
where
    R: ?Sized + Sync + 'static,
    P: Policy<R>,
{
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn decide_now(&self, question: &Question<'_, R>) -> Option<Effect> {
        self.inner.decide_now(question).map(|effect| self.turned(effect))
    }

    fn decide<'a>(&'a self, question: &'a Question<'a, R>) -> BoxFuture<'a, Effect> {
        Box::pin(async move { self.turned(self.inner.decide(question).await) })
    }
}

impl<R: ?Sized, P: fmt::Debug> fmt::Debug for Required<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Required").field(&self.inner).finish()
    }
}

/// Grants if every one of these grants. Where one abstains it abstains; vetoes and what is unknown are
/// passed on.
pub fn all_of<R: ?Sized + Sync + 'static>(
    id: impl Into<String>,
    policies: impl IntoIterator<Item = Arc<dyn Policy<R>>>,
) -> impl Policy<R> {
    AllOf { id: id.into(), policies: policies.into_iter().collect() }
}

struct AllOf<R: ?Sized> {
    id: String,
    policies: Vec<Arc<dyn Policy<R>>>,
}

fn joined(effects: Vec<Effect>) -> Effect {
    let grants = !effects.is_empty() && effects.iter().all(|effect| !matches!(effect, Effect::Abstain));
    let mut tally = Tally::default();
    effects.into_iter().enumerate().for_each(|(index, effect)| tally.add(index, effect));
    match tally.sum_of_all() {
        Sum::Allowed(_, reason) if grants => Effect::Grant(reason),
        Sum::Allowed(..) | Sum::NoGrant => Effect::Abstain,
        Sum::Vetoed(_, reason) => Effect::Veto(reason),
        Sum::StepUp(_, reason, step_up) => Effect::StepUp(step_up, reason),
        Sum::Unknown(_, error) => Effect::Indeterminate(error),
    }
}

impl<R: ?Sized + Sync + 'static> Policy<R> for AllOf<R> {
    fn id(&self) -> &str {
        &self.id
    }

    fn decide_now(&self, question: &Question<'_, R>) -> Option<Effect> {
        let effects: Option<Vec<Effect>> = self.policies.iter().map(|policy| policy.decide_now(question)).collect();
        effects.map(joined)
    }

    fn decide<'a>(&'a self, question: &'a Question<'a, R>) -> BoxFuture<'a, Effect> {
        Box::pin(async move {
            let mut effects = Vec::with_capacity(self.policies.len());
            for policy in &self.policies {
                effects.push(match policy.decide_now(question) {
                    Some(effect) => effect,
                    None => policy.decide(question).await,
                });
            }
            joined(effects)
        })
    }
}

impl<R: ?Sized> fmt::Debug for AllOf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllOf").field("id", &self.id).field("policies", &self.policies).finish()
    }
}

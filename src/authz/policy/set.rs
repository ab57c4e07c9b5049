use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc, time::Duration};

use super::{
    Effect, Policy, Question,
    lattice::{Sum, Tally},
};
use crate::{
    authz::{StepUp, object::Opinion, refusal},
    config_error::{ConfigError, ConfigIssues},
    identity::Grant,
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
    store::{SharedError, StoreError},
};

const DEFAULT_BUDGET: Duration = Duration::from_secs(1);

/// Policies about resources of type `R`, of which each is asked, and whose answers become one: deny
/// overrides. Cheap to clone. See the [module](super).
pub struct PolicySet<R: ?Sized> {
    policies: Arc<[Arc<dyn Policy<R>>]>,
    budget: Duration,
}

impl<R: ?Sized + 'static> PolicySet<R> {
    /// A builder without policies.
    pub fn builder() -> PolicySetBuilder<R> {
        PolicySetBuilder { policies: Vec::new(), budget: DEFAULT_BUDGET, issues: ConfigIssues::new() }
    }

    /// The decision, if no policy has to wait, or one that need not wait vetoes.
    pub fn decide_now(&self, question: &Question<'_, R>) -> Option<Decision> {
        let (tally, waiting) = self.ask_at_once(question);
        (waiting.is_empty() || tally.is_final()).then(|| self.decision(tally, question))
    }

    fn ask_at_once(&self, question: &Question<'_, R>) -> (Tally, Vec<usize>) {
        let (mut tally, mut waiting) = (Tally::default(), Vec::new());
        for (index, policy) in self.policies.iter().enumerate() {
            match policy.decide_now(question) {
                Some(effect) => tally.add(index, effect),
                None => waiting.push(index),
            }
        }
        (tally, waiting)
    }

    /// The decision. Policies that have to wait share the budget; what is not known by then is
    /// undetermined.
    pub async fn decide(&self, question: &Question<'_, R>) -> Decision
    where
        R: Sync,
    {
        let (mut tally, waiting) = self.ask_at_once(question);
        let mut next = 0_usize;
        let asking = async {
            for index in &waiting {
                if tally.is_final() {
                    return;
                }
                next = *index;
                if let Some(policy) = self.policies.get(*index) {
                    tally.add(*index, policy.decide(question).await);
                }
            }
        };
        if tokio::time::timeout(self.budget, asking).await.is_err() {
            tally.add(next, Effect::Indeterminate(Arc::new(StoreError::TimedOut)));
        }
        self.decision(tally, question)
    }

    fn decision(&self, tally: Tally, question: &Question<'_, R>) -> Decision {
        let id = |index: usize| self.policies.get(index).map(|policy| Box::from(policy.id()));
        let objects = tally.asks_for_more();
        let (verdict, policy, reason) = match tally.sum() {
            Sum::Allowed(index, reason) => (Ruling::Allowed, id(index), reason),
            Sum::Vetoed(index, reason) => (Ruling::Denied, id(index), reason),
            Sum::StepUp(index, reason, step_up) => (Ruling::StepUp(step_up), id(index), reason),
            Sum::Unknown(index, error) => (Ruling::Undetermined(error), id(index), "it cannot be known now".into()),
            Sum::NoGrant if objects => (Ruling::Denied, None, "no policy grants it".into()),
            Sum::NoGrant => (Ruling::NotGranted, None, "no policy grants it".into()),
        };
        let context = question.env.context().cloned();
        let decision = Decision { ruling: verdict, policy, reason, action: question.action.into(), context };
        tracing::debug!(
            target: "portcullis",
            verdict = ?decision.verdict(),
            policy = decision.policy(),
            reason = decision.reason(),
            action = question.action,
            "policies decided"
        );
        decision
    }
}

impl<R: ?Sized> Clone for PolicySet<R> {
    fn clone(&self) -> Self {
        Self { policies: Arc::clone(&self.policies), budget: self.budget }
    }
}

impl<R: ?Sized> fmt::Debug for PolicySet<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet").field("policies", &self.policies).field("budget", &self.budget).finish()
    }
}

/// Builds a [`PolicySet`].
#[must_use]
pub struct PolicySetBuilder<R: ?Sized> {
    policies: Vec<Arc<dyn Policy<R>>>,
    budget: Duration,
    issues: ConfigIssues,
}

impl<R: ?Sized + 'static> PolicySetBuilder<R> {
    /// Adds a policy. The order does not matter.
    pub fn policy(mut self, policy: impl Policy<R>) -> Self {
        self.policies.push(Arc::new(policy));
        self
    }

    /// How long the policies that wait may take, all together. Default 1 s.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// The set.
    ///
    /// # Errors
    /// If there is no policy, one has no id, two have the same, or the budget is zero.
    pub fn build(mut self) -> Result<PolicySet<R>, ConfigError> {
        if self.policies.is_empty() {
            self.issues.add("policy", "the set has no policies, so it would deny everything", "add one with policy(…)");
        }
        let mut ids = BTreeSet::new();
        for policy in &self.policies {
            if policy.id().is_empty() {
                self.issues.add("policy", "a policy has no id", "name it, so that the log can");
            } else if !ids.insert(policy.id().to_owned()) {
                self.issues.add(
                    format!("policy[{}]", policy.id()),
                    "the id is there twice",
                    "name each policy differently",
                );
            }
        }
        if self.budget.is_zero() {
            self.issues.add("budget", "no policy could ever wait", "use a time, such as one second");
        }
        self.issues.finish(PolicySet { policies: self.policies.into(), budget: self.budget })
    }
}

impl<R: ?Sized> fmt::Debug for PolicySetBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySetBuilder").field("policies", &self.policies).finish_non_exhaustive()
    }
}

/// What a [`PolicySet`] decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyVerdict {
    /// At least one policy grants, none objects, and all are known.
    Allowed,
    /// A policy objects, or none grants.
    Denied,
    /// It would be allowed after a stronger or more recent authentication.
    StepUp,
    /// It cannot be known now.
    Undetermined,
}

#[derive(Clone, Debug)]
enum Ruling {
    Allowed,
    Denied,
    /// Denied, because all abstain.
    NotGranted,
    StepUp(Arc<StepUp>),
    Undetermined(SharedError),
}

/// What a [`PolicySet`] decided, by which policy, and why.
#[derive(Clone)]
#[must_use = "a decision that nobody looks at allows nothing and denies nothing"]
pub struct Decision {
    ruling: Ruling,
    policy: Option<Box<str>>,
    reason: Cow<'static, str>,
    action: Box<str>,
    context: Option<Arc<RequestContext>>,
}

impl Decision {
    /// What was decided.
    pub fn verdict(&self) -> PolicyVerdict {
        match self.ruling {
            Ruling::Allowed => PolicyVerdict::Allowed,
            Ruling::Denied | Ruling::NotGranted => PolicyVerdict::Denied,
            Ruling::StepUp(_) => PolicyVerdict::StepUp,
            Ruling::Undetermined(_) => PolicyVerdict::Undetermined,
        }
    }

    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self.ruling, Ruling::Allowed)
    }

    /// The id of the policy that decided; `None` if it was decided by none, because none grants.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// Why, in the policy's words. For logs: it may name what the caller must not know.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The proof that it is allowed, or the answer to the client: 403, 401 with a challenge, or 503.
    /// Policy and reason go to the log.
    ///
    /// # Errors
    /// `forbidden`, `insufficient_user_authentication` or `backend_unavailable`.
    pub fn into_result(self) -> Result<Grant, Rejection> {
        let Self { ruling, policy, reason, action, context } = self;
        let policy = policy.unwrap_or_default();
        match ruling {
            Ruling::Allowed => Ok(Grant::of_policy(&policy)),
            Ruling::Denied | Ruling::NotGranted => Err(Rejection::new(RejectionKind::Forbidden).with_source(Refused {
                policy,
                action,
                reason,
                source: None,
            })),
            Ruling::StepUp(step_up) => {
                let refused = Refused { policy, action, reason, source: None };
                let mut issues = ConfigIssues::new();
                let check = StepUp::clone(&step_up).compile("step_up", &mut issues);
                match (issues.finish(check), context) {
                    (Ok(check), Some(context)) => Err(refusal::step_up(&check, &context).with_source(refused)),
                    (Ok(_), None) => Err(Rejection::new(RejectionKind::StepUpRequired).with_source(refused)),
                    (Err(error), _) => Err(Rejection::new(RejectionKind::Misconfigured).with_source(error)),
                }
            }
            Ruling::Undetermined(error) => {
                Err(Rejection::backend(Refused { policy, action, reason, source: Some(error) }))
            }
        }
    }
}

/// What was decided, as one opinion among others: for
/// [`Access::check_with`](crate::authz::object::Access::check_with) and
/// [`Resource::opinion`](crate::authz::object::Resource::opinion), where the owner needs no grant.
///
/// | decided | opinion |
/// |---|---|
/// | allowed | `Grant` |
/// | denied by a policy, or until a stronger authentication | `Veto` |
/// | denied because all abstain | `Abstain` |
/// | undetermined | `Indeterminate` |
///
/// An opinion has no challenge: where policies ask for a stronger authentication, answer with
/// [`into_result`](Decision::into_result) if the verdict is [`PolicyVerdict::StepUp`].
impl From<Decision> for Opinion {
    fn from(decision: Decision) -> Self {
        match decision.ruling {
            Ruling::Allowed => Self::Grant,
            Ruling::NotGranted => Self::Abstain,
            Ruling::Denied | Ruling::StepUp(_) => Self::Veto,
            Ruling::Undetermined(error) => Self::Indeterminate(StoreError::Unavailable(error)),
        }
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("verdict", &self.verdict())
            .field("policy", &self.policy)
            .field("reason", &self.reason)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// For the log.
#[derive(Debug, thiserror::Error)]
#[error("policy {policy:?} on {action:?}: {reason}")]
struct Refused {
    policy: Box<str>,
    action: Box<str>,
    reason: Cow<'static, str>,
    source: Option<SharedError>,
}

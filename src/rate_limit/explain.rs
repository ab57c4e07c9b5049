//! Why a request is limited, or is not.

use std::{fmt, sync::Arc, time::Duration};

use http::Request;

use super::{
    Batch, Charge, Decision, KeyPart, Op, RequestView,
    gate::RateLimitGate,
    identity::hash_part,
    plans::PlanNow,
    ruleset::{Held, RuleSet},
};
use crate::{
    rejection::Rejection,
    request::{ContextSettings, RequestContext},
    store::{BoxFuture, StoreError},
};

/// What all rules of a layer make of a request: see
/// [`RateLimitHandle::explain`](super::RateLimitHandle::explain). `Display` writes a line for each rule.
///
/// ```
/// use axum::body::Body;
/// use http::{Method, Request};
/// use portcullis::{backend::memory::MemoryStore, rate_limit::{Key, Rate, RateLimitLayer, Rule, WhyNot}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = RateLimitLayer::builder(MemoryStore::new())
///     .rule(Rule::new("everybody", Key::ip(), Rate::per_minute(60)))
///     .rule(Rule::new("login", Key::ip(), Rate::per_minute(5)).on(Method::POST, "/auth/login"))
///     .build()?;
/// let request = Request::get("/orders").body(Body::empty())?;
/// let explanation = layer.handle().explain(&request).await.unwrap();
/// let [everybody, login] = explanation.rules.as_slice() else { panic!() };
/// assert_eq!(everybody.applied.as_ref().unwrap().remaining, 60);
/// assert_eq!(login.applied, Err(WhyNot::Elsewhere));
/// println!("{explanation}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The rules, in the order in which they were given.
    pub rules: Vec<ExplainedRule>,
}

/// One rule of an [`Explanation`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedRule {
    /// The rule's name.
    pub rule: String,
    /// Whether it only counts.
    pub shadow: bool,
    /// Where the caller stands with it, or why it does not hold for the request.
    pub applied: Result<Applied, WhyNot>,
}

/// Where a caller stands with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Which limit of the rule holds: its name, and the endpoint if it is an endpoint's.
    pub policy: Arc<str>,
    /// By which plan, if the caller is on one that the rules know.
    pub plan: Option<String>,
    /// Whose bucket: a word for each part of the key. Who calls is shown as a number, which is the same
    /// for the same caller as long as the process runs, and tells nothing else.
    pub key: Vec<String>,
    /// What the request costs, or is estimated to.
    pub cost: u64,
    /// How much the limit allows at once.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// How long until everything is available again.
    pub full_after: Duration,
    /// Whether the request would pass now.
    pub passes: bool,
    /// When it would pass, if nobody else charges: zero if it would now, `None` if never. Exact for a
    /// cost of 1; a dearer request passes then or later.
    pub passes_after: Option<Duration>,
}

/// Why a rule does not hold for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhyNot {
    /// It holds at other endpoints.
    Elsewhere,
    /// The request is exempt.
    Exempt,
    /// It goes by something that the request does not have: a principal, an API key, a path parameter;
    /// or costs nothing.
    NoKey,
    /// The limit of the caller's plan, or of the endpoint, is none.
    Unlimited,
}

impl WhyNot {
    /// The reason in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elsewhere => "it holds at other endpoints",
            Self::Exempt => "the request is exempt",
            Self::NoKey => "the request has nothing that it goes by, or costs nothing",
            Self::Unlimited => "the plan or the endpoint is without limit",
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            writeln!(f, "{rule}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ExplainedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shadow = if self.shadow { " (shadow)" } else { "" };
        match &self.applied {
            Err(why) => write!(f, "{}{shadow}: does not apply: {why}", self.rule),
            Ok(applied) => write!(f, "{}{shadow}: {applied}", self.rule),
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {:?} by {}", self.policy, self.key.join(" and "))?;
        if let Some(plan) = &self.plan {
            write!(f, " on plan {plan:?}")?;
        }
        write!(f, ": {} of {} left, costs {}, ", self.remaining, self.limit, self.cost)?;
        match self.passes_after {
            Some(after) if !self.passes => write!(f, "passes in {after:?}"),
            Some(_) => f.write_str("passes"),
            None => f.write_str("never passes"),
        }
    }
}

/// The request is looked at now, and the store asked when the future is polled.
pub(super) fn explain<B>(
    gate: &Arc<RateLimitGate>,
    request: &Request<B>,
) -> BoxFuture<'static, Result<Explanation, Rejection>> {
    let context = RequestContext::of(request)
        .map_or_else(|| RequestContext::open(request, ContextSettings::shared_default()), Arc::clone);
    context.see_route(request.extensions());
    let gate = Arc::clone(gate);
    let rules = gate.rules.load_full();
    let looked = Looked::at(&rules, &RequestView::new(request, &context));
    // The limits depend on the plan, which may have to be asked for: they are chosen for each plan at the
    // place of the request, and so the head is kept.
    let mut head = Request::new(());
    *head.uri_mut() = request.uri().clone();
    Box::pin(async move {
        let mut looked = looked?;
        let plan = plan(&gate, &rules, &looked.held, &context).await.map_err(Rejection::backend)?;
        RateLimitGate::choose(&rules, &mut looked.held, &RequestView::new(&head, &context), plan.as_deref());
        looked.unlimited(&rules);
        let decisions = looked.ask(&gate, &rules, &context).await.map_err(Rejection::backend)?;
        let own = context.principal().and_then(|principal| principal.plan()).or(plan.as_deref());
        let plan = own.filter(|plan| rules.plan(plan).is_some());
        Ok(looked.explain(&rules, &context, plan, &decisions))
    })
}

async fn plan(
    gate: &RateLimitGate,
    rules: &RuleSet,
    held: &Held,
    context: &RequestContext,
) -> Result<Option<Arc<str>>, StoreError> {
    match gate.plan_now(rules, held, context) {
        PlanNow::Known(plan) => Ok(plan),
        PlanNow::Lost(error) => Err(error),
        PlanNow::Ask => match (&gate.settings.plans, context.principal()) {
            (Some(plans), Some(principal)) => plans.find(principal, context.now().monotonic).await,
            _ => Ok(None),
        },
    }
}

/// The rules that hold, and why the others do not.
struct Looked {
    held: Held,
    why: Vec<Option<WhyNot>>,
}

impl Looked {
    fn at(rules: &RuleSet, view: &RequestView<'_>) -> Result<Self, Rejection> {
        let mut held = Held::default();
        rules.here(view, &mut held.picks)?;
        let mut looked = Self { held, why: vec![None; rules.rules().len()] };
        looked.note(WhyNot::Elsewhere);
        rules.drop_exempt(&mut looked.held.picks, view);
        looked.note(WhyNot::Exempt);
        rules.take_keys(&mut looked.held, view)?;
        looked.note(WhyNot::NoKey);
        Ok(looked)
    }

    /// Those that went since the last time went for this reason.
    fn note(&mut self, reason: WhyNot) {
        for (index, why) in self.why.iter_mut().enumerate() {
            if why.is_none() && !self.held.picks.iter().any(|pick| pick.rule == index) {
                *why = Some(reason);
            }
        }
    }

    fn unlimited(&mut self, _: &RuleSet) {
        self.note(WhyNot::Unlimited);
    }

    fn batch<'a>(&'a self, rules: &'a RuleSet, context: &'a RequestContext) -> Batch<'a> {
        let mut batch = Batch::new(context.now().monotonic);
        rules.fill(&mut batch, &self.held, context, false, |_, _| Some(Op::Peek));
        batch
    }

    async fn ask(
        &self,
        gate: &RateLimitGate,
        rules: &RuleSet,
        context: &RequestContext,
    ) -> Result<Vec<Decision>, StoreError> {
        let batch = self.batch(rules, context);
        let store = &gate.settings.store;
        let answer = match store.try_now(&batch) {
            Some(answer) => answer,
            None => store.apply(&batch).await,
        };
        answer.map(|verdicts| verdicts.decisions().copied().collect())
    }

    fn explain(
        &self,
        rules: &RuleSet,
        context: &RequestContext,
        plan: Option<&str>,
        decisions: &[Decision],
    ) -> Explanation {
        let batch = self.batch(rules, context);
        let mut answers = self.held.picks.iter().zip(batch.charges()).zip(decisions);
        let explained = rules.rules().iter().zip(&self.why).map(|(rule, why)| {
            let applied = match why {
                Some(why) => Err(*why),
                None => answers.next().map_or(Err(WhyNot::NoKey), |((pick, charge), decision)| {
                    let policy = rules.limit(pick).map(|limit| Arc::clone(&limit.policy)).unwrap_or_default();
                    let plan = plan.filter(|_| rule.has_plans()).map(str::to_owned);
                    Ok(applied(policy, plan, key(&rule.key, charge), pick.units, decision))
                }),
            };
            ExplainedRule { rule: rule.name.to_string(), shadow: rule.shadow.is_some(), applied }
        });
        Explanation { rules: explained.collect() }
    }
}

fn applied(policy: Arc<str>, plan: Option<String>, key: Vec<String>, cost: u64, decision: &Decision) -> Applied {
    let passes = decision.remaining >= cost;
    let after = match decision.retry_after {
        _ if passes => Some(Duration::ZERO),
        _ if cost > decision.limit => None,
        Some(after) => Some(after.max(decision.next_after)),
        None => Some(decision.next_after),
    };
    Applied {
        policy,
        plan,
        key,
        cost,
        limit: decision.limit,
        remaining: decision.remaining,
        full_after: decision.full_after,
        passes,
        passes_after: after,
    }
}

fn key(key: &super::Key, charge: &Charge<'_>) -> Vec<String> {
    let names = key.names().filter(|name| *name != "global").chain(std::iter::repeat("endpoint"));
    let parts: Vec<_> = charge.key().parts().zip(names).map(|(part, name)| redacted(part, name)).collect();
    if parts.is_empty() { vec!["global".to_owned()] } else { parts }
}

fn redacted(part: &KeyPart<'_>, name: &str) -> String {
    match part {
        KeyPart::Endpoint { method, route } => format!("{method} {}", route.unwrap_or("(no route)")),
        // By a secret of the process.
        part => format!("{name} {:016x}", hash_part(part) >> 64),
    }
}

use std::{
    fmt, slice,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwap, Guard};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Request};

use super::{
    Batch, Exemption, OnStoreLoss, RateLimitHeaders, RateLimitStore, RateLimitUsage, RequestView, Verdicts,
    asked::{Asked, Progress, Stage, fill, only},
    breaker::{Ending, Permit, Watched},
    headers::Stamp,
    losses::Losses,
    plans::{OnPlanLoss, PlanNow, Plans},
    ruleset::{Held, RuleSet},
    settling::Settling,
};
use crate::{
    gate::{Entry, Gate, Leave, Waited},
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
    store::StoreError,
};

/// What the builder found sound.
pub(super) struct Settings {
    pub(super) store: Arc<dyn RateLimitStore>,
    pub(super) local: Option<Arc<dyn RateLimitStore>>,
    pub(super) plans: Option<Plans>,
    pub(super) breaker: Option<Arc<Watched>>,
    pub(super) headers: RateLimitHeaders,
    pub(super) shadow_header: Option<HeaderName>,
    pub(super) exempt: Vec<Exemption>,
    pub(super) losses: Losses,
}

/// The gate of [`RateLimitLayer`](super::RateLimitLayer).
pub struct RateLimitGate {
    pub(super) settings: Settings,
    pub(super) rules: ArcSwap<RuleSet>,
    /// Whether it is still to be found out that no `AuthLayer` stands outside, where one must.
    unchecked: AtomicBool,
}

/// What is remembered of a request that was let through: the header fields of its response, and what
/// is to be settled when it is there.
#[derive(Debug)]
pub struct RateLimitPass {
    stamp: Option<Stamp>,
    shadowed: Option<HeaderValue>,
    settling: Option<Settling>,
    permit: Option<Permit>,
}

impl RateLimitGate {
    pub(super) fn new(settings: Settings, rules: RuleSet) -> Self {
        let unchecked = AtomicBool::new(rules.needs_principal());
        Self { settings, rules: ArcSwap::from_pointee(rules), unchecked }
    }

    /// From the next request on. Those under way keep the rules that they began with.
    pub(super) fn replace(&self, mut rules: RuleSet) {
        rules.inherit(&self.rules.load());
        self.unchecked.store(rules.needs_principal(), Relaxed);
        self.rules.store(Arc::new(rules));
    }

    /// A rule that goes by who calls is silent where nobody found that out: that must not go unseen.
    fn check_place(&self, context: &RequestContext) {
        if self.unchecked.load(Relaxed)
            && context.marks() & Place::Auth.bit() == 0
            && context.principal().is_none()
            && self.unchecked.swap(false, Relaxed)
        {
            tracing::warn!(
                target: "portcullis",
                layer = "rate_limit",
                consequence = "its rules by API key, principal, credential, tenant or plan apply to nobody",
                cure = "put AuthLayer outside it, or give those rules to a second RateLimitLayer inside AuthLayer",
                "no AuthLayer stands outside a layer that goes by who calls; this is said once"
            );
        }
    }

    #[inline]
    fn permit(&self, context: &RequestContext) -> Result<Option<Permit>, Rejection> {
        let Some(breaker) = &self.settings.breaker else { return Ok(None) };
        match breaker.enter(context.now().monotonic) {
            Ok(permit) => Ok(Some(permit)),
            Err(wait) => Err(Rejection::new(RejectionKind::Overloaded).with_retry_after(wait)),
        }
    }

    /// The caller's plan, as far as it is known at once.
    pub(super) fn plan_now(&self, rules: &RuleSet, held: &Held, context: &RequestContext) -> PlanNow {
        let Some(principal) = context.principal().filter(|_| rules.wants_plan(&held.picks)) else {
            return PlanNow::Known(None);
        };
        match (principal.plan(), &self.settings.plans) {
            // The credential's own comes first, and needs no copy.
            (Some(_), _) | (None, None) => PlanNow::Known(None),
            (None, Some(plans)) => plans.now(principal, context.now().monotonic),
        }
    }

    pub(super) fn choose(rules: &RuleSet, held: &mut Held, view: &RequestView<'_>, resolved: Option<&str>) {
        let own = || view.context().principal().and_then(|principal| principal.plan());
        let plan = if rules.has_plans() { own().or(resolved).and_then(|plan| rules.plan(plan)) } else { None };
        rules.choose(&mut held.picks, view, plan);
    }

    /// The plan cannot be found out: each rule that goes by it says what that means.
    fn lose_plan(
        &self,
        rules: &RuleSet,
        held: &mut Held,
        error: &StoreError,
        context: &RequestContext,
    ) -> Result<(), Rejection> {
        let default = self.settings.plans.as_ref().is_some_and(|plans| plans.on_loss == OnPlanLoss::DefaultPlan);
        let mut closed = false;
        if !default {
            held.picks.retain(|pick| {
                let Some(rule) = rules.rule(pick).filter(|rule| rule.has_plans() && rule.shadow.is_none()) else {
                    return true;
                };
                closed |= rule.loss == OnStoreLoss::Closed;
                rule.loss != OnStoreLoss::Open
            });
        }
        if closed {
            return Err(Rejection::backend(error.clone()));
        }
        self.settings.losses.say(error, context);
        Ok(())
    }

    fn store(&self, stage: Stage) -> &Arc<dyn RateLimitStore> {
        match (&self.settings.local, stage) {
            (Some(local), Stage::Local) => local,
            _ => &self.settings.store,
        }
    }

    /// Asks what is to be asked, as far as the stores answer at once: whether they did.
    fn ask_now(&self, rules: &RuleSet, asked: &mut Asked, context: &RequestContext) -> Result<bool, Rejection> {
        let Asked { held, progress, .. } = asked;
        while progress.stage != Stage::Done {
            let (store, now) = (self.store(progress.stage), progress.begin(context));
            // By reference: a charge has room for four parts.
            let alone = only(progress.stage, held, rules, context);
            let one = alone.as_ref().and_then(|charge| store.try_one(charge, now));
            if let Some(answer) = &one {
                progress.take(held, &self.settings, rules, answer.as_ref().map(slice::from_ref), context)?;
                continue;
            }
            let mut batch = Batch::new(now);
            fill(&mut batch, progress.stage, held, rules, context);
            if batch.is_empty() {
                progress.skip(rules);
                continue;
            }
            // By reference: an answer has room for eight decisions.
            let Some(answer) = &store.try_now(&batch) else { return Ok(false) };
            progress.take(held, &self.settings, rules, answer.as_ref().map(Verdicts::as_slice), context)?;
        }
        Ok(true)
    }

    /// Goes on where [`ask_now`](Self::ask_now) stopped.
    async fn ask(&self, rules: &RuleSet, asked: &mut Asked, context: &RequestContext) -> Result<(), Rejection> {
        loop {
            let Asked { held, progress, .. } = asked;
            let answer = {
                let mut batch = Batch::new(progress.begin(context));
                fill(&mut batch, progress.stage, held, rules, context);
                self.store(progress.stage).apply(&batch).await
            };
            context.has_waited();
            progress.take(held, &self.settings, rules, answer.as_ref().map(Verdicts::as_slice), context)?;
            if self.ask_now(rules, asked, context)? {
                return Ok(());
            }
        }
    }

    fn pass(&self, rules: impl FnOnce() -> Arc<RuleSet>, asked: Asked, context: &Arc<RequestContext>) -> RateLimitPass {
        let Asked { held, permit, usage, progress: Progress { at, stamp, shadowed, charged, local, .. } } = asked;
        let settling = (!charged.is_empty()).then(|| {
            let stage = if local { Stage::Local } else { Stage::Store };
            let store = Arc::clone(self.store(stage));
            let (texts, headers) = (&held.texts, self.settings.headers);
            Settling::new(store, rules(), Arc::clone(context), (charged, at), texts, local, usage, headers)
        });
        RateLimitPass { stamp, shadowed, settling, permit }
    }
}

impl<B: Send + 'static> Gate<B> for RateLimitGate {
    const NAME: &'static str = "rate_limit";
    const PLACE: Place = Place::RateLimit;
    const RESPONSE_FIELDS: usize = 5;
    const EMITS: &'static [&'static str] = crate::gate::emitted::RATE_LIMIT;
    type Pass = RateLimitPass;

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, RateLimitPass> {
        self.check_place(context);
        let permit = match self.permit(context) {
            Ok(permit) => permit,
            Err(rejection) => return Entry::Reject(rejection),
        };
        let rules = self.rules.load();
        // Filled where it lies: it has room for eight rules, and is worth no copy.
        let mut asked = Asked::new(permit);
        if let Err(rejection) = rules.hold(&RequestView::new(request, context), &mut asked.held) {
            return Entry::Reject(rejection);
        }
        if rules.reports {
            asked.usage = Some(RateLimitUsage::of(request.extensions_mut()));
        }
        if !rules.is_plain() {
            let resolved = match self.plan_now(&rules, &asked.held, context) {
                PlanNow::Known(plan) => plan,
                PlanNow::Lost(error) => match self.lose_plan(&rules, &mut asked.held, &error, context) {
                    Ok(()) => None,
                    Err(rejection) => return Entry::Reject(rejection),
                },
                PlanNow::Ask => return self.wait_for_plan(Guard::into_inner(rules), asked, context),
            };
            Self::choose(&rules, &mut asked.held, &RequestView::new(request, context), resolved.as_deref());
        }
        match self.ask_now(&rules, &mut asked, context) {
            Ok(true) => Entry::Pass(self.pass(|| Guard::into_inner(rules), asked, context)),
            Ok(false) => {
                let (gate, rules, context) = (Arc::clone(self), Guard::into_inner(rules), Arc::clone(context));
                Entry::wait(move |request| async move {
                    let result = gate.ask(&rules, &mut asked, &context).await;
                    Waited::settle(request, result.map(|()| gate.pass(|| rules, asked, &context)))
                })
            }
            Err(rejection) => Entry::Reject(rejection),
        }
    }

    fn leave(self: &Arc<Self>, pass: RateLimitPass, response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        let RateLimitPass { mut stamp, shadowed, settling, permit } = pass;
        if let Some(permit) = permit {
            let now = context.clock().now().monotonic;
            let took = now.since(context.now().monotonic);
            permit.end(Ending::Response { failed: response.status().is_server_error(), took }, now);
        }
        if let (Some(name), Some(value)) = (&self.settings.shadow_header, shadowed) {
            response.headers_mut().append(name.clone(), value);
        }
        match settling.and_then(|settling| settling.leave(response)) {
            None => {}
            Some(Ok(settled)) => stamp = settled.or(stamp),
            Some(Err(later)) => {
                let headers = self.settings.headers;
                return Leave::wait(move |mut response| async move {
                    if let Some(stamp) = later.await.or(stamp) {
                        stamp.write(headers, response.headers_mut());
                    }
                    response
                });
            }
        }
        if let Some(stamp) = stamp {
            stamp.write(self.settings.headers, response.headers_mut());
        }
        Leave::Done
    }

    fn fail(self: &Arc<Self>, pass: RateLimitPass, context: &Arc<RequestContext>) {
        if let Some(permit) = pass.permit {
            let now = context.clock().now().monotonic;
            let took = now.since(context.now().monotonic);
            permit.end(Ending::Response { failed: true, took }, now);
        }
    }
}

impl RateLimitGate {
    fn wait_for_plan<B: Send + 'static>(
        self: &Arc<Self>,
        rules: Arc<RuleSet>,
        mut asked: Asked,
        context: &Arc<RequestContext>,
    ) -> Entry<B, RateLimitPass> {
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request: Request<B>| async move {
            let found = match (&gate.settings.plans, context.principal()) {
                (Some(plans), Some(principal)) => plans.find(principal, context.now().monotonic).await,
                _ => Ok(None),
            };
            context.has_waited();
            let resolved = match found {
                Ok(plan) => plan,
                Err(error) => match gate.lose_plan(&rules, &mut asked.held, &error, &context) {
                    Ok(()) => None,
                    Err(rejection) => return Waited::Reject(rejection),
                },
            };
            Self::choose(&rules, &mut asked.held, &RequestView::new(&request, &context), resolved.as_deref());
            let result = match gate.ask_now(&rules, &mut asked, &context) {
                Ok(true) => Ok(()),
                Ok(false) => gate.ask(&rules, &mut asked, &context).await,
                Err(rejection) => Err(rejection),
            };
            Waited::settle(request, result.map(|()| gate.pass(|| rules, asked, &context)))
        })
    }
}

impl fmt::Debug for RateLimitGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitGate").field("rules", &self.rules.load().rules().len()).finish_non_exhaustive()
    }
}

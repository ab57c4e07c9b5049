use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use arc_swap::ArcSwap;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{
    Charge, Period, QuotaStore, QuotaSubject,
    builder::QuotaLayerBuilder,
    held::{Answer, Held, Taken, not_given_back},
    ready::ReadyPlan,
    subject::Sharing,
};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, Waited, constant, decimal, layer_of_gate},
    rejection::{Rejection, RejectionKind},
    request::{Place, QuotaStatus, RequestContext},
    store::StoreError,
    time::Timestamp,
};

const X_QUOTA_LIMIT: HeaderName = HeaderName::from_static("x-quota-limit");
const X_QUOTA_USED: HeaderName = HeaderName::from_static("x-quota-used");
const X_QUOTA_REMAINING: HeaderName = HeaderName::from_static("x-quota-remaining");
const X_QUOTA_RESET: HeaderName = HeaderName::from_static("x-quota-reset");

/// Meters calls against the allowance of the caller's plan. See the [module](super).
#[derive(Clone, Debug)]
pub struct QuotaLayer {
    gate: GateLayer<QuotaGate>,
}

impl QuotaLayer {
    /// Begins without plans; usage is kept in `store`.
    pub fn builder(store: impl QuotaStore) -> QuotaLayerBuilder {
        QuotaLayerBuilder::new(Arc::new(store))
    }

    pub(super) fn new(gate: QuotaGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(QuotaLayer => QuotaGate, |layer| layer.gate.clone());

/// What the builder found sound.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) store: Arc<dyn QuotaStore>,
    pub(super) plans: Box<[Arc<ReadyPlan>]>,
    pub(super) default_plan: Arc<ReadyPlan>,
    pub(super) cost: u64,
    pub(super) upgrade_url: Option<Box<str>>,
    pub(super) sharing: Sharing,
}

/// The gate of [`QuotaLayer`].
#[derive(Debug)]
pub struct QuotaGate {
    settings: Settings,
    /// The first request's: few processes see another, and a cell costs less to read than what can change.
    first: OnceLock<Arc<Month>>,
    /// Any other, computed once a month.
    month: ArcSwap<Month>,
    warned: AtomicBool,
}

/// A period, and how a response says when it ends.
#[derive(Debug)]
struct Month {
    period: Period,
    reset_value: HeaderValue,
}

impl Month {
    fn of(now: Timestamp) -> Self {
        let period = Period::month_of(now);
        Self { period, reset_value: constant(HeaderValue::from(period.ends_at().as_secs_ceil())) }
    }
}

/// What [`QuotaGate`] remembers of a request on its way in.
#[derive(Debug)]
pub struct QuotaPass {
    held: Held,
    account: Account,
    used: u64,
}

/// By which plan, and for which month, a request is metered.
#[derive(Debug)]
struct Account {
    plan: Arc<ReadyPlan>,
    month: Arc<Month>,
}

impl Account {
    fn status(&self, used: u64) -> QuotaStatus {
        QuotaStatus::new(Arc::clone(&self.plan.name), used, self.plan.limit, self.month.period.ends_at())
    }

    /// Name by name, for a response or a rejection.
    fn headers(&self, used: u64, mut put: impl FnMut(HeaderName, HeaderValue)) {
        if let (Some(limit), Some(value)) = (self.plan.limit, &self.plan.limit_value) {
            put(X_QUOTA_LIMIT, value.clone());
            put(X_QUOTA_REMAINING, decimal(limit.saturating_sub(used)));
        }
        put(X_QUOTA_USED, decimal(used));
        put(X_QUOTA_RESET, self.month.reset_value.clone());
    }

    fn stamp(&self, used: u64, headers: &mut HeaderMap) {
        self.headers(used, |name, value| {
            headers.insert(name, value);
        });
    }
}

impl QuotaGate {
    pub(super) fn new(settings: Settings) -> Self {
        let month = ArcSwap::from_pointee(Month::of(Timestamp::EPOCH));
        Self { settings, first: OnceLock::new(), month, warned: AtomicBool::new(false) }
    }

    fn month_of(&self, now: Timestamp) -> Arc<Month> {
        let first = self.first.get_or_init(|| Arc::new(Month::of(now)));
        if first.period.contains(now) {
            return Arc::clone(first);
        }
        let month = self.month.load_full();
        if month.period.contains(now) {
            return month;
        }
        let month = Arc::new(Month::of(now));
        self.month.store(Arc::clone(&month));
        month
    }

    fn plan_of(&self, context: &RequestContext) -> Arc<ReadyPlan> {
        let Settings { plans, default_plan, .. } = &self.settings;
        let Some(name) = context.principal().and_then(|principal| principal.plan()) else {
            return Arc::clone(default_plan);
        };
        if let Some(plan) = plans.iter().find(|plan| *plan.name == *name) {
            return Arc::clone(plan);
        }
        if !self.warned.swap(true, Relaxed) {
            tracing::warn!(
                target: "portcullis",
                default_plan = &*default_plan.name,
                "a caller's plan is none of the configured ones, so the default plan holds; this is said once"
            );
        }
        Arc::clone(default_plan)
    }

    #[inline]
    fn decide(&self, taken: Taken, account: Account, context: &RequestContext) -> Result<QuotaPass, Rejection> {
        match taken {
            Taken::Reserved { used, held } => {
                context.set_quota(account.status(used));
                Ok(QuotaPass { held, account, used })
            }
            Taken::Exceeded { used } => {
                context.set_quota(account.status(used));
                Err(self.exceeded(used, &account))
            }
        }
    }

    /// No `Retry-After`: the month may have weeks to go, and a client that sleeps for weeks is not
    /// what anybody wants. `reset_at` says it.
    fn exceeded(&self, used: u64, account: &Account) -> Rejection {
        let mut rejection = Rejection::new(RejectionKind::QuotaExceeded);
        if let Some(limit) = account.plan.limit {
            rejection = rejection
                .with_detail(format!("The monthly quota of {limit} does not cover this request."))
                .with_member("quota", limit);
        }
        rejection = rejection
            .with_member("plan", &*account.plan.name)
            .with_member("current_usage", used)
            .with_member("reset_at", account.month.period.ends_at().to_rfc3339());
        if let Some(url) = &self.settings.upgrade_url {
            rejection = rejection.with_member("upgrade_url", &**url);
        }
        let mut headers = Vec::with_capacity(4);
        account.headers(used, |name, value| headers.push((name, value)));
        headers.into_iter().fold(rejection, |rejection, (name, value)| rejection.with_header(name, value))
    }
}

impl<B: Send + 'static> Gate<B> for QuotaGate {
    const NAME: &'static str = "quota";
    const PLACE: Place = Place::Quota;
    const RESPONSE_FIELDS: usize = 4;
    const EMITS: &'static [&'static str] = crate::gate::emitted::QUOTA;
    type Pass = QuotaPass;

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, QuotaPass> {
        let now = context.now().wall;
        let account = Account { plan: self.plan_of(context), month: self.month_of(now) };
        let charge = Charge {
            subject: QuotaSubject::of(context, self.settings.sharing),
            period: account.month.period,
            cost: self.settings.cost,
            limit: account.plan.limit,
            now,
        };
        match Held::reserve(&self.settings.store, charge) {
            Answer::Now(result) => self.outcome(result, account, context).into(),
            Answer::Later(result) => {
                let gate = Arc::clone(self);
                let context = Arc::clone(context);
                Entry::wait(move |request| async move {
                    let result = result.await;
                    Waited::settle(request, gate.outcome(result, account, &context))
                })
            }
        }
    }

    fn leave(self: &Arc<Self>, pass: QuotaPass, response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        let QuotaPass { held, account, used } = pass;
        if response.extensions().get::<Rejection>().is_none() {
            held.keep();
            account.stamp(used, response.headers_mut());
            return Leave::Done;
        }
        match held.give_back() {
            Some(Answer::Later(result)) => {
                let context = Arc::clone(context);
                Leave::wait(move |mut response| async move {
                    let used = left(result.await, used);
                    given_back(&mut response, used, &account, &context);
                    response
                })
            }
            Some(Answer::Now(result)) => {
                given_back(response, left(result, used), &account, context);
                Leave::Done
            }
            None => Leave::Done,
        }
    }
}

impl QuotaGate {
    #[inline]
    fn outcome(
        &self,
        result: Result<Taken, StoreError>,
        account: Account,
        context: &RequestContext,
    ) -> Result<QuotaPass, Rejection> {
        result.map_err(Rejection::backend).and_then(|taken| self.decide(taken, account, context))
    }
}

/// The usage that is left; what it was, if the store could not give back.
fn left(result: Result<u64, StoreError>, used: u64) -> u64 {
    result.unwrap_or_else(|error| {
        not_given_back(&error);
        used
    })
}

fn given_back(response: &mut Response, used: u64, account: &Account, context: &RequestContext) {
    context.set_quota(account.status(used));
    account.stamp(used, response.headers_mut());
}

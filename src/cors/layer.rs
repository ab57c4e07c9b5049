use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Request, StatusCode};

use super::{
    CorsHandle, CorsPolicy, CorsSecurityLayerBuilder,
    compiled::{Compiled, PREFLIGHT_VARY, Refusal, Standing, preflight_method},
    explain::explain,
    policy::RefusedPreflight,
    source::Question,
};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, Waited, layer_of_gate},
    lint::Report,
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
    store::StoreError,
    time::Timestamp,
};

/// Tells browsers which origins' pages may read this API. See the [module](super).
#[derive(Clone, Debug)]
pub struct CorsSecurityLayer {
    gate: GateLayer<CorsGate>,
    policy: CorsPolicy,
}

impl CorsSecurityLayer {
    /// A layer that goes by this policy.
    pub fn new(policy: CorsPolicy) -> Self {
        let current = ArcSwap::new(Arc::clone(&policy.compiled));
        Self { gate: GateLayer::new(CorsGate { current }), policy }
    }

    /// Begins with no origin allowed: a [`CorsPolicy`] and its layer in one.
    pub fn builder() -> CorsSecurityLayerBuilder {
        CorsSecurityLayerBuilder::new()
    }

    /// What is doubtful about the policy that the layer was made with, and what was allowed to be.
    pub fn report(&self) -> &Report {
        self.policy.report()
    }

    /// To replace the policy while the layer serves.
    pub fn handle(&self) -> CorsHandle {
        CorsHandle::new(self.gate.gate().cloned())
    }

    /// How often the layer said what: `answered` counts the preflights, allowed or not.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

impl From<CorsPolicy> for CorsSecurityLayer {
    fn from(policy: CorsPolicy) -> Self {
        Self::new(policy)
    }
}

layer_of_gate!(CorsSecurityLayer => CorsGate, |layer| layer.gate.clone());

/// The gate of [`CorsSecurityLayer`].
#[derive(Debug)]
pub struct CorsGate {
    pub(super) current: ArcSwap<Compiled>,
}

/// What [`CorsGate`] remembers of the page that asked: what answers its origin, and the number of the policy
/// that allowed it; nothing if it may not read the response.
#[derive(Debug)]
pub struct CorsPass(Option<(HeaderValue, u64)>);

impl<B: Send + 'static> Gate<B> for CorsGate {
    const NAME: &'static str = "cors";
    const PLACE: Place = Place::Cors;
    const RESPONSE_FIELDS: usize = 4;
    type Pass = CorsPass;

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, Self::Pass> {
        let policy = self.current.load();
        context.announce(policy.waivers.as_ref());
        let now = context.now().monotonic;
        if let Some(method) = preflight_method(request) {
            return preflight(&policy, method, request, now);
        }
        Entry::Pass(CorsPass(match policy.standing(request, now) {
            Standing::Listed(origin) | Standing::Vouched(origin) => Some((origin, policy.id)),
            Standing::Refused => None,
            Standing::Ask(question) => return ask_and_pass(Arc::clone(&policy), question, now),
        }))
    }

    fn leave(self: &Arc<Self>, pass: Self::Pass, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        // The policy that is in force now decides, all of it: half of an old one could be neither.
        let policy = self.current.load();
        let origin = match pass.0 {
            Some((origin, id)) if id == policy.id => Some(origin),
            Some((origin, _)) => policy.admit(&origin),
            None => None,
        };
        policy.decorate(response.headers_mut(), origin);
        Leave::Done
    }
}

fn preflight<B: Send + 'static>(
    policy: &Arc<Compiled>,
    method: &HeaderValue,
    request: &Request<B>,
    now: Timestamp,
) -> Entry<B, CorsPass> {
    let asked = policy.check_asked(method, request.headers());
    let answer = match (policy.standing(request, now), asked) {
        (Standing::Listed(origin) | Standing::Vouched(origin), Ok(method)) => {
            Ok(no_content(policy.allow(origin, method, request.headers())))
        }
        (Standing::Listed(origin) | Standing::Vouched(origin), Err(refusal)) => {
            refuse(policy, request, refusal, Some(origin))
        }
        (Standing::Refused, _) => refuse(policy, request, Refusal::Origin, None),
        // What is refused whoever asks is no question for the source.
        (Standing::Ask(_), Err(refusal)) => refuse(policy, request, refusal, None),
        (Standing::Ask(question), Ok(method)) => {
            return ask_and_answer(Arc::clone(policy), question, method, now);
        }
    };
    answer.map_or_else(Entry::Reject, Entry::Answer)
}

fn ask_and_pass<B: Send + 'static>(
    policy: Arc<Compiled>,
    question: Box<Question>,
    now: Timestamp,
) -> Entry<B, CorsPass> {
    Entry::wait(move |request| async move {
        match ask(&policy, &question, now).await {
            Ok(true) => Waited::Pass(request, CorsPass(Some((question.value, policy.id)))),
            Ok(false) => Waited::Pass(request, CorsPass(None)),
            Err(error) => Waited::Reject(Rejection::backend(error)),
        }
    })
}

fn ask_and_answer<B: Send + 'static>(
    policy: Arc<Compiled>,
    question: Box<Question>,
    method: HeaderValue,
    now: Timestamp,
) -> Entry<B, CorsPass> {
    Entry::wait(move |request: Request<B>| async move {
        let answer = match ask(&policy, &question, now).await {
            Ok(true) => Ok(no_content(policy.allow(question.value, method, request.headers()))),
            Ok(false) => refuse(&policy, &request, Refusal::Origin, None),
            Err(error) => Err(with_vary(Rejection::backend(error))),
        };
        answer.map_or_else(Waited::Reject, Waited::Answer)
    })
}

async fn ask(policy: &Compiled, question: &Question, now: Timestamp) -> Result<bool, StoreError> {
    match &policy.source {
        Some(source) => source.ask(question, now).await,
        None => Ok(false),
    }
}

/// The client learns little or nothing, so the log is where a developer finds out.
fn refuse<B>(
    policy: &Compiled,
    request: &Request<B>,
    refusal: Refusal,
    origin: Option<HeaderValue>,
) -> Result<Response, Rejection> {
    if policy.settings.explains {
        tracing::warn!(target: "portcullis", explanation = %explain(policy, request), "preflight refused");
    } else {
        tracing::debug!(target: "portcullis", reason = refusal.reason(), "preflight refused");
    }
    // A browser reads the explanation from an answer with a good status only.
    let explained = policy.settings.explains && origin.is_some();
    if policy.refused == RefusedPreflight::Forbidden && !explained {
        let rejection = Rejection::new(RejectionKind::Forbidden);
        return Err(with_vary(rejection.with_detail("The preflight asks for what is not allowed to pages.")));
    }
    Ok(no_content(policy.refuse(refusal, origin, preflight_method(request))))
}

fn with_vary(rejection: Rejection) -> Rejection {
    let (name, value) = PREFLIGHT_VARY;
    rejection.with_header(name, value)
}

/// A preflight's answer is 204 also when it is no: a browser goes by the headers, and nothing is
/// wrong with the service.
fn no_content(headers: HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}

use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, OriginalUri},
    response::Response,
};
use http::Request;
use serde_json::Value;

use super::{
    ParsedJson, RequestFilter, RequestValidationLayerBuilder,
    body::{Course, is_quick},
    head::{self, Expected},
    path::{self, EncodedSlash},
    rule::Compiled,
    rules::{Found, Table, unlisted},
};
use crate::{
    gate::{Collected, Entry, Gate, GateLayer, Leave, Reading, VerdictCounts, layer_of_gate},
    identity::Principal,
    lint::{Report, Waivers},
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
};

/// Lets requests through whose path, body and parameters are what the route takes. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct RequestValidationLayer {
    gate: GateLayer<ValidationGate>,
    report: Arc<Report>,
}

impl RequestValidationLayer {
    /// Begins with one rule for every route: JSON of any shape, where the method has a body.
    pub fn builder() -> RequestValidationLayerBuilder {
        RequestValidationLayerBuilder::new()
    }

    pub(super) fn new(gate: ValidationGate, report: Report) -> Self {
        Self { gate: GateLayer::new(gate), report: Arc::new(report) }
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    /// What is doubtful about the configuration, with the reasons of what was allowed.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

layer_of_gate!(RequestValidationLayer => ValidationGate, |layer| layer.gate.clone());

/// The gate of [`RequestValidationLayer`].
pub struct ValidationGate {
    pub(super) table: Table,
    pub(super) default: Arc<Compiled>,
    pub(super) unlisted: Unlisted,
    pub(super) slash: EncodedSlash,
    pub(super) max_query: usize,
    pub(super) filters: Box<[Arc<dyn RequestFilter>]>,
    pub(super) filter_timeout: Duration,
    pub(super) warned: AtomicBool,
    pub(super) waivers: Option<Arc<Waivers>>,
}

/// What becomes of a route without a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// The default rule holds.
    Default,
    /// It is not there.
    Refused,
}

impl fmt::Debug for ValidationGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidationGate").field("filters", &self.filters).finish_non_exhaustive()
    }
}

/// axum's extractors refuse more, unless they are told that somebody has bounded the body.
const AXUM_LIMIT: usize = 2 * 1024 * 1024;

impl Gate<Body> for ValidationGate {
    const NAME: &'static str = "validation";
    const PLACE: Place = Place::Validation;
    const EMITS: &'static [&'static str] = crate::gate::emitted::VALIDATION;
    /// Whether the route was known.
    type Pass = bool;

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, bool> {
        context.announce(self.waivers.as_ref());
        match self.head(request, context) {
            Ok(course) => self.follow(request, course, context),
            Err(rejection) => {
                Reading::new(mem::take(request.body_mut()), 0).give_up();
                Entry::Reject(rejection)
            }
        }
    }

    /// A handler that answers although no route was known is one whose rules were not asked.
    fn leave(self: &Arc<Self>, routed: bool, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        if !routed && !self.table.is_empty() && response.status().is_success() && !self.warned.swap(true, Relaxed) {
            tracing::warn!(
                target: "portcullis",
                layer = Self::NAME,
                consequence = "its rules by route apply to nothing that is answered here",
                cure = "add it with Router::layer to the router that holds the routes, and not around that router",
                "a request was answered whose route is not known"
            );
        }
        Leave::Done
    }
}

impl ValidationGate {
    /// The longest body that any rule takes, of anybody.
    pub(crate) fn longest_body(&self) -> usize {
        let default = (self.unlisted == Unlisted::Default).then_some(&self.default);
        self.table.rules().chain(default).map(|rule| rule.longest_body()).max().unwrap_or(0)
    }

    /// What the head decides.
    fn head(&self, request: &Request<Body>, context: &RequestContext) -> Result<Course, Rejection> {
        // Inside a nested router axum has cut the prefix off the URI.
        let original = request.extensions().get::<OriginalUri>();
        let uri = original.map_or(request.uri(), |original| &original.0);
        let bad = |detail| Rejection::new(RejectionKind::InvalidRequest).with_detail(detail);
        path::check(uri.path(), self.slash).map_err(|fault| bad(fault.detail()))?;
        if path::count_parameters(uri.query().unwrap_or_default()) > self.max_query {
            return Err(bad("The query has too many parameters."));
        }
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).or_else(|| context.route());
        let rule = self.rule(request, route)?;
        let limit = rule.sizes.of(if rule.sizes.is_by_plan() { plan(context) } else { None });
        let expected = head::expected(rule, request, limit)?;
        rule.parameters.check(uri, request.headers(), request.extensions(), rule.status)?;
        Ok(Course { rule: Arc::clone(rule), expected, limit, routed: route.is_some() })
    }

    fn rule(&self, request: &Request<Body>, route: Option<&str>) -> Result<&Arc<Compiled>, Rejection> {
        let found = route.map_or(Found::Nothing, |route| self.table.find(request.method(), route));
        match found {
            Found::Rule(rule) => Ok(rule),
            _ if self.unlisted == Unlisted::Default => Ok(&self.default),
            found => Err(unlisted(&found)),
        }
    }

    /// What the body decides: at once where it is there already, and nobody else has to be asked.
    fn follow(
        self: &Arc<Self>,
        request: &mut Request<Body>,
        course: Course,
        context: &Arc<RequestContext>,
    ) -> Entry<Body, bool> {
        let mut reading = course.begin(request);
        if self.filters.is_empty() {
            let Some(mut begun) = reading.take() else { return Entry::Pass(course.routed) };
            match begun.now() {
                Some(Ok(())) if is_quick(&begun) => {
                    let read = begun.into_collected();
                    let judged = course.judge(request.method(), read.bytes());
                    return Entry::from(judged.map(|parsed| {
                        hand_on(request, read, parsed, course.limit);
                        course.routed
                    }));
                }
                Some(Err(rejection)) => {
                    begun.give_up();
                    return Entry::Reject(course.refusal(rejection, request.method()));
                }
                Some(Ok(())) | None => reading = Some(begun),
            }
        }
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request| async move { gate.wait(request, reading, course, &context).await })
    }
}

/// The body as it came, and what it was found to be.
pub(super) fn hand_on(request: &mut Request<Body>, read: Collected, parsed: Option<Value>, limit: usize) {
    let length = read.bytes().len();
    *request.body_mut() = read.into_body();
    if let Some(value) = parsed {
        request.extensions_mut().insert(ParsedJson::new(value));
    }
    if length > AXUM_LIMIT {
        DefaultBodyLimit::max(limit).apply(request);
    }
}

fn plan(context: &RequestContext) -> Option<&str> {
    context.principal().and_then(Principal::plan)
}

impl Course {
    fn begin(&self, request: &mut Request<Body>) -> Option<Reading> {
        let limit = match self.expected {
            Expected::Absent => return None,
            Expected::Nothing(_) => 0,
            Expected::Content(_) => self.limit,
        };
        Some(Reading::new(mem::take(request.body_mut()), limit))
    }
}

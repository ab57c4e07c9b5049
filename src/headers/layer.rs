use std::{io::Write as _, sync::Arc};

use axum::response::Response;
use bytes::BufMut as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header::SERVER};

use super::{CspNonce, SecurityHeaders, builder::SecurityHeadersLayerBuilder, csp::Csp};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, constant, insert_if_absent, layer_of_gate, written},
    lint::{Report, Waivers},
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext, Scheme},
};

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");
const X_RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What a header says.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(HeaderValue),
    /// The text around the nonces of the response.
    AroundNonce(Box<[Box<str>]>),
}

impl Value {
    pub(super) fn text(text: &str) -> Option<Self> {
        HeaderValue::from_str(text).ok().map(Self::Constant)
    }

    pub(super) fn policy(csp: &Csp) -> Option<Self> {
        let text = csp.to_string();
        if csp.wants_nonce() {
            return Some(Self::AroundNonce(text.split("{}").map(Into::into).collect()));
        }
        Self::text(&text)
    }

    /// To stand in every response.
    pub(super) fn kept(self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(constant(value)),
            Self::AroundNonce(_) => self,
        }
    }

    fn of(&self, nonce: Option<&CspNonce>) -> Option<HeaderValue> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::AroundNonce(parts) => {
                let nonce = nonce?.as_str();
                let most = parts.iter().map(|part| part.len().saturating_add(nonce.len())).sum();
                written(most, |out| {
                    for (index, part) in parts.iter().enumerate() {
                        out.put_slice(if index == 0 { b"" } else { nonce.as_bytes() });
                        out.put_slice(part.as_bytes());
                    }
                })
            }
        }
    }
}

/// One header that responses get.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) name: HeaderName,
    pub(super) value: Value,
    /// Also over a value of the handler's.
    pub(super) force: bool,
}

impl Fixed {
    fn apply(&self, headers: &mut HeaderMap, nonce: Option<&CspNonce>) {
        let Some(value) = self.value.of(nonce) else { return };
        if self.force {
            headers.insert(&self.name, value);
        } else {
            insert_if_absent(headers, &self.name, value);
        }
    }
}

/// The headers of one kind of responses.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    fixed: Box<[Fixed]>,
    hsts: Option<Fixed>,
    wants_nonce: bool,
}

impl Profile {
    pub(super) fn new(fixed: Vec<Fixed>, hsts: Option<Fixed>) -> Self {
        let wants_nonce = fixed.iter().any(|fixed| matches!(fixed.value, Value::AroundNonce(_)));
        Self { fixed: fixed.into(), hsts, wants_nonce }
    }
}

/// How a response says how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timing {
    ResponseTime,
    ServerTiming,
}

impl Timing {
    fn apply(self, headers: &mut HeaderMap, context: &RequestContext) {
        if matches!(self, Self::ResponseTime) && headers.contains_key(X_RESPONSE_TIME) {
            return;
        }
        let took = context.clock().now().monotonic.since(context.now().monotonic);
        let value = written(64, |out| {
            // A buffer that grows takes everything.
            let _ = match self {
                Self::ResponseTime => write!(out.writer(), "{}ms", took.as_millis()),
                Self::ServerTiming => {
                    write!(out.writer(), "total;dur={}.{:03}", took.as_millis(), took.subsec_micros() % 1_000)
                }
            };
        });
        let Some(value) = value else { return };
        match self {
            Self::ResponseTime => headers.insert(X_RESPONSE_TIME, value).is_some(),
            // A list: what the handler measured stays.
            Self::ServerTiming => headers.append(SERVER_TIMING, value),
        };
    }
}

/// Puts security headers on every response. See the [module](super).
#[derive(Clone, Debug)]
pub struct SecurityHeadersLayer {
    gate: GateLayer<SecurityHeadersGate>,
    report: Arc<Report>,
}

impl SecurityHeadersLayer {
    /// The values for an API.
    pub fn api() -> Self {
        Self::preset(SecurityHeaders::api())
    }

    /// The values for the pages of a documentation.
    pub fn docs() -> Self {
        Self::preset(SecurityHeaders::docs())
    }

    /// The values for pages.
    pub fn html() -> Self {
        Self::preset(SecurityHeaders::html())
    }

    fn preset(headers: SecurityHeaders) -> Self {
        // The presets have no mistakes (a test says so); if they had, no layer would be better than none.
        Self::with(headers).build().unwrap_or_else(|_| {
            let empty = Profile::new(Vec::new(), None);
            Self::new(SecurityHeadersGate::new(empty, Vec::new(), false, None, None), Report::default())
        })
    }

    /// Begins with the values for an API.
    pub fn builder() -> SecurityHeadersLayerBuilder {
        Self::with(SecurityHeaders::api())
    }

    /// Begins with these values.
    pub fn with(headers: SecurityHeaders) -> SecurityHeadersLayerBuilder {
        SecurityHeadersLayerBuilder::new(headers)
    }

    /// Everything that the literal lists of the documents say that this crate implements: the workflow's,
    /// its policy under `/docs`, `X-XSS-Protection` and `X-Response-Time`. It raises the lints that they
    /// deserve.
    pub fn seed() -> SecurityHeadersLayerBuilder {
        Self::with(SecurityHeaders::seed().legacy_xss_protection())
            .for_paths("/docs", SecurityHeaders::seed_docs().legacy_xss_protection())
            .response_time()
    }

    pub(super) fn new(gate: SecurityHeadersGate, report: Report) -> Self {
        Self { gate: GateLayer::new(gate), report: Arc::new(report) }
    }

    /// What is doubtful about the values.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// How often the layer said what: it lets everything through.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

impl Default for SecurityHeadersLayer {
    fn default() -> Self {
        Self::api()
    }
}

layer_of_gate!(SecurityHeadersLayer => SecurityHeadersGate, |layer| layer.gate.clone());

/// The gate of [`SecurityHeadersLayer`].
#[derive(Debug)]
pub struct SecurityHeadersGate {
    base: Profile,
    /// The longest prefix first.
    paths: Box<[(Box<str>, Profile)]>,
    assume_https: bool,
    timing: Option<Timing>,
    waivers: Option<Arc<Waivers>>,
}

impl SecurityHeadersGate {
    pub(super) fn new(
        base: Profile,
        paths: Vec<(Box<str>, Profile)>,
        assume_https: bool,
        timing: Option<Timing>,
        waivers: Option<Arc<Waivers>>,
    ) -> Self {
        Self { base, paths: paths.into(), assume_https, timing, waivers }
    }

    /// Which of the prefixes a path is under.
    fn place_of(&self, path: &str) -> Option<usize> {
        self.paths.iter().position(|(prefix, _)| {
            path.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn profile(&self, place: Option<usize>) -> &Profile {
        place.and_then(|place| self.paths.get(place)).map_or(&self.base, |(_, profile)| profile)
    }
}

impl<B> Gate<B> for SecurityHeadersGate {
    const NAME: &'static str = "security_headers";
    const PLACE: Place = Place::SecurityHeaders;
    const EMITS: &'static [&'static str] = crate::gate::emitted::TIMING;
    const RESPONSE_FIELDS: usize = 8;
    /// Which of the prefixes the path is under, and the nonce.
    type Pass = (Option<usize>, Option<CspNonce>);

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, Self::Pass> {
        context.announce(self.waivers.as_ref());
        let place = if self.paths.is_empty() { None } else { self.place_of(request.uri().path()) };
        if !self.profile(place).wants_nonce {
            return Entry::Pass((place, None));
        }
        match CspNonce::generate() {
            Ok(nonce) => {
                request.extensions_mut().insert(nonce);
                Entry::Pass((place, Some(nonce)))
            }
            // A nonce that can be guessed is worse than no page.
            Err(error) => Entry::Reject(Rejection::new(RejectionKind::InternalError).with_source(error)),
        }
    }

    fn leave(self: &Arc<Self>, pass: Self::Pass, response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        let (place, nonce) = pass;
        let profile = self.profile(place);
        let headers = response.headers_mut();
        if headers.keys().any(|name| *name == SERVER || *name == X_POWERED_BY) {
            headers.remove(SERVER);
            headers.remove(X_POWERED_BY);
        }
        for fixed in &profile.fixed {
            fixed.apply(headers, nonce.as_ref());
        }
        if let Some(hsts) = &profile.hsts
            && is_https(context.scheme(), self.assume_https)
        {
            hsts.apply(headers, None);
        }
        if let Some(timing) = self.timing {
            timing.apply(headers, context);
        }
        Leave::Done
    }
}

/// RFC 6797 §7.2: never over plain HTTP.
fn is_https(scheme: Scheme, assume: bool) -> bool {
    match scheme {
        Scheme::Https => true,
        Scheme::Http => false,
        Scheme::Unknown => assume,
    }
}

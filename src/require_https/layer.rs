use std::{fmt, sync::Arc};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::{
    builder::RequireHttpsLayerBuilder,
    credentials::{ExposureObserver, Places},
    redirect::{Target, location},
};
use crate::{
    gate::{Entry, Gate, GateLayer, VerdictCounts, layer_of_gate},
    lint::{Report, Waivers},
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext, Scheme},
};

/// What becomes of requests whose scheme is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    Refused,
    Passes,
}

/// Refuses what comes over plain HTTP. See the [module](super).
#[derive(Clone, Debug)]
pub struct RequireHttpsLayer {
    gate: GateLayer<RequireHttpsGate>,
    report: Arc<Report>,
}

impl RequireHttpsLayer {
    /// Refuses everything that is not known to have come over HTTPS.
    pub fn new() -> Self {
        // The defaults have no mistakes (a test says so); if they had, nothing would be let through but HTTPS.
        Self::builder().build().unwrap_or_else(|_| Self::from_gate(RequireHttpsGate::closed(), Report::default()))
    }

    /// Begins with that.
    pub fn builder() -> RequireHttpsLayerBuilder {
        RequireHttpsLayerBuilder::new()
    }

    pub(super) fn from_gate(gate: RequireHttpsGate, report: Report) -> Self {
        Self { gate: GateLayer::new(gate), report: Arc::new(report) }
    }

    /// What is doubtful about the settings.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// How often the layer said what: `answered` counts the redirects.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

impl Default for RequireHttpsLayer {
    fn default() -> Self {
        Self::new()
    }
}

layer_of_gate!(RequireHttpsLayer => RequireHttpsGate, |layer| layer.gate.clone());

/// The gate of [`RequireHttpsLayer`].
pub struct RequireHttpsGate {
    pub(super) places: Places,
    pub(super) targets: Vec<Target>,
    pub(super) plaintext: Vec<Box<str>>,
    pub(super) unknown: Unknown,
    pub(super) observer: Option<Arc<dyn ExposureObserver>>,
    pub(super) waivers: Option<Arc<Waivers>>,
}

impl RequireHttpsGate {
    fn closed() -> Self {
        Self {
            places: Places { headers: Vec::new(), parameters: Vec::new() },
            targets: Vec::new(),
            plaintext: Vec::new(),
            unknown: Unknown::Refused,
            observer: None,
            waivers: None,
        }
    }

    /// What is said to a request that did not come over HTTPS, as far as is known.
    fn judge<B>(&self, request: &Request<B>, context: &RequestContext) -> Entry<B, ()> {
        let known_plain = context.scheme() == Scheme::Http;
        let exposed = self.places.found_in(request.headers(), request.uri(), context);
        if let Some(exposed) = exposed.filter(|_| known_plain) {
            exposed.note();
            if let Some(observer) = &self.observer {
                observer.exposed(&exposed);
            }
            return Entry::Reject(RejectionKind::CredentialExposed.into());
        }
        if exposed.is_none() && self.plaintext.iter().any(|path| **path == *request.uri().path()) {
            return Entry::Pass(());
        }
        if !known_plain {
            // Credentials are not called exposed here: nobody knows, and to revoke them all would be the worst.
            return Entry::Reject(Rejection::new(RejectionKind::HttpsRequired).with_source(UnknownScheme));
        }
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        match location(&self.targets, request.uri(), request.headers()).filter(|_| is_read) {
            Some(location) => Entry::Answer(redirect(location)),
            None => Entry::Reject(RejectionKind::HttpsRequired.into()),
        }
    }
}

impl fmt::Debug for RequireHttpsGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireHttpsGate")
            .field("credentials", &self.places)
            .field("redirects_to", &self.targets)
            .field("unknown", &self.unknown)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "nobody knows whether the request came over HTTPS: name the proxies in front in trusted_proxies, \
     or serve TLS with TlsPeer as connect info"
)]
struct UnknownScheme;

/// RFC 9110 §15.4.9: the method stays, and clients may remember it.
fn redirect(location: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

impl<B> Gate<B> for RequireHttpsGate {
    const NAME: &'static str = "require_https";
    const PLACE: Place = Place::RequireHttps;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.announce(self.waivers.as_ref());
        match context.scheme() {
            Scheme::Https => Entry::Pass(()),
            Scheme::Unknown if self.unknown == Unknown::Passes => Entry::Pass(()),
            Scheme::Http | Scheme::Unknown => self.judge(request, context),
        }
    }
}

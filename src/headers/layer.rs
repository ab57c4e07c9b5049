use std::sync::Arc;

use axum::response::Response;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{Entry as Slot, SERVER},
};
use tower_layer::Layer;

use super::builder::SecurityHeadersLayerBuilder;
use crate::{
    gate::{Entry, Gate, GateLayer, Gated, Leave, VerdictCounts},
    request::{Place, RequestContext, Scheme},
};

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

/// One header that responses get.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// Also over a value of the handler's.
    pub(super) force: bool,
}

impl Fixed {
    pub(super) const fn new(name: HeaderName, value: HeaderValue) -> Self {
        Self { name, value, force: false }
    }

    fn apply(&self, headers: &mut HeaderMap) {
        match headers.entry(&self.name) {
            Slot::Vacant(slot) => {
                slot.insert(self.value.clone());
            }
            Slot::Occupied(mut slot) if self.force => {
                slot.insert(self.value.clone());
            }
            Slot::Occupied(_) => {}
        }
    }
}

/// Puts security headers on every response. See the [module](super).
#[derive(Clone, Debug)]
pub struct SecurityHeadersLayer {
    gate: GateLayer<SecurityHeadersGate>,
}

impl SecurityHeadersLayer {
    /// The values for an API.
    pub fn api() -> Self {
        // The preset has no mistakes (a test says so); if it had, no layer would be better than none.
        Self::builder().build().unwrap_or_else(|_| Self::new(Box::default(), None, false))
    }

    /// Begins with the values for an API.
    pub fn builder() -> SecurityHeadersLayerBuilder {
        SecurityHeadersLayerBuilder::api()
    }

    pub(super) fn new(fixed: Box<[Fixed]>, hsts: Option<Fixed>, assume_https: bool) -> Self {
        Self { gate: GateLayer::new(SecurityHeadersGate { fixed, hsts, assume_https }) }
    }

    /// How often the layer said what: it lets everything through.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    pub(crate) fn gate_layer(&self) -> GateLayer<SecurityHeadersGate> {
        self.gate.clone()
    }
}

impl Default for SecurityHeadersLayer {
    fn default() -> Self {
        Self::api()
    }
}

impl<S> Layer<S> for SecurityHeadersLayer {
    type Service = Gated<SecurityHeadersGate, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.gate.layer(inner)
    }
}

/// The gate of [`SecurityHeadersLayer`].
#[derive(Debug)]
pub struct SecurityHeadersGate {
    fixed: Box<[Fixed]>,
    hsts: Option<Fixed>,
    assume_https: bool,
}

impl<B> Gate<B> for SecurityHeadersGate {
    const NAME: &'static str = "security_headers";
    const PLACE: Place = Place::SecurityHeaders;
    const RESPONSE_FIELDS: usize = 8;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
        Entry::Pass(())
    }

    fn leave(self: &Arc<Self>, (): (), response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        let headers = response.headers_mut();
        if headers.keys().any(|name| *name == SERVER || *name == X_POWERED_BY) {
            headers.remove(SERVER);
            headers.remove(X_POWERED_BY);
        }
        for fixed in &self.fixed {
            fixed.apply(headers);
        }
        if let Some(hsts) = &self.hsts
            && is_https(context.scheme(), self.assume_https)
        {
            hsts.apply(headers);
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

use std::sync::Arc;

use http::Request;

use super::{Entry, Gate, GateLayer, layer_of_gate};
use crate::{
    lint::Waivers,
    request::{ContextSettings, Place, RequestContext, TrustedProxies},
    time::Clock,
};

/// Says with which clock and which trusted proxies the [`RequestContext`] is made. Put it
/// outermost; without it, the machine's clock and no trusted proxies are used.
///
/// ```
/// use axum::Router;
/// use portcullis::{gate::RequestContextLayer, request::TrustedProxies};
///
/// let layer = RequestContextLayer::new().trusted_proxies(TrustedProxies::cidrs(["10.0.0.0/8"])?);
/// let app: Router = Router::new().layer(layer);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestContextLayer {
    settings: ContextSettings,
}

impl RequestContextLayer {
    /// The machine's clock, and no trusted proxies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another clock, such as a [`ManualClock`](crate::time::ManualClock) in tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings = self.settings.clock(clock);
        self
    }

    /// The proxies whose word on the client's address and scheme is taken.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.settings = self.settings.trusted_proxies(proxies);
        self
    }

    /// With what is allowed of a stack as a whole.
    pub(crate) fn gate_layer(&self, waivers: Option<Arc<Waivers>>) -> GateLayer<ContextGate> {
        GateLayer::new(ContextGate { settings: self.settings.clone(), waivers })
    }
}

layer_of_gate!(RequestContextLayer => ContextGate, |layer| layer.gate_layer(None));

/// The gate of [`RequestContextLayer`].
#[derive(Debug)]
pub struct ContextGate {
    settings: ContextSettings,
    waivers: Option<Arc<Waivers>>,
}

impl<B> Gate<B> for ContextGate {
    const NAME: &'static str = "context";
    const PLACE: Place = Place::Context;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.announce(self.settings.proxies.waivers());
        context.announce(self.waivers.as_ref());
        Entry::Pass(())
    }

    fn context_settings(&self) -> Option<&ContextSettings> {
        Some(&self.settings)
    }
}

use std::{fmt, sync::Arc};

use http::Request;
use tower_layer::Layer;

use super::{
    AuthLayerBuilder,
    api_key::{ApiKeyVerifier, is_api_key},
    challenge::Challenges,
    credentials::{self, Sent, Unreadable, Via},
    jwt::{Checked, JwtVerifier},
};
use crate::{
    gate::{Entry, Gate, GateLayer, Gated, VerdictCounts},
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
    time::Timestamp,
};

/// Finds out who calls, and refuses who is not let in. See the [module](super).
#[derive(Clone, Debug)]
pub struct AuthLayer {
    gate: GateLayer<AuthGate>,
}

impl AuthLayer {
    /// A builder. It needs a [`jwt`](AuthLayerBuilder::jwt) verifier, an
    /// [`api_keys`](AuthLayerBuilder::api_keys) store, or both.
    pub fn builder() -> AuthLayerBuilder {
        AuthLayerBuilder::default()
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    pub(super) fn new(gate: AuthGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    pub(crate) fn gate_layer(&self) -> GateLayer<AuthGate> {
        self.gate.clone()
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Gated<AuthGate, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.gate.layer(inner)
    }
}

/// What verifies bearer tokens.
pub(super) trait TokenVerifier: fmt::Debug + Send + Sync + 'static {
    fn verify(&self, token: &str, now: Timestamp) -> Checked;
}

impl TokenVerifier for JwtVerifier {
    fn verify(&self, token: &str, now: Timestamp) -> Checked {
        JwtVerifier::verify(self, token, now)
    }
}

/// What becomes of a request that carries no credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Required,
    Optional,
}

/// The gate of [`AuthLayer`].
#[derive(Debug)]
pub struct AuthGate {
    pub(super) tokens: Option<Arc<dyn TokenVerifier>>,
    pub(super) api_keys: Option<ApiKeyVerifier>,
    pub(super) mode: Mode,
    pub(super) challenges: Challenges,
}

impl<B: Send + 'static> Gate<B> for AuthGate {
    const NAME: &'static str = "auth";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, mut request: Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.set_challenges(Arc::clone(self.challenges.bare()));
        credentials::mark_sensitive(request.headers_mut());
        let now = context.now().wall;
        let (checked, via) = match credentials::read(request.headers(), self.api_keys.is_some()) {
            Ok(Sent::Nothing) if self.mode == Mode::Optional => return Entry::Pass(request, ()),
            Ok(Sent::Nothing) => return Entry::Reject(self.unauthenticated()),
            Ok(Sent::OtherScheme) => return Entry::Reject(self.unauthenticated().with_detail(OTHER_SCHEME)),
            Ok(Sent::Bearer(token)) => (self.check_bearer(token, now), Via::Bearer),
            Ok(Sent::ApiKey(key)) => (self.check_key(key, now), Via::ApiKey),
            Err(Unreadable(rejection, via)) => {
                return Entry::Reject(self.challenges.attach(rejection, Some(via)));
            }
        };
        match checked {
            Checked::Ready(result) => self.decide(result, via, request, context),
            Checked::Wait(later) => {
                let (gate, context) = (Arc::clone(self), Arc::clone(context));
                Entry::Wait(Box::pin(async move { gate.decide(later.await, via, request, &context) }))
            }
        }
    }
}

const OTHER_SCHEME: &str = "The authentication scheme is not accepted here.";

impl AuthGate {
    /// Which verifier a token is for follows from its form alone, and that verifier's word is
    /// final: what one refuses is never shown to the other.
    fn check_bearer(&self, token: &str, now: Timestamp) -> Checked {
        match (&self.tokens, &self.api_keys) {
            (_, Some(keys)) if is_api_key(token) => keys.verify(token, now),
            (Some(tokens), _) => tokens.verify(token, now),
            (None, Some(keys)) => keys.verify(token, now),
            (None, None) => Checked::Ready(Err(RejectionKind::InvalidToken.into())),
        }
    }

    fn check_key(&self, key: &str, now: Timestamp) -> Checked {
        match &self.api_keys {
            Some(keys) => keys.verify(key, now),
            None => Checked::Ready(Err(RejectionKind::InvalidApiKey.into())),
        }
    }

    fn decide<B>(
        &self,
        result: Result<Principal, Rejection>,
        via: Via,
        request: Request<B>,
        context: &RequestContext,
    ) -> Entry<B, ()> {
        match result {
            Ok(principal) => {
                context.set_principal(principal);
                Entry::Pass(request, ())
            }
            Err(rejection) => Entry::Reject(self.challenges.attach(rejection, Some(via))),
        }
    }

    fn unauthenticated(&self) -> Rejection {
        self.challenges.attach(RejectionKind::MissingCredentials.into(), None)
    }
}

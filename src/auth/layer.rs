use std::{fmt, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, Request, header};

use super::{
    AuthLayerBuilder, Authenticator, Head, JwtVerifier, Presented,
    accepted::{Accepted, Checked},
    api_key::{self, ApiKeyVerifier},
    challenge::Challenges,
    condition::Condition,
    credentials::{self, Sent, Unreadable, Via},
    forward::{self, Forwarding},
    grammar,
    mtls::{self, ClientCert},
    sources::{self, Sources},
};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, Waited, layer_of_gate},
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
    /// A builder. It needs at least one kind of credential: a [`jwt`](AuthLayerBuilder::jwt)
    /// verifier, an [`api_keys`](AuthLayerBuilder::api_keys) store, or an
    /// [`authenticator`](AuthLayerBuilder::authenticator).
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

    /// Those that hold keys.
    pub(super) fn verifiers(&self) -> Vec<JwtVerifier> {
        let tokens = self.gate.gate().and_then(|gate| gate.tokens.as_ref());
        tokens.map(|tokens| tokens.verifiers()).unwrap_or_default()
    }
}

layer_of_gate!(AuthLayer => AuthGate, |layer| layer.gate.clone());

/// What verifies bearer tokens.
pub(super) trait TokenVerifier: fmt::Debug + Send + Sync + 'static {
    fn verify(&self, token: &str, now: Timestamp) -> Checked;

    /// The same for bytes that may or may not be a token, where that can be told at once. `None` says
    /// nothing of them; with `Some` they had the form of a token.
    fn recognise(&self, bytes: &[u8], now: Timestamp) -> Option<Checked> {
        let _ = (bytes, now);
        None
    }

    /// The verifiers of which it consists, for their health.
    fn verifiers(&self) -> Vec<JwtVerifier> {
        Vec::new()
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
    /// For tokens that are not three parts, or all that are no keys if there is no issuer of JWTs.
    pub(super) opaque: Option<Arc<dyn TokenVerifier>>,
    pub(super) api_keys: Option<ApiKeyVerifier>,
    pub(super) others: Vec<Arc<dyn Authenticator>>,
    pub(super) conditions: Vec<Arc<dyn Condition>>,
    pub(super) client_cert: ClientCert,
    pub(super) mode: Mode,
    pub(super) challenges: Challenges,
    pub(super) sources: Sources,
    pub(super) forwarding: Forwarding,
}

impl Gate<Body> for AuthGate {
    const NAME: &'static str = "auth";
    const PLACE: Place = Place::Auth;
    const EMITS: &'static [&'static str] = crate::gate::emitted::AUTH;
    /// Header fields of the response.
    type Pass = Vec<(HeaderName, HeaderValue)>;

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, Self::Pass> {
        if !self.others.is_empty() {
            // They are the application's, and see the context.
            context.set_challenges(self.challenges.bare());
        }
        let entry = self.look(request, context);
        // Who has verified the caller has said it with that.
        context.set_challenges(self.challenges.bare());
        entry
    }

    fn leave(self: &Arc<Self>, pass: Self::Pass, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        for (name, value) in pass {
            if name == header::SEC_WEBSOCKET_PROTOCOL {
                sources::websocket_choose(response);
            } else if name == header::CACHE_CONTROL {
                // What must not be stored may not be, whatever the handler says.
                response.headers_mut().insert(name, value);
            } else {
                response.headers_mut().append(name, value);
            }
        }
        Leave::Done
    }
}

const OTHER_SCHEME: &str = "The authentication scheme is not accepted here.";

const OTHER_CALLER: &str = "two AuthLayers have let in different callers: give both the same kinds of credentials, \
                            or let one of them do without the other";

impl AuthGate {
    #[inline]
    fn look(
        self: &Arc<Self>,
        request: &mut Request<Body>,
        context: &Arc<RequestContext>,
    ) -> Entry<Body, Vec<(HeaderName, HeaderValue)>> {
        if credentials::mark_sensitive(request.headers_mut()) {
            forward::strip(request.headers_mut());
        }
        if let Err(rejection) = mtls::settle(request, context, self.client_cert) {
            return Entry::Reject(self.challenges.attach(rejection, Some(Via::Bearer)));
        }
        let mut sent = super::present::one(&self.others, &self.sources, Head::of(request));
        if let Ok(Sent::Unread(value)) = sent {
            if let Some(checked) = self.recognise(value, context) {
                return self.confirm(checked, Via::Bearer, request, context);
            }
            sent = credentials::authorization(value, &self.sources);
        }
        let (checked, via) = match sent {
            Ok(Sent::Nothing) if self.mode == Mode::Optional => return Entry::Pass(Vec::new()),
            Ok(Sent::Nothing) => return Entry::Reject(self.unauthenticated()),
            // `Unread` has been read.
            Ok(Sent::OtherScheme | Sent::Unread(_)) => {
                return Entry::Reject(self.unauthenticated().with_detail(OTHER_SCHEME));
            }
            Ok(Sent::Bearer(token)) => (self.check_bearer(token, context), Via::Bearer),
            Ok(Sent::Dpop(token)) => (self.check_bearer(token, context), Via::Dpop),
            Ok(Sent::WebSocket(token)) => (self.check_bearer(token, context), Via::WebSocket),
            Ok(Sent::ApiKey(key)) => (self.check_key(key, context), Via::ApiKey),
            Ok(Sent::Other(other)) => return self.ask(&other, request, context),
            Err(Unreadable(rejection, via)) => {
                return Entry::Reject(self.challenges.attach(rejection, Some(via)));
            }
        };
        self.confirm(checked, via, request, context)
    }

    /// A token that needs no second look at its form. It is none of the other verifiers': API keys have
    /// no dots, and opaque tokens not the form of a JWT, or there is no verifier of JWTs.
    fn recognise(&self, value: &HeaderValue, context: &RequestContext) -> Option<Checked> {
        let bytes = grammar::behind_bearer(value.as_bytes())?;
        self.tokens.as_ref()?.recognise(bytes, context.now().wall)
    }

    /// Which verifier a token is for follows from its form alone, and that verifier's word is
    /// final: what one refuses is never shown to the other.
    fn check_bearer(&self, token: &str, context: &RequestContext) -> Checked {
        if let Some(keys) = &self.api_keys
            && api_key::is_api_key(token)
        {
            return keys.verify(token, context.now(), context.client_ip());
        }
        if let Some(opaque) = &self.opaque
            && (self.tokens.is_none() || !is_jwt(token))
        {
            return opaque.verify(token, context.now().wall);
        }
        match (&self.tokens, &self.api_keys) {
            (Some(tokens), _) => tokens.verify(token, context.now().wall),
            (None, Some(keys)) => keys.verify(token, context.now(), context.client_ip()),
            (None, None) => Checked::Ready(Err(RejectionKind::InvalidToken.into())),
        }
    }

    fn check_key(&self, key: &str, context: &RequestContext) -> Checked {
        match &self.api_keys {
            Some(keys) => keys.verify(key, context.now(), context.client_ip()),
            None => Checked::Ready(Err(RejectionKind::InvalidApiKey.into())),
        }
    }

    /// Lets the request through, if what has been verified, and everything else that must hold, is
    /// known to hold; waits for what is not known yet.
    fn confirm(
        self: &Arc<Self>,
        checked: Checked,
        via: Via,
        request: &mut Request<Body>,
        context: &Arc<RequestContext>,
    ) -> Entry<Body, Vec<(HeaderName, HeaderValue)>> {
        let waiting = match checked {
            Checked::Ready(Err(rejection)) => return self.decide(Err(rejection), via, request, context).into(),
            Checked::Ready(Ok(accepted)) if self.body_limit() > 0 => Waiting::Conditions(accepted, 0),
            Checked::Ready(Ok(mut accepted)) => {
                match self.conditions_now(&mut accepted, Head::of(request), via, context) {
                    Ok(()) => return self.decide(Ok(accepted), via, request, context).into(),
                    Err(Unmet::Refused(rejection)) => return self.decide(Err(rejection), via, request, context).into(),
                    Err(Unmet::Wait(from)) => Waiting::Conditions(accepted, from),
                }
            }
            Checked::Wait(later) => Waiting::Credential(later),
        };
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request| async move {
            let (accepted, from) = match waiting {
                Waiting::Conditions(accepted, from) => (Ok(accepted), from),
                Waiting::Credential(later) => (later.await, 0),
            };
            gate.conclude(accepted, from, via, request, &context).await
        })
    }

    fn conditions_now(
        &self,
        accepted: &mut Accepted,
        head: Head<'_>,
        via: Via,
        context: &RequestContext,
    ) -> Result<(), Unmet> {
        for (index, condition) in self.conditions.iter().enumerate() {
            let request = Presented { head, body: &NO_BODY, context, via };
            match condition.check_now(accepted, request) {
                Some(Ok(())) => {}
                Some(Err(rejection)) => return Err(Unmet::Refused(rejection)),
                None => return Err(Unmet::Wait(index)),
            }
        }
        Ok(())
    }

    /// How much of the body the conditions need.
    fn body_limit(&self) -> usize {
        self.conditions.iter().map(|condition| condition.body_limit()).max().unwrap_or(0)
    }

    /// How long those that need it may wait for it.
    fn body_timeout(&self) -> Duration {
        let needed = self.conditions.iter().filter(|condition| condition.body_limit() > 0);
        needed.map(|condition| condition.body_timeout()).max().unwrap_or_default()
    }

    /// What [`confirm`](Self::confirm) does, for what has to be waited for.
    async fn conclude(
        &self,
        accepted: Result<Accepted, Rejection>,
        from: usize,
        via: Via,
        mut request: Request<Body>,
        context: &RequestContext,
    ) -> Waited<Body, Vec<(HeaderName, HeaderValue)>> {
        let result = match accepted {
            Ok(accepted) => self.conditions(accepted, from, &mut request, via, context).await,
            Err(rejection) => Err(rejection),
        };
        let decided = self.decide(result, via, &mut request, context);
        Waited::settle(request, decided)
    }

    /// All conditions from the one with index `from` on.
    async fn conditions(
        &self,
        mut accepted: Accepted,
        from: usize,
        request: &mut Request<Body>,
        via: Via,
        context: &RequestContext,
    ) -> Result<Accepted, Rejection> {
        let body = match self.body_limit() {
            0 => NO_BODY.clone(),
            limit => {
                let head = Presented { head: Head::of(request), body: &NO_BODY, context, via };
                self.conditions.iter().skip(from).try_for_each(|condition| condition.before_body(head))?;
                super::present::read_body(request, limit, self.body_timeout()).await?
            }
        };
        let head = Head::of(request);
        for condition in self.conditions.iter().skip(from) {
            let request = Presented { head, body: &body, context, via };
            match condition.check_now(&mut accepted, request) {
                Some(verdict) => verdict?,
                None => condition.check(&mut accepted, request).await?,
            }
        }
        Ok(accepted)
    }

    /// Asks an authenticator, with the body if it needs that.
    fn ask(
        self: &Arc<Self>,
        other: &Arc<dyn Authenticator>,
        request: &mut Request<Body>,
        context: &Arc<RequestContext>,
    ) -> Entry<Body, Vec<(HeaderName, HeaderValue)>> {
        if other.body_limit() == 0 {
            let presented = Presented { head: Head::of(request), body: &NO_BODY, context, via: Via::Other };
            if let Some(result) = other.authenticate_now(presented) {
                return self.confirm(Checked::Ready(result.map(Accepted::from)), Via::Other, request, context);
            }
        }
        let (gate, context, other) = (Arc::clone(self), Arc::clone(context), Arc::clone(other));
        Entry::wait(move |request| async move {
            let (result, request) = super::present::authenticate(&*other, request, &context).await;
            gate.conclude(result, 0, Via::Other, request, &context).await
        })
    }

    fn decide(
        &self,
        result: Result<Accepted, Rejection>,
        via: Via,
        request: &mut Request<Body>,
        context: &RequestContext,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Rejection> {
        match result {
            Ok(Accepted { principal, mut response }) => {
                // Else the handler would act for the one, with what the layers inside demand of the other.
                let Some(principal) = context.set_caller(principal, Some(self.challenges.bare())) else {
                    return Err(Rejection::misconfigured(OTHER_CALLER));
                };
                let headers = request.headers_mut();
                if via == Via::WebSocket {
                    sources::websocket_forget(headers);
                    response.push((header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("bearer")));
                }
                self.forwarding.apply(headers, &principal, context, self.sources.cookie.as_ref());
                Ok(response)
            }
            Err(rejection) => Err(self.challenges.attach(rejection, Some(via))),
        }
    }

    fn unauthenticated(&self) -> Rejection {
        self.challenges.attach(RejectionKind::MissingCredentials.into(), None)
    }
}

/// Three parts: the form of a signed JWT (RFC 7515 §7.1), whatever the parts are.
fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

static NO_BODY: bytes::Bytes = bytes::Bytes::new();

/// Why a condition does not let a request through at once.
enum Unmet {
    Refused(Rejection),
    /// The condition with this index has to ask a store.
    Wait(usize),
}

enum Waiting {
    Credential(crate::store::BoxFuture<'static, Result<Accepted, Rejection>>),
    Conditions(Accepted, usize),
}

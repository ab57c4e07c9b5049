use std::{fmt, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    response::Response,
    routing::{MethodRouter, post},
};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt as _, Limited};

use super::{
    claims::{self, Expected, Logout, Whom},
    fault::LogoutFault,
    form,
};
use crate::{
    auth::{
        jwt::{JwtVerifier, TokenUse},
        revocation::{Revocation, RevocationKey, RevocationQuery, RevocationStore},
    },
    config_error::{ConfigError, ConfigIssues},
    rejection::{Rejection, RejectionKind},
    time::{Clock, SystemClock, Timestamp},
};

/// Twice the longest token: each of its characters might be percent-encoded.
const MAX_BODY: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
const LEEWAY: Duration = Duration::from_secs(30);
const DEFAULT_MEMORY: Duration = Duration::from_secs(24 * 3_600);
const LONGEST_MEMORY: Duration = Duration::from_secs(31 * 24 * 3_600);
/// `iat` has whole seconds: what was issued in the second of the logout was issued before it.
const SECOND: Duration = Duration::from_secs(1);

/// Obeys an issuer that ends sessions. See the [module](super).
#[derive(Clone)]
pub struct BackChannelLogout(Arc<Inner>);

struct Inner {
    verifier: JwtVerifier,
    client: String,
    store: Arc<dyn RevocationStore>,
    memory: Duration,
    clock: Arc<dyn Clock>,
}

/// Builds a [`BackChannelLogout`].
#[derive(Clone, Debug)]
#[must_use]
pub struct BackChannelLogoutBuilder {
    verifier: JwtVerifier,
    client: String,
    store: Arc<dyn RevocationStore>,
    memory: Duration,
    clock: Option<Arc<dyn Clock>>,
}

impl BackChannelLogout {
    /// A builder. `verifier` is that of the issuer's access tokens: its keys verify the logout tokens as
    /// well. `client_id` is this application's at the issuer, which logout tokens have as their audience.
    /// `store` is the one that the layer asks.
    pub fn builder(
        verifier: JwtVerifier,
        client_id: impl Into<String>,
        store: impl RevocationStore,
    ) -> BackChannelLogoutBuilder {
        let store = Arc::new(store);
        BackChannelLogoutBuilder { verifier, client: client_id.into(), store, memory: DEFAULT_MEMORY, clock: None }
    }

    /// The route: `POST` of a form with the field `logout_token`. To be mounted where the issuer sends
    /// it (`backchannel_logout_uri`), outside `AuthLayer`: the logout token is its credential.
    pub fn route<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let this = self.clone();
        post(move |request: Request| async move { this.answer(request).await })
    }

    async fn answer(self, request: Request) -> Result<Response, Rejection> {
        let (parts, body) = request.into_parts();
        let token = form::logout_token(&read(&parts.headers, body).await?)?;
        self.obey(&token).await?;
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn obey(&self, token: &str) -> Result<(), Rejection> {
        let inner = &*self.0;
        let now = inner.clock.now().wall;
        let payload = inner.verifier.payload_of(token, TokenUse::Logout, now).await.map_err(invalid)?;
        let expected = Expected { issuer: inner.verifier.issuer(), client: &inner.client, leeway: LEEWAY };
        let logout = claims::judge(&payload, expected, now)?;
        let mark = RevocationKey::logout(inner.verifier.issuer(), &logout.jti);
        let seen = inner.store.is_revoked(RevocationQuery::key(mark, None), now).await.map_err(Rejection::backend)?;
        if seen {
            return Err(LogoutFault::Replayed.into());
        }
        for revocation in inner.revocations(&logout, now).into_iter().flatten() {
            inner.store.revoke(revocation, now).await.map_err(Rejection::backend)?;
        }
        // Last: a logout that failed half-way may come again.
        let until = logout.expires_at.saturating_add(LEEWAY);
        inner.store.revoke(Revocation::whole(mark, until), now).await.map_err(Rejection::backend)?;
        tracing::info!(target: "portcullis", issuer = inner.verifier.issuer(), "the issuer has ended a session");
        Ok(())
    }
}

impl Inner {
    fn revocations(&self, logout: &Logout, now: Timestamp) -> [Option<Revocation>; 2] {
        let issuer = self.verifier.issuer();
        let until = now.max(logout.issued_at).saturating_add(self.memory);
        let issued_before = logout.issued_at.saturating_add(SECOND);
        match &logout.whom {
            Whom::Session { sid, sub } => {
                let sessionless = sub.as_ref().map(|sub| Revocation {
                    key: RevocationKey::sessionless(issuer, sub),
                    issued_before,
                    until,
                });
                [Some(Revocation::session(issuer, sid, until)), sessionless]
            }
            Whom::Subject(sub) => [Some(Revocation::subject(issuer, sub, issued_before, until)), None],
        }
    }
}

/// What is wrong with a token is wrong with this request (2.8), for good; an outage, or a key that nobody
/// looked for, is not.
fn invalid(rejection: Rejection) -> Rejection {
    if rejection.status().is_server_error() {
        return rejection;
    }
    let invalid = Rejection::new(RejectionKind::InvalidRequest);
    match rejection.source() {
        Some(source) => invalid.with_source(BadToken(source.to_string())),
        None => invalid,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the logout token is not one: {0}")]
struct BadToken(String);

async fn read(headers: &HeaderMap, body: Body) -> Result<bytes::Bytes, Rejection> {
    let is_form = |value: &HeaderValue| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    };
    if !headers.get(header::CONTENT_TYPE).is_some_and(is_form) {
        return Err(LogoutFault::Form.into());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(Rejection::from_body_error(&*error)),
        Err(_) => Err(RejectionKind::RequestTimeout.into()),
    }
}

impl BackChannelLogoutBuilder {
    /// For how long a logout is remembered: at least as long as the longest access token lives, or one
    /// that outlives it works again. A minute to 31 days; default: 24 hours.
    pub fn remember_for(mut self, memory: Duration) -> Self {
        self.memory = memory;
        self
    }

    /// The clock. Give it the one that the layers use. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The route's state.
    ///
    /// # Errors
    /// If the client id is empty, or the memory too short or too long.
    pub fn build(self) -> Result<BackChannelLogout, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.client.is_empty() {
            issues.add("client_id", "it is empty", "give the client id that the issuer knows this application by");
        }
        if self.memory < Duration::from_secs(60) || self.memory > LONGEST_MEMORY {
            issues.add(
                "remember_for",
                "it is less than a minute or more than 31 days",
                "use the longest life of the issuer's access tokens",
            );
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let Self { verifier, client, store, memory, .. } = self;
        issues.finish(BackChannelLogout(Arc::new(Inner { verifier, client, store, memory, clock })))
    }
}

impl fmt::Debug for BackChannelLogout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackChannelLogout")
            .field("issuer", &self.0.verifier.issuer())
            .field("client_id", &self.0.client)
            .finish_non_exhaustive()
    }
}

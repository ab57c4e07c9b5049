use std::{fmt, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::{
    IntrospectionError, Introspector,
    budget::{Budget, Budgets},
    response::{Judge, Refused},
};
use crate::{
    auth::{
        accepted::{Accepted, Checked},
        jwt::parts::Fault,
        layer::TokenVerifier,
    },
    identity::{Principal, PrincipalParts},
    rejection::{Rejection, RejectionKind},
    secret::fingerprint,
    time::{Clock, Timestamp},
};

pub(super) const HELD: usize = 10_000;
const REFUSED: usize = 1_000;
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// What could not be asked is not asked again at once by everybody who waited for it.
const FAILED_FOR: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(5);
/// By how much the requests' readings of the clock may lie before those of the cache.
const SLACK: Duration = Duration::from_secs(30);

/// Verifies opaque tokens. Made by [`Introspection::build`](super::Introspection::build); clones share
/// the cache.
#[derive(Clone)]
pub struct IntrospectionVerifier(Arc<Inner>);

pub(super) struct Inner {
    pub(super) introspector: Arc<dyn Introspector>,
    pub(super) judge: Judge,
    /// How long an answer holds at most.
    pub(super) ttl: Duration,
    pub(super) budgets: Budgets,
    pub(super) clock: Arc<dyn Clock>,
    held: Cache<Digest, Held>,
    refused: Cache<Digest, Refusal>,
    /// Tokens that held when they were last asked about.
    good: Cache<Digest, ()>,
}

/// SHA-256 of the token: the token itself is kept nowhere.
type Digest = [u8; 32];

/// An answer, from its beginning to its end: a clock that is set back does not make it hold longer.
#[derive(Clone)]
struct Held {
    principal: Principal,
    from: Timestamp,
    until: Timestamp,
}

#[derive(Clone)]
struct Refusal {
    rejection: Rejection,
    from: Timestamp,
    until: Timestamp,
}

fn holds(from: Timestamp, until: Timestamp, now: Timestamp) -> bool {
    from.saturating_sub(SLACK) <= now && now < until
}

impl IntrospectionVerifier {
    pub(super) fn new(
        introspector: Arc<dyn Introspector>,
        judge: Judge,
        ttl: Duration,
        budgets: Budgets,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (held, refused, good) = (Cache::new(HELD), Cache::new(REFUSED), Cache::new(HELD));
        Self(Arc::new(Inner { introspector, judge, ttl, budgets, clock, held, refused, good }))
    }

    /// Whose tokens are accepted.
    pub fn issuer(&self) -> &str {
        &self.0.judge.expected.issuer
    }
}

impl fmt::Debug for IntrospectionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionVerifier")
            .field("introspector", &self.0.introspector)
            .field("issuer", &self.issuer())
            .field("held", &self.0.held.len())
            .finish_non_exhaustive()
    }
}

impl TokenVerifier for IntrospectionVerifier {
    fn verify(&self, token: &str, now: Timestamp) -> Checked {
        let digest: Digest = Sha256::digest(token).into();
        if let Some(result) = self.0.known(&digest, now) {
            return Checked::Ready(result);
        }
        let (inner, token) = (Arc::clone(&self.0), token.to_owned());
        Checked::Wait(Box::pin(async move { inner.ask(&token, digest).await }))
    }
}

impl Inner {
    /// What is known without asking. The time of an answer is not renewed by being asked for.
    fn known(&self, digest: &Digest, now: Timestamp) -> Option<Result<Accepted, Rejection>> {
        let held = self.held.get(digest).filter(|held| holds(held.from, held.until, now));
        let held = held.map(|held| Ok(held.principal.into()));
        held.or_else(|| {
            let refusal = self.refused.get(digest).filter(|refusal| holds(refusal.from, refusal.until, now))?;
            Some(Err(refusal.rejection))
        })
    }

    /// Asks; of those who need the same answer at once, one asks and the others wait for it. If the
    /// one gives up, because its client has gone, the next of them asks.
    async fn ask(&self, token: &str, digest: Digest) -> Result<Accepted, Rejection> {
        if self.ttl.is_zero() {
            return self.fetch(token, digest).await.1.map(|(principal, _)| principal.into());
        }
        let now = self.clock.now().wall;
        self.held.remove_if(&digest, |held| !holds(held.from, held.until, now));
        let guard = match self.held.get_value_or_guard_async(&digest).await {
            Ok(held) => return Ok(held.principal.into()),
            Err(guard) => guard,
        };
        // Somebody before us may have asked, and been told no.
        let now = self.clock.now().wall;
        if let Some(known) = self.known(&digest, now) {
            return known;
        }
        let (from, answer) = self.fetch(token, digest).await;
        match answer {
            Ok((principal, expires)) => {
                let end = from.saturating_add(self.ttl);
                let until = expires.map_or(end, |expires| expires.min(end));
                if from < until {
                    // Fails only if the placeholder has been pushed out meanwhile.
                    let _ = guard.insert(Held { principal: principal.clone(), from, until });
                }
                Ok(principal.into())
            }
            Err(rejection) => {
                let keep = match rejection.kind() {
                    RejectionKind::BackendUnavailable => FAILED_FOR,
                    // It will hold soon, and nobody knows when by this clock.
                    RejectionKind::TokenNotYetValid => return Err(rejection),
                    _ => REFUSED_FOR,
                };
                let refusal = Refusal { rejection: rejection.clone(), from, until: from.saturating_add(keep) };
                self.refused.insert(digest, refusal);
                Err(rejection)
            }
        }
    }

    /// When the answer came, the caller, and until when the token lasts.
    async fn fetch(
        &self,
        token: &str,
        digest: Digest,
    ) -> (Timestamp, Result<(Principal, Option<Timestamp>), Rejection>) {
        let budget = if self.good.get(&digest).is_some() { &self.budgets.renewed } else { &self.budgets.new };
        let answer = self.introspect(token, budget).await;
        let now = self.clock.now().wall;
        let judged = answer.and_then(|body| self.judge.read(&body, now));
        let result = match judged {
            Ok(Ok(parts)) => {
                let expires = parts.expires_at.map(|at| at.saturating_add(self.judge.expected.leeway));
                let fingerprint = fingerprint("opaque", token.as_bytes());
                let parts = PrincipalParts { fingerprint: Some(fingerprint), ..parts };
                self.good.insert(digest, ());
                Ok((Principal::new(parts), expires))
            }
            Ok(Err(why)) => {
                self.good.remove(&digest);
                Err(refuse(why))
            }
            Err(error) => {
                self.note_failure(&error, budget);
                Err(Rejection::backend(error))
            }
        };
        (now, result)
    }

    async fn introspect(&self, token: &str, budget: &Budget) -> Result<bytes::Bytes, IntrospectionError> {
        let _permit = budget.spend()?;
        match tokio::time::timeout(DEADLINE, self.introspector.introspect(token)).await {
            Ok(answer) => answer,
            Err(_) => Err(IntrospectionError::TimedOut),
        }
    }

    fn note_failure(&self, error: &IntrospectionError, budget: &Budget) {
        if matches!(error, IntrospectionError::Overloaded | IntrospectionError::Resting) {
            return;
        }
        if is_of_the_server(error) {
            budget.failed();
        }
        tracing::warn!(
            target: "portcullis",
            error = error as &(dyn std::error::Error + 'static),
            introspector = ?self.introspector,
            "a token could not be introspected"
        );
    }
}

/// Whether the next question would fare no better. What a server says of one question alone is the fault
/// of a token that somebody may have sent on purpose.
fn is_of_the_server(error: &IntrospectionError) -> bool {
    match error {
        IntrospectionError::Status(status) => !matches!(status, 400 | 413 | 414 | 422),
        IntrospectionError::TooLarge | IntrospectionError::Malformed => false,
        _ => true,
    }
}

fn refuse(why: Refused) -> Rejection {
    let kind = match &why {
        Refused::Claims(fault) => Fault::kind(*fault),
        _ => RejectionKind::InvalidToken,
    };
    Rejection::new(kind).with_source(why)
}

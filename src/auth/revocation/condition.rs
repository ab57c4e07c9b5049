use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{RevocationQuery, RevocationStore};
use crate::{
    auth::{Presented, accepted::Accepted, condition::Condition},
    identity::AuthMethod,
    rejection::{Rejection, RejectionKind},
    store::{BoxFuture, StoreError},
};

/// How long a request waits for a store.
const PATIENCE: Duration = Duration::from_secs(2);

/// What becomes of credentials while nobody knows whether they are revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnStoreLoss {
    #[default]
    Closed,
    Open,
}

/// That a credential is not revoked.
#[derive(Debug)]
pub(super) struct NotRevoked {
    store: Arc<dyn RevocationStore>,
    on_loss: OnStoreLoss,
    /// The last answer was none: so that an outage is one line in the log and not a million.
    lost: AtomicBool,
}

/// For the log. The client learns what it would of any credential that does not hold: whether one
/// once did is of use to a thief only.
#[derive(Debug, thiserror::Error)]
#[error("the credential is revoked")]
struct Revoked;

impl NotRevoked {
    pub(super) fn new(store: Arc<dyn RevocationStore>, on_loss: OnStoreLoss) -> Self {
        Self { store, on_loss, lost: AtomicBool::new(false) }
    }

    fn judge(&self, revoked: Result<bool, StoreError>, method: AuthMethod) -> Result<(), Rejection> {
        match revoked {
            Ok(revoked) => {
                // Read first: a write to what all threads share is for the rare case.
                if self.lost.load(Relaxed) && self.lost.swap(false, Relaxed) {
                    tracing::info!(target: "portcullis", store = ?self.store, "revocations are known again");
                }
                if !revoked {
                    return Ok(());
                }
                let kind = match method {
                    AuthMethod::ApiKey => RejectionKind::InvalidApiKey,
                    _ => RejectionKind::InvalidToken,
                };
                Err(Rejection::new(kind).with_source(Revoked))
            }
            Err(error) if self.on_loss == OnStoreLoss::Closed => Err(Rejection::backend(error)),
            Err(error) => {
                if !self.lost.swap(true, Relaxed) {
                    tracing::error!(
                        target: "portcullis",
                        error = &error as &(dyn std::error::Error + 'static),
                        store = ?self.store,
                        "revocations are unknown: credentials are accepted that may be revoked"
                    );
                }
                Ok(())
            }
        }
    }
}

impl Condition for NotRevoked {
    fn check_now(&self, accepted: &mut Accepted, request: Presented<'_>) -> Option<Result<(), Rejection>> {
        let query = RevocationQuery::of(&accepted.principal);
        let revoked = self.store.is_revoked_now(query, request.context.now().wall)?;
        Some(self.judge(revoked, accepted.principal.method()))
    }

    fn check<'a>(&'a self, accepted: &'a mut Accepted, request: Presented<'a>) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(async move {
            let query = RevocationQuery::of(&accepted.principal);
            let answer = self.store.is_revoked(query, request.context.now().wall);
            let revoked = tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(StoreError::TimedOut));
            self.judge(revoked, accepted.principal.method())
        })
    }
}

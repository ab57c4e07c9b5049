use std::time::Duration;

use super::{HttpSignatures, Refused};
use crate::{
    auth::{Head, Presented, accepted::Accepted, condition::Condition},
    rejection::Rejection,
    store::BoxFuture,
};

/// Where a credential can stand. All that are there must be covered, whichever of them counts.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "cookie", "sec-websocket-protocol"];

/// A signature beside a credential: by a key of the credential's owner, and over the credential.
#[derive(Debug)]
pub(in crate::auth) struct Proof(pub(in crate::auth) HttpSignatures);

impl Proof {
    async fn hold(&self, accepted: &Accepted, request: Presented<'_>) -> Result<(), Rejection> {
        let bound = bound(request.head)?;
        let key = self.0.verify(request, &bound).await?;
        let principal = &accepted.principal;
        let is_theirs = key.subject() == principal.subject() || principal.client() == Some(key.subject());
        // A name is one tenant's: that of another may have a user of the same name.
        if is_theirs && key.tenant().is_none_or(|tenant| principal.tenant() == Some(tenant)) {
            return Ok(());
        }
        Err(Refused::Foreign(key.id().into()).into())
    }
}

/// What the signature must cover, if there is one: without the credential in it, the signature of one request
/// would do for a stolen token.
fn bound(head: Head<'_>) -> Result<Vec<&'static str>, Refused> {
    if !HttpSignatures::is_signed(head.headers) {
        return Err(Refused::Uncovered("The request must be signed."));
    }
    Ok(CREDENTIALS.into_iter().filter(|name| head.headers.contains_key(*name)).collect())
}

impl Condition for Proof {
    fn body_limit(&self) -> usize {
        self.0.inner.max_body
    }

    fn body_timeout(&self) -> Duration {
        self.0.inner.body_timeout
    }

    fn before_body(&self, request: Presented<'_>) -> Result<(), Rejection> {
        let opened = bound(request.head).and_then(|bound| self.0.open(&request, &bound));
        opened.map(drop).map_err(|why| self.0.explain(why.into()))
    }

    fn check_now(&self, _: &mut Accepted, _: Presented<'_>) -> Option<Result<(), Rejection>> {
        None
    }

    fn check<'a>(&'a self, accepted: &'a mut Accepted, request: Presented<'a>) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(async move { self.hold(accepted, request).await.map_err(|rejection| self.0.explain(rejection)) })
    }
}

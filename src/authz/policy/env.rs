use std::{fmt, sync::Arc};

use axum::extract::FromRequestParts;
use http::{Method, request::Parts};

use super::{LocalTime, Zone};
use crate::{
    rejection::Rejection,
    request::{ClientIp, RequestContext},
    time::Timestamp,
};

/// The circumstances of a question: when, from where, by which method. Handlers take it as an
/// extractor. How the caller was authenticated stands in the question's subject
/// ([`acr`](crate::identity::Principal::acr), [`amr`](crate::identity::Principal::amr)).
#[derive(Clone)]
pub struct Env {
    now: Timestamp,
    client: ClientIp,
    method: Option<Method>,
    context: Option<Arc<RequestContext>>,
}

impl Env {
    /// The circumstances of a request: its one reading of the clock, its client.
    pub fn of(context: &Arc<RequestContext>) -> Self {
        Self {
            now: context.now().wall,
            client: context.client_ip(),
            method: Some(context.method().clone()),
            context: Some(Arc::clone(context)),
        }
    }

    /// Circumstances without a request: for tests, and for jobs.
    pub fn at(now: Timestamp) -> Self {
        Self { now, client: ClientIp::UNKNOWN, method: None, context: None }
    }

    /// The same, by another method.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What clocks on walls show in `zone`.
    pub fn local(&self, zone: &Zone) -> LocalTime {
        zone.at(self.now)
    }

    /// Where the request came from.
    pub fn client_ip(&self) -> ClientIp {
        self.client
    }

    /// The request's method; `None` without a request.
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    pub(super) fn context(&self) -> Option<&Arc<RequestContext>> {
        self.context.as_ref()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("now", &self.now)
            .field("client", &self.client)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Env {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        RequestContext::from_parts(parts).map(Self::of)
    }
}

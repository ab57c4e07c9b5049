//! tower-http's time-out, body limit and body deadline, with their bodies turned back into axum's.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use http::StatusCode;

use tower::{Layer as _, util::Either};
use tower_http::{
    body::Limited,
    limit::{RequestBodyLimit, RequestBodyLimitLayer},
    map_request_body::{MapRequestBody, MapRequestBodyLayer},
    timeout::{DeadlineBody, RequestBodyDeadline, RequestBodyDeadlineLayer, Timeout, TimeoutLayer},
};

use crate::gate::{GateLayer, Gated, ProblemGate, drained};

type ReadBody = DeadlineBody<Limited<Body>>;

type Limiter<S> = RequestBodyLimit<RequestBodyDeadline<MapRequestBody<S, fn(ReadBody) -> Body>>>;

/// The absent gate turns tower-http's response body into axum's.
type Drained<S> = MapRequestBody<Gated<ProblemGate, Limiter<S>>, fn(Body) -> Body>;

pub(super) type Bounded<S> = Either<Timeout<Drained<S>>, Drained<S>>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) timeout: Option<Duration>,
    /// `None` goes by what the validation takes.
    pub(super) body_limit: Option<usize>,
    pub(super) body_deadline: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { timeout: Some(Duration::from_secs(30)), body_limit: None, body_deadline: Duration::from_secs(30) }
    }
}

/// Orders, not films.
const BODY_LIMIT: usize = 1024 * 1024;

impl Bounds {
    /// Around a validation whose rules take so much, if there is one.
    pub(super) fn layer<S>(self, inner: S, validated: Option<usize>) -> Bounded<S> {
        let body_limit = self.body_limit.unwrap_or_else(|| validated.unwrap_or(0).max(BODY_LIMIT));
        let inner = MapRequestBodyLayer::new(erase as fn(ReadBody) -> Body).layer(inner);
        let inner = RequestBodyDeadlineLayer::new(self.body_deadline).layer(inner);
        let inner = RequestBodyLimitLayer::new(body_limit).layer(inner);
        let inner = GateLayer::absent().layer(inner);
        let inner = MapRequestBodyLayer::new(drained as fn(Body) -> Body).layer(inner);
        match self.timeout {
            Some(limit) => {
                Either::Left(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, limit).layer(inner))
            }
            None => Either::Right(inner),
        }
    }
}

/// A request without a body pays for no box.
fn erase(body: ReadBody) -> Body {
    if body.is_end_stream() { Body::empty() } else { Body::new(body) }
}

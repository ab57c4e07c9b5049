//! Which of several authenticators a request is for.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::Request;

use super::{
    Authenticator, Head, Presence, Presented,
    accepted::Accepted,
    credentials::{self, Sent, Unreadable, Via},
};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

/// The one credential of a request: what the two headers hold, or what one of `others` calls its
/// own. What comes with the connection counts if nothing else was sent.
pub(super) fn one<'a>(
    others: &[Arc<dyn Authenticator>],
    head: Head<'_>,
    sent: Result<Sent<'a>, Unreadable>,
) -> Result<Sent<'a>, Unreadable> {
    let (mut present, mut ambient) = (None, None);
    for other in others {
        match other.presence(head) {
            Presence::Absent => {}
            Presence::Present if present.is_some() => return Err(credentials::twice()),
            Presence::Present => present = Some(other),
            Presence::Ambient => ambient = ambient.or(Some(other)),
            Presence::Malformed(rejection) => return Err(Unreadable(rejection, Via::Other)),
        }
    }
    match (sent, present) {
        // A scheme that is unknown to the reader of the two headers is known to somebody else.
        (Ok(Sent::Nothing | Sent::OtherScheme), Some(other)) => Ok(Sent::Other(Arc::clone(other))),
        (Ok(_), Some(_)) => Err(credentials::twice()),
        (Ok(Sent::Nothing), None) => Ok(ambient.map_or(Sent::Nothing, |other| Sent::Other(Arc::clone(other)))),
        (sent, _) => sent,
    }
}

/// Asks an authenticator that has to wait, or needs the body. The request comes back whole.
pub(super) async fn authenticate(
    other: &dyn Authenticator,
    request: Request<Body>,
    context: &RequestContext,
) -> (Result<Accepted, Rejection>, Request<Body>) {
    let (parts, body) = request.into_parts();
    let (read, body) = match other.body_limit() {
        0 => (Bytes::new(), body),
        // TODO(signed requests): the bound, the deadline and the encodings of webhook/body.rs.
        limit => match axum::body::to_bytes(body, limit).await {
            Ok(read) => (read.clone(), Body::from(read)),
            Err(_) => {
                let request = Request::from_parts(parts, Body::empty());
                return (Err(RejectionKind::PayloadTooLarge.into()), request);
            }
        },
    };
    let presented = Presented { head: Head::from(&parts), body: &read, context, via: Via::Other };
    let result = match other.authenticate_now(presented) {
        Some(result) => result,
        None => other.authenticate(presented).await,
    };
    (result.map(Accepted::from), Request::from_parts(parts, body))
}

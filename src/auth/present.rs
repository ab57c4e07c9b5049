//! Which of several authenticators a request is for.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::Request;

use super::{
    Authenticator, Head, Presence, Presented,
    accepted::Accepted,
    credentials::{self, Sent, Unreadable, Via},
    sources::Sources,
};
use crate::{gate, rejection::Rejection, request::RequestContext};

/// The one credential of a request: what the headers of the layer hold, or what one of `others` calls
/// its own. A cookie counts if nothing else was sent, and what comes with the connection if there is
/// no cookie either.
pub(super) fn one<'a>(
    others: &[Arc<dyn Authenticator>],
    sources: &Sources,
    head: Head<'a>,
) -> Result<Sent<'a>, Unreadable> {
    let mut sent = credentials::read(head, sources);
    if let (Ok(Sent::Unread(value)), false) = (&sent, others.is_empty()) {
        // Whether it is one for the others depends on its scheme.
        sent = credentials::authorization(value, sources);
    }
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
        (Ok(Sent::Nothing), None) => match (credentials::cookie(head, sources)?, ambient) {
            (Sent::Nothing, Some(other)) => Ok(Sent::Other(Arc::clone(other))),
            (sent, _) => Ok(sent),
        },
        (sent, _) => sent,
    }
}

/// Asks an authenticator that has to wait, or needs the body. The request comes back whole.
pub(super) async fn authenticate(
    other: &dyn Authenticator,
    mut request: Request<Body>,
    context: &RequestContext,
) -> (Result<Accepted, Rejection>, Request<Body>) {
    let mut body = Bytes::new();
    let limit = other.body_limit();
    if limit > 0 {
        let head = Presented { head: Head::of(&request), body: &body, context, via: Via::Other };
        if let Err(rejection) = other.before_body(head) {
            return (Err(rejection), request);
        }
        match read_body(&mut request, limit, other.body_timeout()).await {
            Ok(read) => body = read,
            Err(rejection) => return (Err(rejection), request),
        }
    }
    let presented = Presented { head: Head::of(&request), body: &body, context, via: Via::Other };
    let result = match other.authenticate_now(presented) {
        Some(result) => result,
        None => other.authenticate(presented).await,
    };
    (result.map(Accepted::from), request)
}

/// Reads the body, and puts it back as it was. Who reads it a second time waits for nothing, and
/// copies nothing.
pub(super) async fn read_body(
    request: &mut Request<Body>,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Rejection> {
    gate::announced(request.headers(), request.body(), limit)?;
    let read = gate::collect(std::mem::take(request.body_mut()), limit, timeout).await?;
    let bytes = read.bytes().clone();
    *request.body_mut() = read.into_body();
    Ok(bytes)
}

//! The guard: answers of handlers that owe a check are not sent.

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};

use crate::{
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

/// Lets a response pass if the object was checked, or if the handler refused anyway. Else the
/// response is dropped, unread, with all its headers: any of them may tell what the caller must not
/// know.
///
/// Judged is the head of a response: what streams, and what is upgraded to a `WebSocket`, has not
/// begun yet.
pub(in crate::authz) fn judge(response: &mut Response, context: &RequestContext) {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    let obligation = context.obligation();
    if !obligation.is_broken() && (refused || !obligation.is_open()) {
        return;
    }
    // A guard further inside has seen to it.
    let judged = response.extensions().get::<Rejection>();
    if judged.is_some_and(|rejection| rejection.kind() == RejectionKind::AuthorizationNotChecked) {
        return;
    }
    let source = NotChecked {
        method: context.method().clone(),
        route: context.route().unwrap_or("(no route)").into(),
        status,
        cause: if obligation.is_broken() { "read the body before" } else { "answered without" },
    };
    *response = Rejection::new(RejectionKind::AuthorizationNotChecked).with_source(source).into_response();
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{method} {route} {cause} a check of the object (status {status}): take Authorized or ListScope as an extractor, \
     call Access::check, or discharge the Obligation with a reason"
)]
struct NotChecked {
    method: Method,
    route: Box<str>,
    status: StatusCode,
    cause: &'static str,
}

use std::fmt::Write as _;

use http::{HeaderValue, Method};
use serde_json::Value;

use super::requirement::{Caller, Check, Need};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

/// 403 as RFC 6750 §3.1 wants it: the challenge says which scopes a token would need.
pub(super) fn insufficient(check: &Check, caller: Caller<'_>, context: &RequestContext) -> Rejection {
    let list = |scopes: &mut dyn Iterator<Item = &str>| scopes.map(Value::from).collect::<Value>();
    let rejection = Rejection::new(RejectionKind::InsufficientScope)
        .with_member("required_scopes", list(&mut check.scopes()))
        .with_member("missing_scopes", list(&mut check.missing(caller)));
    let rejection = match check.need() {
        Need::Any => rejection.with_detail("The credential needs one of the required scopes."),
        Need::All | Need::Caller => rejection,
    };
    match challenge(check, context) {
        Some(challenge) => rejection.with_challenge(challenge),
        None => rejection,
    }
}

/// The bearer challenge of the layer that let the caller in, with its realm, and the error.
fn challenge(check: &Check, context: &RequestContext) -> Option<HeaderValue> {
    let lines = context.challenges().iter().filter_map(|line| line.to_str().ok());
    let mut text = match lines.into_iter().find(|line| line.starts_with("Bearer ")) {
        Some(line) => format!("{line}, "),
        None => String::from("Bearer "),
    };
    text.push_str("error=\"insufficient_scope\", scope=\"");
    for (index, scope) in check.scopes().enumerate() {
        // Fails only if out of memory.
        let _ = write!(text, "{}{scope}", if index == 0 { "" } else { " " });
    }
    text.push('"');
    HeaderValue::try_from(text).ok()
}

/// A route without a row: refused, and the log says which row is missing.
pub(super) fn no_row(method: &Method, route: &str) -> Rejection {
    Rejection::new(RejectionKind::Forbidden).with_source(NoRow { method: method.clone(), route: route.into() })
}

/// No route matched, so no handler could answer but a fallback, which has no requirement.
pub(super) fn no_route() -> Rejection {
    Rejection::new(RejectionKind::NotFound).with_source(NoRoute)
}

#[derive(Debug, thiserror::Error)]
#[error("the scope table has no row for {method} {route}: add .route(…) with its requirement, or .public(…)")]
struct NoRow {
    method: Method,
    route: Box<str>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no route matched; if every call ends here, the table stands outside the router: \
     add it with Router::layer to the router that holds the routes"
)]
struct NoRoute;

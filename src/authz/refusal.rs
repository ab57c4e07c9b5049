use std::fmt::Write as _;

use http::{HeaderValue, Method};
use serde_json::Value;

use super::{
    requirement::{Caller, Check, Lack, Need},
    step_up::StepUpCheck,
};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

/// What becomes of a caller who lacks something.
pub(super) fn of(lack: Lack, check: &Check, caller: Caller<'_>, context: &RequestContext) -> Rejection {
    match (lack, check.step_up()) {
        (Lack::Scope, _) => insufficient(check, caller, context),
        (Lack::Strength, Some(step_up)) => self::step_up(step_up, context),
        (Lack::Role | Lack::Strength, _) => role(check.roles(), context),
    }
}

/// 403 as RFC 6750 §3.1 wants it: the challenge says which scopes a token would need.
fn insufficient(check: &Check, caller: Caller<'_>, context: &RequestContext) -> Rejection {
    let list = |scopes: &mut dyn Iterator<Item = &str>| scopes.map(Value::from).collect::<Value>();
    let rejection = Rejection::new(RejectionKind::InsufficientScope)
        .with_member("required_scopes", list(&mut check.scopes()))
        .with_member("missing_scopes", list(&mut check.missing(caller)));
    let rejection = match check.need() {
        Need::Any => rejection.with_detail("The credential needs one of the required scopes."),
        Need::All | Need::Caller => rejection,
    };
    let mut error = String::from("error=\"insufficient_scope\", scope=\"");
    for (index, scope) in check.scopes().enumerate() {
        // Fails only if out of memory.
        let _ = write!(error, "{}{scope}", if index == 0 { "" } else { " " });
    }
    error.push('"');
    challenged(rejection, &error, context)
}

/// 403. Which roles there are is no client's business: the log names them.
fn role(roles: &[Box<str>], context: &RequestContext) -> Rejection {
    let rejection = Rejection::new(RejectionKind::Forbidden)
        .with_detail("The caller lacks a required role.")
        .with_source(NoRole { required: roles.join(", ") });
    challenged(rejection, "error=\"insufficient_scope\"", context)
}

/// 401 as RFC 9470 §3 wants it: the challenge says what to ask the issuer for.
pub(super) fn step_up(check: &StepUpCheck, context: &RequestContext) -> Rejection {
    let mut rejection = Rejection::new(RejectionKind::StepUpRequired);
    if check.acr_values().next().is_some() {
        rejection = rejection.with_member("acr_values", check.acr_values().map(Value::from).collect::<Value>());
    }
    if let Some(age) = check.max_age() {
        rejection = rejection.with_member("max_age", age);
    }
    challenged(rejection, check.challenge(), context)
}

/// Adds the challenge of the layer that let the caller in, with its realm, and the error. The scheme
/// is the one that the caller used: a token that is bound to a key says `DPoP` (RFC 9449 §7.1).
pub(super) fn challenged(rejection: Rejection, error: &str, context: &RequestContext) -> Rejection {
    let confirmation = context.principal().and_then(|principal| principal.confirmation());
    let scheme = if confirmation.is_some_and(|bound| bound.dpop.is_some()) { "DPoP " } else { "Bearer " };
    let mut lines = context.challenges().iter().filter_map(|line| line.to_str().ok());
    let text = match lines.find(|line| line.starts_with(scheme)) {
        Some(line) => format!("{line}, {error}"),
        None => format!("{scheme}{error}"),
    };
    match HeaderValue::try_from(text) {
        Ok(challenge) => rejection.with_challenge(challenge),
        Err(_) => rejection,
    }
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

#[derive(Debug, thiserror::Error)]
#[error("the caller lacks a required role ({required})")]
struct NoRole {
    required: String,
}

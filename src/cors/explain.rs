//! What a policy makes of a request, in words.

use std::fmt;

use http::{HeaderMap, HeaderValue, Request, header};
use serde::Serialize;

use super::{
    OriginPattern,
    compiled::{Compiled, Standing, only, preflight_method},
    grammar::Port,
};
use crate::time::Timestamp;

/// What the layer does with a request in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The preflight is allowed: the browser will send the request.
    PreflightAllowed,
    /// The preflight is refused: the browser will not send the request.
    PreflightRefused,
    /// The request reaches the handler, and the page can read the response.
    Readable,
    /// The request reaches the handler, and no page can read the response.
    Unreadable,
    /// The origin source is asked first, whose answer is not known yet.
    SourceDecides,
}

/// One rule, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// What was looked at: `preflight`, `origin`, `method`, `request headers`, `credentials`.
    pub rule: &'static str,
    /// Whether it stands in nobody's way.
    pub passed: bool,
    /// What was found. Texts of the client are cut to 200 characters, and escaped.
    pub found: String,
}

/// What a [`CorsPolicy`](super::CorsPolicy) makes of a request, rule by rule. Its `Display` is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    steps: Vec<Step>,
    outcome: Outcome,
}

impl Explanation {
    /// The rules, in the order in which they were looked at.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What happens in the end.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn step(&mut self, rule: &'static str, passed: bool, found: impl Into<String>) {
        self.steps.push(Step { rule, passed, found: found.into() });
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{}: {}", step.rule, step.found)?;
        }
        f.write_str(match self.outcome {
            Outcome::PreflightAllowed => "=> the preflight is allowed",
            Outcome::PreflightRefused => "=> the preflight is refused",
            Outcome::Readable => "=> the page can read the response",
            Outcome::Unreadable => "=> no page can read the response",
            Outcome::SourceDecides => "=> the origin source decides",
        })
    }
}

pub(super) fn explain<B>(policy: &Compiled, request: &Request<B>) -> Explanation {
    let mut explanation = Explanation { steps: Vec::new(), outcome: Outcome::Unreadable };
    let asked = preflight_method(request);
    let kind = if asked.is_some() {
        "it is OPTIONS, with Origin and one Access-Control-Request-Method"
    } else {
        "it is none, so the handler is called"
    };
    explanation.step("preflight", true, kind);
    let standing = origin(policy, request, &mut explanation);
    let headers = request.headers();
    let rest = asked.is_none_or(|method| {
        let method = self::method(policy, method, &mut explanation);
        request_headers(policy, headers, &mut explanation) && method
    });
    explanation.outcome = match (standing, asked.is_some()) {
        (None, _) if rest => Outcome::SourceDecides,
        (Some(true), true) if rest => Outcome::PreflightAllowed,
        (_, true) => Outcome::PreflightRefused,
        (Some(true), false) => Outcome::Readable,
        (_, false) => Outcome::Unreadable,
    };
    if explanation.outcome == Outcome::Readable || explanation.outcome == Outcome::PreflightAllowed {
        let found = if policy.settings.credentials {
            "may be sent: the browser's cookies count"
        } else {
            "may not be sent: a page that asks for them is refused by its browser"
        };
        explanation.step("credentials", true, found);
    }
    explanation
}

/// Whether the origin is allowed; `None` if the source has to say so.
fn origin<B>(policy: &Compiled, request: &Request<B>, explanation: &mut Explanation) -> Option<bool> {
    let headers = request.headers();
    let Some(value) = only(headers, header::ORIGIN) else {
        let (passed, found) = match headers.get_all(header::ORIGIN).iter().count() {
            _ if policy.settings.any_origin => (true, "every origin is allowed"),
            0 => (false, "there is none, so no browser asks on behalf of another origin's page"),
            _ => (false, "there are several, which name none"),
        };
        explanation.step("origin", passed, found);
        return Some(passed);
    };
    let shown = quoted(value);
    // What a source has said before, it may not say again: nothing remembered is looked at.
    let (standing, found) = match policy.standing(request, Timestamp::MAX) {
        Standing::Listed(_) if policy.settings.any_origin => (Some(true), "every origin is allowed".to_owned()),
        Standing::Listed(_) => (Some(true), format!("{shown} is allowed{}", by(policy, value))),
        Standing::Vouched(_) | Standing::Ask(_) => (None, format!("{shown} is not listed; the origin source is asked")),
        Standing::Refused => (Some(false), format!("{shown} is not allowed{}", hint(policy, value))),
    };
    explanation.step("origin", standing != Some(false), found);
    standing
}

/// Which pattern allows it, if it is not listed itself.
fn by(policy: &Compiled, origin: &HeaderValue) -> String {
    let text = origin.to_str().unwrap_or_default();
    let mut patterns = policy.settings.origins.iter().flatten();
    match patterns.find(|pattern| pattern.matches(text)) {
        Some(pattern) if !pattern.is_exact() => format!(" by {pattern}"),
        _ => String::new(),
    }
}

/// What may have been meant.
fn hint(policy: &Compiled, origin: &HeaderValue) -> String {
    let asked = match OriginPattern::parse(&String::from_utf8_lossy(origin.as_bytes())) {
        Ok(asked) if asked.is_exact() => asked,
        Ok(_) => return "; no browser sends a wildcard".to_owned(),
        Err(error) => return format!("; it {}", error.fault().reason()),
    };
    let near = policy.settings.origins.iter().flatten().find_map(|allowed| {
        let below = allowed.has_any_subdomain() && asked.host().ends_with(&format!(".{}", allowed.host()));
        let difference = if asked.host() != allowed.host() && !below {
            return None;
        } else if allowed.has_any_subdomain() && !below {
            "stands for its subdomains only"
        } else if asked.scheme() != allowed.scheme() {
            "differs by its scheme"
        } else if allowed.port() == Port::Any {
            return None;
        } else {
            "differs by its port"
        };
        Some(format!("; {allowed} is, which {difference}"))
    });
    near.unwrap_or_default()
}

fn method(policy: &Compiled, method: &HeaderValue, explanation: &mut Explanation) -> bool {
    let shown = quoted(method);
    if policy.allowed_method(method).is_some() {
        explanation.step("method", true, format!("{shown} is allowed"));
        return true;
    }
    let upper = method.as_bytes().to_ascii_uppercase();
    let hint = match policy.methods.iter().any(|allowed| allowed.as_bytes() == upper) {
        true => {
            "; methods are case-sensitive, and browsers write only GET, HEAD, POST, PUT, DELETE and OPTIONS in capitals"
        }
        false => "",
    };
    explanation.step("method", false, format!("{shown} is not allowed{hint}"));
    false
}

fn request_headers(policy: &Compiled, headers: &HeaderMap, explanation: &mut Explanation) -> bool {
    let lines = || headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter().map(HeaderValue::as_bytes);
    let covered = policy.request_headers.cover(lines());
    let found = match policy.request_headers.stranger(lines()) {
        _ if lines().all(<[u8]>::is_empty) => "none is asked for".to_owned(),
        _ if covered => "all that are asked for are allowed".to_owned(),
        Some(name) => format!("{} is not allowed", bytes(name)),
        None => "the list is longer than all allowed names together, so it was not read".to_owned(),
    };
    explanation.step("request headers", covered, found);
    covered
}

fn quoted(value: &HeaderValue) -> String {
    bytes(value.as_bytes())
}

fn bytes(value: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(value).chars().take(200).collect();
    format!("{text:?}")
}

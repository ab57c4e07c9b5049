//! How strongly, and how recently, a caller must have been authenticated. Pure.

use std::{fmt::Write as _, time::Duration};

use crate::{config_error::ConfigIssues, identity::Principal, time::Timestamp};

/// Clocks of issuers are a little ahead at times; an authentication further in the future than this
/// is no authentication.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// How strongly, and how recently, a caller must have been authenticated (RFC 9470). Everything that
/// is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct StepUp {
    acr: Vec<String>,
    amr: Vec<String>,
    max_age: Option<Duration>,
}

impl StepUp {
    /// Asks for nothing yet; something must be set.
    pub fn new() -> Self {
        Self::default()
    }

    /// One of these authentication contexts (`acr`), the preferred one first. The challenge names
    /// them, so that the client can ask the issuer for one (RFC 9470 §3).
    pub fn acr_values(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.acr = values.into_iter().map(Into::into).collect();
        self
    }

    /// Every one of these methods (`amr`, RFC 8176): `mfa`, `otp`, `hwk` … A challenge has no word
    /// for methods: set [`acr_values`](Self::acr_values) too, if the client is to know what to ask for.
    pub fn amr(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.amr = methods.into_iter().map(Into::into).collect();
        self
    }

    /// The authentication (`auth_time`) is at most this old, in whole seconds. A token that does not
    /// say when is too old.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// In words, for a list of routes.
    pub(in crate::authz) fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.acr.is_empty() {
            parts.push(format!("acr {}", self.acr.join(" or ")));
        }
        if !self.amr.is_empty() {
            parts.push(format!("amr {}", self.amr.join(" and ")));
        }
        if let Some(age) = self.max_age {
            parts.push(format!("authenticated within {} s", age.as_secs()));
        }
        parts.join(", ")
    }

    pub(in crate::authz) fn compile(self, field: &str, issues: &mut ConfigIssues) -> StepUpCheck {
        if self == Self::default() {
            let cure = "set acr_values(…), amr(…) or max_age(…)";
            issues.add(field.to_owned(), "the step-up asks for nothing", cure);
        }
        for value in self.acr.iter().chain(&self.amr).filter(|value| !is_value(value)) {
            let cure = "write visible ASCII without blanks, \" and \\";
            issues.add(field.to_owned(), format!("{value:?} cannot be an acr or amr value"), cure);
        }
        if self.max_age.is_some_and(|age| age.as_secs() == 0) {
            let cure = "use one second at least: an authentication is always a little old";
            issues.add(field.to_owned(), "the greatest age is below one second", cure);
        }
        let max_age = self.max_age.map(|age| age.as_secs());
        let challenge = challenge(&self.acr, max_age);
        let boxed = |values: Vec<String>| values.into_iter().map(Into::into).collect();
        StepUpCheck { acr: boxed(self.acr), amr: boxed(self.amr), max_age, challenge: challenge.into() }
    }
}

/// `acr_values` is a list with blanks between, inside a quoted string.
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The parameters of RFC 9470 §3.
fn challenge(acr: &[String], max_age: Option<u64>) -> String {
    let mut text = String::from(
        "error=\"insufficient_user_authentication\", \
         error_description=\"A stronger or more recent authentication is required.\"",
    );
    if !acr.is_empty() {
        // Fails only if out of memory, as below.
        let _ = write!(text, ", acr_values=\"{}\"", acr.join(" "));
    }
    if let Some(age) = max_age {
        let _ = write!(text, ", max_age=\"{age}\"");
    }
    text
}

/// A [`StepUp`] with everything made beforehand.
#[derive(Debug)]
pub(in crate::authz) struct StepUpCheck {
    acr: Box<[Box<str>]>,
    amr: Box<[Box<str>]>,
    max_age: Option<u64>,
    challenge: Box<str>,
}

impl StepUpCheck {
    /// `now` is the world's time.
    pub(in crate::authz) fn holds(&self, principal: &Principal, now: Timestamp) -> bool {
        let strong =
            self.acr.is_empty() || principal.acr().is_some_and(|held| self.acr.iter().any(|wanted| **wanted == *held));
        let methods = self.amr.iter().all(|wanted| principal.amr().any(|held| **wanted == *held));
        strong && methods && self.max_age.is_none_or(|age| is_recent(principal.auth_time(), age, now))
    }

    pub(in crate::authz) fn challenge(&self) -> &str {
        &self.challenge
    }

    pub(in crate::authz) fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.acr.iter().map(|value| &**value)
    }

    pub(in crate::authz) fn max_age(&self) -> Option<u64> {
        self.max_age
    }
}

fn is_recent(at: Option<Timestamp>, age: u64, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now.saturating_add(MAX_SKEW) && now <= at.saturating_add(Duration::from_secs(age)))
}

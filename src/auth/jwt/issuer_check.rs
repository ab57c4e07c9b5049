//! What is wrong with an issuer's settings.

use std::time::Duration;

use super::{
    Algorithm, Issuer, Profile,
    claim_names::MAX_PATHS,
    header::{AcceptedTypes, without_application},
};
use crate::config_error::ConfigIssues;

const MAX_LEEWAY: Duration = Duration::from_secs(60);
/// A token that lives longer should be a session, or be refreshed.
const LONG_LIFETIME: Duration = Duration::from_secs(3_600);
/// Claims that are read for what they are. As a name for something else they would never be found.
const RESERVED_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "acr",
    "amr",
    "auth_time",
    "act",
    "cnf",
    "at_hash",
    "c_hash",
    "events",
    "typ",
    "token_use",
];
/// Media types of JWTs that are no access tokens; to accept one is to accept it for another purpose.
const FOREIGN_TYPES: &[&str] = &["dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "jwk-set+jwt"];

impl Issuer {
    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        if self.name.is_empty() {
            issues.add("issuer", "it is empty", "give the iss of the tokens, such as https://id.example.com");
        }
        if self.audiences.is_empty() {
            issues.add("audience", "there is none", "name this service: tokens for another one must not work here");
        }
        if self.audiences.iter().any(String::is_empty) {
            issues.add("audience", "one is empty", "name this service as its tokens do");
        }
        if self.leeway > MAX_LEEWAY {
            issues.add("leeway", "it is longer than 60 s", "use 60 s at most, and a time server");
        }
        if self.leeway < self.profile.least_leeway() {
            issues.add("leeway", "the profile demands 10 s at least", "use 10 s to 60 s, or leave the setting out");
        }
        if self.max_lifetime.is_zero() {
            issues.add("max_lifetime", "no token lives so short", "use what the issuer's tokens live, such as 15 min");
        }
        self.check_algorithms(issues);
        self.check_names(issues);
    }

    fn check_algorithms(&self, issues: &mut ConfigIssues) {
        let Some(algorithms) = &self.algorithms else { return };
        if algorithms.is_empty() {
            issues.add("algorithms", "there is none", "name at least one, or leave the setting out");
        }
        let allowed = self.profile.algorithms();
        for algorithm in algorithms.iter().filter(|algorithm| !allowed.contains(algorithm)) {
            let names: Vec<&str> = allowed.iter().copied().map(Algorithm::as_str).collect();
            let cure = format!("use {}, or leave the setting out", names.join(", "));
            issues.add("algorithms", format!("the profile does not allow {algorithm}"), cure);
        }
    }

    fn check_names(&self, issues: &mut ConfigIssues) {
        if self.names.paths().count() > MAX_PATHS {
            issues.add("claim_names", "there are more than 64 names", "leave out those that no token has");
        }
        for (_, _, path) in self.names.paths() {
            let reserved = path.segments().first().is_some_and(|name| RESERVED_CLAIMS.contains(&&**name));
            if reserved || path.segments().iter().any(|segment| segment.is_empty()) {
                issues.add(
                    "claim_names",
                    format!("{path:?} cannot be given another meaning"),
                    "use the claim's own name",
                );
            }
        }
    }

    pub(super) fn accepted_types(&mut self, issues: &mut ConfigIssues) -> AcceptedTypes {
        let Some(types) = self.types.take() else { return self.profile.types() };
        if self.profile != Profile::Lenient {
            issues.add("types", "the profile has its own", "leave the setting out, or use Profile::Lenient");
        }
        if types.is_empty() {
            issues.add("types", "there is none", "use [\"at+jwt\"], or leave the setting out");
        }
        let names: Vec<Box<str>> =
            types.iter().map(|typ| without_application(typ).to_ascii_lowercase().into_boxed_str()).collect();
        for name in &names {
            if name.is_empty() || FOREIGN_TYPES.contains(&&**name) {
                issues.add("types", format!("{name:?} is not a type of access tokens"), "use [\"at+jwt\"]");
            }
        }
        AcceptedTypes { names, absent: false }
    }

    pub(super) fn warn_of_long_lives(&self) {
        if self.max_lifetime > LONG_LIFETIME {
            tracing::warn!(
                target: "portcullis",
                issuer = %self.name,
                max_lifetime_secs = self.max_lifetime.as_secs(),
                "tokens may live longer than an hour: a stolen one works until it ends; have the issuer shorten them"
            );
        }
    }
}

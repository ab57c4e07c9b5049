//! What the Observatory thinks of a policy.

use std::collections::BTreeSet;

use http::{HeaderMap, header};

use super::{
    csp::{self, Policies},
    fields::{latin1, line},
    outcome::{self, Outcome},
};

const BROAD: &[&str] = &["ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"];
const INLINE: &[&str] = &["'unsafe-inline'", "data:"];
const TIED: &[&str] = &["'sha256-", "'sha384-", "'sha512-", "'nonce-"];
const PASSIVE: &[&str] = &["img-src", "media-src"];

pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    /// Whether a readable policy names `frame-ancestors`.
    pub(super) names_ancestors: bool,
}

impl From<Outcome> for Judgement {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, names_ancestors: false }
    }
}

pub(super) fn judge(headers: &HeaderMap, https: bool) -> Judgement {
    let lines = headers.get_all(header::CONTENT_SECURITY_POLICY).iter().map(|value| latin1(value.as_bytes()));
    let policies: Vec<String> = lines.flat_map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>()).collect();
    let Some(mut policies) = csp::parse(&policies) else { return outcome::CSP_INVALID.into() };
    if policies.directives.is_empty() {
        let reporting =
            line(headers, &header::CONTENT_SECURITY_POLICY_REPORT_ONLY).is_some_and(|line| !line.is_empty());
        return if reporting { outcome::CSP_REPORT_ONLY } else { outcome::CSP_ABSENT }.into();
    }
    let names_ancestors = policies.directives.contains_key("frame-ancestors");
    let found = weigh(&mut policies, https);
    let passes =
        [outcome::CSP_NO_UNSAFE, outcome::CSP_DEFAULT_NONE, outcome::CSP_UNSAFE_STYLE, outcome::CSP_INSECURE_PASSIVE]
            .contains(&found);
    let outcome = if passes && policies.repeated { outcome::CSP_DUPLICATES } else { found };
    Judgement { outcome, names_ancestors }
}

/// The first fault, in the Observatory's order.
fn weigh(policies: &mut Policies, https: bool) -> Outcome {
    for directive in ["script-src", "style-src"] {
        // A nonce or hash makes browsers ignore it.
        if let Some(sources) = effective_mut(policies, directive).filter(|sources| is_tied(sources)) {
            sources.remove("'unsafe-inline'");
        }
    }
    if let Some(sources) = effective_mut(policies, "script-src").filter(|sources| sources.contains("'strict-dynamic'"))
    {
        if !is_tied(sources) {
            return outcome::CSP_INVALID;
        }
        sources
            .retain(|source| !(starts_with_any(source, BROAD) || ["'self'", "'unsafe-inline'"].contains(&&**source)));
    }
    let everything = BTreeSet::from(["*".to_owned()]);
    let of = |directive: &str| effective(policies, directive).unwrap_or(&everything);
    let (script, style, object) = (of("script-src"), of("style-src"), of("object-src"));
    let insecure = |source: &String| https && starts_with_any(source, &["http:", "ftp:"]);
    let mut active =
        policies.directives.iter().filter(|(name, _)| !PASSIVE.contains(&&***name)).flat_map(|(_, sources)| sources);
    let mut passive = PASSIVE.iter().filter_map(|directive| effective(policies, directive)).flatten();
    if has_any(script, BROAD) || has_any(script, INLINE) || has_any(object, BROAD) {
        outcome::CSP_UNSAFE_INLINE
    } else if active.any(insecure) || script.iter().any(insecure) {
        outcome::CSP_INSECURE
    } else if has_any(script, &["'unsafe-eval'"]) || has_any(style, &["'unsafe-eval'"]) {
        outcome::CSP_UNSAFE_EVAL
    } else if passive.any(insecure) {
        outcome::CSP_INSECURE_PASSIVE
    } else if has_any(style, BROAD) || has_any(style, INLINE) {
        outcome::CSP_UNSAFE_STYLE
    } else if policies.directives.get("default-src").is_some_and(|sources| sources.iter().eq(["'none'"])) {
        outcome::CSP_DEFAULT_NONE
    } else {
        outcome::CSP_NO_UNSAFE
    }
}

/// The directive's own sources, or those of `default-src`.
fn effective<'a>(policies: &'a Policies, directive: &str) -> Option<&'a BTreeSet<String>> {
    policies.directives.get(directive).or_else(|| policies.directives.get("default-src"))
}

fn effective_mut<'a>(policies: &'a mut Policies, directive: &str) -> Option<&'a mut BTreeSet<String>> {
    let name = if policies.directives.contains_key(directive) { directive } else { "default-src" };
    policies.directives.get_mut(name)
}

fn is_tied(sources: &BTreeSet<String>) -> bool {
    sources.iter().any(|source| starts_with_any(source, TIED))
}

fn starts_with_any(source: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| source.starts_with(prefix))
}

fn has_any(sources: &BTreeSet<String>, wanted: &[&str]) -> bool {
    wanted.iter().any(|source| sources.contains(*source))
}

//! What the rules find, and which findings are accepted.

use super::tree::Tree;

/// The rules of the house, in the words of docs/architecture.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Spine ← features ← backend, stack ← conformance, testing.
    Direction,
    /// `lib.rs` holds modules and re-exports, nothing else.
    Root,
    /// Logic files know nothing of HTTP and of the runtime.
    Pure,
    /// Only `gate/` polls.
    Mechanism,
    /// Only `rejection/` builds an error response.
    ErrorResponse,
    /// Some crates have one owner.
    Owner,
    /// Only `time` reads a clock.
    Clock,
    /// No file over 400 lines.
    FileLength,
    /// No function over 60 lines.
    FunctionLength,
    /// Only http, tower, axum, bytes and serde appear in the public API.
    PublicApi,
    /// What owners allow reaches the audit log.
    Waivers,
}

/// One breach.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}:{}: {}", self.rule, self.path, self.line, self.text)
    }
}

/// A breach that stands, and why.
pub(crate) struct Exception {
    pub(crate) rule: Rule,
    pub(crate) path: &'static str,
    /// A part of the finding's text.
    pub(crate) what: &'static str,
    pub(crate) reason: &'static str,
}

/// Everything that breaks a rule and is not excepted, and every exception that nothing needs.
pub(crate) fn judge(findings: Vec<Finding>, exceptions: &[Exception]) -> Vec<String> {
    let mut used = vec![false; exceptions.len()];
    let mut left: Vec<String> = findings
        .into_iter()
        .filter(|finding| {
            let mut excepted = false;
            for (exception, used) in exceptions.iter().zip(&mut used) {
                if exception.rule == finding.rule
                    && exception.path == finding.path
                    && finding.text.contains(exception.what)
                {
                    (*used, excepted) = (true, true);
                }
            }
            !excepted
        })
        .map(|finding| finding.to_string())
        .collect();
    for (exception, used) in exceptions.iter().zip(used) {
        if !used {
            left.push(format!(
                "unused exception: {:?} in {}: {} — remove it from the table",
                exception.rule, exception.path, exception.what
            ));
        }
        if exception.reason.is_empty() {
            left.push(format!("exception without a reason: {:?} in {}", exception.rule, exception.path));
        }
    }
    left
}

/// All rules over one tree.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    super::directions::check(tree, &mut findings);
    super::owners::check(tree, &mut findings);
    super::mechanism::check(tree, &mut findings);
    super::budgets::check(tree, &mut findings);
    super::public_api::check(tree, &mut findings);
    super::waivers::check(tree, &mut findings);
    findings
}

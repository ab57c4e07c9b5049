//! What is doubtful about requiring HTTPS.

use crate::lint::{Lint, Severity};

const OWASP: &str = "https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#https";

pub(super) const UNKNOWN_PASSES: Lint = Lint {
    code: "unknown-scheme-passes",
    severity: Severity::Medium,
    fix: "name the proxies in trusted_proxies, so that the scheme is known",
    spec: OWASP,
};

pub(super) const REDIRECTS: Lint = Lint {
    code: "plaintext-redirected",
    severity: Severity::Low,
    fix: "refuse plain HTTP, so that clients of an API find out at once",
    spec: OWASP,
};

pub(super) const PLAINTEXT_PATH: Lint =
    Lint { code: "plaintext-path", severity: Severity::Info, fix: "let health checks use HTTPS, too", spec: OWASP };

//! What is doubtful about a stack as a whole.

use crate::lint::{Lint, Lints, Report, Severity};

use super::Stack;

const API2: &str = "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/";
const API4: &str = "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/";
const REST: &str = "https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html";
const LOGGING: &str = "https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html";

const SCOPE_WITHOUT_AUTH: Lint = Lint {
    code: "scope-without-auth",
    severity: Severity::High,
    fix: "give the stack an AuthLayer, or the ScopeLayer to the router that has one",
    spec: API2,
};
const QUOTA_WITHOUT_AUTH: Lint = Lint {
    code: "quota-without-auth",
    severity: Severity::Medium,
    fix: "give the stack an AuthLayer, or the QuotaLayer to the router that has one",
    spec: API2,
};
const NO_LIMIT_BEFORE_AUTH: Lint = Lint {
    code: "no-limit-before-auth",
    severity: Severity::Medium,
    fix: "limit by address with `rate_limit_before_auth`",
    spec: API2,
};
const NO_SECURITY_HEADERS: Lint = Lint {
    code: "no-security-headers",
    severity: Severity::Medium,
    fix: "add `security_headers(&SecurityHeadersLayer::api())`",
    spec: REST,
};
const NO_TIMEOUT: Lint = Lint {
    code: "no-timeout",
    severity: Severity::Low,
    fix: "give the routes that wait for long a stack of their own",
    spec: API4,
};
const BODY_LIMIT_BELOW_VALIDATION: Lint = Lint {
    code: "body-limit-below-validation",
    severity: Severity::Low,
    fix: "leave `body_limit` out, so that the rules decide, or give them no more than it",
    spec: API4,
};
const NO_AUDIT: Lint =
    Lint { code: "no-audit", severity: Severity::Info, fix: "add `audit`, or keep records elsewhere", spec: LOGGING };

/// What no layer can know by itself.
pub(super) fn whole(stack: &Stack, mut lints: Lints) -> Report {
    let (auth, scope) = (stack.auth.gate().is_some(), stack.scope.gate().is_some());
    if scope && !auth {
        lints.add(&SCOPE_WITHOUT_AUTH, "scope", "nobody is authenticated: every call is refused", None);
    }
    if stack.quota.gate().is_some() && !auth {
        let message = "nobody is authenticated: all are metered by the default plan, by address";
        lints.add(&QUOTA_WITHOUT_AUTH, "quota", message, None);
    }
    if auth && stack.rate_before_auth.gate().is_none() {
        let message = "whoever guesses credentials is not slowed down";
        lints.add(&NO_LIMIT_BEFORE_AUTH, "rate_limit_before_auth", message, None);
    }
    if stack.headers.gate().is_none() {
        lints.add(&NO_SECURITY_HEADERS, "security_headers", "responses lack the security headers", None);
    }
    if stack.bounds.timeout.is_none() {
        lints.add(&NO_TIMEOUT, "timeout", "a handler may hold a connection for ever", None);
    }
    if let (Some(limit), Some(longest)) = (stack.bounds.body_limit, stack.longest_validated())
        && limit < longest
    {
        let message = format!("a rule of the validation takes {longest} bytes, and is never asked about so many");
        lints.add(&BODY_LIMIT_BELOW_VALIDATION, "body_limit", message, Some(&limit.to_string()));
    }
    if stack.audit.gate().is_none() {
        lints.add(&NO_AUDIT, "audit", "no record is kept of refusals", None);
    }
    lints.report()
}

//! The Observatory's table: what each finding is called, and what it adds to the score.

/// A finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) result: &'static str,
    pub(super) modifier: i16,
}

const fn outcome(result: &'static str, modifier: i16) -> Outcome {
    Outcome { result, modifier }
}

pub(super) const CSP_DEFAULT_NONE: Outcome = outcome("csp-implemented-with-no-unsafe-default-src-none", 10);
pub(super) const CSP_NO_UNSAFE: Outcome = outcome("csp-implemented-with-no-unsafe", 5);
pub(super) const CSP_UNSAFE_STYLE: Outcome = outcome("csp-implemented-with-unsafe-inline-in-style-src-only", 0);
pub(super) const CSP_INSECURE_PASSIVE: Outcome =
    outcome("csp-implemented-with-insecure-scheme-in-passive-content-only", -10);
pub(super) const CSP_UNSAFE_EVAL: Outcome = outcome("csp-implemented-with-unsafe-eval", -10);
pub(super) const CSP_UNSAFE_INLINE: Outcome = outcome("csp-implemented-with-unsafe-inline", -20);
pub(super) const CSP_INSECURE: Outcome = outcome("csp-implemented-with-insecure-scheme", -20);
pub(super) const CSP_DUPLICATES: Outcome = outcome("csp-implemented-but-duplicate-directives", 0);
pub(super) const CSP_INVALID: Outcome = outcome("csp-header-invalid", -25);
pub(super) const CSP_ABSENT: Outcome = outcome("csp-not-implemented", -25);
pub(super) const CSP_REPORT_ONLY: Outcome = outcome("csp-not-implemented-but-reporting-enabled", -25);

pub(super) const COOKIES_STRICT: Outcome = outcome("cookies-secure-with-httponly-sessions-and-samesite", 5);
pub(super) const COOKIES_SECURE: Outcome = outcome("cookies-secure-with-httponly-sessions", 0);
pub(super) const COOKIES_ABSENT: Outcome = outcome("cookies-not-found", 0);
pub(super) const COOKIES_ONLY_HSTS: Outcome = outcome("cookies-without-secure-flag-but-protected-by-hsts", -5);
pub(super) const COOKIES_SESSION_ONLY_HSTS: Outcome =
    outcome("cookies-session-without-secure-flag-but-protected-by-hsts", -10);
pub(super) const COOKIES_INSECURE: Outcome = outcome("cookies-without-secure-flag", -20);
pub(super) const COOKIES_BAD_SAMESITE: Outcome = outcome("cookies-samesite-flag-invalid", -20);
pub(super) const COOKIES_ANTICSRF: Outcome = outcome("cookies-anticsrf-without-samesite-flag", -20);
pub(super) const COOKIES_SESSION_READABLE: Outcome = outcome("cookies-session-without-httponly-flag", -30);
pub(super) const COOKIES_SESSION_INSECURE: Outcome = outcome("cookies-session-without-secure-flag", -40);

pub(super) const CORS_ABSENT: Outcome = outcome("cross-origin-resource-sharing-not-implemented", 0);
pub(super) const CORS_PUBLIC: Outcome = outcome("cross-origin-resource-sharing-implemented-with-public-access", 0);
pub(super) const CORS_RESTRICTED: Outcome =
    outcome("cross-origin-resource-sharing-implemented-with-restricted-access", 0);
pub(super) const CORS_UNIVERSAL: Outcome =
    outcome("cross-origin-resource-sharing-implemented-with-universal-access", -50);

pub(super) const REFERRER_PRIVATE: Outcome = outcome("referrer-policy-private", 5);
pub(super) const REFERRER_ABSENT: Outcome = outcome("referrer-policy-not-implemented", 0);
pub(super) const REFERRER_UNSAFE: Outcome = outcome("referrer-policy-unsafe", -5);
pub(super) const REFERRER_INVALID: Outcome = outcome("referrer-policy-header-invalid", -5);

pub(super) const HSTS_LONG: Outcome = outcome("hsts-implemented-max-age-at-least-six-months", 0);
pub(super) const HSTS_SHORT: Outcome = outcome("hsts-implemented-max-age-less-than-six-months", -10);
pub(super) const HSTS_ABSENT: Outcome = outcome("hsts-not-implemented", -20);
pub(super) const HSTS_INVALID: Outcome = outcome("hsts-header-invalid", -20);
pub(super) const HSTS_NO_HTTPS: Outcome = outcome("hsts-not-implemented-no-https", -20);

pub(super) const NOSNIFF: Outcome = outcome("x-content-type-options-nosniff", 0);
pub(super) const NOSNIFF_ABSENT: Outcome = outcome("x-content-type-options-not-implemented", -5);
pub(super) const NOSNIFF_INVALID: Outcome = outcome("x-content-type-options-header-invalid", -5);

pub(super) const FRAMES_BY_CSP: Outcome = outcome("x-frame-options-implemented-via-csp", 5);
pub(super) const FRAMES_CLOSED: Outcome = outcome("x-frame-options-sameorigin-or-deny", 0);
pub(super) const FRAMES_ALLOW_FROM: Outcome = outcome("x-frame-options-allow-from-origin", 0);
pub(super) const FRAMES_ABSENT: Outcome = outcome("x-frame-options-not-implemented", -20);
pub(super) const FRAMES_INVALID: Outcome = outcome("x-frame-options-header-invalid", -20);

pub(super) const CORP_SAME_ORIGIN: Outcome = outcome("corp-implemented-with-same-origin", 10);
pub(super) const CORP_SAME_SITE: Outcome = outcome("corp-implemented-with-same-site", 10);
pub(super) const CORP_CROSS_ORIGIN: Outcome = outcome("corp-implemented-with-cross-origin", 0);
pub(super) const CORP_ABSENT: Outcome = outcome("corp-not-implemented", 0);
pub(super) const CORP_INVALID: Outcome = outcome("corp-header-invalid", -5);

//! What is doubtful about a policy, as a table.

use crate::lint::{Lint, Severity};

macro_rules! lints {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $fix:literal, $spec:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: Lint =
            Lint { code: $code, severity: Severity::$severity, fix: $fix, spec: $spec };)*

        /// All of them.
        pub(super) const ALL: &[Lint] = &[$($name),*];
    };
}

lints! {
    WILDCARD_WITH_CREDENTIALS = "wildcard-origin-with-credentials", Critical,
        "Specify exact allowed origins",
        "https://fetch.spec.whatwg.org/#cors-protocol-and-credentials";
    ORIGIN_REFLECTION = "origin-reflection", Critical,
        "Implement origin whitelist validation",
        "https://portswigger.net/web-security/cors";
    NULL_ORIGIN = "null-origin", High,
        "Remove null from allowed origins",
        "https://w3c.github.io/webappsec-cors-for-developers/#avoid-returning-access-control-allow-origin-null";
    INSECURE_WITH_CREDENTIALS = "insecure-origin-with-credentials", High,
        "use https, or leave allow_credentials() out",
        "https://portswigger.net/web-security/cors#breaking-tls-with-poorly-configured-cors";
    PUBLIC_SUFFIX = "public-suffix", High,
        "write *. before a domain that is yours alone, or list each origin",
        "https://publicsuffix.org/learn/";
    /// The fix is the fault's own.
    UNACCEPTABLE_ORIGIN = "unacceptable-origin", High,
        "write it as browsers send it",
        "https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin";
    EXPOSE_ALL_WITH_CREDENTIALS = "wildcard-expose-with-credentials", High,
        "list the response headers, because with credentials a browser takes the wildcard for a name",
        "https://fetch.spec.whatwg.org/#cors-protocol-and-credentials";
    WILDCARD_METHODS = "wildcard-methods", Medium,
        "Specify exact allowed methods",
        "https://fetch.spec.whatwg.org/#http-access-control-allow-methods";
    WILDCARD_HEADERS = "wildcard-headers", Medium,
        "list the request headers that pages send",
        "https://fetch.spec.whatwg.org/#http-access-control-allow-headers";
    BROAD_SUBDOMAIN = "broad-subdomain-with-credentials", Medium,
        "list the subdomains: who takes over any of them, or finds a script injection in it, acts for its users",
        "https://portswigger.net/web-security/cors#exploiting-xss-via-cors-trust-relationships";
    FORBIDDEN_METHOD = "forbidden-method", Medium,
        "leave it out: no page can send it",
        "https://fetch.spec.whatwg.org/#forbidden-method";
    FORBIDDEN_HEADER = "forbidden-header", Medium,
        "leave it out: no page can send it",
        "https://fetch.spec.whatwg.org/#forbidden-request-header";
    FORBIDDEN_EXPOSE = "forbidden-expose", Medium,
        "leave it out: no page is shown it",
        "https://fetch.spec.whatwg.org/#forbidden-response-header-name";
    RATE_LIMITS_HIDDEN = "rate-limit-headers-not-exposed", Medium,
        "add expose_standard(), so that a page can read when to come back",
        "https://fetch.spec.whatwg.org/#http-access-control-expose-headers";
    MAX_AGE_CAPPED = "max-age-capped", Low,
        "use 7200 s or less",
        "https://fetch.spec.whatwg.org/#http-access-control-max-age";
    SAFELISTED = "safelisted-redundant", Info,
        "leave it out",
        "https://fetch.spec.whatwg.org/#cors-safelisted-request-header";
    COVERED_ORIGIN = "redundant-origin", Info,
        "leave it out",
        "https://fetch.spec.whatwg.org/#http-access-control-allow-origin";
    CREDENTIALS_FOR_BEARER = "credentials-not-needed-for-bearer", Info,
        "leave allow_credentials() out, unless pages of other origins use cookies",
        "https://fetch.spec.whatwg.org/#concept-request-credentials-mode";
    PRIVATE_NETWORK = "private-network-legacy", Info,
        "leave it out: browsers ask the user instead (Local Network Access)",
        "https://wicg.github.io/local-network-access/";
    EXPLAINS = "explains-failures", Info,
        "leave explain_failures() out of production: allowed origins learn every allowed method and header",
        "https://fetch.spec.whatwg.org/#cors-preflight-fetch";
    UNREADABLE = "unreadable-setting", Medium,
        "write texts, lists of texts, true or false, and whole seconds",
        "https://fetch.spec.whatwg.org/#http-cors-protocol";
}

/// What cannot work at all, so that nobody can allow it.
pub(super) const UNUSABLE: &[&str] = &[
    WILDCARD_WITH_CREDENTIALS.code,
    NULL_ORIGIN.code,
    UNACCEPTABLE_ORIGIN.code,
    FORBIDDEN_METHOD.code,
    FORBIDDEN_HEADER.code,
    FORBIDDEN_EXPOSE.code,
];

//! The response header fields that the layers of this crate write for pages to read.
//!
//! A gate declares its own in [`Gate::EMITS`](super::Gate::EMITS). Browsers hide them from a page of another
//! origin unless they are exposed: `CorsSecurityLayer` exposes the union that stands here. What a browser
//! reads itself (security headers, `Vary`, `Set-Cookie`) is no page's business and is not here; a test
//! (`tests/exposed.rs`) looks at the responses of a whole stack and at every name in the sources, and
//! finds what nobody has declared.
//!
//! All names are in lower case.

/// Written by the mechanism itself, on every response.
pub(crate) const MECHANISM: &[&str] = &["x-request-id"];

/// Written where a request is refused.
pub(crate) const REJECTION: &[&str] = &["allow", "retry-after", "www-authenticate"];

/// Of credentials that are soon to be replaced, and of proofs (RFC 9449 §8 wants `DPoP-Nonce` exposed).
pub(crate) const AUTH: &[&str] =
    &["accept-signature", "deprecation", "dpop-nonce", "sunset", "www-authenticate", "x-api-key-rotation-due"];

/// Of rate limits, in all dialects.
pub(crate) const RATE_LIMIT: &[&str] = &[
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-policy",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// Of limits on what runs at once.
pub(crate) const CONCURRENCY: &[&str] = &["ratelimit", "ratelimit-policy"];

/// Of quotas.
pub(crate) const QUOTA: &[&str] = &["x-quota-limit", "x-quota-remaining", "x-quota-reset", "x-quota-used"];

/// Of versions, and of their end.
pub(crate) const VERSION: &[&str] = &["deprecation", "link", "sunset", "x-api-version"];

/// Of what a body is measured by (RFC 9110 §12.5.1, §15.5.16).
pub(crate) const VALIDATION: &[&str] = &["accept", "accept-encoding", "accept-patch", "accept-post"];

/// Of how long it took.
pub(crate) const TIMING: &[&str] = &["server-timing", "x-response-time"];

/// What any of them writes.
pub(crate) const ALL: &[&[&str]] =
    &[MECHANISM, REJECTION, AUTH, RATE_LIMIT, CONCURRENCY, QUOTA, VERSION, VALIDATION, TIMING];

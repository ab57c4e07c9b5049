//! What can be wrong with an edge: one row for each.

use crate::lint::{Lint, Severity};

use Severity::{Critical, High, Info, Low, Medium};

const FETCH: &str = "https://fetch.spec.whatwg.org/#http-cors-protocol";
const API8: &str = "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/";
const API4: &str = "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/";
const API2: &str = "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/";
const REST: &str = "https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html";
const PROBLEM: &str = "https://www.rfc-editor.org/rfc/rfc9457";
const STATUS_413: &str = "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.14";
const CACHES: &str = "https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5";

const fn lint(code: &'static str, severity: Severity, fix: &'static str, spec: &'static str) -> Lint {
    Lint { code, severity, fix, spec }
}

pub(super) const NO_ORIGIN: Lint =
    lint("cors-not-checked", Info, "name an allowed origin with `origin`, if pages call this API", FETCH);
pub(super) const NO_ROUTE: Lint =
    lint("routes-not-checked", Info, "name the routes with `route` and `public_route`", API8);
pub(super) const NO_ANSWER: Lint =
    lint("no-answer", High, "give the stack a time-out: `Stack::timeout`, or tower-http's TimeoutLayer", API4);
pub(super) const PANIC: Lint = lint(
    "panic-escapes",
    High,
    "put tower-http's CatchPanicLayer inside CORS and the security headers, as `Stack` does: the client sees a reset",
    API8,
);

pub(super) const PREFLIGHT_AUTH: Lint = lint(
    "preflight-needs-credentials",
    High,
    "put CorsSecurityLayer outside AuthLayer: browsers send no credential with a preflight",
    "https://fetch.spec.whatwg.org/#cors-preflight-fetch",
);
pub(super) const PREFLIGHT_LOST: Lint = lint(
    "preflight-not-answered",
    High,
    "give the router its CorsSecurityLayer with `Router::layer`, after the last `route`",
    "https://fetch.spec.whatwg.org/#cors-preflight-fetch",
);
pub(super) const PREFLIGHT_REFUSED: Lint = lint(
    "preflight-refused",
    Medium,
    "allow the origin, the method and the headers in the CORS policy, or leave the route to other callers",
    "https://fetch.spec.whatwg.org/#cors-preflight-fetch",
);
pub(super) const PREFLIGHT_COSTS: Lint = lint(
    "preflight-costs-rate-limit",
    High,
    "put CorsSecurityLayer outside every RateLimitLayer: browsers ask as often as they like",
    FETCH,
);
pub(super) const PREFLIGHT_TELLS: Lint = lint(
    "refused-preflight-tells",
    Low,
    "answer the preflight of a refused origin without `Access-Control-*`, as CorsSecurityLayer does",
    FETCH,
);

pub(super) const CORS_MISSING: Lint = lint(
    "cors-missing",
    High,
    "put CorsSecurityLayer outside what answered, with `Router::layer` after the last `route`",
    FETCH,
);
pub(super) const CORS_DOUBLED: Lint = lint(
    "cors-doubled",
    High,
    "let one place set `Access-Control-Allow-Origin`: CorsSecurityLayer, outside what else does",
    "https://fetch.spec.whatwg.org/#cors-check",
);
pub(super) const VARY_MISSING: Lint = lint(
    "vary-origin-missing",
    Medium,
    "add `Vary: Origin` to every response, as CorsSecurityLayer does: caches give one origin's to another",
    "https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches",
);
pub(super) const REFLECTED: Lint = lint(
    "origin-reflected",
    Critical,
    "list the allowed origins: any page can read the responses of whoever visits it",
    "https://portswigger.net/web-security/cors",
);
pub(super) const LOOKALIKE: Lint = lint(
    "lookalike-origin-allowed",
    Critical,
    "compare whole origins, not their ends or beginnings: anybody can register such a name",
    "https://portswigger.net/web-security/cors",
);
pub(super) const NULL: Lint = lint(
    "null-origin-allowed",
    High,
    "never allow `null`: every sandboxed frame has it",
    "https://portswigger.net/web-security/cors",
);
pub(super) const WILDCARD_CREDENTIALS: Lint = lint(
    "wildcard-origin-with-credentials",
    Critical,
    "list the allowed origins, or allow no credentials",
    "https://fetch.spec.whatwg.org/#cors-protocol-and-credentials",
);
pub(super) const NOT_EXPOSED: Lint = lint(
    "rate-limit-headers-not-exposed",
    Medium,
    "expose them (`expose_standard`): a page that cannot read `Retry-After` tries again at once",
    "https://fetch.spec.whatwg.org/#http-access-control-expose-headers",
);

pub(super) const OPEN: Lint = lint(
    "route-open",
    Critical,
    "let AuthLayer cover it: `Router::layer` covers only the routes that were added before",
    API2,
);
pub(super) const CLOSED: Lint = lint(
    "public-route-closed",
    Medium,
    "keep AuthLayer off it, or name it with `route`",
    "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2",
);
pub(super) const NO_ROUTE_THERE: Lint = lint(
    "route-absent",
    Medium,
    "correct the method or the path that the check was given",
    "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.5",
);
pub(super) const SPOOFED_IDENTITY: Lint = lint(
    "identity-header-believed",
    Critical,
    "strip the client's copies on every request (`AuthLayerBuilder::identity_headers`), anonymous ones too",
    API2,
);
pub(super) const SPOOFED_ADDRESS: Lint = lint(
    "client-address-spoofable",
    Critical,
    "take the address from trusted proxies only (`Stack::trusted_proxies`), and key limits by `Key::ip()`",
    "https://www.rfc-editor.org/rfc/rfc7239#section-8.1",
);
pub(super) const SPOOFED_REQUEST_ID: Lint = lint(
    "request-id-believed",
    Low,
    "make the id here: one that the client may choose cannot be relied on in a log",
    "https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html",
);

pub(super) const NOT_LIMITED: Lint =
    lint("not-limited", Medium, "limit it: `Stack::rate_limit_before_auth`, `Stack::rate_limit`", API4);
pub(super) const NO_RETRY_AFTER: Lint = lint(
    "retry-after-missing",
    Low,
    "say when to come back, as RateLimitLayer does",
    "https://www.rfc-editor.org/rfc/rfc6585#section-4",
);
pub(super) const OVERSIZE: Lint = lint(
    "oversize-accepted",
    Medium,
    "limit bodies: `Stack::body_limit`, RequestValidationLayer, or tower-http's RequestBodyLimitLayer",
    API4,
);
pub(super) const OVERSIZE_CHUNKED: Lint = lint(
    "oversize-chunked-accepted",
    High,
    "count what arrives, not what is announced: `Stack::body_limit` does both",
    API4,
);
pub(super) const OVERSIZE_STATUS: Lint = lint(
    "oversize-not-413",
    Low,
    "answer 413, so that the client knows what to change: RequestValidationLayer reads the body before the handler does",
    STATUS_413,
);

pub(super) const PLAIN: Lint =
    lint("plain-text-error", Medium, "put ProblemLayer outside it: clients of an API read JSON", PROBLEM);
pub(super) const NO_STORE: Lint = lint(
    "error-without-no-store",
    Medium,
    "send `Cache-Control: no-store` with errors, as ProblemLayer and SecurityHeadersLayer do",
    CACHES,
);
pub(super) const NO_REQUEST_ID: Lint = lint(
    "request-id-missing",
    Low,
    "put a layer of this crate outside it: the client has nothing to report",
    "https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html",
);
pub(super) const HEADERS: Lint = lint(
    "security-headers-missing",
    Medium,
    "put SecurityHeadersLayer outermost, with `Router::layer` after the last `route`",
    REST,
);
pub(super) const HEADER_DOUBLED: Lint = lint(
    "security-header-doubled",
    Medium,
    "set it at one place: browsers ignore such a header that stands twice",
    REST,
);
pub(super) const SERVER: Lint = lint(
    "server-header",
    Low,
    "take it out, as SecurityHeadersLayer does: it tells what to attack",
    "https://owasp.org/www-project-secure-headers/",
);

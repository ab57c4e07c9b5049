//! What a policy is told, as texts, and what is to be said about it. A builder fills it, and so does
//! [`validate_configuration`](super::validate_configuration).

use super::{
    fault::OriginFault,
    lints,
    names::{Fault, check_exposed_header, check_method, check_request_header},
    origin::{OriginError, OriginPattern},
    suffix,
};
use crate::lint::{Lint, Lints};

/// Chromium keeps an answer to a preflight no longer.
pub(super) const CHROMIUM_MAX_AGE: u64 = 7_200;

/// Request headers that pages send without asking, if their values are harmless (Fetch, "CORS-safelisted
/// request-header"). `Content-Type` is not here: JSON is not harmless.
const SAFELISTED_REQUEST: &[&str] = &["accept", "accept-language", "content-language"];

/// Response headers that pages are shown anyway (Fetch, "CORS-safelisted response-header name").
pub(super) const SAFELISTED_RESPONSE: &[&str] =
    &["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"];

/// What a page needs to know when to come back: one of each row.
const RATE_LIMITS: &[&[&str]] = &[&["retry-after"], &["ratelimit", "ratelimit-remaining", "x-ratelimit-remaining"]];

#[expect(clippy::struct_excessive_bools, reason = "each is a setter, which is called or not")]
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) any_origin: bool,
    pub(super) origins: Vec<Result<OriginPattern, OriginError>>,
    pub(super) credentials: bool,
    pub(super) any_method: bool,
    pub(super) methods: Option<Vec<String>>,
    pub(super) any_request_header: bool,
    pub(super) request_headers: Vec<String>,
    pub(super) any_exposed: bool,
    pub(super) exposed: Vec<String>,
    /// The headers of the stack's own layers are not exposed unless they are listed.
    pub(super) only_listed: bool,
    /// In whole seconds.
    pub(super) max_age: Option<u64>,
    pub(super) private_network: bool,
    pub(super) explains: bool,
}

/// What is found fault with.
pub(super) struct Findings<'a> {
    pub(super) lints: &'a mut Lints,
}

impl Findings<'_> {
    fn add(&mut self, lint: &Lint, field: impl Into<String>, message: impl Into<String>, value: Option<&str>) {
        self.lints.add(lint, field.into(), message.into(), value);
    }

    /// A name or an origin whose fault brings its own cure.
    fn fault(&mut self, lint: &Lint, field: String, value: &str, (reason, cure): Fault) {
        let lint = Lint { fix: cure, ..*lint };
        self.add(&lint, field, format!("{:?} {reason}", short(value)), Some(value));
    }

    pub(super) fn examine(&mut self, settings: &Settings) {
        self.origins(settings);
        self.wildcards(settings);
        self.names(settings);
        self.advice(settings);
    }

    fn origins(&mut self, settings: &Settings) {
        for (index, origin) in settings.origins.iter().enumerate() {
            let field = format!("allow_origin[{index}]");
            match origin {
                Ok(pattern) => self.pattern(settings, index, field, pattern),
                Err(error) if error.fault() == OriginFault::Null => {
                    self.add(&lints::NULL_ORIGIN, field, "Allowing null origin is dangerous", Some("null"));
                }
                Err(error) => {
                    let fault = (error.fault().reason(), error.fault().cure());
                    self.fault(&lints::UNACCEPTABLE_ORIGIN, field, error.text(), fault);
                }
            }
        }
    }

    fn pattern(&mut self, settings: &Settings, index: usize, field: String, pattern: &OriginPattern) {
        let text = pattern.as_str();
        if pattern.is_insecure() && settings.credentials {
            let message =
                format!("{text:?} is plain HTTP, and credentials are allowed: whoever is on the way can use them");
            self.add(&lints::INSECURE_WITH_CREDENTIALS, field.clone(), message, Some(text));
        }
        if pattern.has_any_subdomain() {
            if suffix::is_shared(pattern.host()) {
                let message = format!("{text:?} allows everybody who registers a name below {}", pattern.host());
                self.add(&lints::PUBLIC_SUFFIX, field.clone(), message, Some(text));
            } else if settings.credentials {
                let message = format!("{text:?} lets every subdomain act for its visitors");
                self.add(&lints::BROAD_SUBDOMAIN, field.clone(), message, Some(text));
            }
        }
        // Ten thousand exact origins are not compared with each other: only patterns cover others.
        let mut others =
            settings.origins.iter().enumerate().filter_map(|(other, wide)| Some((other, wide.as_ref().ok()?)));
        let covered = settings.origins.len() <= 1_000
            && others.any(|(other, wide)| {
                other != index && wide.covers(pattern) && (other < index || !pattern.covers(wide))
            });
        if covered {
            self.add(&lints::COVERED_ORIGIN, field, format!("{text:?} is allowed by another one already"), Some(text));
        }
    }

    fn wildcards(&mut self, settings: &Settings) {
        if settings.any_origin && settings.credentials {
            let message = "Wildcard origin (*) cannot be used with credentials";
            self.add(&lints::WILDCARD_WITH_CREDENTIALS, "allow_any_origin", message, Some("*"));
        }
        if settings.any_exposed && settings.credentials {
            let message = "with credentials, a browser takes * for the name of one header";
            self.add(&lints::EXPOSE_ALL_WITH_CREDENTIALS, "expose_any", message, Some("*"));
        }
        if settings.any_method {
            let message = "Wildcard methods (*) are overly permissive";
            self.add(&lints::WILDCARD_METHODS, "allow_any_method", message, Some("*"));
        }
        if settings.any_request_header {
            let message = "pages may send any request header, those included that nobody has thought of";
            self.add(&lints::WILDCARD_HEADERS, "allow_any_request_header", message, Some("*"));
        }
    }

    fn names(&mut self, settings: &Settings) {
        self.all(&lints::FORBIDDEN_METHOD, "methods", settings.methods.iter().flatten(), check_method);
        self.all(&lints::FORBIDDEN_HEADER, "request_headers", &settings.request_headers, check_request_header);
        self.all(&lints::FORBIDDEN_EXPOSE, "expose", &settings.exposed, check_exposed_header);
        let safelisted = |names: &'static [&'static str]| {
            move |name: &&String| names.iter().any(|listed| name.eq_ignore_ascii_case(listed))
        };
        for name in settings.request_headers.iter().filter(safelisted(SAFELISTED_REQUEST)) {
            self.add(&lints::SAFELISTED, "request_headers", format!("{name:?} is sent without asking"), Some(name));
        }
        for name in settings.exposed.iter().filter(safelisted(SAFELISTED_RESPONSE)) {
            self.add(&lints::SAFELISTED, "expose", format!("{name:?} is shown to pages anyway"), Some(name));
        }
    }

    fn all<'b>(
        &mut self,
        lint: &Lint,
        field: &str,
        texts: impl IntoIterator<Item = &'b String>,
        check: fn(&str) -> Result<(), Fault>,
    ) {
        for text in texts {
            if let Err(fault) = check(text) {
                self.fault(lint, field.to_owned(), text, fault);
            }
        }
    }

    fn advice(&mut self, settings: &Settings) {
        if let Some(seconds) = settings.max_age.filter(|seconds| *seconds > CHROMIUM_MAX_AGE) {
            let message = "Chromium keeps an answer for 7200 s at most, WebKit for 600 s, Firefox for 86400 s";
            self.add(&lints::MAX_AGE_CAPPED, "max_age", message, Some(&format!("{seconds}")));
        }
        if settings.only_listed && !settings.any_exposed {
            let listed = |name: &&str| settings.exposed.iter().any(|listed| listed.eq_ignore_ascii_case(name));
            if !RATE_LIMITS.iter().all(|row| row.iter().any(&listed)) {
                let message = "a page that is told to wait cannot read for how long";
                self.add(&lints::RATE_LIMITS_HIDDEN, "expose_only", message, None);
            }
        }
        if settings.credentials
            && settings.request_headers.iter().any(|name| name.eq_ignore_ascii_case("authorization"))
        {
            let message = "pages that send Authorization themselves need no credentials of the browser";
            self.add(&lints::CREDENTIALS_FOR_BEARER, "allow_credentials", message, None);
        }
        if settings.private_network {
            let message = "no browser asks for it any more";
            self.add(&lints::PRIVATE_NETWORK, "legacy_private_network", message, None);
        }
        if settings.explains {
            let message = "refused preflights of allowed origins say what would have been allowed";
            self.add(&lints::EXPLAINS, "explain_failures", message, None);
        }
    }
}

/// What goes into a message.
fn short(value: &str) -> String {
    value.chars().take(200).collect()
}

use std::{collections::BTreeSet, time::Duration};

use http::HeaderValue;

use super::{
    CorsSecurityLayer,
    asked::AllowedHeaders,
    names::{Fault, check_exposed_header, check_method, check_request_header},
    origin::Origin,
    policy::{Origins, Policy},
};
use crate::config_error::{ConfigError, ConfigIssues};

/// What the stack's own layers send and a page should be able to read, so that it can wait, back off,
/// show usage and report the request id.
const STANDARD: &[&str] = &[
    "Deprecation",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-Quota-Limit",
    "X-Quota-Remaining",
    "X-Quota-Reset",
    "X-Quota-Used",
    "X-RateLimit-Limit",
    "X-RateLimit-Policy",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
];

/// What a browser sends without asking (Fetch, "CORS-safelisted method").
const DEFAULT_METHODS: &[&str] = &["GET", "HEAD", "POST"];

/// Chromium keeps an answer for two hours at most, so a longer time is a promise to others only.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(7_200);
const LONGEST_MAX_AGE: Duration = Duration::from_secs(86_400);

/// Builds a [`CorsSecurityLayer`]. See the [module](super) for a complete one.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CorsSecurityLayerBuilder {
    origins: Vec<String>,
    credentials: bool,
    insecure: bool,
    methods: Option<Vec<String>>,
    request_headers: Vec<String>,
    exposed: BTreeSet<String>,
    only_listed: bool,
    max_age: Option<Duration>,
}

impl CorsSecurityLayerBuilder {
    /// An origin whose pages may read the responses, exactly as browsers send it: scheme, host, and
    /// the port if it is not the scheme's own. At least one is needed.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Several origins.
    pub fn allow_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Lets those pages send cookies, TLS client certificates and HTTP authentication that the
    /// browser holds. Default: not. An `Authorization` header that the page itself sets needs
    /// [`request_headers`](Self::request_headers), not this.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Accepts `http://` origins beyond this machine although credentials are allowed. Whoever
    /// stands between such a page and its user can then act with the user's credentials.
    pub fn dangerously_allow_insecure_origins(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// The methods that a preflight may ask for. Default: GET, HEAD and POST. `http::Method`s or
    /// strings.
    pub fn methods<I>(mut self, methods: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let methods = methods.into_iter().map(|method| method.as_ref().to_owned());
        self.methods.get_or_insert_default().extend(methods);
        self
    }

    /// The request headers that a preflight may ask for, such as `authorization` and `content-type`.
    /// Default: none, so only what browsers send without asking. `http::HeaderName`s or strings.
    pub fn request_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.request_headers.extend(names.into_iter().map(|name| name.as_ref().to_owned()));
        self
    }

    /// Response headers that pages may read, beside the standard ones.
    pub fn expose<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.exposed.extend(names.into_iter().map(|name| name.as_ref().to_owned()));
        self
    }

    /// Lets pages read what the layers of a stack send: `Retry-After`, `RateLimit`,
    /// `RateLimit-Policy`, `X-RateLimit-*`, `X-Quota-*`, `X-Request-ID`, `WWW-Authenticate`,
    /// `Deprecation` and `Sunset`. This is the default.
    pub fn expose_standard(mut self) -> Self {
        self.only_listed = false;
        self
    }

    /// Lets pages read these response headers and no others, not even `Retry-After`.
    pub fn expose_only<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.only_listed = true;
        self.exposed.clear();
        self.expose(names)
    }

    /// How long a browser may keep the answer to a preflight, in whole seconds, rounded down; at most
    /// 86,400 s. Default: 7,200 s, which is also the longest that Chromium keeps one. Zero makes it
    /// ask each time.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Every origin, method and header name that a browser would never send or never honour, plain
    /// HTTP origins together with credentials, no origin at all, and a longer `max_age` than a day.
    pub fn build(self) -> Result<CorsSecurityLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let origins = self.checked_origins(&mut issues);
        let methods = self.methods.unwrap_or_else(|| DEFAULT_METHODS.iter().map(ToString::to_string).collect());
        check_all(&mut issues, "methods", &methods, check_method);
        if methods.is_empty() {
            issues.add("methods", "is empty", "name a method, or leave the setter out for GET, HEAD and POST");
        }
        check_all(&mut issues, "request_headers", &self.request_headers, check_request_header);
        check_all(&mut issues, "expose", &self.exposed, check_exposed_header);
        let max_age = self.max_age.unwrap_or(DEFAULT_MAX_AGE);
        if max_age > LONGEST_MAX_AGE {
            issues.add("max_age", "is longer than any browser keeps an answer", "use 86400 s or less");
        }
        let mut exposed = self.exposed;
        if !self.only_listed {
            exposed.retain(|name| !STANDARD.iter().any(|standard| standard.eq_ignore_ascii_case(name)));
            exposed.extend(STANDARD.iter().map(ToString::to_string));
        }
        let exposed: Vec<String> = exposed.into_iter().collect();
        issues.finish(())?;
        Ok(CorsSecurityLayer::new(Policy {
            origins,
            credentials: self.credentials,
            methods: methods.iter().filter_map(|method| HeaderValue::from_str(method).ok()).collect(),
            request_headers: AllowedHeaders::new(self.request_headers.iter().map(String::as_str)),
            exposed: HeaderValue::from_str(&exposed.join(", ")).ok().filter(|value| !value.is_empty()),
            max_age: HeaderValue::from(max_age.as_secs()),
        }))
    }

    fn checked_origins(&self, issues: &mut ConfigIssues) -> Origins {
        let mut origins = Origins::default();
        if self.origins.is_empty() {
            issues.add(
                "allow_origin",
                "no origin is allowed, so the layer does nothing",
                "allow an origin, or leave the layer out",
            );
        }
        for (index, origin) in self.origins.iter().enumerate() {
            match Origin::parse(origin) {
                Ok(parsed) if parsed.is_insecure() && self.credentials && !self.insecure => issues.add(
                    format!("allow_origin[{index}]"),
                    format!(
                        "{origin:?} is plain HTTP, and credentials are allowed: whoever is on the way can use them"
                    ),
                    "use https, or leave allow_credentials() out",
                ),
                Ok(_) => origins.add(origin),
                Err((reason, cure)) => {
                    issues.add(format!("allow_origin[{index}]"), format!("{origin:?} {reason}"), cure);
                }
            }
        }
        origins
    }
}

fn check_all<'a>(
    issues: &mut ConfigIssues,
    field: &str,
    texts: impl IntoIterator<Item = &'a String>,
    check: fn(&str) -> Result<(), Fault>,
) {
    for text in texts {
        if let Err((reason, cure)) = check(text) {
            issues.add(field.to_owned(), format!("{text:?} {reason}"), cure);
        }
    }
}

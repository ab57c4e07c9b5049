use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderName, header};

use super::{
    RequireHttpsLayer,
    credentials::{ExposureObserver, Places},
    layer::{RequireHttpsGate, Unknown},
    lints::{PLAINTEXT_PATH, REDIRECTS, UNKNOWN_PASSES},
    redirect::Target,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    lint::{Lints, Report},
};

const PARAMETERS: [&str; 4] = ["access_token", "api_key", "apikey", "token"];

/// Builds a [`RequireHttpsLayer`]. See the [module](super).
#[derive(Clone)]
#[must_use]
pub struct RequireHttpsLayerBuilder {
    headers: Vec<String>,
    parameters: Vec<String>,
    hosts: Option<Vec<String>>,
    paths: Vec<String>,
    unknown: Unknown,
    observer: Option<Arc<dyn ExposureObserver>>,
    lints: Lints,
}

impl RequireHttpsLayerBuilder {
    pub(super) fn new() -> Self {
        Self {
            headers: Vec::new(),
            parameters: Vec::new(),
            hosts: None,
            paths: Vec::new(),
            unknown: Unknown::Refused,
            observer: None,
            lints: Lints::new(),
        }
    }

    /// One more header that carries a credential, beside `Authorization`, `Proxy-Authorization`, `Cookie`
    /// and `X-API-Key`.
    pub fn credential_header(mut self, name: impl AsRef<str>) -> Self {
        self.headers.push(name.as_ref().to_owned());
        self
    }

    /// One more query parameter that carries a credential, beside `access_token`, `api_key`, `apikey` and
    /// `token`. Letters may be of either case.
    pub fn credential_parameter(mut self, name: impl Into<String>) -> Self {
        self.parameters.push(name.into());
        self
    }

    /// Sends GET and HEAD requests that come over plain HTTP without a credential to HTTPS, by 308. Only
    /// to these hosts: `api.example`, or `api.example:8443` where HTTPS has that port. For sites that
    /// people type into browsers; an API should refuse.
    pub fn redirect_without_credentials<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.hosts.get_or_insert_default().extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Lets requests without a credential to this very path pass over plain HTTP and where the scheme is
    /// unknown: for health checks.
    pub fn plaintext_path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Lets requests pass whose scheme is unknown, with their credentials. Behind a proxy that is not
    /// trusted, that is every request: also those that came to it over plain HTTP.
    pub fn dangerously_pass_unknown_scheme(mut self) -> Self {
        self.unknown = Unknown::Passes;
        self
    }

    /// Tells `observer` of every credential that came over plain HTTP.
    pub fn on_exposure(mut self, observer: impl ExposureObserver) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Allows a finding of [`lint`](Self::lint) by its code, and says why. The reason reaches the audit
    /// log.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.lints = self.lints.allow(code, why);
        self
    }

    /// Everything that is doubtful, without building.
    pub fn lint(&self) -> Report {
        let mut lints = self.lints.clone();
        if matches!(self.unknown, Unknown::Passes) {
            let message = "credentials pass that may have come over plain HTTP";
            lints.add(&UNKNOWN_PASSES, "dangerously_pass_unknown_scheme", message, None);
        }
        if let Some(hosts) = &self.hosts {
            let message = "a client that uses plain HTTP works, until it sends a credential";
            lints.add(&REDIRECTS, "redirect_without_credentials", message, Some(&hosts.join(", ")));
        }
        for path in &self.paths {
            lints.add(&PLAINTEXT_PATH, "plaintext_path", "is served without TLS", Some(path));
        }
        lints.report()
    }

    /// The layer.
    ///
    /// # Errors
    /// Names that are no header, parameters without a name, hosts that are none, an empty list of them, and
    /// paths that are none.
    pub fn build(self) -> Result<RequireHttpsLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let report = self.lint();
        report.add_to(&mut issues);
        let places = self.places(&mut issues);
        let targets = self.targets(&mut issues);
        for path in &self.paths {
            if !path.starts_with('/') || path.contains(['?', '#', '*', '{']) {
                issues.add("plaintext_path", format!("{path:?} is no path"), "write /healthz: that very path is meant");
            }
        }
        let gate = RequireHttpsGate {
            places,
            targets,
            plaintext: self.paths.into_iter().map(String::into_boxed_str).collect(),
            unknown: self.unknown,
            observer: self.observer,
            waivers: report.waivers("require_https"),
        };
        issues.finish(RequireHttpsLayer::from_gate(gate, report))
    }

    fn places(&self, issues: &mut ConfigIssues) -> Places {
        let mut headers = vec![
            header::AUTHORIZATION,
            header::PROXY_AUTHORIZATION,
            header::COOKIE,
            HeaderName::from_static("x-api-key"),
        ];
        for name in &self.headers {
            match name.parse::<HeaderName>() {
                Ok(parsed) if headers.contains(&parsed) => {}
                Ok(parsed) => headers.push(parsed),
                Err(_) => issues.add(
                    "credential_header",
                    format!("{name:?} is not a header name"),
                    "use letters, digits and `-`",
                ),
            }
        }
        if self.parameters.iter().any(String::is_empty) {
            issues.add("credential_parameter", "is empty", "name the parameter");
        }
        let parameters = PARAMETERS.iter().map(ToString::to_string).chain(self.parameters.iter().cloned()).collect();
        Places { headers, parameters }
    }

    fn targets(&self, issues: &mut ConfigIssues) -> Vec<Target> {
        let hosts = self.hosts.as_deref().unwrap_or_default();
        if self.hosts.is_some() && hosts.is_empty() {
            issues.add("redirect_without_credentials", "names no host", "name the hosts, or leave the setter out");
        }
        let mut targets = Vec::new();
        for host in hosts {
            match Target::parse(host) {
                Ok(target) => targets.push(target),
                Err((reason, cure)) => {
                    issues.add("redirect_without_credentials", format!("{host:?} {reason}"), cure);
                }
            }
        }
        targets
    }
}

impl fmt::Debug for RequireHttpsLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireHttpsLayerBuilder")
            .field("credential_headers", &self.headers)
            .field("credential_parameters", &self.parameters)
            .field("redirect_without_credentials", &self.hosts)
            .field("plaintext_paths", &self.paths)
            .field("unknown", &self.unknown)
            .finish_non_exhaustive()
    }
}

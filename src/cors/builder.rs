use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::HeaderValue;

use super::{
    CorsPolicy, CorsSecurityLayer, OriginCache, OriginError, OriginPattern, OriginSource,
    asked::AllowedHeaders,
    compiled::Compiled,
    lints,
    origins::Origins,
    policy::RefusedPreflight,
    settings::{CHROMIUM_MAX_AGE, Findings, Settings},
    source::Remembered,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    gate::{constant, emitted},
    lint::{Lints, Report},
};

/// What a browser sends without asking (Fetch, "CORS-safelisted method").
const DEFAULT_METHODS: &[&str] = &["GET", "HEAD", "POST"];

const LONGEST_MAX_AGE: u64 = 86_400;

/// Builds a [`CorsPolicy`], or a layer with it. See the [module](super) for a complete one.
#[must_use]
pub struct CorsBuilder<T = CorsPolicy> {
    settings: Settings,
    source: Option<Arc<dyn OriginSource>>,
    cache: OriginCache,
    refused: RefusedPreflight,
    lints: Lints,
    allowed: Vec<Cow<'static, str>>,
    makes: PhantomData<fn() -> T>,
}

/// Builds a [`CorsSecurityLayer`] with a policy of its own.
pub type CorsSecurityLayerBuilder = CorsBuilder<CorsSecurityLayer>;

impl<T: From<CorsPolicy>> CorsBuilder<T> {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::default(),
            source: None,
            cache: OriginCache::new(),
            refused: RefusedPreflight::NoContent,
            lints: Lints::new(),
            allowed: Vec::new(),
            makes: PhantomData,
        }
    }

    /// An origin whose pages may read the responses, exactly as browsers send it, or a pattern of origins:
    /// `https://*.example.com` for all subdomains, `http://localhost:*` for all ports. A text, or an
    /// [`OriginPattern`] that [`origin!`](crate::cors::origin!) has checked when the program was compiled.
    pub fn allow_origin(mut self, origin: impl TryInto<OriginPattern, Error: Into<OriginError>>) -> Self {
        self.settings.origins.push(origin.try_into().map_err(Into::into));
        self
    }

    /// Several origins.
    pub fn allow_origins<I>(self, origins: I) -> Self
    where
        I: IntoIterator<Item: TryInto<OriginPattern, Error: Into<OriginError>>>,
    {
        origins.into_iter().fold(self, Self::allow_origin)
    }

    /// Lets the pages of every origin read the responses: for what is public anyway. It excludes
    /// credentials (Fetch §3.2.5) and a list of origins.
    pub fn allow_any_origin(mut self) -> Self {
        self.settings.any_origin = true;
        self
    }

    /// Origins that are not known when the service starts, such as those of tenants. The listed ones are
    /// looked at first.
    pub fn origin_source(mut self, source: impl OriginSource) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// How long the source's answers count. Default: [`OriginCache::new`].
    pub fn origin_cache(mut self, cache: OriginCache) -> Self {
        self.cache = cache;
        self
    }

    /// Lets those pages send cookies, TLS client certificates and HTTP authentication that the
    /// browser holds. Default: not. An `Authorization` header that the page itself sets needs
    /// [`request_headers`](Self::request_headers), not this.
    pub fn allow_credentials(mut self) -> Self {
        self.settings.credentials = true;
        self
    }

    /// Accepts `http://` origins beyond this machine although credentials are allowed. Whoever
    /// stands between such a page and its user can then act with the user's credentials.
    pub fn dangerously_allow_insecure_origins(self) -> Self {
        self.allow_lint(lints::INSECURE_WITH_CREDENTIALS.code, "dangerously_allow_insecure_origins()")
    }

    /// The methods that a preflight may ask for. Default: GET, HEAD and POST. `http::Method`s or
    /// strings.
    pub fn methods<I>(mut self, methods: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let methods = methods.into_iter().map(|method| method.as_ref().to_owned());
        self.settings.methods.get_or_insert_default().extend(methods);
        self
    }

    /// Lets a preflight ask for any method that a page can send.
    pub fn allow_any_method(mut self) -> Self {
        self.settings.any_method = true;
        self
    }

    /// The request headers that a preflight may ask for, such as `authorization` and `content-type`.
    /// Default: none, so only what browsers send without asking. `http::HeaderName`s or strings.
    pub fn request_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.settings.request_headers.extend(names.into_iter().map(|name| name.as_ref().to_owned()));
        self
    }

    /// Lets a preflight ask for any request header but `Authorization`, which a wildcard never stands for
    /// (Fetch §4.8): list that as well where it is meant.
    pub fn allow_any_request_header(mut self) -> Self {
        self.settings.any_request_header = true;
        self
    }

    /// Response headers that pages may read, beside the standard ones. What a gate of yours writes stands
    /// in its [`Gate::EMITS`](crate::gate::Gate::EMITS).
    pub fn expose<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.settings.exposed.extend(names.into_iter().map(|name| name.as_ref().to_owned()));
        self
    }

    /// Lets pages read what the layers of this crate write for them: the union of what their gates
    /// declare ([`Gate::EMITS`](crate::gate::Gate::EMITS)), `Retry-After`, `RateLimit` and
    /// `X-Request-ID` among it. This is the default.
    pub fn expose_standard(mut self) -> Self {
        self.settings.only_listed = false;
        self
    }

    /// Lets pages read these response headers and no others, not even `Retry-After`.
    pub fn expose_only<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.settings.only_listed = true;
        self.settings.exposed.clear();
        self.expose(names)
    }

    /// Lets pages read every response header. Not with credentials.
    pub fn expose_any(mut self) -> Self {
        self.settings.any_exposed = true;
        self
    }

    /// How long a browser may keep the answer to a preflight, in whole seconds, rounded down; at most
    /// 86,400 s. Default: 7,200 s, which is also the longest that Chromium keeps one. Zero makes it
    /// ask each time.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.settings.max_age = Some(max_age.as_secs());
        self
    }

    /// The status of a preflight that is refused. Default: 204.
    pub fn refused_preflight(mut self, status: RefusedPreflight) -> Self {
        self.refused = status;
        self
    }

    /// For development. A preflight of an allowed origin that asks for too much is answered with what would
    /// have been allowed, so that the browser's console names the method or header that was not; and every
    /// refused preflight is explained ([`CorsPolicy::explain`]) by a `tracing` event at level WARN.
    pub fn explain_failures(mut self) -> Self {
        self.settings.explains = true;
        self
    }

    /// Answers `Access-Control-Request-Private-Network` (Private Network Access, which browsers have
    /// given up) with yes, to allowed origins.
    pub fn legacy_private_network(mut self) -> Self {
        self.settings.private_network = true;
        self
    }

    /// Allows a kind of finding, and says why: the reason stands in the [report](Self::lint), and in the
    /// audit log. What cannot work at all is not to be allowed: origins and names that no browser sends,
    /// `null`, and `*` with credentials.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        self.allowed.push(code.clone());
        self.lints = self.lints.allow(code, why);
        self
    }

    /// Everything that is doubtful about the settings so far, whether or not it fails
    /// [`build`](Self::build). What is plainly missing is not in it.
    pub fn lint(&self) -> Report {
        let mut lints = self.lints.clone();
        Findings { lints: &mut lints }.examine(&self.settings);
        lints.report()
    }

    /// The policy, or the layer.
    ///
    /// # Errors
    /// Every critical and high finding that is not allowed, each with its cure and a link; every origin,
    /// method and header name that a browser would never send or never honour; no origin at all; and a
    /// longer `max_age` than a day.
    pub fn build(self) -> Result<T, ConfigError> {
        let report = self.lint();
        let mut issues = ConfigIssues::new();
        add_findings(&report, &mut issues);
        self.check(&mut issues);
        issues.finish(())?;
        Ok(CorsPolicy { compiled: Arc::new(self.compile(report)) }.into())
    }

    fn check(&self, issues: &mut ConfigIssues) {
        let settings = &self.settings;
        let listed = !settings.origins.is_empty() || self.source.is_some();
        if !listed && !settings.any_origin {
            let cure = "allow an origin, or leave the layer out";
            issues.add("allow_origin", "no origin is allowed, so the layer does nothing", cure);
        }
        if listed && settings.any_origin {
            issues.add("allow_any_origin", "stands beside a list of origins, which then means nothing", "keep one");
        }
        if settings.any_origin && settings.private_network {
            let reason = "with every origin, any page of the web could reach into the private network";
            issues.add("legacy_private_network", reason, "list the origins");
        }
        if settings.methods.as_ref().is_some_and(Vec::is_empty) {
            issues.add("methods", "is empty", "name a method, or leave the setter out for GET, HEAD and POST");
        }
        if settings.max_age.is_some_and(|seconds| seconds > LONGEST_MAX_AGE) {
            issues.add("max_age", "is longer than any browser keeps an answer", "use 86400 s or less");
        }
        for code in self.allowed.iter().filter(|code| !lints::ALL.iter().any(|lint| lint.code == **code)) {
            issues.add("allow_lint", format!("there is no finding {code:?}"), "use the code that a report shows");
        }
        if self.source.is_some() {
            self.cache.check(issues);
        }
    }

    fn compile(self, report: Report) -> Compiled {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let settings = self.settings;
        let default = || DEFAULT_METHODS.iter().map(ToString::to_string).collect();
        let methods: Vec<String> = settings.methods.clone().unwrap_or_else(default);
        let names = settings.request_headers.iter().map(String::as_str);
        Compiled {
            id: NEXT.fetch_add(1, Relaxed),
            waivers: report.waivers("cors"),
            report,
            origins: Origins::new(settings.origins.iter().flatten()),
            source: self.source.map(|source| Remembered::new(source, self.cache)),
            methods: methods.iter().filter_map(|method| HeaderValue::from_str(method).ok()).collect(),
            request_headers: AllowedHeaders::new(names, settings.any_request_header),
            exposed: exposed(&settings),
            max_age: HeaderValue::from(settings.max_age.unwrap_or(CHROMIUM_MAX_AGE)),
            refused: self.refused,
            settings,
        }
    }
}

impl<T> Clone for CorsBuilder<T> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            source: self.source.clone(),
            cache: self.cache.clone(),
            refused: self.refused,
            lints: self.lints.clone(),
            allowed: self.allowed.clone(),
            makes: PhantomData,
        }
    }
}

impl<T> fmt::Debug for CorsBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsBuilder")
            .field("settings", &self.settings)
            .field("source", &self.source)
            .field("cache", &self.cache)
            .field("lints", &self.lints)
            .finish_non_exhaustive()
    }
}

/// The names in lower case and in order, each once.
fn exposed(settings: &Settings) -> Option<HeaderValue> {
    if settings.any_exposed {
        return Some(HeaderValue::from_static("*"));
    }
    let standard = emitted::ALL.iter().copied().flatten().filter(|_| !settings.only_listed).map(ToString::to_string);
    let listed = settings.exposed.iter().map(|name| name.to_ascii_lowercase());
    let names: Vec<String> = standard.chain(listed).collect::<BTreeSet<_>>().into_iter().collect();
    HeaderValue::from_str(&names.join(", ")).ok().filter(|value| !value.is_empty()).map(constant)
}

/// What fails a build: what nobody can allow, and what nobody has allowed.
fn add_findings(report: &Report, issues: &mut ConfigIssues) {
    for issue in report.issues() {
        let cure = if lints::UNUSABLE.contains(&issue.code) {
            format!("{}. See {}", issue.fix, issue.spec)
        } else if issue.is_fatal() {
            format!("{}; or allow_lint({:?}, why). See {}", issue.fix, issue.code, issue.spec)
        } else {
            continue;
        };
        let severity = if issue.severity.is_fatal() { format!("{}: ", issue.severity) } else { String::new() };
        issues.add(issue.field.clone(), format!("{severity}{}", issue.message), cure);
    }
}

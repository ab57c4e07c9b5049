use http::{HeaderName, HeaderValue, header};

use super::{
    FrameOptions, Hsts, OpenerPolicy, PermissionsPolicy, ReferrerPolicy, ResourcePolicy,
    csp::Csp,
    layer::{Fixed, Profile, Value},
    lints::{self, View},
};
use crate::{config_error::ConfigIssues, lint::Lints};

pub(super) const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
pub(super) const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
pub(super) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
pub(super) const AGENT_CLUSTER: HeaderName = HeaderName::from_static("origin-agent-cluster");
pub(super) const API_VERSION: HeaderName = HeaderName::from_static("x-api-version");

/// Set by typed setters only.
const TYPED: &[&str] = &[
    "cache-control",
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "permissions-policy",
    "referrer-policy",
    "server-timing",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-response-time",
    "x-xss-protection",
];

/// Belong to one message or connection, or to another layer, so that a constant is wrong.
const NEVER_CONSTANT: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "keep-alive",
    "location",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-powered-by",
    "x-request-id",
];

/// The headers that responses of one kind get: a preset, and what you change in it.
///
/// ```
/// use portcullis::headers::{ReferrerPolicy, SecurityHeaders, SecurityHeadersLayer};
///
/// let pages = SecurityHeaders::html().referrer_policy(ReferrerPolicy::NoReferrer).without("permissions-policy");
/// let layer = SecurityHeadersLayer::with(SecurityHeaders::api()).for_paths("/pages", pages).build()?;
/// assert!(layer.report().is_empty());
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SecurityHeaders {
    hsts: Option<Hsts>,
    csp: Option<Csp>,
    report_only: Option<Csp>,
    permissions: Option<PermissionsPolicy>,
    constant: Vec<(HeaderName, HeaderValue)>,
    /// Mistakes in values, kept until `build`.
    issues: ConfigIssues,
    forced: Vec<String>,
    dropped: Vec<String>,
}

impl SecurityHeaders {
    /// Nothing at all.
    pub(super) fn none() -> Self {
        Self {
            hsts: None,
            csp: None,
            report_only: None,
            permissions: None,
            constant: Vec::new(),
            issues: ConfigIssues::new(),
            forced: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Another `Strict-Transport-Security`.
    pub fn strict_transport_security(mut self, hsts: Hsts) -> Self {
        if hsts.preload && !hsts.may_be_preloaded() {
            self.issues.add(
                "strict_transport_security",
                "the preload list refuses less than a year, or a policy without subdomains",
                "use max_age of 31536000 s or more and include_subdomains(), or leave preload() out",
            );
        }
        self.hsts = Some(hsts);
        self
    }

    /// Another `Content-Security-Policy`: a [`Csp`], or its text. A handler that serves a page may also
    /// set its own.
    pub fn content_security_policy(mut self, policy: impl Into<Csp>) -> Self {
        self.csp = Some(policy.into());
        self
    }

    /// A policy that browsers only report on, to try it out. None by default.
    pub fn content_security_policy_report_only(mut self, policy: impl Into<Csp>) -> Self {
        self.report_only = Some(policy.into());
        self
    }

    /// Another `X-Frame-Options`, for browsers that do not know `frame-ancestors`.
    pub fn frame_options(self, options: FrameOptions) -> Self {
        self.set(header::X_FRAME_OPTIONS, HeaderValue::from_static(options.as_str()))
    }

    /// Another `Referrer-Policy`.
    pub fn referrer_policy(self, policy: ReferrerPolicy) -> Self {
        self.set(header::REFERRER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Another `Permissions-Policy`: a [`PermissionsPolicy`], or its text.
    pub fn permissions_policy(mut self, policy: impl Into<PermissionsPolicy>) -> Self {
        self.permissions = Some(policy.into());
        self
    }

    /// Another `Cross-Origin-Resource-Policy`. It does not hinder pages that use CORS.
    pub fn resource_policy(self, policy: ResourcePolicy) -> Self {
        self.set(RESOURCE_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Another `Cross-Origin-Opener-Policy`: for pages.
    pub fn opener_policy(self, policy: OpenerPolicy) -> Self {
        self.set(OPENER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// `Origin-Agent-Cluster: ?1`: browsers may keep the origin in a process of its own.
    pub fn origin_agent_cluster(self) -> Self {
        self.set(AGENT_CLUSTER, HeaderValue::from_static("?1"))
    }

    /// Another `Cache-Control` for responses whose handler set none.
    pub fn cache_control(self, value: &str) -> Self {
        self.checked("cache_control", header::CACHE_CONTROL, value)
    }

    /// `X-API-Version`: the version that the service has. The version that a request was served in, as
    /// `ApiVersionLayer` or the handler knows it, wins.
    pub fn api_version(self, version: &str) -> Self {
        self.checked("api_version", API_VERSION, version)
    }

    /// `X-XSS-Protection: 1; mode=block`, as it was sent until 2019. A [lint](super): the filter that it
    /// switches on is gone from browsers, and let sites learn what others hold.
    pub fn legacy_xss_protection(self) -> Self {
        self.set(header::X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block"))
    }

    /// One more constant header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let field = format!("header[{name:?}]");
        let Ok(parsed) = name.parse::<HeaderName>() else {
            self.issues.add(field, "is not a header name", "use letters, digits and `-`");
            return self;
        };
        if TYPED.contains(&parsed.as_str()) {
            self.issues.add(field, "has a setter of its own", "use that setter");
            return self;
        }
        if NEVER_CONSTANT.contains(&parsed.as_str()) || parsed.as_str().starts_with("access-control-") {
            self.issues.add(field, "is not the same for all responses", "let the handler or its own layer set it");
            return self;
        }
        self.checked(&field, parsed, value)
    }

    /// The layer's value wins over the handler's. Default: the handler's wins.
    pub fn force(mut self, name: &str) -> Self {
        self.forced.push(name.to_ascii_lowercase());
        self
    }

    /// Leaves one of the headers out.
    pub fn without(mut self, name: &str) -> Self {
        self.dropped.push(name.to_ascii_lowercase());
        self
    }

    fn checked(mut self, field: &str, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(parsed) if !value.trim().is_empty() && value.is_ascii() => self.set(name, parsed),
            _ => {
                self.issues.add(field.to_owned(), "is not a header value", "use one line of visible ASCII");
                self
            }
        }
    }

    pub(super) fn set(mut self, name: HeaderName, value: HeaderValue) -> Self {
        match self.constant.iter_mut().find(|(held, _)| *held == name) {
            Some((_, held)) => *held = value,
            None => self.constant.push((name, value)),
        }
        self
    }

    /// The headers as they are sent; mistakes and doubts go to `issues` and `lints`.
    pub(super) fn compile(mut self, part: &str, issues: &mut ConfigIssues, lints: &mut Lints) -> Profile {
        let field = |setter: &str| if part.is_empty() { setter.to_owned() } else { format!("{part}.{setter}") };
        self.take_out_dropped();
        let mut own = std::mem::take(&mut self.issues);
        self.add_faults(&mut own);
        lints::look(&self.view(), &field, lints);
        let (fixed, hsts) = self.fixed(&mut own);
        if let Err(error) = own.finish(()) {
            issues.merge(part, error);
        }
        Profile::new(fixed, hsts)
    }

    fn take_out_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        for name in dropped {
            let before = self.constant.len();
            self.constant.retain(|(held, _)| held.as_str() != name);
            let found = match &*name {
                "strict-transport-security" => self.hsts.take().is_some(),
                "content-security-policy" => self.csp.take().is_some(),
                "content-security-policy-report-only" => self.report_only.take().is_some(),
                "permissions-policy" => self.permissions.take().is_some(),
                _ => self.constant.len() < before,
            };
            if !found {
                unknown(&mut self.issues, "without", &name);
            }
        }
    }

    fn add_faults(&self, issues: &mut ConfigIssues) {
        let policies =
            [("content_security_policy", &self.csp), ("content_security_policy_report_only", &self.report_only)];
        for (field, csp) in policies {
            for (reason, cure) in csp.iter().flat_map(Csp::faults) {
                issues.add(field, reason, cure);
            }
        }
        for (reason, cure) in self.permissions.iter().flat_map(PermissionsPolicy::faults) {
            issues.add("permissions_policy", reason, cure);
        }
    }

    fn view(&self) -> View<'_> {
        View {
            hsts: self.hsts,
            csp: self.csp.as_ref(),
            report_only: self.report_only.as_ref(),
            permissions: self.permissions.as_ref(),
            constant: &self.constant,
        }
    }

    fn fixed(&self, issues: &mut ConfigIssues) -> (Vec<Fixed>, Option<Fixed>) {
        let constant = self.constant.iter().map(|(name, value)| (name.clone(), Some(Value::Constant(value.clone()))));
        let policies = [
            (header::CONTENT_SECURITY_POLICY, self.csp.as_ref().and_then(Value::policy)),
            (header::CONTENT_SECURITY_POLICY_REPORT_ONLY, self.report_only.as_ref().and_then(Value::policy)),
            (PERMISSIONS_POLICY, self.permissions.as_ref().and_then(|policy| Value::text(&policy.to_string()))),
        ];
        let hsts = (header::STRICT_TRANSPORT_SECURITY, self.hsts.and_then(|hsts| Value::text(&hsts.to_string())));
        let made = |(name, value): (HeaderName, Option<Value>)| {
            value.map(|value| Fixed { name, value: value.kept(), force: false })
        };
        let mut fixed: Vec<Fixed> = constant.chain(policies).filter_map(made).collect();
        let mut hsts = made(hsts);
        for name in &self.forced {
            match fixed.iter_mut().chain(hsts.as_mut()).find(|held| held.name.as_str() == name) {
                Some(held) => held.force = true,
                None => unknown(issues, "force", name),
            }
        }
        (fixed, hsts)
    }
}

fn unknown(issues: &mut ConfigIssues, field: &'static str, name: &str) {
    issues.add(field, format!("{name:?} is no header of this layer"), "name one that it sets");
}

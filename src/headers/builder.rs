use std::borrow::Cow;

use super::{
    Csp, FrameOptions, Hsts, OpenerPolicy, PermissionsPolicy, ReferrerPolicy, ResourcePolicy, SecurityHeaders,
    SecurityHeadersLayer,
    layer::{SecurityHeadersGate, Timing},
    lints::assumed_https,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    lint::{Lints, Report},
};

/// Builds a [`SecurityHeadersLayer`]; begins with the values for an API, or with those that are given to
/// [`SecurityHeadersLayer::with`]. See the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct SecurityHeadersLayerBuilder {
    headers: SecurityHeaders,
    paths: Vec<(String, SecurityHeaders)>,
    assume_https: bool,
    timing: Option<Timing>,
    lints: Lints,
}

/// The setters of [`SecurityHeaders`], for what is not under a path of its own.
macro_rules! passed_on {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        $($(#[$doc])*
        pub fn $name(mut self, $($argument: $type),*) -> Self {
            self.headers = self.headers.$name($($argument),*);
            self
        })*
    };
}

impl SecurityHeadersLayerBuilder {
    pub(super) fn new(headers: SecurityHeaders) -> Self {
        Self { headers, paths: Vec::new(), assume_https: false, timing: None, lints: Lints::new() }
    }

    /// Other headers for the paths under a prefix, which is compared segment by segment: `/docs` is
    /// `/docs` and `/docs/a`, not `/docsets`. The longest prefix counts. The path is the one that the
    /// layer sees: inside `Router::nest`, axum has taken the nest's own prefix away.
    pub fn for_paths(mut self, prefix: impl Into<String>, headers: SecurityHeaders) -> Self {
        self.paths.push((prefix.into(), headers));
        self
    }

    /// Sends `Strict-Transport-Security` also where the scheme is unknown, as it is behind a proxy
    /// that is not among the trusted ones: say so only if every client comes by HTTPS. It is never
    /// sent where the scheme is known to be plain HTTP.
    pub fn assume_https(mut self) -> Self {
        self.assume_https = true;
        self
    }

    /// Sends `X-Response-Time: 45ms`: the whole milliseconds from the request's arrival until its
    /// response passed the layer. Not sent by default; costs one reading of the clock.
    pub fn response_time(mut self) -> Self {
        self.timing = Some(Timing::ResponseTime);
        self
    }

    /// The same as `Server-Timing: total;dur=45.012`, which browsers show in their tools.
    pub fn server_timing(mut self) -> Self {
        self.timing = Some(Timing::ServerTiming);
        self
    }

    /// Allows a finding of [`lint`](Self::lint) by its code, and says why. The reason reaches the audit
    /// log.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.lints = self.lints.allow(code, why);
        self
    }

    passed_on! {
        /// Another `Strict-Transport-Security`. Default: one year and the subdomains, without preload.
        strict_transport_security(hsts: Hsts);
        /// Another `Content-Security-Policy`: a [`Csp`], or its text. A handler that serves a page may also set
        /// its own.
        content_security_policy(policy: impl Into<Csp>);
        /// A policy that browsers only report on, to try it out.
        content_security_policy_report_only(policy: impl Into<Csp>);
        /// Another `X-Frame-Options`. Default: [`FrameOptions::Deny`].
        frame_options(options: FrameOptions);
        /// Another `Referrer-Policy`. Default: [`ReferrerPolicy::NoReferrer`].
        referrer_policy(policy: ReferrerPolicy);
        /// Another `Permissions-Policy`: a [`PermissionsPolicy`], or its text. Default: no geolocation, camera,
        /// microphone or payment.
        permissions_policy(policy: impl Into<PermissionsPolicy>);
        /// Another `Cross-Origin-Resource-Policy`. Default: [`ResourcePolicy::SameOrigin`], which does not hinder
        /// pages that use CORS.
        resource_policy(policy: ResourcePolicy);
        /// Another `Cross-Origin-Opener-Policy`. Default: none, for an API has no pages.
        opener_policy(policy: OpenerPolicy);
        /// `Origin-Agent-Cluster: ?1`: browsers may keep the origin in a process of its own.
        origin_agent_cluster();
        /// Another `Cache-Control` for responses whose handler set none. Default: `no-store`.
        cache_control(value: &str);
        /// `X-API-Version`: the version that the service has. The version that a request was served in wins.
        api_version(version: &str);
        /// `X-XSS-Protection: 1; mode=block`. A lint: see [`SecurityHeaders::legacy_xss_protection`].
        legacy_xss_protection();
        /// One more constant header.
        header(name: &str, value: &str);
        /// The layer's value wins over the handler's. Default: the handler's wins.
        force(name: &str);
        /// Leaves one of the headers out.
        without(name: &str);
    }

    /// Everything that is doubtful, without building.
    pub fn lint(&self) -> Report {
        self.clone().compile().1
    }

    /// The layer.
    ///
    /// # Errors
    /// Every malformed or ineffective value, every name in [`force`](Self::force) or
    /// [`without`](Self::without) that is no header of this layer, every prefix that is no path, and
    /// every critical or high finding that is not allowed.
    pub fn build(self) -> Result<SecurityHeadersLayer, ConfigError> {
        let (gate, report, mut issues) = self.compile();
        report.add_to(&mut issues);
        issues.finish(SecurityHeadersLayer::new(gate, report))
    }

    fn compile(self) -> (SecurityHeadersGate, Report, ConfigIssues) {
        let Self { headers, paths, assume_https, timing, mut lints } = self;
        let mut issues = ConfigIssues::new();
        let base = headers.compile("", &mut issues, &mut lints);
        let mut by_path = Vec::new();
        for (index, (prefix, headers)) in paths.iter().enumerate() {
            let part = format!("for_paths[{prefix:?}]");
            if let Some((reason, cure)) = fault(prefix) {
                issues.add(part.clone(), reason, cure);
            } else if paths.iter().take(index).any(|(other, _)| other == prefix) {
                issues.add(part.clone(), "stands twice", "give the headers of a prefix once");
            }
            by_path.push((prefix.clone().into_boxed_str(), headers.clone().compile(&part, &mut issues, &mut lints)));
        }
        // The first that fits is the longest.
        by_path.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        if assume_https {
            assumed_https(&mut lints);
        }
        let report = lints.report();
        let gate = SecurityHeadersGate::new(base, by_path, assume_https, timing, report.waivers("security_headers"));
        (gate, report, issues)
    }
}

fn fault(prefix: &str) -> Option<(&'static str, &'static str)> {
    if !prefix.starts_with('/') || prefix.contains(['?', '#', '*', '{']) {
        return Some(("is no path", "write /docs: everything below it is meant, too"));
    }
    if prefix.ends_with('/') {
        return Some(("ends with a slash", "write /docs; what holds for all paths is given to with()"));
    }
    None
}

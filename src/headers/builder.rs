use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use super::{FrameOptions, Hsts, ReferrerPolicy, ResourcePolicy, SecurityHeadersLayer, csp, layer::Fixed};
use crate::config_error::{ConfigError, ConfigIssues};

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Set by typed setters only.
const TYPED: &[&str] = &[
    "strict-transport-security",
    "content-security-policy",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-resource-policy",
    "cache-control",
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

const YEAR: u64 = 31_536_000;

/// Builds a [`SecurityHeadersLayer`]; begins with the values for an API. See the
/// [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct SecurityHeadersLayerBuilder {
    hsts: Option<Hsts>,
    assume_https: bool,
    fixed: Vec<Fixed>,
    /// Mistakes in values, kept until `build`.
    issues: ConfigIssues,
    forced: Vec<String>,
    dropped: Vec<String>,
}

impl SecurityHeadersLayerBuilder {
    pub(super) fn api() -> Self {
        let fixed = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, FrameOptions::Deny.as_str()),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
            (header::REFERRER_POLICY, ReferrerPolicy::NoReferrer.as_str()),
            (PERMISSIONS_POLICY, "geolocation=(), camera=(), microphone=(), payment=()"),
            (header::CACHE_CONTROL, "no-store"),
            (RESOURCE_POLICY, ResourcePolicy::SameOrigin.as_str()),
        ];
        Self {
            hsts: Some(Hsts::max_age(Duration::from_secs(YEAR)).include_subdomains()),
            assume_https: false,
            fixed: fixed.map(|(name, value)| Fixed::new(name, HeaderValue::from_static(value))).into(),
            issues: ConfigIssues::new(),
            forced: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Another `Strict-Transport-Security`. Default: one year and the subdomains, without preload.
    pub fn strict_transport_security(mut self, hsts: Hsts) -> Self {
        if hsts.preload && !(hsts.include_subdomains && hsts.max_age >= YEAR) {
            self.issues.add(
                "strict_transport_security",
                "the preload list refuses less than a year, or a policy without subdomains",
                "use max_age of 31536000 s or more and include_subdomains(), or leave preload() out",
            );
        }
        self.hsts = Some(hsts);
        self
    }

    /// Sends `Strict-Transport-Security` also where the scheme is unknown, as it is behind a proxy
    /// that is not among the trusted ones: say so only if every client comes by HTTPS. It is never
    /// sent where the scheme is known to be plain HTTP.
    pub fn assume_https(mut self) -> Self {
        self.assume_https = true;
        self
    }

    /// Another `Content-Security-Policy`. A handler that serves HTML may also set its own.
    pub fn content_security_policy(mut self, policy: &str) -> Self {
        if let Err((reason, cure)) = csp::check(policy) {
            self.issues.add("content_security_policy", reason, cure);
        }
        self.checked("content_security_policy", header::CONTENT_SECURITY_POLICY, policy)
    }

    /// Another `X-Frame-Options`. Default: [`FrameOptions::Deny`].
    pub fn frame_options(self, options: FrameOptions) -> Self {
        self.set(header::X_FRAME_OPTIONS, HeaderValue::from_static(options.as_str()))
    }

    /// Another `Referrer-Policy`. Default: [`ReferrerPolicy::NoReferrer`].
    pub fn referrer_policy(self, policy: ReferrerPolicy) -> Self {
        self.set(header::REFERRER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Another `Permissions-Policy`. Default: no geolocation, camera, microphone or payment.
    pub fn permissions_policy(self, policy: &str) -> Self {
        self.checked("permissions_policy", PERMISSIONS_POLICY, policy)
    }

    /// Another `Cross-Origin-Resource-Policy`. Default: [`ResourcePolicy::SameOrigin`], which does
    /// not hinder pages that use CORS.
    pub fn resource_policy(self, policy: ResourcePolicy) -> Self {
        self.set(RESOURCE_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Another `Cache-Control` for responses whose handler set none. Default: `no-store`.
    pub fn cache_control(self, value: &str) -> Self {
        self.checked("cache_control", header::CACHE_CONTROL, value)
    }

    /// One more constant header, such as `X-API-Version`.
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

    /// The layer.
    ///
    /// # Errors
    /// Every malformed or ineffective value, and every name in [`force`](Self::force) or
    /// [`without`](Self::without) that is no header of this layer.
    pub fn build(self) -> Result<SecurityHeadersLayer, ConfigError> {
        let Self { hsts, assume_https, mut fixed, mut issues, forced, dropped } = self;
        let mut hsts = hsts.and_then(|hsts| HeaderValue::try_from(hsts.to_string()).ok()).map(|value| Fixed {
            name: header::STRICT_TRANSPORT_SECURITY,
            value,
            force: false,
        });
        for name in &forced {
            match fixed.iter_mut().chain(hsts.as_mut()).find(|held| held.name.as_str() == name) {
                Some(held) => held.force = true,
                None => unknown(&mut issues, "force", name),
            }
        }
        for name in &dropped {
            let before = fixed.len();
            fixed.retain(|held| held.name.as_str() != name);
            let found = fixed.len() < before || hsts.take_if(|held| held.name.as_str() == name).is_some();
            if !found {
                unknown(&mut issues, "without", name);
            }
        }
        issues.finish(SecurityHeadersLayer::new(fixed.into_boxed_slice(), hsts, assume_https))
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

    fn set(mut self, name: HeaderName, value: HeaderValue) -> Self {
        match self.fixed.iter_mut().find(|held| held.name == name) {
            Some(held) => held.value = value,
            None => self.fixed.push(Fixed::new(name, value)),
        }
        self
    }
}

fn unknown(issues: &mut ConfigIssues, field: &'static str, name: &str) {
    issues.add(field, format!("{name:?} is no header of this layer"), "name one that it sets");
}

//! The same policy as a layer of tower-http, where that layer can keep to it.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

use super::{CorsPolicy, RefusedPreflight, compiled::Compiled};

/// What tower-http's `CorsLayer` cannot do, or would do unsafely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TowerHttpGap {
    /// An [`OriginSource`](super::OriginSource): its closures return a `bool`, so an outage would be a denial.
    OriginSource,
    /// [`explain_failures`](super::CorsBuilder::explain_failures).
    ExplainFailures,
    /// [`RefusedPreflight::Forbidden`]: it answers every OPTIONS request with 200.
    RefusedPreflight,
    /// [`legacy_private_network`](super::CorsBuilder::legacy_private_network): it says yes to origins that
    /// are not allowed, too.
    PrivateNetwork,
    /// [`allow_any_method`](super::CorsBuilder::allow_any_method) with credentials: it panics.
    AnyMethodWithCredentials,
    /// [`allow_any_request_header`](super::CorsBuilder::allow_any_request_header) with credentials: it
    /// panics, or reflects `Authorization` as well.
    AnyRequestHeaderWithCredentials,
    /// A wildcard for exposed headers with credentials: it panics.
    AnyExposedWithCredentials,
    /// A method, a header name or an origin that it does not take.
    Value,
}

impl TowerHttpGap {
    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OriginSource => "it cannot tell a source's failure from its no",
            Self::ExplainFailures => "it cannot explain a preflight that fails",
            Self::RefusedPreflight => "it answers every preflight with 200",
            Self::PrivateNetwork => "it opens the private network to origins that are not allowed, too",
            Self::AnyMethodWithCredentials => "it panics where any method is allowed with credentials",
            Self::AnyRequestHeaderWithCredentials => "it panics where any request header is allowed with credentials",
            Self::AnyExposedWithCredentials => "it panics where every header is exposed with credentials",
            Self::Value => "it does not take one of the values",
        }
    }
}

/// Why a policy cannot become a `tower_http::cors::CorsLayer`: all reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TowerHttpError {
    gaps: Vec<TowerHttpGap>,
}

impl TowerHttpError {
    /// The reasons. Never empty.
    pub fn gaps(&self) -> &[TowerHttpGap] {
        &self.gaps
    }
}

impl fmt::Display for TowerHttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tower-http's CorsLayer cannot keep to this policy: ")?;
        for (index, gap) in self.gaps.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            f.write_str(gap.reason())?;
        }
        Ok(())
    }
}

impl std::error::Error for TowerHttpError {}

/// For stacks that have tower-http's layer already.
///
/// Origins become a list, or, where there are patterns, a predicate with the same answers; never
/// `AllowOrigin::exact`, which sends one origin's permission to everybody and lets caches keep it. What stays
/// different is what that layer does with any policy: it takes every OPTIONS request for a preflight, tells
/// refused origins which methods and headers are allowed, lists all allowed methods instead of deciding,
/// and leaves the `Access-Control-*` headers of handlers in place when the origin is refused.
///
/// ```
/// use portcullis::cors::{CorsPolicy, TowerHttpGap};
/// use tower_http::cors::CorsLayer;
///
/// let policy = CorsPolicy::builder().allow_origin("https://*.example.com").build()?;
/// let layer = CorsLayer::try_from(&policy)?;
/// # let _: CorsLayer = layer;
///
/// let policy = CorsPolicy::builder().allow_origin("https://app.example.com").explain_failures().build()?;
/// assert_eq!(CorsLayer::try_from(&policy).unwrap_err().gaps(), [TowerHttpGap::ExplainFailures]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<&CorsPolicy> for CorsLayer {
    type Error = TowerHttpError;

    fn try_from(policy: &CorsPolicy) -> Result<Self, TowerHttpError> {
        let compiled = &policy.compiled;
        let mut gaps = gaps(compiled);
        let values = Values::of(compiled);
        if values.is_none() {
            gaps.push(TowerHttpGap::Value);
        }
        match values {
            Some(values) if gaps.is_empty() => Ok(values.layer(compiled)),
            _ => Err(TowerHttpError { gaps }),
        }
    }
}

fn gaps(policy: &Compiled) -> Vec<TowerHttpGap> {
    let settings = &policy.settings;
    let found = [
        (policy.source.is_some(), TowerHttpGap::OriginSource),
        (settings.explains, TowerHttpGap::ExplainFailures),
        (policy.refused != RefusedPreflight::NoContent, TowerHttpGap::RefusedPreflight),
        (settings.private_network, TowerHttpGap::PrivateNetwork),
        (settings.any_method && settings.credentials, TowerHttpGap::AnyMethodWithCredentials),
        (settings.any_request_header && settings.credentials, TowerHttpGap::AnyRequestHeaderWithCredentials),
        (settings.any_exposed && settings.credentials, TowerHttpGap::AnyExposedWithCredentials),
    ];
    found.into_iter().filter(|(there, _)| *there).map(|(_, gap)| gap).collect()
}

struct Values {
    methods: Vec<Method>,
    request_headers: Vec<HeaderName>,
    exposed: Vec<HeaderName>,
    max_age: u64,
}

impl Values {
    fn of(policy: &Compiled) -> Option<Self> {
        let exposed = policy.exposed.as_ref().map_or(Ok(""), HeaderValue::to_str).ok()?;
        let exposed = exposed.split(", ").filter(|name| !name.is_empty());
        let methods = policy.methods.iter().map(|method| Method::from_bytes(method.as_bytes()).ok());
        Some(Self {
            methods: methods.collect::<Option<_>>()?,
            request_headers: policy.request_headers.names().map(|name| name.parse().ok()).collect::<Option<_>>()?,
            exposed: exposed.map(|name| name.parse().ok()).collect::<Option<_>>()?,
            max_age: policy.max_age.to_str().ok()?.parse().ok()?,
        })
    }

    fn layer(self, policy: &Arc<Compiled>) -> CorsLayer {
        let settings = &policy.settings;
        let layer = CorsLayer::new()
            .allow_origin(origins(policy))
            .allow_methods(if settings.any_method { AllowMethods::any() } else { AllowMethods::list(self.methods) })
            .allow_headers(if settings.any_request_header {
                let authorization = self.request_headers.into_iter().filter(|name| *name == AUTHORIZATION);
                AllowHeaders::list(std::iter::once(HeaderName::from_static("*")).chain(authorization))
            } else {
                AllowHeaders::list(self.request_headers)
            })
            .max_age(Duration::from_secs(self.max_age))
            .allow_credentials(settings.credentials);
        if self.exposed.is_empty() {
            layer
        } else if settings.any_exposed {
            layer.expose_headers(ExposeHeaders::any())
        } else {
            layer.expose_headers(ExposeHeaders::list(self.exposed))
        }
    }
}

fn origins(policy: &Arc<Compiled>) -> AllowOrigin {
    if policy.settings.any_origin {
        return AllowOrigin::any();
    }
    let patterns = policy.settings.origins.iter().flatten();
    let list: Option<Vec<HeaderValue>> =
        patterns.map(|pattern| HeaderValue::from_str(pattern.as_str()).ok().filter(|_| pattern.is_exact())).collect();
    let policy = Arc::clone(policy);
    list.map_or_else(|| AllowOrigin::predicate(move |origin, _| policy.admit(origin).is_some()), AllowOrigin::list)
}

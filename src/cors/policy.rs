use std::{fmt, sync::Arc};

use http::Request;

use super::{
    CorsBuilder, OriginPattern,
    compiled::Compiled,
    explain::{self, Explanation},
};
use crate::lint::Report;

/// Which origins' pages may read an API, checked and ready: what a
/// [`CorsSecurityLayer`](super::CorsSecurityLayer) goes by. Clones are the same policy.
///
/// ```
/// use portcullis::cors::{CorsPolicy, CorsSecurityLayer, origin};
///
/// let policy = CorsPolicy::builder().allow_origin(origin!("https://app.example.com")).build()?;
/// let layer = CorsSecurityLayer::new(policy);
///
/// // Later, while it serves:
/// let wider = CorsPolicy::builder().allow_origin("https://*.example.com").build()?;
/// let before = layer.handle().reload(wider);
/// assert_eq!(before.origins().count(), 1);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct CorsPolicy {
    pub(super) compiled: Arc<Compiled>,
}

impl CorsPolicy {
    /// Begins with no origin allowed.
    pub fn builder() -> CorsBuilder<Self> {
        CorsBuilder::new()
    }

    /// What is doubtful about it, what was allowed to be among it.
    pub fn report(&self) -> &Report {
        &self.compiled.report
    }

    /// The origins that are listed.
    pub fn origins(&self) -> impl Iterator<Item = &OriginPattern> {
        self.compiled.settings.origins.iter().flatten()
    }

    /// What the layer would do with a request, rule by rule. Nothing is asked of an
    /// [`OriginSource`](super::OriginSource), and nothing of the request is secret in it.
    ///
    /// ```
    /// use http::Request;
    /// use portcullis::cors::{CorsPolicy, Outcome};
    ///
    /// let policy = CorsPolicy::builder().allow_origin("https://app.example.com").build()?;
    /// let preflight = Request::options("/orders")
    ///     .header("origin", "http://app.example.com")
    ///     .header("access-control-request-method", "GET")
    ///     .body(())?;
    /// let explanation = policy.explain(&preflight);
    /// assert_eq!(explanation.outcome(), Outcome::PreflightRefused);
    /// assert_eq!(
    ///     explanation.to_string(),
    ///     "preflight: it is OPTIONS, with Origin and one Access-Control-Request-Method\n\
    ///      origin: \"http://app.example.com\" is not allowed; https://app.example.com is, which differs by its scheme\n\
    ///      method: \"GET\" is allowed\n\
    ///      request headers: none is asked for\n\
    ///      => the preflight is refused",
    /// );
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain<B>(&self, request: &Request<B>) -> Explanation {
        explain::explain(&self.compiled, request)
    }
}

impl fmt::Debug for CorsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.compiled.fmt(f)
    }
}

/// The status of a preflight that is refused. A browser takes both for a no, because neither has an
/// `Access-Control-Allow-Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RefusedPreflight {
    /// 204, empty: nothing is wrong with the service, and nothing is counted as an error.
    #[default]
    NoContent,
    /// 403 with a problem document: for those who read statuses, such as people with `curl` and alarms.
    Forbidden,
}

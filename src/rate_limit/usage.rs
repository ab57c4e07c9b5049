use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::extract::FromRequestParts;
use http::{Extensions, request::Parts};

use crate::rejection::Rejection;

/// Says what a request really costs, where that is known only to its handler: rows that were read,
/// tokens of a language model. An extractor, for routes with a rule of [`Cost::reported`](super::Cost::reported).
///
/// Clones say it of the same request, and may go on saying it until the response's body has ended.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use portcullis::{backend::memory::MemoryStore, rate_limit::{Cost, Key, Rate, RateLimitLayer, RateLimitUsage, Rule}};
/// use tower::ServiceExt;
///
/// async fn rows(usage: RateLimitUsage) -> &'static str {
///     usage.add(40);
///     "forty rows"
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rule = Rule::new("rows", Key::ip(), Rate::per_hour(100)).cost(Cost::reported());
/// let app = Router::new()
///     .route("/", get(rows))
///     .layer(RateLimitLayer::builder(MemoryStore::new()).rule(rule).build()?);
/// for remaining in ["60", "20", "0"] {
///     let response = app.clone().oneshot(Request::get("/").body(Body::empty())?).await?;
///     assert_eq!(response.headers()["x-ratelimit-remaining"], remaining);
/// }
/// // Twenty rows are owed.
/// assert_eq!(app.oneshot(Request::get("/").body(Body::empty())?).await?.status(), 429);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RateLimitUsage(Arc<AtomicU64>);

/// Zero units are something else than nothing said.
const SILENT: u64 = u64::MAX;

impl RateLimitUsage {
    /// That of the request; nested layers share it.
    pub(super) fn of(extensions: &mut Extensions) -> Self {
        if let Some(usage) = extensions.get::<Self>() {
            return usage.clone();
        }
        let usage = Self(Arc::new(AtomicU64::new(SILENT)));
        extensions.insert(usage.clone());
        usage
    }

    /// So many units more. What is said in several parts adds up; what was estimated on the way in does
    /// not count any more. `add(0)` says that nothing was used.
    pub fn add(&self, units: u64) {
        let add = |said: u64| Some(if said == SILENT { 0 } else { said }.saturating_add(units).min(SILENT - 1));
        // Never fails: there is always a new value.
        let _ = self.0.fetch_update(Relaxed, Relaxed, add);
    }

    /// How many units were said so far; `None` if nothing was.
    pub fn said(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|said| *said != SILENT)
    }
}

impl fmt::Debug for RateLimitUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateLimitUsage").field(&self.said()).finish()
    }
}

/// Missing where no layer with a rule of such a cost stands outside: a 500 that names it in the log.
impl<S: Sync> FromRequestParts<S> for RateLimitUsage {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            Rejection::misconfigured(
                "a RateLimitUsage is needed, but no RateLimitLayer with a rule of Cost::reported stands outside",
            )
        })
    }
}

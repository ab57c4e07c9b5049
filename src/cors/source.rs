//! Origins that are not known when the service starts: those of tenants.

use std::{
    borrow::Cow,
    collections::hash_map::RandomState,
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderValue, Request, header};
use quick_cache::{Equivalent, UnitWeighter, sync::Cache, sync::DefaultLifecycle};
use tokio::sync::Semaphore;

use super::{grammar::LONGEST, origin::OriginPattern};
use crate::{
    config_error::ConfigIssues,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// No host name is longer, nor is any name of a tenant that is worth asking for.
const LONGEST_TENANT: usize = 256;
/// How many questions are with the source at once: more would be an attack on it.
const AT_ONCE: usize = 32;
/// How long the source may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many answers are remembered.
const CAPACITY: usize = 10_000;
const DAY: Duration = Duration::from_secs(86_400);

/// Which origins each tenant allows: a port.
///
/// It is asked about origins that the policy itself does not list, and about well-formed ones only: an
/// origin that it is given has no wildcard, and is written as browsers write it. Its answers are
/// remembered ([`OriginCache`]), yes and no alike.
///
/// An answer depends on the tenant and the origin and on nothing else, because it is given nothing else:
/// so a remembered one can never let tenant A's pages read tenant B's responses. Whose request it is,
/// [`tenant`](Self::tenant) says.
///
/// ```
/// use std::{borrow::Cow, collections::HashMap, sync::{Arc, Mutex}};
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use portcullis::{
///     cors::{CorsSecurityLayer, OriginPattern, OriginRequest, OriginSource},
///     store::{BoxFuture, StoreError},
/// };
/// use tower::ServiceExt;
///
/// /// Each tenant's pages, as the tenants themselves have written them down.
/// #[derive(Debug, Default)]
/// struct Tenants(Mutex<HashMap<String, Vec<OriginPattern>>>);
///
/// impl OriginSource for Tenants {
///     fn tenant<'r>(&self, request: OriginRequest<'r>) -> Option<Cow<'r, str>> {
///         // acme.api.example.com
///         request.host?.strip_suffix(".api.example.com").map(Cow::Borrowed)
///     }
///
///     fn allows<'a>(&'a self, tenant: &'a str, origin: &'a OriginPattern) -> BoxFuture<'a, Result<bool, StoreError>> {
///         Box::pin(async move {
///             let tenants = self.0.lock().map_err(|_| StoreError::unavailable("poisoned"))?;
///             let pages = tenants.get(tenant).map_or(&[][..], |pages| pages);
///             Ok(pages.iter().any(|page| page.matches(origin.as_str())))
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tenants = Arc::new(Tenants::default());
/// tenants.0.lock().unwrap().insert("acme".into(), vec!["https://*.acme.example".parse()?]);
/// let cors = CorsSecurityLayer::builder().origin_source(tenants).build()?;
/// let app = Router::new().route("/", get(|| async { "hello" })).layer(cors);
///
/// let ask = |host: &str| Request::get("/").header("host", host).header("origin", "https://shop.acme.example");
/// let response = app.clone().oneshot(ask("acme.api.example.com").body(Body::empty())?).await?;
/// assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.acme.example");
/// let response = app.oneshot(ask("other.api.example.com").body(Body::empty())?).await?;
/// assert!(!response.headers().contains_key("access-control-allow-origin"));
/// # Ok(()) }
/// ```
///
/// # When it fails
/// An outage is no verdict. If the source fails or takes too long, the last answer counts on for a while
/// ([`OriginCache::stale_for`]). Without one, the request is refused with 503 `backend_unavailable` and
/// `Retry-After`, preflight or not, and never handed on without its CORS headers: the page could not read
/// whether its order was placed, and would place it again.
pub trait OriginSource: fmt::Debug + Send + Sync + 'static {
    /// Whose request it is; `None` if it is nobody's, so that no origin is allowed. A name of more than
    /// 256 bytes is nobody's either. Must not block.
    fn tenant<'r>(&self, request: OriginRequest<'r>) -> Option<Cow<'r, str>>;

    /// Whether the tenant allows this origin, which is an [exact](OriginPattern::is_exact) one.
    ///
    /// # Errors
    /// The answer is not known.
    fn allows<'a>(&'a self, tenant: &'a str, origin: &'a OriginPattern) -> BoxFuture<'a, Result<bool, StoreError>>;
}

impl<S: OriginSource + ?Sized> OriginSource for Arc<S> {
    fn tenant<'r>(&self, request: OriginRequest<'r>) -> Option<Cow<'r, str>> {
        (**self).tenant(request)
    }

    fn allows<'a>(&'a self, tenant: &'a str, origin: &'a OriginPattern) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).allows(tenant, origin)
    }
}

/// What an [`OriginSource`] sees of a request. The client writes all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginRequest<'a> {
    /// The host without its port, from the target or from the one `Host`; as it was sent, so perhaps in
    /// capitals.
    pub host: Option<&'a str>,
    /// The path of the target.
    pub path: &'a str,
}

impl<'a> OriginRequest<'a> {
    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
        let mut lines = request.headers().get_all(header::HOST).iter();
        let named = lines.next().filter(|_| lines.next().is_none()).and_then(|line| line.to_str().ok());
        let host = request.uri().authority().map(http::uri::Authority::as_str).or(named).map(without_port);
        Self { host, path: request.uri().path() }
    }
}

fn without_port(authority: &str) -> &str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let end = super::grammar::end_of_host(host.as_bytes());
    host.get(..end).unwrap_or(host)
}

/// How long the answers of an [`OriginSource`] count, and how many are remembered.
///
/// ```
/// use std::time::Duration;
/// use portcullis::cors::OriginCache;
///
/// let brisk = OriginCache::new().ttl(Duration::from_secs(10)).capacity(100_000);
/// # let _ = brisk;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct OriginCache {
    ttl: Duration,
    negative_ttl: Duration,
    stale_for: Duration,
    patience: Duration,
    capacity: usize,
}

impl OriginCache {
    /// 60 s for a yes, 10 s for a no, 10 minutes longer while the source fails; 10,000 answers; 2 s to
    /// give one.
    pub fn new() -> Self {
        Self {
            ttl: Duration::from_secs(60),
            negative_ttl: Duration::from_secs(10),
            stale_for: Duration::from_secs(600),
            patience: PATIENCE,
            capacity: CAPACITY,
        }
    }

    /// How long a yes counts: so long an origin that a tenant has taken out can still read. At most a day.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long a no counts: so long a new origin has to wait. At most a day.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.negative_ttl = ttl;
        self
    }

    /// How much longer an answer counts while the source fails. At most a day; zero for not at all.
    pub fn stale_for(mut self, longer: Duration) -> Self {
        self.stale_for = longer;
        self
    }

    /// How long the source may take. From a millisecond to a minute.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many answers are remembered, of about 200 bytes each. At least one.
    pub fn capacity(mut self, answers: usize) -> Self {
        self.capacity = answers;
        self
    }

    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        let mut longest = |field: &'static str, given: Duration| {
            if given > DAY {
                issues.add(field, "is longer than a day, which nobody who takes an origin out expects", "use less");
            }
        };
        longest("origin_cache.ttl", self.ttl);
        longest("origin_cache.negative_ttl", self.negative_ttl);
        longest("origin_cache.stale_for", self.stale_for);
        if !(Duration::from_millis(1)..=Duration::from_secs(60)).contains(&self.patience) {
            issues.add("origin_cache.patience", "is not between a millisecond and a minute", "use 2 s or so");
        }
        if self.capacity == 0 {
            issues.add("origin_cache.capacity", "remembers nothing, so that strangers reach the source", "use more");
        }
    }
}

impl Default for OriginCache {
    fn default() -> Self {
        Self::new()
    }
}

/// A question that the source has to answer.
pub(super) struct Question {
    tenant: Box<str>,
    origin: OriginPattern,
    /// The value that answers it.
    pub(super) value: HeaderValue,
}

type Key = (Box<str>, Box<str>);

/// A key that is not owned.
#[derive(Hash)]
struct Pair<'a>(&'a str, &'a str);

impl Equivalent<Key> for Pair<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.0 == *key.0 && *self.1 == *key.1
    }
}

#[derive(Clone, Copy)]
struct Answer {
    allowed: bool,
    since: Timestamp,
}

/// What is known before the source is asked.
pub(super) enum Known {
    Allowed,
    /// Also what is no origin, and a request that is nobody's.
    Refused,
    Ask(Box<Question>),
}

/// A source and what it has said.
pub(super) struct Remembered {
    source: Arc<dyn OriginSource>,
    settings: OriginCache,
    answers: Cache<Key, Answer, UnitWeighter, RandomState>,
    asking: Semaphore,
    /// Counts what was said of outages, so that one of many is on record.
    outages: AtomicU64,
}

impl Remembered {
    pub(super) fn new(source: Arc<dyn OriginSource>, settings: OriginCache) -> Self {
        let capacity = NonZeroUsize::new(settings.capacity).map_or(1, NonZeroUsize::get);
        let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
        let answers = Cache::with(capacity, weight, UnitWeighter, RandomState::new(), DefaultLifecycle::default());
        Self { source, settings, answers, asking: Semaphore::new(AT_ONCE), outages: AtomicU64::new(0) }
    }

    /// What is known of an origin that the policy does not list.
    pub(super) fn known(&self, request: OriginRequest<'_>, origin: &HeaderValue, now: Timestamp) -> Known {
        let text = origin.to_str().unwrap_or_default();
        if text.is_empty() || text.len() > LONGEST {
            return Known::Refused;
        }
        let Some(tenant) = self.source.tenant(request).filter(|tenant| tenant.len() <= LONGEST_TENANT) else {
            return Known::Refused;
        };
        match self.fresh(&tenant, text, now) {
            Some(true) => Known::Allowed,
            Some(false) => Known::Refused,
            None => match OriginPattern::parse(text) {
                Ok(asked) if asked.is_exact() => {
                    Known::Ask(Box::new(Question { tenant: tenant.into(), origin: asked, value: origin.clone() }))
                }
                _ => Known::Refused,
            },
        }
    }

    fn fresh(&self, tenant: &str, origin: &str, now: Timestamp) -> Option<bool> {
        let answer = self.answers.get(&Pair(tenant, origin))?;
        let ttl = if answer.allowed { self.settings.ttl } else { self.settings.negative_ttl };
        (now.since(answer.since) < ttl).then_some(answer.allowed)
    }

    fn stale(&self, question: &Question, now: Timestamp) -> Option<bool> {
        let answer = self.answers.peek(&Pair(&question.tenant, question.origin.as_str()))?;
        let ttl = if answer.allowed { self.settings.ttl } else { self.settings.negative_ttl };
        (now.since(answer.since) < ttl.saturating_add(self.settings.stale_for)).then_some(answer.allowed)
    }

    /// The source's answer; the last one, if it fails.
    pub(super) async fn ask(&self, question: &Question, now: Timestamp) -> Result<bool, StoreError> {
        let asked = tokio::time::timeout(self.settings.patience, self.ask_source(question, now)).await;
        let error = match asked.unwrap_or(Err(StoreError::TimedOut)) {
            Ok(allowed) => return Ok(allowed),
            Err(error) => error,
        };
        let count = self.outages.fetch_add(1, Relaxed);
        let stale = self.stale(question, now);
        // The first, and then every thousandth: who asks for it could fill the log.
        if stale.is_some() && count.is_multiple_of(1_000) {
            tracing::warn!(
                target: "portcullis",
                layer = "cors",
                error = &error as &dyn std::error::Error,
                "the origin source does not answer; its last answers count on"
            );
        }
        stale.ok_or(error)
    }

    async fn ask_source(&self, question: &Question, now: Timestamp) -> Result<bool, StoreError> {
        let _turn = self.asking.acquire().await.map_err(StoreError::unavailable)?;
        // Somebody else may have asked while this one waited for its turn.
        if let Some(known) = self.fresh(&question.tenant, question.origin.as_str(), now) {
            return Ok(known);
        }
        let allowed = self.source.allows(&question.tenant, &question.origin).await?;
        let key = (question.tenant.clone(), question.origin.as_str().into());
        self.answers.insert(key, Answer { allowed, since: now });
        Ok(allowed)
    }

    /// Forgets every answer.
    pub(super) fn forget(&self) {
        self.answers.clear();
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered")
            .field("source", &self.source)
            .field("settings", &self.settings)
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}

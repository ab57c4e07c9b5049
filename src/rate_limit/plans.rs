//! On which plan a caller is, where its credential does not say so.

use std::{collections::hash_map::RandomState, fmt, sync::Arc, time::Duration};

use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{
    KeyPart,
    identity::{hash_part, mix},
};
use crate::{
    identity::{AuthMethod, Principal},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Whose plan is asked for: a verified caller.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanSubject<'a> {
    /// Who says who the caller is; `None` for API keys.
    pub issuer: Option<&'a str>,
    /// The caller; for an API key its owner.
    pub subject: &'a str,
    /// The caller's tenant.
    pub tenant: Option<&'a str>,
    /// The id of the API key that it came with.
    pub api_key: Option<&'a str>,
}

impl<'a> PlanSubject<'a> {
    fn of(principal: &'a Principal) -> Self {
        let is_key = principal.method() == AuthMethod::ApiKey;
        Self {
            issuer: principal.issuer(),
            subject: principal.subject(),
            tenant: principal.tenant(),
            api_key: principal.credential_id().filter(|_| is_key),
        }
    }

    /// Everything that a resolver sees, so that it is asked again when any of it changes.
    fn hash(&self) -> u128 {
        let Self { issuer, subject, tenant, api_key } = *self;
        let bytes = |part: Option<&str>| part.map_or(0, |part| hash_part(&KeyPart::Bytes(part.as_bytes())));
        mix(mix(hash_part(&KeyPart::Principal { issuer, subject }), bytes(tenant)), bytes(api_key))
    }
}

/// Who calls is not for logs.
impl fmt::Debug for PlanSubject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanSubject").finish_non_exhaustive()
    }
}

/// Says on which plan a caller is, where its credential does not
/// ([`Principal::plan`](crate::identity::Principal::plan) comes first).
///
/// What it says is remembered for a minute ([`RateLimitLayerBuilder::plan_ttl`]), also that there is no
/// plan; requests of one caller that come meanwhile wait for one answer. It is given a second. Callers
/// who are not verified have no plan, and are not asked for.
///
/// # A resolver of your own
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use portcullis::{
///     backend::memory::MemoryStore,
///     rate_limit::{Key, PlanResolver, PlanSubject, Rate, RateLimitLayer, Rule},
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
///
/// #[derive(Debug)]
/// struct Contracts(HashMap<String, Arc<str>>);
///
/// impl PlanResolver for Contracts {
///     fn find<'a>(&'a self, caller: PlanSubject<'a>, _: Timestamp) -> BoxFuture<'a, Result<Option<Arc<str>>, StoreError>> {
///         // A query, in earnest.
///         Box::pin(async move { Ok(caller.tenant.and_then(|tenant| self.0.get(tenant).cloned())) })
///     }
/// }
///
/// let contracts = Contracts(HashMap::from([("acme".to_owned(), "pro".into())]));
/// let layer = RateLimitLayer::builder(MemoryStore::new())
///     .rule(Rule::new("clients", Key::client(), Rate::per_minute(10)).plan("pro", Rate::per_minute(600)))
///     .plan_resolver(contracts)
///     .build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
///
/// [`RateLimitLayerBuilder::plan_ttl`]: super::RateLimitLayerBuilder::plan_ttl
pub trait PlanResolver: fmt::Debug + Send + Sync + 'static {
    /// The plan; `None` if the caller has none, and the rules' default holds.
    fn find<'a>(
        &'a self,
        caller: PlanSubject<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, StoreError>>;

    /// The same without waiting, where the resolver can: `None` means "ask [`find`](Self::find)". What
    /// it says is not remembered by the layer.
    fn find_now(&self, caller: PlanSubject<'_>, now: Timestamp) -> Option<Result<Option<Arc<str>>, StoreError>> {
        let _ = (caller, now);
        None
    }
}

impl<R: PlanResolver + ?Sized> PlanResolver for Arc<R> {
    fn find<'a>(
        &'a self,
        caller: PlanSubject<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, StoreError>> {
        (**self).find(caller, now)
    }

    fn find_now(&self, caller: PlanSubject<'_>, now: Timestamp) -> Option<Result<Option<Arc<str>>, StoreError>> {
        (**self).find_now(caller, now)
    }
}

/// What holds for a caller whose plan cannot be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnPlanLoss {
    /// Each rule that treats plans differently does what it does when its store is lost
    /// ([`Rule::on_store_loss`](super::Rule::on_store_loss)): refuse with 503, or let pass uncounted.
    /// A rule that would count on its own counts by its default limit. The default.
    #[default]
    AsStoreLoss,
    /// The limits that hold for callers without a plan.
    DefaultPlan,
}

/// How long a resolver may take.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Remembered {
    plan: Option<Arc<str>>,
    until: Timestamp,
}

/// A resolver, and what it said.
pub(super) struct Plans {
    resolver: Arc<dyn PlanResolver>,
    /// The hash is keyed, and the keys are hashes by a secret.
    said: Cache<u128, Remembered, UnitWeighter, RandomState>,
    ttl: Duration,
    pub(super) on_loss: OnPlanLoss,
}

/// What is known of a caller's plan without asking.
pub(super) enum PlanNow {
    Known(Option<Arc<str>>),
    Lost(StoreError),
    Ask,
}

impl Plans {
    pub(super) fn new(resolver: Arc<dyn PlanResolver>, ttl: Duration, capacity: usize, on_loss: OnPlanLoss) -> Self {
        let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
        let said = Cache::with(capacity, weight, UnitWeighter, RandomState::new(), DefaultLifecycle::default());
        Self { resolver, said, ttl, on_loss }
    }

    pub(super) fn now(&self, principal: &Principal, now: Timestamp) -> PlanNow {
        let subject = PlanSubject::of(principal);
        match self.resolver.find_now(subject, now) {
            Some(Ok(plan)) => PlanNow::Known(plan),
            Some(Err(error)) => PlanNow::Lost(error),
            None => match self.said.get(&subject.hash()).filter(|held| held.until > now) {
                Some(held) => PlanNow::Known(held.plan),
                None => PlanNow::Ask,
            },
        }
    }

    /// Asks once for all who wait for the same answer. If the one who asks goes away, the next asks.
    pub(super) async fn find(&self, principal: &Principal, now: Timestamp) -> Result<Option<Arc<str>>, StoreError> {
        let subject = PlanSubject::of(principal);
        let hash = subject.hash();
        self.said.remove_if(&hash, |held| held.until <= now);
        let ask = async {
            let plan = match tokio::time::timeout(PATIENCE, self.resolver.find(subject, now)).await {
                Ok(plan) => plan?,
                Err(_) => return Err(StoreError::TimedOut),
            };
            Ok(Remembered { plan, until: now.saturating_add(self.ttl) })
        };
        Ok(self.said.get_or_insert_async(&hash, ask).await?.plan)
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").field("resolver", &self.resolver).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Algorithm, ClaimNames, JwtVerifier, KeySource, Profile, StaticKeys, VerifierFactory,
    claims::{BoundTokens, Expectations},
    engine::{Engine, Keys},
    jwks::KeyCache,
    verifier::{BuiltIn, Preferring},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    time::{Clock, SystemClock},
};

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
/// RFC 9700 §2.2.2 wants short lives; what the seeds' tokens have.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Whose tokens are accepted, for which audience, and with which keys.
///
/// An audience and exactly one origin of keys are required. See the [module](super) for what is
/// checked.
///
/// | setting | default |
/// |---|---|
/// | [`profile`](Self::profile) | [`Profile::Lenient`] |
/// | [`max_lifetime`](Self::max_lifetime) | 15 min from `iat` to `exp` |
/// | [`leeway`](Self::leeway) | 30 s |
/// | [`algorithms`](Self::algorithms) | all that the keys stand for |
/// | [`types`](Self::types) | what the profile says: `at+jwt`, `JWT`, or no `typ` |
/// | [`claim_names`](Self::claim_names) | see [`ClaimNames`] |
/// | [`token_cache`](Self::token_cache) | 10,000 tokens, a minute each |
/// | [`max_key_age`](Self::max_key_age) | 24 h |
#[derive(Clone, Debug)]
#[must_use]
pub struct Issuer {
    pub(super) name: String,
    pub(super) audiences: Vec<String>,
    origins: Vec<Origin>,
    pub(super) profile: Profile,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    pub(super) algorithms: Option<Vec<Algorithm>>,
    pub(super) types: Option<Vec<String>>,
    pub(super) names: ClaimNames,
    bound: BoundTokens,
    factory: Arc<dyn VerifierFactory>,
    clock: Option<Arc<dyn Clock>>,
    pub(super) caching: super::cache_settings::Caching,
}

#[derive(Clone)]
enum Origin {
    Static(StaticKeys),
    Source(Arc<dyn KeySource>),
    #[cfg(feature = "jwks")]
    Url(String),
    #[cfg(feature = "jwks")]
    Discovered,
}

/// Without the URL: some providers want a token in it.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(keys) => keys.fmt(f),
            Self::Source(source) => source.fmt(f),
            #[cfg(feature = "jwks")]
            Self::Url(_) => f.write_str("Url(***)"),
            #[cfg(feature = "jwks")]
            Self::Discovered => f.write_str("Discovered"),
        }
    }
}

impl Issuer {
    /// Tokens whose `iss` is exactly this, byte for byte (RFC 8725 §3.8).
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            name: issuer.into(),
            audiences: Vec::new(),
            origins: Vec::new(),
            profile: Profile::Lenient,
            leeway: DEFAULT_LEEWAY,
            max_lifetime: DEFAULT_LIFETIME,
            algorithms: None,
            types: None,
            names: ClaimNames::default(),
            bound: BoundTokens::DEFAULT,
            factory: Arc::new(BuiltIn),
            clock: None,
            caching: super::cache_settings::Caching::default(),
        }
    }

    /// An audience that is this service (RFC 8725 §3.9). Call it again for another; a token must
    /// name one of them. Required.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Keys that are known now.
    pub fn keys(mut self, keys: StaticKeys) -> Self {
        self.origins.push(Origin::Static(keys));
        self
    }

    /// The URL of the issuer's key set: `https`, or `http` on the loopback interface. Fetched when
    /// [`build`](Self::build) is called and then ahead of need; see [the module](super#keys-from-a-url).
    #[cfg(feature = "jwks")]
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.origins.push(Origin::Url(url.into()));
        self
    }

    /// The key set that the issuer's metadata names (OIDC Discovery, RFC 8414). The issuer
    /// must be an `https` URL, or `http` on the loopback interface; see
    /// [the module](super#discovery).
    #[cfg(feature = "jwks")]
    pub fn discover(mut self) -> Self {
        self.origins.push(Origin::Discovered);
        self
    }

    /// A source of keys of your own, behind the same cache as a URL.
    pub fn key_source(mut self, source: Arc<dyn KeySource>) -> Self {
        self.origins.push(Origin::Source(source));
        self
    }

    /// Another crypto library for the public keys of this issuer.
    pub fn verifiers(mut self, factory: Arc<dyn VerifierFactory>) -> Self {
        self.factory = factory;
        self
    }

    /// How much a token must say of itself. Default: [`Profile::Lenient`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How long a token may live, from `iat` to `exp` (without `iat`: from now). A longer one is
    /// refused, however long ago it was issued: nothing ends a stolen token but `exp`. Default 15
    /// min; above an hour [`build`](Self::build) warns in the log.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// By how much the clocks may differ, for `exp`, `nbf` and `iat`. Default 30 s; more than 60 s
    /// is a mistake.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Only these algorithms, whatever the keys are (RFC 8725 §3.1). A key that names none (a JWK
    /// without `alg`) is used with the first of these that suits it; without this setting, an RSA
    /// key with `RS256`.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Only these values of `typ`, case-insensitive; a token without `typ` is then refused. The
    /// profiles beside `Lenient` have their own, and take no others.
    pub fn types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Under which names the provider puts scopes, roles, tenant, plan, client and e-mail address.
    pub fn claim_names(mut self, names: ClaimNames) -> Self {
        self.names = names;
        self
    }

    /// Accepts tokens that are bound to a key or certificate (`cnf`: `DPoP`, mutual TLS) from whoever
    /// bears them. Only where something in front of this service checks the binding: otherwise a
    /// stolen token works, against which the binding was meant to help.
    pub fn dangerously_accept_bound_tokens(mut self) -> Self {
        self.bound = BoundTokens::Accepted;
        self
    }

    /// The clock by which the age of fetched keys is measured. Give it the one that the layers use.
    /// Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The verifier. With a URL or source it must be called within a tokio runtime (with timers
    /// enabled), on which it spawns the task that fetches the keys; the task ends with the last
    /// clone of the verifier, or with [`JwtVerifier::shutdown`].
    ///
    /// # Errors
    /// Every mistake: an empty issuer or audience, none or more than one origin of keys, unusable
    /// keys, a URL that is neither `https` nor loopback, a leeway of more than 60 s, a maximum
    /// lifetime of nothing, an algorithm that no key is for or the profile forbids, an empty or
    /// registered claim name, a source without a runtime.
    pub fn build(mut self) -> Result<JwtVerifier, ConfigError> {
        let mut issues = ConfigIssues::new();
        self.check(&mut issues);
        self.caching.check(&mut issues);
        let types = self.accepted_types(&mut issues);
        let keys = self.keys_of_origin(&mut issues);
        if let (Some(KeysOrSource::Keys(Keys::Static(set))), Some(algorithms)) = (&keys, &self.algorithms) {
            for algorithm in algorithms.iter().filter(|algorithm| !set.uses(**algorithm)) {
                issues.add("algorithms", format!("no key is for {algorithm}"), "leave it out, or add a key");
            }
        }
        issues.finish(())?;
        let keys = match keys {
            Some(KeysOrSource::Keys(keys)) => keys,
            Some(KeysOrSource::Source(source)) => self.cache(source)?,
            // Has been reported above.
            None => Keys::Static(super::key_set::KeySet::default()),
        };
        self.warn_of_long_lives();
        let boxed = |texts: Vec<String>| texts.into_iter().map(String::into_boxed_str).collect();
        let plain = super::claim_names::PlainNames::of(&self.names);
        Ok(JwtVerifier::new(Engine {
            expected: Expectations {
                issuer: self.name.into(),
                audiences: boxed(self.audiences),
                profile: self.profile,
                leeway: self.leeway,
                max_lifetime: self.max_lifetime,
                names: self.names,
                bound: self.bound,
            },
            types,
            algorithms: self.algorithms.unwrap_or_else(|| self.profile.algorithms().to_vec()),
            keys,
            verified: self.caching.tokens.map(|cache| super::cache::VerifiedTokens::new(cache, self.leeway)),
            plain,
            known: super::known_headers::KnownHeaders::default(),
        }))
    }

    /// The factory, with the algorithms in mind.
    fn preferring(&self) -> Arc<dyn VerifierFactory> {
        let factory = Arc::clone(&self.factory);
        match (&self.algorithms, self.profile) {
            (None, Profile::Lenient | Profile::Rfc9068) => factory,
            (Some(algorithms), _) => Arc::new(Preferring { factory, algorithms: algorithms.clone() }),
            (None, profile) => Arc::new(Preferring { factory, algorithms: profile.algorithms().to_vec() }),
        }
    }

    fn keys_of_origin(&mut self, issues: &mut ConfigIssues) -> Option<KeysOrSource> {
        let mut origins = std::mem::take(&mut self.origins).into_iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            let cure = "use one of keys, jwks_url, discover, key_source";
            issues.add("keys", "there must be exactly one origin of keys", cure);
            return None;
        };
        match origin {
            Origin::Static(keys) => Some(KeysOrSource::Keys(Keys::Static(keys.build(&*self.preferring(), issues)))),
            Origin::Source(source) => Some(KeysOrSource::Source(source)),
            #[cfg(feature = "jwks")]
            Origin::Url(url) => {
                let source = issues.take("", super::jwks::HttpKeySource::new(&url))?;
                Some(KeysOrSource::Source(Arc::new(source)))
            }
            #[cfg(feature = "jwks")]
            Origin::Discovered => {
                let clock = self.chosen_clock();
                let source = super::discovery::DiscoveredKeys::new(&self.name, clock);
                Some(KeysOrSource::Source(Arc::new(issues.take("", source)?)))
            }
        }
    }

    fn cache(&mut self, source: Arc<dyn KeySource>) -> Result<Keys, ConfigError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            ConfigError::new("jwks_url", "there is no tokio runtime to fetch keys on", "call build within the runtime")
        })?;
        let (factory, clock) = (self.preferring(), self.chosen_clock());
        Ok(Keys::Fetched(KeyCache::start(source, factory, clock, runtime, self.caching.key_age)))
    }

    fn chosen_clock(&mut self) -> Arc<dyn Clock> {
        Arc::clone(self.clock.get_or_insert_with(|| Arc::new(SystemClock::new())))
    }
}

enum KeysOrSource {
    Keys(Keys),
    Source(Arc<dyn KeySource>),
}

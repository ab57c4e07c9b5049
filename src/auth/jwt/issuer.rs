use std::{fmt, sync::Arc, time::Duration};

use super::{
    Algorithm, ClaimNames, JwtVerifier, KeySource, StaticKeys, VerifierFactory,
    claims::{BoundTokens, Expectations},
    engine::{Engine, Keys},
    header::{AcceptedTypes, without_application},
    jwks::KeyCache,
    verifier::BuiltIn,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    time::{Clock, SystemClock},
};

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
const MAX_LEEWAY: Duration = Duration::from_secs(60);
/// Claims that are read for what they are. As a name for something else they would never be found.
const RESERVED_CLAIMS: &[&str] =
    &["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "at_hash", "c_hash", "events"];
/// Media types of JWTs that are no access tokens; to accept one is to accept it for another purpose.
const FOREIGN_TYPES: &[&str] = &["dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "jwk-set+jwt"];

/// Whose tokens are accepted, for which audience, and with which keys.
///
/// An audience and exactly one origin of keys are required. See the [module](super) for what is
/// checked.
///
/// | setting | default |
/// |---|---|
/// | [`leeway`](Self::leeway) | 30 s |
/// | [`algorithms`](Self::algorithms) | all that the keys stand for |
/// | [`types`](Self::types) | `at+jwt`, `JWT`, or no `typ` |
/// | [`claim_names`](Self::claim_names) | see [`ClaimNames`] |
/// | [`token_cache`](Self::token_cache) | 10,000 tokens, a minute each |
/// | [`max_key_age`](Self::max_key_age) | 24 h |
#[derive(Clone, Debug)]
#[must_use]
pub struct Issuer {
    name: String,
    audiences: Vec<String>,
    origins: Vec<Origin>,
    leeway: Duration,
    algorithms: Option<Vec<Algorithm>>,
    types: Option<Vec<String>>,
    names: ClaimNames,
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
}

/// Without the URL: some providers want a token in it.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(keys) => keys.fmt(f),
            Self::Source(source) => source.fmt(f),
            #[cfg(feature = "jwks")]
            Self::Url(_) => f.write_str("Url(***)"),
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
            leeway: DEFAULT_LEEWAY,
            algorithms: None,
            types: None,
            names: ClaimNames::default(),
            bound: BoundTokens::Refused,
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

    /// By how much the clocks may differ, for `exp`, `nbf` and `iat`. Default 30 s; more than 60 s
    /// is a mistake.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Only these algorithms, whatever the keys are (RFC 8725 §3.1).
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Only these values of `typ`, case-insensitive; a token without `typ` is then refused.
    /// `["at+jwt"]` is what RFC 9068 demands.
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
    /// keys, a URL that is neither `https` nor loopback, a leeway of more than 60 s, an algorithm
    /// that no key is for, an empty or registered claim name, a source without a runtime.
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
        let boxed = |texts: Vec<String>| texts.into_iter().map(String::into_boxed_str).collect();
        Ok(JwtVerifier::new(Engine {
            expected: Expectations {
                issuer: self.name.into(),
                audiences: boxed(self.audiences),
                leeway: self.leeway,
                names: self.names,
                bound: self.bound,
            },
            types,
            algorithms: self.algorithms.unwrap_or_else(|| Algorithm::ALL.to_vec()),
            keys,
            verified: self.caching.tokens.map(|cache| super::cache::VerifiedTokens::new(cache, self.leeway)),
        }))
    }

    fn check(&self, issues: &mut ConfigIssues) {
        if self.name.is_empty() {
            issues.add("issuer", "it is empty", "give the iss of the tokens, such as https://id.example.com");
        }
        if self.audiences.is_empty() {
            issues.add("audience", "there is none", "name this service: tokens for another one must not work here");
        }
        if self.audiences.iter().any(String::is_empty) {
            issues.add("audience", "one is empty", "name this service as its tokens do");
        }
        if self.leeway > MAX_LEEWAY {
            issues.add("leeway", "it is longer than 60 s", "use 60 s at most, and a time server");
        }
        if self.algorithms.as_ref().is_some_and(Vec::is_empty) {
            issues.add("algorithms", "there is none", "name at least one, or leave the setting out");
        }
        for name in self.names.each().flat_map(|(_, names)| names) {
            if name.is_empty() || RESERVED_CLAIMS.contains(&&**name) {
                issues.add(
                    "claim_names",
                    format!("{name:?} cannot be given another meaning"),
                    "use the claim's own name",
                );
            }
        }
    }

    fn accepted_types(&mut self, issues: &mut ConfigIssues) -> AcceptedTypes {
        let Some(types) = self.types.take() else { return AcceptedTypes::default() };
        if types.is_empty() {
            issues.add("types", "there is none", "use [\"at+jwt\"], or leave the setting out");
        }
        let names: Vec<Box<str>> =
            types.iter().map(|typ| without_application(typ).to_ascii_lowercase().into_boxed_str()).collect();
        for name in &names {
            if name.is_empty() || FOREIGN_TYPES.contains(&&**name) {
                issues.add("types", format!("{name:?} is not a type of access tokens"), "use [\"at+jwt\"]");
            }
        }
        AcceptedTypes { names, absent: false }
    }

    fn keys_of_origin(&mut self, issues: &mut ConfigIssues) -> Option<KeysOrSource> {
        let mut origins = std::mem::take(&mut self.origins).into_iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            issues.add("keys", "there must be exactly one origin of keys", "use one of keys, jwks_url, key_source");
            return None;
        };
        match origin {
            Origin::Static(keys) => Some(KeysOrSource::Keys(Keys::Static(keys.build(&*self.factory, issues)))),
            Origin::Source(source) => Some(KeysOrSource::Source(source)),
            #[cfg(feature = "jwks")]
            Origin::Url(url) => {
                let source = issues.take("", super::jwks::HttpKeySource::new(&url))?;
                Some(KeysOrSource::Source(Arc::new(source)))
            }
        }
    }

    fn cache(&mut self, source: Arc<dyn KeySource>) -> Result<Keys, ConfigError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            ConfigError::new("jwks_url", "there is no tokio runtime to fetch keys on", "call build within the runtime")
        })?;
        let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new()));
        Ok(Keys::Fetched(KeyCache::start(source, Arc::clone(&self.factory), clock, runtime, self.caching.key_age)))
    }
}

enum KeysOrSource {
    Keys(Keys),
    Source(Arc<dyn KeySource>),
}

use std::{sync::Arc, time::Duration};

use super::{
    check::{Dates, DpopVerifier, Targets},
    htu::Target,
    nonce::DpopNonces,
};
use crate::{
    auth::jwt::{Algorithm, VerifierFactory, parts::BuiltIn},
    config_error::{ConfigError, ConfigIssues},
    store::SeenStore,
};

const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);
const LONGEST_AGE: Duration = Duration::from_secs(300);

/// How proofs of possession (RFC 9449) are judged. See the [module](super) for what is checked.
///
/// | setting | default |
/// |---|---|
/// | [`max_age`](Self::max_age) | 60 s |
/// | [`algorithms`](Self::algorithms) | every asymmetric one |
/// | [`nonces`](Self::nonces) | none |
#[derive(Clone, Debug)]
#[must_use]
pub struct Dpop {
    origins: Option<Vec<String>>,
    store: Arc<dyn SeenStore>,
    max_age: Duration,
    algorithms: Option<Vec<Algorithm>>,
    nonces: Option<DpopNonces>,
    factory: Arc<dyn VerifierFactory>,
}

impl Dpop {
    /// Proofs for requests to `origin`, the URL under which clients know this service, such as
    /// `https://api.example.com`. It may have a path, if something in front of the service takes
    /// that path away. `store` remembers the proofs that were used.
    pub fn new(origin: impl Into<String>, store: impl SeenStore) -> Self {
        Self::with(Some(vec![origin.into()]), Arc::new(store))
    }

    /// Proofs for whatever host the client asked for: `Host` (or `:authority`), under `https` unless
    /// the connection, or a trusted proxy, says that it is plain `http`. For services with more
    /// names than can be listed. A proof for another host can then be used here by who also chooses
    /// `Host`; that the token names this service as audience still holds.
    pub fn any_host(store: impl SeenStore) -> Self {
        Self::with(None, Arc::new(store))
    }

    fn with(origins: Option<Vec<String>>, store: Arc<dyn SeenStore>) -> Self {
        Self { origins, store, max_age: DEFAULT_MAX_AGE, algorithms: None, nonces: None, factory: Arc::new(BuiltIn) }
    }

    /// A further URL under which clients know this service.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.get_or_insert_default().push(origin.into());
        self
    }

    /// How old a proof may be: 1 s to 5 min. Default 60 s. It may lie 5 s in the future. A proof
    /// with a [nonce](Self::nonces) is dated by that instead.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Only these algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Demands a nonce of this service in every proof. A client without one is told it with a 401
    /// `use_dpop_nonce`, and tries again.
    pub fn nonces(mut self, nonces: DpopNonces) -> Self {
        self.nonces = Some(nonces);
        self
    }

    /// Another crypto library for the keys of proofs.
    pub fn verifiers(mut self, factory: Arc<dyn VerifierFactory>) -> Self {
        self.factory = factory;
        self
    }

    pub(in crate::auth) fn build(self) -> Result<DpopVerifier, ConfigError> {
        let mut issues = ConfigIssues::new();
        let targets = match &self.origins {
            None => Targets::AnyHost,
            Some(origins) => Targets::Listed(origins.iter().filter_map(|url| listed(url, &mut issues)).collect()),
        };
        if self.max_age < Duration::from_secs(1) || self.max_age > LONGEST_AGE {
            issues.add("max_age", "it is not 1 s to 5 min", "use 60 s, and a time server");
        }
        let algorithms = self.algorithms.unwrap_or_else(|| asymmetric().collect());
        if algorithms.is_empty() || algorithms.iter().any(|algorithm| !asymmetric().any(|other| other == *algorithm)) {
            issues.add(
                "algorithms",
                "there is none, or one with shared secrets",
                "name asymmetric ones, such as ES256",
            );
        }
        let nonces = self.nonces.and_then(|nonces| issues.take("nonces", nonces.build()));
        let dates = Dates { max_age: self.max_age };
        issues.finish(DpopVerifier::new(targets, dates, algorithms, nonces, self.store, self.factory))
    }
}

fn asymmetric() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.iter().copied().filter(|algorithm| !algorithm.as_str().starts_with("HS"))
}

fn listed(url: &str, issues: &mut ConfigIssues) -> Option<Target> {
    let target = Target::parse(url).filter(|_| !url.contains(['?', '#']));
    if target.is_none() {
        let reason = format!("{url:?} is not an http or https URL without user, query and fragment");
        issues.add("origin", reason, "give the URL as clients know it, such as https://api.example.com");
    }
    target
}

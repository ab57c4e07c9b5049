//! Which key verifies a token.

use serde_json::Value;

use super::{Algorithm, UnusableKey, VerifierFactory, fault::Fault, key, key::Key};

/// More keys than this is not a key set.
const MAX_KEYS: usize = 100;

/// Keys, sorted by kid, those without one first.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<UnusableKey>,
    unnamed: Unnamed,
}

/// Whether a key without a kid verifies tokens that name one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unnamed {
    /// Of a remote set, where an unknown kid means that the set is to be fetched again.
    #[default]
    FitsUnnamed,
    /// Of a configuration, where whoever gives a key without a name means this key.
    FitsAny,
}

/// What cannot be a key set at all. (A bad key in it is only skipped.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSet {
    #[error("it is not a JSON object with an array keys")]
    Shape,
    #[error("it has more than 100 keys")]
    TooMany,
}

impl KeySet {
    pub(crate) fn new(mut keys: Vec<Key>, unnamed: Unnamed) -> Self {
        keys.sort_by(|a, b| a.kid.cmp(&b.kid));
        Self { keys, skipped: Vec::new(), unnamed }
    }

    /// The keys of a JWK set (RFC 7517 §5). One bad or foreign key never breaks the others.
    pub(crate) fn from_jwks(json: &[u8], factory: &dyn VerifierFactory) -> Result<Self, BadSet> {
        let set: Value = serde_json::from_slice(json).map_err(|_| BadSet::Shape)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(BadSet::Shape)?;
        if listed.len() > MAX_KEYS {
            return Err(BadSet::TooMany);
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for jwk in listed {
            match key::from_jwk(jwk, factory) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(reason),
            }
        }
        Ok(Self { skipped, ..Self::new(keys, Unnamed::FitsUnnamed) })
    }

    pub(crate) fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Why keys of the set are not used.
    pub(crate) fn skipped(&self) -> &[UnusableKey] {
        &self.skipped
    }

    /// The one key that fits. A binary search among the names.
    pub(crate) fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Key, Fault> {
        let Some(kid) = kid else {
            return only(&self.keys, algorithm).ok_or(Fault::AmbiguousKey);
        };
        let start = self.keys.partition_point(|key| key.kid.as_deref() < Some(kid));
        let rest = self.keys.get(start..).unwrap_or_default();
        let count = rest.iter().take_while(|key| key.kid.as_deref() == Some(kid)).count();
        let named = rest.get(..count).unwrap_or_default();
        if !named.is_empty() {
            let fits = named.iter().any(|key| key.algorithm == algorithm);
            return only(named, algorithm).ok_or(if fits { Fault::AmbiguousKey } else { Fault::KeyAlgorithm });
        }
        let nameless = self.keys.partition_point(|key| key.kid.is_none());
        match self.keys.get(..nameless) {
            Some(nameless) if self.unnamed == Unnamed::FitsAny && !nameless.is_empty() => {
                only(nameless, algorithm).ok_or(Fault::AmbiguousKey)
            }
            _ => Err(Fault::UnknownKey),
        }
    }

    /// Whether some key is used with `algorithm`.
    pub(crate) fn uses(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.algorithm == algorithm)
    }
}

/// The key for `algorithm`, if there is exactly one: to try several would let whoever holds any of
/// them speak for all.
fn only(keys: &[Key], algorithm: Algorithm) -> Option<&Key> {
    let mut fitting = keys.iter().filter(|key| key.algorithm == algorithm);
    fitting.next().filter(|_| fitting.next().is_none())
}

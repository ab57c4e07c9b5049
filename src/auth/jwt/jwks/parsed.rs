//! Keys that stay parsed from one fetch to the next.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use sha2::{Digest as _, Sha256};

use super::flight::lock;
use crate::auth::jwt::{Algorithm, PublicKey, SignatureVerifier, UnusableKey, VerifierFactory};

/// The verifiers of a set, by a digest of the numbers of their keys.
pub(super) type Verifiers = HashMap<[u8; 32], Arc<dyn SignatureVerifier>>;

/// A factory that returns the verifier of the last set for a key that was in it. So a key is parsed
/// once in its life, and keeps its identity: a cached token knows by it that its key is still there.
#[derive(Debug)]
pub(super) struct Parsed {
    factory: Arc<dyn VerifierFactory>,
    last: Verifiers,
    now: Mutex<Verifiers>,
}

impl Parsed {
    pub(super) fn new(factory: Arc<dyn VerifierFactory>, last: Verifiers) -> Self {
        Self { factory, last, now: Mutex::default() }
    }

    /// The verifiers of the set that was read: what it lacks is forgotten with the last.
    pub(super) fn into_verifiers(self) -> Verifiers {
        self.now.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl VerifierFactory for Parsed {
    fn verifier(&self, algorithm: Algorithm, key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
        // `Debug` names the kind of key and all of its numbers, of kinds to come as well.
        let digest: [u8; 32] = Sha256::digest(format!("{algorithm} {key:?}")).into();
        // A key that is listed twice is one key.
        let known = lock(&self.now).get(&digest).or_else(|| self.last.get(&digest)).map(Arc::clone);
        let verifier = match known {
            Some(verifier) => verifier,
            None => self.factory.verifier(algorithm, key)?,
        };
        lock(&self.now).insert(digest, Arc::clone(&verifier));
        Ok(verifier)
    }

    fn algorithm(&self, key: &PublicKey<'_>) -> Option<Algorithm> {
        self.factory.algorithm(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting(Arc<AtomicUsize>);

    #[derive(Debug)]
    struct Never;

    impl SignatureVerifier for Never {
        fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            false
        }
    }

    impl VerifierFactory for Counting {
        fn verifier(&self, _: Algorithm, _: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
            self.0.fetch_add(1, Relaxed);
            Ok(Arc::new(Never))
        }
    }

    #[test]
    fn a_key_is_parsed_once_while_it_is_published() {
        let parses = Arc::new(AtomicUsize::new(0));
        let factory: Arc<dyn VerifierFactory> = Arc::new(Counting(Arc::clone(&parses)));
        let read = |last: Verifiers, ids: &[u8]| {
            let set = Parsed::new(Arc::clone(&factory), last);
            for id in ids {
                set.verifier(Algorithm::EdDsa, &PublicKey::Ed25519 { key: &[*id; 32] }).unwrap();
            }
            set.into_verifiers()
        };
        let first = read(Verifiers::new(), &[1, 2, 2]);
        assert_eq!((first.len(), parses.load(Relaxed)), (2, 2));
        let second = read(first.clone(), &[2, 3]);
        assert_eq!((second.len(), parses.load(Relaxed)), (2, 3));
        assert_eq!(second.values().filter(|new| first.values().any(|old| Arc::ptr_eq(old, new))).count(), 1);
        // One that was withdrawn is another one if it comes back.
        read(second, &[1]);
        assert_eq!(parses.load(Relaxed), 4);
    }
}

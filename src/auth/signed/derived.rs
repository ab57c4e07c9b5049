//! The keys that are derived from a secret for a day: four HMACs that need not be made for each
//! request.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Five secrets (a rotation) on two days (midnight), with one to spare for another form.
const CAPACITY: usize = 11;

pub(crate) type DerivedKey = Zeroizing<[u8; 32]>;

/// From what a key is derived, beside the secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Derivation<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) terminator: &'a str,
}

impl Derivation<'_> {
    /// The chain of AWS Signature Version 4.
    pub(crate) fn derive(&self, secret: &[u8]) -> DerivedKey {
        let first = Zeroizing::new([self.prefix.as_bytes(), secret].concat());
        let key = mac(&first, self.date.as_bytes());
        let key = mac(&*key, self.region.as_bytes());
        let key = mac(&*key, self.service.as_bytes());
        mac(&*key, self.terminator.as_bytes())
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [self.prefix, self.date, self.region, self.service, self.terminator] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// HMAC-SHA256.
pub(crate) fn mac(key: &[u8], message: &[u8]) -> DerivedKey {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            Zeroizing::new(mac.finalize().into_bytes().into())
        }
        // Every length is one for a key.
        Err(_) => Zeroizing::new([0; 32]),
    }
}

struct Held {
    secret: Secret,
    derivation: [u8; 32],
    key: Arc<DerivedKey>,
}

/// The derived keys of one record: they go when it goes, and when its secret goes.
#[derive(Default)]
pub(super) struct DerivedKeys(ArcSwap<Vec<Arc<Held>>>);

impl DerivedKeys {
    /// One key for each of `secrets`, which are all that are valid now.
    pub(super) fn of(&self, secrets: &[Secret], derivation: &Derivation<'_>) -> Vec<Arc<DerivedKey>> {
        let digest = derivation.digest();
        let held = self.0.load();
        let find = |secret: &Secret| {
            let is_it = |held: &&Arc<Held>| held.derivation == digest && held.secret == *secret;
            held.iter().find(is_it).map(|held| Arc::clone(&held.key))
        };
        let mut keys = Vec::with_capacity(secrets.len());
        let mut fresh = Vec::new();
        for secret in secrets {
            keys.push(find(secret).unwrap_or_else(|| {
                let key = Arc::new(derivation.derive(secret.expose()));
                fresh.push(Arc::new(Held { secret: secret.clone(), derivation: digest, key: Arc::clone(&key) }));
                key
            }));
        }
        if !fresh.is_empty() {
            self.keep(&fresh, secrets);
        }
        keys
    }

    /// The new ones first; what was derived from another secret than those of today goes.
    fn keep(&self, fresh: &[Arc<Held>], secrets: &[Secret]) {
        self.0.rcu(|held| {
            let old = held.iter().filter(|held| secrets.contains(&held.secret));
            fresh.iter().chain(old).take(CAPACITY).cloned().collect::<Vec<_>>()
        });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.load().len()
    }
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKeys(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(date: &str) -> Derivation<'_> {
        Derivation { prefix: "AWS4", date, region: "us-east-1", service: "iam", terminator: "aws4_request" }
    }

    /// The example of AWS's documentation.
    #[test]
    fn the_chain_is_that_of_the_documentation() {
        let key = on("20150830").derive(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        assert_eq!(
            base16ct::lower::encode_string(&*key),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
    }

    #[test]
    fn keys_are_kept_for_their_secret_only() {
        let (keys, one, two) = (DerivedKeys::default(), Secret::new("one"), Secret::new("two"));
        let only = std::slice::from_ref(&one);
        let first = keys.of(only, &on("20150830"));
        assert!(Arc::ptr_eq(&first[0], &keys.of(only, &on("20150830"))[0]));
        assert_eq!(keys.len(), 1);
        // Another day, another key; a secret that has gone takes its keys along.
        assert_ne!(first[0], keys.of(only, &on("20150831"))[0]);
        assert_eq!(keys.len(), 2);
        keys.of(&[two.clone(), one.clone()], &on("20150831"));
        assert_eq!(keys.len(), 3);
        keys.of(&[two], &on("20150901"));
        assert_eq!(keys.len(), 2);
        for day in 0..100 {
            keys.of(only, &on(&format!("201501{day:02}")));
        }
        assert_eq!(keys.len(), CAPACITY);
    }
}

use std::{fmt, sync::Arc};

use subtle::{Choice, ConditionallySelectable as _};

use super::{ApiKeyDigest, digest::Fast, slow::SlowHash};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    secret::{Secret, SecretSet, process_key},
    time::Timestamp,
};

/// How keys become the digests that are stored: given to whoever issues keys and to whoever
/// verifies them.
///
/// | hasher | one check | who steals the table | who can write the table, but not read the configuration |
/// |---|---|---|---|
/// | [`hmac`](Self::hmac) | 1 µs | learns no key | makes no key |
/// | [`sha256`](Self::sha256) | 1 µs | learns no key | can put in a key of his own |
/// | `argon2id`, `bcrypt` | some 30 ms | learns no key | can put in a key of his own |
/// | `hybrid` | 1 µs; once in 5 min also 30 ms | learns no key | makes no key |
///
/// The secret of a key has 256 random bits, which nobody guesses however fast the hash. A slow hash
/// therefore protects nothing more; it is here for policies that demand one (feature `password`), and
/// behind the guards that keep it from stopping the service: see the [module](super). What adds
/// something is the pepper: a secret that is not in the database.
///
/// ```
/// use portcullis::{auth::api_key::KeyHasher, secret::{Secret, SecretSet}};
///
/// # let from_configuration = vec![7_u8; 32];
/// let pepper = SecretSet::new(Secret::new(from_configuration));
/// let hasher = KeyHasher::hmac(pepper.clone())?;
/// // Digests of the time before there was a pepper stay good, and are made anew as they are used.
/// let hasher = hasher.also_accepting(&KeyHasher::sha256());
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
///
/// A digest of a kind that the hasher does not know verifies nothing: it is reported as corrupt data
/// (503), because it says more about the configuration than about the key.
#[derive(Clone)]
pub struct KeyHasher {
    /// The first makes new digests, and all verify.
    schemes: Arc<[Scheme]>,
}

#[derive(Clone)]
enum Scheme {
    Sha256,
    Hmac(SecretSet),
    #[cfg_attr(not(feature = "password"), expect(dead_code, reason = "made with the feature only"))]
    Slow(SlowHash),
    #[cfg_attr(not(feature = "password"), expect(dead_code, reason = "made with the feature only"))]
    Hybrid(SecretSet, SlowHash),
}

const MIN_PEPPER: usize = 32;

/// What a key is to a stored digest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match<'a> {
    No,
    /// `current`: a digest made now would be of the same kind, under the same pepper.
    Yes {
        current: bool,
    },
    /// As far as a fast digest can tell; this string is still to be compared with.
    Slow {
        text: &'a str,
        current: bool,
    },
}

/// The stored digest is of a kind that is not configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored digest is of a kind that the configured KeyHasher does not accept")]
pub(super) struct NotAccepted;

impl KeyHasher {
    /// HMAC-SHA-256 under a pepper of at least 32 bytes, which lies in the configuration and not in
    /// the database. The first choice.
    ///
    /// To rotate the pepper, rotate the set: keys verify under the previous pepper until it runs
    /// out, and with [`ApiKeys`](super::ApiKeys) their digests are made anew as they are used. Let it
    /// be valid for as long as the rarest used key may rest.
    ///
    /// # Errors
    /// If a pepper of the set is shorter.
    pub fn hmac(pepper: impl Into<SecretSet>) -> Result<Self, ConfigError> {
        Ok(Self::of(Scheme::Hmac(checked(pepper.into())?)))
    }

    /// SHA-256 without a pepper. Safe against whoever reads the table; whoever can write it can
    /// put in a key of his own.
    pub fn sha256() -> Self {
        Self::of(Scheme::Sha256)
    }

    /// HMAC-SHA-256 under a pepper that dies with the process: for tests, and for keys that do so
    /// too, in a [`MemoryStore`](crate::backend::memory::MemoryStore). All ephemeral hashers of a
    /// process are the same one.
    ///
    /// With a store that outlives the process every key is refused after a restart; the log then says, of
    /// each, that the hasher is ephemeral.
    pub fn ephemeral() -> Self {
        Self::of(Scheme::Hmac(SecretSet::new(pepper_of_process())))
    }

    /// Argon2id with 19 MiB, two passes, one lane (OWASP's choice): some 30 ms of a core for each
    /// check.
    #[cfg(feature = "password")]
    pub fn argon2id() -> Self {
        Self::of(Scheme::Slow(SlowHash::ARGON2ID))
    }

    /// bcrypt of the given cost (12 takes some 250 ms of a core), over a digest of the key, because
    /// bcrypt itself reads no more than 72 bytes.
    ///
    /// # Errors
    /// If the cost is not 10 to 15.
    #[cfg(feature = "password")]
    pub fn bcrypt(cost: u32) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        if !(10..=15).contains(&cost) {
            issues.add("cost", "less than 10 is too little, more than 15 takes seconds", "use 12");
        }
        issues.finish(Self::of(Scheme::Slow(SlowHash::Bcrypt { cost })))
    }

    /// [`hmac`](Self::hmac) and [`argon2id`](Self::argon2id) together: a wrong key ends at the HMAC,
    /// so that nobody who guesses ever causes a slow hash; a right one pays for Argon2 once in five
    /// minutes. To comply with a policy that demands Argon2; it adds no strength.
    ///
    /// # Errors
    /// If a pepper of the set is shorter than 32 bytes.
    #[cfg(feature = "password")]
    pub fn hybrid(pepper: impl Into<SecretSet>) -> Result<Self, ConfigError> {
        Ok(Self::of(Scheme::Hybrid(checked(pepper.into())?, SlowHash::ARGON2ID)))
    }

    /// Also verifies what `older` made. New digests are made as before.
    #[must_use]
    pub fn also_accepting(&self, older: &Self) -> Self {
        Self { schemes: self.schemes.iter().chain(&*older.schemes).cloned().collect() }
    }

    #[cfg(all(test, feature = "password"))]
    pub(in crate::auth) fn cheap_argon2id() -> Self {
        Self::of(Scheme::Slow(SlowHash::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }))
    }

    #[cfg(all(test, feature = "password"))]
    pub(in crate::auth) fn cheap_hybrid(pepper: SecretSet) -> Self {
        Self::of(Scheme::Hybrid(pepper, SlowHash::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }))
    }

    fn of(scheme: Scheme) -> Self {
        Self { schemes: Arc::new([scheme]) }
    }

    /// Whether new keys end with the process. Derives the pepper anew, so it is asked once for a verifier.
    pub(super) fn is_ephemeral(&self) -> bool {
        matches!(self.schemes.first(), Some(Scheme::Hmac(peppers)) if peppers.current() == pepper_of_process())
    }

    /// Whether [`digest`](Self::digest) takes milliseconds.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self.schemes.first(), Some(Scheme::Slow(_) | Scheme::Hybrid(..)))
    }

    /// The digest of a new key.
    ///
    /// # Errors
    /// If the system has no random numbers for a salt.
    #[cfg_attr(
        not(feature = "password"),
        expect(clippy::unnecessary_wraps, reason = "only slow digests can fail, and they are a feature")
    )]
    pub(super) fn digest(&self, key: &str) -> Result<ApiKeyDigest, ConfigError> {
        let hmac = |peppers: &SecretSet| Fast::hmac_of(peppers.current().expose(), key);
        match self.schemes.first() {
            None | Some(Scheme::Sha256) => Ok(ApiKeyDigest::of_fast(Fast::sha256_of(key))),
            Some(Scheme::Hmac(peppers)) => Ok(ApiKeyDigest::of_fast(hmac(peppers))),
            #[cfg(feature = "password")]
            Some(Scheme::Slow(slow)) => slow_digest(*slow, key),
            #[cfg(feature = "password")]
            Some(Scheme::Hybrid(peppers, slow)) => Ok(slow_digest(*slow, key)?.and_fast(hmac(peppers))),
            #[cfg(not(feature = "password"))]
            Some(Scheme::Slow(slow) | Scheme::Hybrid(_, slow)) => match *slow {},
        }
    }

    /// Compares a key with a stored digest; `None` is the digest of nobody, and costs as much.
    ///
    /// Every fast digest that any scheme makes is computed and compared, whatever is stored, so that
    /// the time tells nothing.
    pub(super) fn check<'a>(
        &self,
        stored: Option<&'a ApiKeyDigest>,
        key: &str,
        now: Timestamp,
    ) -> Result<Match<'a>, NotAccepted> {
        let expected = stored.and_then(ApiKeyDigest::fast).copied().unwrap_or(Fast::NOBODY);
        let (mut matched, mut current, mut known) = (Choice::from(0), Choice::from(0), false);
        for (index, scheme) in self.schemes.iter().enumerate() {
            let mut rank = index;
            let mut compare = |candidate: Fast| {
                known |= candidate.kind() == expected.kind();
                let same = candidate.matches(&expected);
                matched |= same;
                current.conditional_assign(&Choice::from(u8::from(rank == 0)), same);
                rank = usize::MAX;
            };
            match scheme {
                Scheme::Sha256 => compare(Fast::sha256_of(key)),
                Scheme::Hmac(peppers) | Scheme::Hybrid(peppers, _) => {
                    peppers.each_valid_at(now, |pepper| compare(Fast::hmac_of(pepper.expose(), key)));
                }
                Scheme::Slow(_) => {}
            }
        }
        let Some(stored) = stored else { return Ok(Match::No) };
        let (fast, matched) = (stored.fast().is_some(), bool::from(matched));
        if fast && !known {
            return Err(NotAccepted);
        }
        if fast && !matched {
            return Ok(Match::No);
        }
        let current = !fast || bool::from(current);
        match stored.slow() {
            None => Ok(Match::Yes { current: current && !self.is_slow() }),
            Some(text) if self.slow_hashes(fast).any(|slow| slow.is_family_of(text)) => {
                let current =
                    current && fast == self.is_hybrid() && self.issued().is_some_and(|slow| slow.is_current(text));
                Ok(Match::Slow { text, current })
            }
            Some(_) => Err(NotAccepted),
        }
    }

    /// What an unknown id is compared with, so that it costs as much as a wrong secret: nothing
    /// where every digest that is issued has a fast part, which ends it.
    pub(super) fn nobody(&self) -> Option<String> {
        match self.schemes.first() {
            Some(Scheme::Slow(slow)) => Some(slow.nobody()),
            _ => None,
        }
    }

    /// Those that go with a fast digest, or those that stand alone. Were they the same, whoever can
    /// write the table would leave the keyed part out, and so need no pepper.
    fn slow_hashes(&self, beside_fast: bool) -> impl Iterator<Item = SlowHash> {
        self.schemes.iter().filter_map(move |scheme| match scheme {
            Scheme::Slow(slow) if !beside_fast => Some(*slow),
            Scheme::Hybrid(_, slow) if beside_fast => Some(*slow),
            _ => None,
        })
    }

    fn issued(&self) -> Option<SlowHash> {
        match self.schemes.first() {
            Some(Scheme::Slow(slow) | Scheme::Hybrid(_, slow)) => Some(*slow),
            _ => None,
        }
    }

    fn is_hybrid(&self) -> bool {
        matches!(self.schemes.first(), Some(Scheme::Hybrid(..)))
    }
}

fn pepper_of_process() -> Secret {
    Secret::new(process_key("api key pepper").to_vec())
}

#[cfg(feature = "password")]
fn slow_digest(slow: SlowHash, key: &str) -> Result<ApiKeyDigest, ConfigError> {
    let text = slow.hash(key).ok();
    text.and_then(|text| ApiKeyDigest::of_slow(&text))
        .ok_or_else(|| ConfigError::new("hasher", "the system has no random numbers, or no memory", "run where it has"))
}

fn checked(peppers: SecretSet) -> Result<SecretSet, ConfigError> {
    let mut issues = ConfigIssues::new();
    let mut short = false;
    peppers.each_valid_at(Timestamp::EPOCH, |pepper| short |= pepper.len() < MIN_PEPPER);
    if short {
        issues.add("pepper", "a pepper has 32 bytes at least", "draw 32 random bytes: openssl rand -base64 32");
    }
    issues.finish(peppers)
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |scheme: &Scheme| match scheme {
            Scheme::Sha256 => "sha256".to_owned(),
            Scheme::Hmac(_) => "hmac".to_owned(),
            Scheme::Slow(slow) => slow.to_string(),
            Scheme::Hybrid(_, slow) => format!("hmac+{slow}"),
        };
        f.debug_tuple("KeyHasher").field(&self.schemes.iter().map(name).collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests;

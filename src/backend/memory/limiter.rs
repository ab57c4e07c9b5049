//! A limit that is asked directly, for what is no request.

use std::{fmt, sync::Arc, time::Duration};

use super::{MemoryStore, rates::Tried};
use crate::{
    config_error::ConfigError,
    rate_limit::{
        Algorithm as _, Charge, ChargeKey, Decision, HashedPart, HashedRule, Op, PackedTake, Rate, TokenBucket, bucket,
        mix,
    },
    time::Timestamp,
};

/// A token bucket for each key: messages on a WebSocket, mails to an address, attempts at a password.
/// [`MemoryStore::limiter`] makes one.
///
/// It is a [`Rule`](crate::rate_limit::Rule) without HTTP, on the same table: bounded in the same way,
/// and with the buckets of the rule that has the same name and algorithm and goes by the same key.
///
/// **Cost**: no lock and no allocation. 122 instructions where the key has been hashed before, beside 321
/// of governor's keyed limiter with an integer as key, in one run by cargo's release profile; to hash a number
/// of 8 bytes takes 117 more.
///
/// ```
/// use std::time::Duration;
/// use portcullis::backend::memory::MemoryStore;
/// use portcullis::rate_limit::{KeyPart, Rate};
/// use portcullis::time::Timestamp;
///
/// let store = MemoryStore::new();
/// let mails = store.limiter("mails", Rate::per_hour(2))?;
/// let (now, key) = (Timestamp::from_secs(1_000), KeyPart::Bytes(b"someone@example.com"));
/// assert!(mails.take(key, 2, now).is_ok());
/// let refused = mails.take(key, 1, now).unwrap_err();
/// assert_eq!(refused.retry_after, Some(Duration::from_secs(1_800)));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
///
/// `now` is a [monotonic reading](crate::time::Clock): a request has one in its
/// [`RequestContext`](crate::request::RequestContext).
#[derive(Clone)]
pub struct MemoryLimiter {
    store: MemoryStore,
    name: Arc<str>,
    /// Of the name, as a part of a key.
    rule: u128,
    layout: u128,
    bucket: TokenBucket,
    takes: PackedTake,
}

/// The units are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("the rate limit is exceeded")]
pub struct Exceeded {
    /// How long until they are, if nobody else takes any. `None`: there are never so many.
    pub retry_after: Option<Duration>,
}

impl MemoryStore {
    /// A token bucket for each key, asked directly.
    ///
    /// # Errors
    /// If the rate is none: see [`Rate`].
    pub fn limiter(&self, name: &str, rate: Rate) -> Result<MemoryLimiter, ConfigError> {
        let bucket = TokenBucket::new(rate)?;
        Ok(MemoryLimiter {
            store: self.clone(),
            rule: HashedRule::from(name).hash(),
            name: name.into(),
            layout: bucket.id().layout(),
            takes: bucket.packed_takes(),
            bucket,
        })
    }
}

impl MemoryLimiter {
    /// Takes so many units of the key's bucket, or none of them.
    ///
    /// # Errors
    /// [`Exceeded`] if there are not so many.
    #[expect(clippy::inline_always, reason = "the key is hashed where its kind is known, and nothing is kept in hand")]
    #[inline(always)]
    pub fn take<'a>(&self, key: impl Into<HashedPart<'a>>, units: u64, now: Timestamp) -> Result<(), Exceeded> {
        self.take_hash(key.into().hash(), units, now)
    }

    /// The same, of a key that has been hashed before: for whoever asks several limiters about it, or one
    /// again and again.
    ///
    /// # Errors
    /// [`Exceeded`] if there are not so many.
    #[inline]
    pub fn take_hashed(&self, key: &HashedPart<'_>, units: u64, now: Timestamp) -> Result<(), Exceeded> {
        self.take_hash(key.hash(), units, now)
    }

    /// Calls nothing but what is called last, so that what it has in hand fits the registers that a call would take.
    #[expect(clippy::inline_always, reason = "a call costs a tenth of it")]
    #[inline(always)]
    fn take_hash(&self, key: u128, units: u64, now: Timestamp) -> Result<(), Exceeded> {
        let identity = bucket(mix(self.rule, key), self.layout);
        match self.store.inner.rates.try_take(identity, now, &self.takes, units) {
            Tried::Passed => Ok(()),
            Tried::Elsewhere => self.take_elsewhere(identity, units, now),
            Tried::Refused => self.take_any(identity, units, now),
        }
    }

    /// Of a state that is not found at once.
    #[cold]
    #[inline(never)]
    fn take_elsewhere(&self, identity: u128, units: u64, now: Timestamp) -> Result<(), Exceeded> {
        if self.bucket.packing().is_some()
            && self.store.inner.rates.try_take_elsewhere(identity, now, &self.takes, units)
        {
            return Ok(());
        }
        self.take_any(identity, units, now)
    }

    /// As a charge, which can tell what is to be said.
    #[cold]
    #[inline(never)]
    fn take_any(&self, identity: u128, units: u64, now: Timestamp) -> Result<(), Exceeded> {
        // The store goes by the hash alone: what was hashed is not kept in hand for this.
        let key = ChargeKey::again(&self.name, bucket(identity, self.layout), std::iter::empty());
        let decision = self.store.charge(&Charge::new(key, &self.bucket, Op::Take(units)), now);
        if decision.allowed { Ok(()) } else { Err(Exceeded { retry_after: decision.retry_after }) }
    }

    /// Any other operation, or a charge of which everything is to be known.
    pub fn charge<'a>(&self, key: impl Into<HashedPart<'a>>, op: Op, now: Timestamp) -> Decision {
        let key: HashedPart<'_> = key.into();
        self.store.charge(&Charge::new(ChargeKey::of(self.rule(), key), &self.bucket, op), now)
    }

    #[inline]
    fn rule(&self) -> HashedRule<'_> {
        HashedRule::again(&self.name, self.rule)
    }
}

impl fmt::Debug for MemoryLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimiter").field("name", &self.name).field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rate_limit::KeyPart;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    proptest! {
        /// What it takes is what a charge takes, whatever came before.
        #[test]
        fn it_decides_like_a_charge(
            steps in prop::collection::vec((0_u64..4, 0_u64..5, 0_u64..3_000_000), 1..80),
            per_second in prop::sample::select(vec![1_u64, 3, 7, 1_000]),
        ) {
            let rate = Rate::per_second(per_second).burst(3);
            let (own, other) = (MemoryStore::new(), MemoryStore::new());
            let limiter = own.limiter("rule", rate).unwrap();
            let bucket = TokenBucket::new(rate).unwrap();
            let mut now = NOW;
            for (key, units, later) in steps {
                now = now.saturating_add(Duration::from_micros(later));
                let byte = [u8::try_from(key).unwrap()];
                let key = HashedPart::from(KeyPart::Bytes(&byte));
                let charge = Charge::new(ChargeKey::of("rule", key), &bucket, Op::Take(units));
                let expected = other.charge(&charge, now);
                let taken = limiter.take(key, units, now);
                prop_assert_eq!(taken.is_ok(), expected.allowed);
                prop_assert_eq!(taken.err().and_then(|exceeded| exceeded.retry_after), expected.retry_after);
                let peek = Charge::new(ChargeKey::of("rule", key), &bucket, Op::Peek);
                prop_assert_eq!(limiter.charge(key, Op::Peek, now), other.charge(&peek, now));
            }
        }
    }

    #[test]
    fn it_shares_the_buckets_of_a_rule() {
        let store = MemoryStore::new();
        let limiter = store.limiter("rule", Rate::per_hour(2)).unwrap();
        let bucket = TokenBucket::new(Rate::per_hour(2)).unwrap();
        let key = KeyPart::Bytes(b"key");
        assert!(store.charge(&Charge::new(ChargeKey::of("rule", key), &bucket, Op::Take(1)), NOW).allowed);
        assert!(limiter.take(key, 1, NOW).is_ok());
        assert!(limiter.take(key, 1, NOW).is_err());
        assert!(limiter.take(KeyPart::Bytes(b"other"), 1, NOW).is_ok());
    }

    #[test]
    fn what_is_never_there_has_no_time() {
        let limiter = MemoryStore::new().limiter("rule", Rate::per_hour(2)).unwrap();
        assert_eq!(limiter.take(KeyPart::Bytes(b"key"), 3, NOW), Err(Exceeded { retry_after: None }));
    }

    #[test]
    fn many_at_once_get_what_there_is() {
        let limiter = MemoryStore::new().limiter("rule", Rate::per_hour(1_000)).unwrap();
        let passed: usize = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    let take = || limiter.take(KeyPart::Bytes(b"key"), 1, NOW).is_ok();
                    scope.spawn(move || (0..1_000).filter(|_| take()).count())
                })
                .collect();
            all.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1_000);
    }
}

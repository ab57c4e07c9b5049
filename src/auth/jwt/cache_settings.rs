use std::{num::NonZeroUsize, time::Duration};

use super::{Issuer, jwks};
use crate::config_error::ConfigIssues;

const DEFAULT_CAPACITY: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(capacity) => capacity,
    None => NonZeroUsize::MIN,
};
const DEFAULT_TTL: Duration = Duration::from_secs(60);
/// A token that is remembered for longer might as well have no expiry.
const MAX_TTL: Duration = Duration::from_secs(600);
const MIN_KEY_AGE: Duration = Duration::from_secs(60);
const MAX_KEY_AGE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How many verified tokens are remembered, and for how long: for [`Issuer::token_cache`].
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use portcullis::{auth::jwt::TokenCache, testing::TestIssuer};
///
/// let small = TokenCache::new().capacity(NonZeroUsize::new(500).unwrap()).ttl(Duration::from_secs(10));
/// let verifier = TestIssuer::new("https://issuer.test").issuer().token_cache(small).build()?;
/// # assert_eq!(verifier.cached_tokens(), 0);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct TokenCache {
    pub(crate) capacity: NonZeroUsize,
    pub(crate) ttl: Duration,
}

impl TokenCache {
    /// 10,000 tokens, each for a minute.
    pub const fn new() -> Self {
        Self { capacity: DEFAULT_CAPACITY, ttl: DEFAULT_TTL }
    }

    /// For how many tokens there is room. One of more than 1 KiB takes the room of one for each KiB
    /// begun, so that this bounds the memory: some 2 KiB each.
    pub const fn capacity(mut self, tokens: NonZeroUsize) -> Self {
        self.capacity = tokens;
        self
    }

    /// For how long a token is remembered after its signature was verified; it is not renewed by use,
    /// and ends earlier with the token. At most ten minutes.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

/// What an [`Issuer`] was told about what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caching {
    pub(super) tokens: Option<TokenCache>,
    pub(super) key_age: Duration,
}

impl Default for Caching {
    fn default() -> Self {
        Self { tokens: Some(TokenCache::new()), key_age: jwks::DEFAULT_MAX_AGE }
    }
}

impl Caching {
    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        if self.tokens.is_some_and(|cache| cache.ttl.is_zero() || cache.ttl > MAX_TTL) {
            issues.add(
                "token_cache",
                "tokens are remembered for 1 µs to 10 minutes",
                "use a minute, or without_token_cache()",
            );
        }
        if !(MIN_KEY_AGE..=MAX_KEY_AGE).contains(&self.key_age) {
            issues.add("max_key_age", "it is less than a minute or more than seven days", "use a few hours to a day");
        }
    }
}

impl Issuer {
    /// How many verified tokens are remembered, and for how long. Default: 10,000, for a minute
    /// each. See [the module](super#tokens-that-were-seen-before).
    pub fn token_cache(mut self, cache: TokenCache) -> Self {
        self.caching.tokens = Some(cache);
        self
    }

    /// Verifies the signature of every token anew, each time that it is sent.
    pub fn without_token_cache(mut self) -> Self {
        self.caching.tokens = None;
        self
    }

    /// How long fetched keys are used while their source cannot be reached, counted from the fetch
    /// that brought them; then the answer is 503. As long may a key that the issuer has withdrawn
    /// go on working, if somebody keeps this service from hearing of it. A wall clock that is set back does
    /// not make it longer (by more than a second). Between a minute and seven days;
    /// default: 24 hours.
    pub fn max_key_age(mut self, age: Duration) -> Self {
        self.caching.key_age = age;
        self
    }
}

//! Tokens that have been verified lately.
//!
//! To verify a signature costs a hundred times what it costs to recognise a token. What is remembered
//! is that these very bytes verified with that key; everything that can change meanwhile is looked
//! at again for each request: the time, whether the key is still published, and the conditions of
//! the layer (revocation). Nothing that a sender must prove possession of is remembered at all.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache, sync::DefaultLifecycle};

use super::{
    SignatureVerifier,
    cache_settings::TokenCache,
    digest_hasher::DigestHasher,
    jwks::Loaded,
    key::{Key, Material},
    token_digest::{Digester, TokenDigest},
};
use crate::{identity::Principal, time::Timestamp};

/// Longer tokens are not remembered.
const MAX_TOKEN: usize = 8 * 1024;
/// In base64url, the 64 bytes of the shortest signature by a public key.
const SHORTEST_SIGNATURE: usize = 86;

/// A token's caller, and for how long the memory of it counts.
#[derive(Debug)]
struct Entry {
    principal: Principal,
    /// Not before it was verified: if the clock has been set back since, `nbf` may lie ahead again.
    since: Timestamp,
    /// Never moved: what were renewed at each use could be used for ever.
    until: Timestamp,
    /// The key itself, by which it is found in the set of today.
    key: Arc<dyn SignatureVerifier>,
    /// The set in which the key was last found.
    generation: AtomicU64,
    weight: u64,
}

impl Entry {
    /// Whether the key is still in use: known at once while the set has not changed.
    fn key_is_in(&self, keys: &Loaded) -> bool {
        if self.generation.load(Relaxed) == keys.generation {
            return true;
        }
        let found = keys.keys.keys().iter().any(|key| match &key.material {
            Material::Public(verifier) => std::ptr::addr_eq(Arc::as_ptr(verifier), Arc::as_ptr(&self.key)),
            Material::Shared(_) => false,
        });
        if found {
            self.generation.store(keys.generation, Relaxed);
        }
        found
    }
}

/// Each entry counts by the size of its token, of which most of its memory is a copy.
#[derive(Clone, Debug)]
struct BySize;

impl Weighter<TokenDigest, Arc<Entry>> for BySize {
    fn weight(&self, _: &TokenDigest, entry: &Arc<Entry>) -> u64 {
        entry.weight
    }
}

/// The tokens of one verifier. Not shared: another one has other rules.
pub(crate) struct VerifiedTokens {
    /// The hash is keyed, though only tokens that verify get in: their bearers choose among many.
    entries: Cache<TokenDigest, Arc<Entry>, BySize, DigestHasher>,
    digester: Digester,
    settings: TokenCache,
    leeway: Duration,
}

impl VerifiedTokens {
    pub(crate) fn new(settings: TokenCache, leeway: Duration) -> Self {
        let capacity = settings.capacity.get();
        let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
        let entries = Cache::with(capacity, weight, BySize, DigestHasher::random(), DefaultLifecycle::default());
        Self { entries, digester: Digester::random(), settings, leeway }
    }

    /// The digest of what may be a token to remember: one for whose header there is this key. What is
    /// no token is not worth one, nor is one that is signed with a shared secret, which may be withdrawn
    /// within its set, and verifies as fast as a digest is made.
    pub(crate) fn digest(&self, text: &[u8], signature: usize, key: &Key) -> Option<TokenDigest> {
        let worth = text.len() <= MAX_TOKEN && signature >= SHORTEST_SIGNATURE;
        if worth && matches!(key.material, Material::Public(_)) { self.digester.digest(text) } else { None }
    }

    /// The caller of a token that has been verified, if nothing has changed since. `keys` are those
    /// of today; `None` if they never change.
    pub(crate) fn find(&self, digest: &TokenDigest, keys: Option<&Loaded>, now: Timestamp) -> Option<Principal> {
        let entry = self.entries.get(digest)?;
        if now < entry.since || now >= entry.until {
            return None;
        }
        if keys.is_some_and(|keys| !keys.is_usable(now) || !entry.key_is_in(keys)) {
            return None;
        }
        Some(entry.principal.clone())
    }

    /// Remembers a token that has just been verified, unless something must be proven with it each
    /// time.
    pub(crate) fn remember(
        &self,
        digest: TokenDigest,
        size: usize,
        principal: &Principal,
        key: &Key,
        keys: Option<&Loaded>,
        now: Timestamp,
    ) {
        let Material::Public(verifier) = &key.material else { return };
        let Some(expires_at) = principal.expires_at().filter(|_| !principal.is_bound()) else { return };
        let entry = Entry {
            principal: principal.clone(),
            since: now,
            until: expires_at.saturating_add(self.leeway).min(now.saturating_add(self.settings.ttl)),
            key: Arc::clone(verifier),
            generation: AtomicU64::new(keys.map_or(0, |keys| keys.generation)),
            weight: u64::try_from(size.div_ceil(1024)).unwrap_or(u64::MAX).max(1),
        };
        self.entries.insert(digest, Arc::new(entry));
    }

    /// How many tokens are remembered, those included that have expired meanwhile.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// How many, and nothing of them.
impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens")
            .field("len", &self.len())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

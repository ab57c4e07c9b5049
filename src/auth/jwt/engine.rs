use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Algorithm, KeySetHealth, KeySourceError,
    cache::{TokenDigest, VerifiedTokens},
    claims::{Claims, Expectations},
    fault::Fault,
    header::{AcceptedTypes, Header},
    jwks::{KeyCache, Loaded, NoKey},
    key::Key,
    key_set::KeySet,
    token::{self, HeaderText, Signature, Token},
};
use crate::{
    auth::accepted::Checked,
    identity::{Principal, PrincipalParts},
    rejection::Rejection,
    secret::fingerprint,
    time::Timestamp,
};

/// Verifies the tokens of one issuer. Made by [`Issuer::build`](super::Issuer::build); clones share
/// the keys.
#[derive(Clone)]
pub struct JwtVerifier(pub(super) Arc<Engine>);

pub(crate) struct Engine {
    pub(crate) expected: Expectations,
    pub(crate) types: AcceptedTypes,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: Keys,
    pub(crate) verified: Option<VerifiedTokens>,
}

#[derive(Debug)]
pub(crate) enum Keys {
    Static(KeySet),
    Fetched(KeyCache),
}

impl JwtVerifier {
    pub(crate) fn new(engine: Engine) -> Self {
        Self(Arc::new(engine))
    }

    /// Whose `iss` is accepted.
    pub fn issuer(&self) -> &str {
        &self.0.expected.issuer
    }

    /// Judges a token at the wall-clock time `now`. Waits only if keys are missing.
    pub(crate) fn verify(&self, text: &str, now: Timestamp) -> Checked {
        let digest = self.0.verified.as_ref().and_then(|verified| verified.digest(text));
        if let Some(principal) = digest.as_ref().and_then(|digest| self.0.recall(digest, now)) {
            return Checked::Ready(Ok(principal.into()));
        }
        match self.0.look(text, digest, now) {
            Ok(Look::Principal(principal)) => Checked::Ready(Ok(principal.into())),
            Ok(Look::KeysMissing { but }) => {
                let (engine, text) = (Arc::clone(&self.0), text.to_owned());
                Checked::Wait(Box::pin(async move { engine.wait(&text, digest, but, now).await.map(Into::into) }))
            }
            Err(fault) => Checked::Ready(Err(fault.into())),
        }
    }

    /// Waits until the issuer's keys are there, so that the first request need not. Static keys are
    /// always there.
    ///
    /// # Errors
    /// Why the first fetch failed. The fetching goes on in the background all the same.
    pub async fn warm_up(&self) -> Result<(), KeySourceError> {
        match &self.0.keys {
            Keys::Static(_) => Ok(()),
            Keys::Fetched(cache) => cache.warm_up().await,
        }
    }

    /// How it stands with the keys.
    pub fn key_set_health(&self) -> KeySetHealth {
        match &self.0.keys {
            Keys::Static(set) => KeySetHealth::of(set),
            Keys::Fetched(cache) => cache.health(),
        }
    }

    /// How many tokens are [remembered](super::TokenCache) as verified.
    pub fn cached_tokens(&self) -> usize {
        self.0.verified.as_ref().map_or(0, VerifiedTokens::len)
    }

    /// How long ago the keys were fetched; `None` for static keys, or if they never were.
    pub fn key_set_age(&self) -> Option<Duration> {
        self.key_set_health().age
    }

    /// Stops the fetching of keys for all clones, and waits until it has stopped. The keys that are
    /// there go on working until they reach their [greatest age](super::Issuer::max_key_age); a token
    /// with another `kid` is answered 503.
    pub async fn shutdown(&self) {
        if let Keys::Fetched(cache) = &self.0.keys {
            cache.shutdown().await;
        }
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("issuer", &self.0.expected.issuer)
            .field("audiences", &self.0.expected.audiences)
            .field("algorithms", &self.0.algorithms)
            .field("keys", &self.key_set_health().keys)
            .finish_non_exhaustive()
    }
}

/// What comes of a token without waiting.
enum Look {
    Principal(Principal),
    /// A fetch may bring the key. `but`: not the set with this generation, whose key it is not.
    KeysMissing {
        but: Option<u64>,
    },
}

impl Engine {
    /// Form and header, then the key, then the signature, then the claims: what is cheap comes
    /// first, and what a token claims is looked at only when it is known who says so.
    fn look(&self, text: &str, digest: Option<TokenDigest>, now: Timestamp) -> Result<Look, Fault> {
        let token = Token::split(text)?;
        let decoded = HeaderText::decode(token.header)?;
        let (header, algorithm) = self.read_header(decoded.as_bytes())?;
        let kid = header.kid.as_deref();
        let cache = match &self.keys {
            Keys::Static(set) => {
                let key = set.select(kid, algorithm)?;
                let principal = self.check(&token, key, now)?;
                self.remember(digest, text, &principal, (key, None), now);
                return Ok(Look::Principal(principal));
            }
            Keys::Fetched(cache) => cache,
        };
        let loaded = cache.load();
        let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.is_usable(now)) else {
            return Ok(Look::KeysMissing { but: None });
        };
        match loaded.keys.select(kid, algorithm) {
            Ok(key) => match self.check(&token, key, now) {
                Ok(principal) => {
                    self.remember(digest, text, &principal, (key, Some(loaded)), now);
                    Ok(Look::Principal(principal))
                }
                // It names no key: the one that fits may have taken another's place.
                Err(Fault::Signature) if kid.is_none() => Ok(Look::KeysMissing { but: Some(loaded.generation) }),
                Err(fault) => Err(fault),
            },
            Err(Fault::UnknownKey) if !kid.is_some_and(|kid| cache.is_unknown(kid)) => {
                Ok(Look::KeysMissing { but: None })
            }
            Err(fault) => Err(fault),
        }
    }

    fn read_header<'h>(&self, decoded: &'h [u8]) -> Result<(Header<'h>, Algorithm), Fault> {
        let header = Header::parse(decoded)?;
        let algorithm = Algorithm::from_name(&header.algorithm).ok_or(Fault::Algorithm)?;
        if !self.algorithms.contains(&algorithm) {
            return Err(Fault::Algorithm);
        }
        self.types.check(&header)?;
        Ok((header, algorithm))
    }

    fn check(&self, token: &Token<'_>, key: &Key, now: Timestamp) -> Result<Principal, Fault> {
        let signature = Signature::decode(token.signature)?;
        let signature = signature.as_bytes();
        if key.algorithm.signature_len().is_some_and(|length| length != signature.len())
            || !key.verify(token.signed.as_bytes(), signature, now)
        {
            return Err(Fault::Signature);
        }
        let claims = token::decode(token.payload)?;
        let parts = Claims::parse(&claims, &self.expected.names)?.judge(&self.expected, now)?;
        let fingerprint = fingerprint("jwt", signature);
        Ok(Principal::new(PrincipalParts { fingerprint: Some(fingerprint), claims: Bytes::from(claims), ..parts }))
    }

    /// What was verified before, and is still as it was.
    fn recall(&self, digest: &TokenDigest, now: Timestamp) -> Option<Principal> {
        let verified = self.verified.as_ref()?;
        match &self.keys {
            Keys::Static(_) => verified.find(digest, None, now),
            Keys::Fetched(cache) => {
                let keys = cache.load();
                verified.find(digest, Some(keys.as_deref()?), now)
            }
        }
    }

    fn remember(
        &self,
        digest: Option<TokenDigest>,
        text: &str,
        principal: &Principal,
        (key, keys): (&Key, Option<&Loaded>),
        now: Timestamp,
    ) {
        if let (Some(verified), Some(digest)) = (&self.verified, digest) {
            verified.remember(digest, text.len(), principal, key, keys, now);
        }
    }

    async fn wait(
        &self,
        text: &str,
        digest: Option<TokenDigest>,
        but: Option<u64>,
        now: Timestamp,
    ) -> Result<Principal, Rejection> {
        let Keys::Fetched(cache) = &self.keys else { return Err(Fault::UnknownKey.into()) };
        let token = Token::split(text)?;
        let decoded = HeaderText::decode(token.header)?;
        let (header, algorithm) = self.read_header(decoded.as_bytes())?;
        let kid = header.kid.as_deref();
        let waited = match but {
            Some(generation) => cache.wait_for_other(generation).await,
            None => cache.wait_for(kid, algorithm).await,
        };
        match waited {
            Ok(loaded) => {
                let key = loaded.keys.select(kid, algorithm)?;
                let principal = self.check(&token, key, now)?;
                self.remember(digest, text, &principal, (key, Some(&loaded)), now);
                Ok(principal)
            }
            Err(NoKey::Fault(fault)) => Err(fault.into()),
            Err(NoKey::Source(error)) => Err(Rejection::backend(error)),
        }
    }
}

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Algorithm, KeySetHealth, KeySourceError,
    cache::VerifiedTokens,
    claim_names::PlainNames,
    claims::{Claims, Expectations},
    fault::Fault,
    header::{AcceptedTypes, Header},
    jwks::{KeyCache, Loaded, NoKey},
    key::Key,
    key_set::KeySet,
    known_headers::KnownHeaders,
    token::{self, HeaderText, Signature, Token},
    token_digest::TokenDigest,
};
use crate::{
    auth::{accepted::Checked, grammar::MAX_TOKEN},
    identity::Principal,
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
    /// Of `expected.names`.
    pub(crate) plain: PlainNames,
    pub(crate) known: KnownHeaders,
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
        if let Some(checked) = self.recognise(text.as_bytes(), now) {
            return checked;
        }
        match self.0.look(text, now) {
            Ok(Look::Principal(principal)) => Checked::Ready(Ok(principal.into())),
            Ok(Look::KeysMissing { but }) => {
                let (engine, text) = (Arc::clone(&self.0), text.to_owned());
                Checked::Wait(Box::pin(async move { engine.wait(&text, but, now).await.map(Into::into) }))
            }
            Err(fault) => Checked::Ready(Err(fault.into())),
        }
    }

    /// The same for bytes of which nothing is known, if the header is one that is known. `None` says
    /// nothing of the token.
    pub(crate) fn recognise(&self, bytes: &[u8], now: Timestamp) -> Option<Checked> {
        let result = self.0.glance(bytes, now)?;
        Some(Checked::Ready(result.map(Into::into).map_err(Into::into)))
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

/// The keys as they are now: those of a fetched set, or such as never change.
#[derive(Clone, Copy)]
struct Today<'a> {
    keys: &'a KeySet,
    fetched: Option<&'a Loaded>,
}

impl Today<'_> {
    fn generation(self) -> u64 {
        self.fetched.map_or(0, |loaded| loaded.generation)
    }
}

/// With what, and when, a token is judged.
#[derive(Clone, Copy)]
struct Means<'a> {
    key: &'a Key,
    today: Today<'a>,
    now: Timestamp,
}

impl Engine {
    /// The verdict on a token whose header is that of an earlier one. `None` if it is not, or if the
    /// token lacks the form of one: [`look`](Self::look) then says what is wrong. What has the form is
    /// a token of RFC 6750 too: base64url, and two dots.
    fn glance(&self, text: &[u8], now: Timestamp) -> Option<Result<Principal, Fault>> {
        let loaded;
        let today = match &self.keys {
            Keys::Static(keys) => Today { keys, fetched: None },
            Keys::Fetched(cache) => {
                loaded = cache.load();
                let fetched = loaded.as_deref().filter(|loaded| loaded.is_usable(now))?;
                Today { keys: &fetched.keys, fetched: Some(fetched) }
            }
        };
        let known = self.known.load();
        let header = known.as_ref()?.find(today.generation(), text)?;
        let (signed, payload, signature) = header.split(text).filter(|_| text.len() <= MAX_TOKEN)?;
        let with = Means { key: today.keys.keys().get(header.key)?, today, now };
        let digest = self.digest(text, signature.len(), with);
        if let Some(principal) = self.recall(digest.as_ref(), with) {
            return Some(Ok(principal));
        }
        let signature = Signature::decode(signature).ok()?;
        let claims = token::decode(payload).ok()?;
        let result = Self::check_signature(signed, signature.as_bytes(), with);
        let result = result.and_then(|()| self.read(claims, signature.as_bytes(), now));
        if let Ok(principal) = &result {
            self.remember(digest, text.len(), principal, with);
        }
        Some(result)
    }

    /// Form and header, then the key, then the signature, then the claims: what is cheap comes
    /// first, and what a token claims is looked at only when it is known who says so.
    fn look(&self, text: &str, now: Timestamp) -> Result<Look, Fault> {
        let token = Token::split(text)?;
        let decoded = HeaderText::decode(token.header)?;
        let (header, algorithm) = self.read_header(decoded.as_bytes())?;
        let kid = header.kid.as_deref();
        let cache = match &self.keys {
            Keys::Static(keys) => {
                let with = Means { key: keys.select(kid, algorithm)?, today: Today { keys, fetched: None }, now };
                return self.judge(text, &token, true, with).map(Look::Principal);
            }
            Keys::Fetched(cache) => cache,
        };
        let loaded = cache.load();
        let Some(loaded) = loaded.as_deref().filter(|loaded| loaded.is_usable(now)) else {
            return Ok(Look::KeysMissing { but: None });
        };
        let today = Today { keys: &loaded.keys, fetched: Some(loaded) };
        match loaded.keys.select(kid, algorithm) {
            Ok(key) => match self.judge(text, &token, kid.is_some(), Means { key, today, now }) {
                Ok(principal) => Ok(Look::Principal(principal)),
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

    /// A token whose header led to a key. `settled`: such a header leads to this key as long as the set
    /// is the same, and to no other.
    fn judge(&self, text: &str, token: &Token<'_>, settled: bool, with: Means<'_>) -> Result<Principal, Fault> {
        let digest = self.digest(text.as_bytes(), token.signature.len(), with);
        if let Some(principal) = self.recall(digest.as_ref(), with) {
            return Ok(principal);
        }
        let signature = Signature::decode(token.signature)?;
        Self::check_signature(token.signed.as_bytes(), signature.as_bytes(), with)?;
        let principal = self.read(token::decode(token.payload)?, signature.as_bytes(), with.now)?;
        self.remember(digest, text.len(), &principal, with);
        if settled && let Some(place) = with.today.keys.keys().iter().position(|key| std::ptr::eq(key, with.key)) {
            self.known.remember(with.today.generation(), token, place);
        }
        Ok(principal)
    }

    fn check_signature(signed: &[u8], signature: &[u8], with: Means<'_>) -> Result<(), Fault> {
        let fits = with.key.algorithm.signature_len().is_none_or(|length| length == signature.len());
        if fits && with.key.verify(signed, signature, with.now) { Ok(()) } else { Err(Fault::Signature) }
    }

    /// The caller, of claims whose signature has verified.
    fn read(&self, claims: Vec<u8>, signature: &[u8], now: Timestamp) -> Result<Principal, Fault> {
        let claims = String::from_utf8(claims).map_err(|_| Fault::ClaimsJson)?;
        let mut parts = match Claims::scan(&claims, &self.plain) {
            Some(mut read) => read.judge(&self.expected, now)?,
            None => Claims::parse(claims.as_bytes(), &self.expected.names)?.judge(&self.expected, now)?,
        };
        // The end of a signature is as good as the whole, which may be eight times as long.
        let end = signature.last_chunk::<32>().map_or(signature, |end| end);
        parts.fingerprint = Some(fingerprint("jwt", end));
        parts.claims = claims;
        Ok(Principal::new(parts))
    }

    fn digest(&self, text: &[u8], signature: usize, with: Means<'_>) -> Option<TokenDigest> {
        self.verified.as_ref()?.digest(text, signature, with.key)
    }

    /// What was verified before, and is still as it was.
    fn recall(&self, digest: Option<&TokenDigest>, with: Means<'_>) -> Option<Principal> {
        self.verified.as_ref()?.find(digest?, with.today.fetched, with.now)
    }

    fn remember(&self, digest: Option<TokenDigest>, size: usize, principal: &Principal, with: Means<'_>) {
        if let (Some(verified), Some(digest)) = (&self.verified, digest) {
            verified.remember(digest, size, principal, with.key, with.today.fetched, with.now);
        }
    }

    async fn wait(&self, text: &str, but: Option<u64>, now: Timestamp) -> Result<Principal, Rejection> {
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
                let today = Today { keys: &loaded.keys, fetched: Some(&loaded) };
                let with = Means { key: loaded.keys.select(kid, algorithm)?, today, now };
                Ok(self.judge(text, &token, kid.is_some(), with)?)
            }
            // Also where nobody looked: who invents tokens is not to be told that the service is at fault.
            Err(NoKey::Fault(fault) | NoKey::NotLookedFor(fault)) => Err(fault.into()),
            Err(NoKey::Source(error)) => Err(Rejection::backend(error)),
        }
    }
}

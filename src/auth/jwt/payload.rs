//! JWTs of an issuer that are no access tokens.

use std::sync::Arc;

use super::{
    JwtVerifier,
    engine::{Engine, Keys},
    fault::Fault,
    header::{AcceptedTypes, Header},
    jwks::{KeyCache, NoKey},
    key::Key,
    token::{self, Signature, Token},
};
use crate::{auth::jwt::Algorithm, rejection::Rejection, time::Timestamp};

/// What a JWT is for. The rules of each exclude the others (RFC 8725 §3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum TokenUse {
    /// A logout token (`OpenID` Connect Back-Channel Logout 1.0, 2.4).
    Logout,
}

impl TokenUse {
    /// The specification asks for `logout+jwt`; most providers still write `JWT`, or nothing.
    fn types(self) -> AcceptedTypes {
        match self {
            Self::Logout => AcceptedTypes { names: vec!["logout+jwt".into(), "jwt".into()], absent: true },
        }
    }
}

impl JwtVerifier {
    /// The payload of a JWT that the issuer has signed, with the same keys and algorithms as its
    /// access tokens. Nothing in it has been looked at. Waits only if keys are missing. A server error
    /// if nobody knows whether the issuer has signed it: unlike access tokens, such a JWT comes once.
    pub(in crate::auth) async fn payload_of(
        &self,
        text: &str,
        usage: TokenUse,
        now: Timestamp,
    ) -> Result<Vec<u8>, Rejection> {
        let engine: &Arc<Engine> = &self.0;
        let token = Token::split(text)?;
        let decoded = token::decode(token.header)?;
        let header = Header::parse(&decoded)?;
        let algorithm = Algorithm::from_name(&header.algorithm).ok_or(Fault::Algorithm)?;
        if !engine.algorithms.contains(&algorithm) {
            return Err(Fault::Algorithm.into());
        }
        usage.types().check(&header)?;
        let kid = header.kid.as_deref();
        match &engine.keys {
            Keys::Static(set) => verify(&token, set.select(kid, algorithm)?, now)?,
            Keys::Fetched(cache) => fetch_and_verify(cache, &token, kid, algorithm, now).await?,
        }
        Ok(token::decode(token.payload)?)
    }
}

async fn fetch_and_verify(
    cache: &KeyCache,
    token: &Token<'_>,
    kid: Option<&str>,
    algorithm: Algorithm,
    now: Timestamp,
) -> Result<(), Rejection> {
    let is_there = cache.load().as_ref().is_some_and(|keys| keys.keys.select(kid, algorithm).is_ok());
    if !is_there && kid.is_some_and(|kid| cache.is_unknown(kid)) {
        return Err(no_key(NoKey::NotLookedFor(Fault::UnknownKey)));
    }
    let loaded = cache.wait_for(kid, algorithm).await.map_err(no_key)?;
    match verify(token, loaded.keys.select(kid, algorithm)?, now) {
        // It names no key: the one that fits may have taken another's place.
        Err(Fault::Signature) if kid.is_none() => {
            let other = cache.wait_for_other(loaded.generation).await.map_err(no_key)?;
            Ok(verify(token, other.keys.select(kid, algorithm)?, now)?)
        }
        verdict => Ok(verdict?),
    }
}

/// The key may have been published since: who sent the token should send it again.
#[derive(Debug, thiserror::Error)]
#[error("no keys were fetched for this token, and without: {0}")]
struct NotLookedFor(Fault);

/// Access tokens have another answer to this.
fn no_key(why: NoKey) -> Rejection {
    match why {
        NoKey::Fault(fault) => fault.into(),
        NoKey::NotLookedFor(fault) => Rejection::backend(NotLookedFor(fault)),
        NoKey::Source(error) => Rejection::backend(error),
    }
}

fn verify(token: &Token<'_>, key: &Key, now: Timestamp) -> Result<(), Fault> {
    let signature = Signature::decode(token.signature)?;
    let signature = signature.as_bytes();
    let fits = key.algorithm.signature_len().is_none_or(|length| length == signature.len());
    if fits && key.verify(token.signed.as_bytes(), signature, now) { Ok(()) } else { Err(Fault::Signature) }
}

//! The twelve checks of RFC 9449 §4.3, and the one of §11.1.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::extract::OriginalUri;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::{HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    fault::ProofFault,
    htu::{self, Target},
    jwk,
    nonce::Nonces,
    proof::{ProofClaims, ProofHeader},
};
use crate::{
    auth::{
        Head, Presented,
        jwt::{Algorithm, VerifierFactory, parts},
    },
    rejection::{Rejection, RejectionKind},
    request::{RequestContext, Scheme},
    store::{SeenKey, SeenStore, Sighting, StoreError},
    time::{SKEW, Timestamp},
};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// By how much a client's clock may be ahead.
const FUTURE: Duration = Duration::from_secs(5);

/// Under which URLs clients know this service.
#[derive(Debug)]
pub(super) enum Targets {
    Listed(Vec<Target>),
    AnyHost,
}

/// When a proof may have been made.
#[derive(Debug)]
pub(super) struct Dates {
    pub(super) max_age: Duration,
}

/// Judges proofs. Made by [`Dpop`](super::Dpop).
#[derive(Debug)]
pub(in crate::auth) struct DpopVerifier {
    targets: Targets,
    dates: Dates,
    algorithms: Vec<Algorithm>,
    nonces: Option<Nonces>,
    store: Arc<dyn SeenStore>,
    factory: Arc<dyn VerifierFactory>,
    /// The store has been seen to be one that must be awaited: then a proof is not verified twice.
    store_waits: AtomicBool,
}

/// A proof that holds, but for having been used before.
#[derive(Debug)]
struct Proven {
    key: SeenKey,
    keep: Duration,
    nonce_ends: bool,
}

/// Header fields of the response.
pub(in crate::auth) type Told = Vec<(HeaderName, HeaderValue)>;

impl DpopVerifier {
    pub(super) fn new(
        targets: Targets,
        dates: Dates,
        algorithms: Vec<Algorithm>,
        nonces: Option<Nonces>,
        store: Arc<dyn SeenStore>,
        factory: Arc<dyn VerifierFactory>,
    ) -> Self {
        Self { targets, dates, algorithms, nonces, store, factory, store_waits: AtomicBool::new(false) }
    }

    /// The accepted algorithms, as the challenge lists them.
    pub(in crate::auth) fn algorithm_list(&self) -> String {
        let names: Vec<&str> = self.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        names.join(" ")
    }

    /// Judges the proof of a request whose token is bound to the key with the thumbprint `bound`.
    /// `None` if the store must be awaited.
    pub(in crate::auth) fn check_now(
        &self,
        token: &str,
        bound: &[u8; 32],
        request: Presented<'_>,
    ) -> Option<Result<Told, Rejection>> {
        if self.store_waits.load(Relaxed) {
            return None;
        }
        let now = request.context.now();
        let proven = match self.prove(token, bound, request.head, request.context) {
            Ok(proven) => proven,
            Err(fault) => return Some(Err(self.refuse(fault, now.wall))),
        };
        let seen = self.store.see_now(proven.key, proven.keep, now.monotonic);
        if seen.is_none() {
            self.store_waits.store(true, Relaxed);
        }
        seen.map(|seen| self.conclude(&proven, seen, now.wall))
    }

    /// The same for stores that must be awaited.
    pub(in crate::auth) async fn check(
        &self,
        token: &str,
        bound: &[u8; 32],
        request: Presented<'_>,
    ) -> Result<Told, Rejection> {
        let now = request.context.now();
        let proven =
            self.prove(token, bound, request.head, request.context).map_err(|fault| self.refuse(fault, now.wall))?;
        let seen = self.store.see(proven.key, proven.keep, now.monotonic).await;
        self.conclude(&proven, seen, now.wall)
    }

    fn conclude(&self, proven: &Proven, seen: Result<Sighting, StoreError>, now: Timestamp) -> Result<Told, Rejection> {
        match seen {
            Ok(Sighting::First) if proven.nonce_ends => Ok(self.next_nonce(now)),
            Ok(Sighting::First) => Ok(Vec::new()),
            Ok(Sighting::Again) => Err(self.refuse(ProofFault::Replay, now)),
            Err(error) => Err(Rejection::backend(error)),
        }
    }

    /// The nonce goes with every refusal: the next proof needs it, whatever was wrong with this one.
    fn refuse(&self, fault: ProofFault, now: Timestamp) -> Rejection {
        let rejection = Rejection::from(fault);
        match &self.nonces {
            Some(nonces) => match HeaderValue::try_from(nonces.current(now)) {
                Ok(nonce) => rejection.with_header(DPOP_NONCE, nonce),
                Err(_) => RejectionKind::InternalError.into(),
            },
            None => rejection,
        }
    }

    /// RFC 9449 §8.2: a response with a nonce must not be stored.
    fn next_nonce(&self, now: Timestamp) -> Told {
        let nonce = self.nonces.as_ref().and_then(|nonces| HeaderValue::try_from(nonces.current(now)).ok());
        match nonce {
            Some(nonce) => vec![(DPOP_NONCE, nonce), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
            None => Vec::new(),
        }
    }

    /// All but whether the proof was used before, what is cheap first.
    fn prove(
        &self,
        token: &str,
        bound: &[u8; 32],
        head: Head<'_>,
        context: &RequestContext,
    ) -> Result<Proven, ProofFault> {
        let now = context.now().wall;
        let proof = parts::Token::split(only_proof(head)?).map_err(|_| ProofFault::Form)?;
        let header = parts::decode(proof.header).map_err(|_| ProofFault::Form)?;
        let header = ProofHeader::parse(&header)?;
        let algorithm = Algorithm::from_name(&header.algorithm)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(ProofFault::Algorithm)?;
        let jwk::ProofKey { key, thumbprint } = jwk::read(header.jwk, algorithm, &*self.factory)?;
        if !bool::from(thumbprint.ct_eq(bound)) {
            return Err(ProofFault::Bound);
        }
        let signature = parts::Signature::decode(proof.signature).map_err(|_| ProofFault::Form)?;
        if !key.verify(proof.signed.as_bytes(), signature.as_bytes(), now) {
            return Err(ProofFault::Signature);
        }
        let claims = parts::decode(proof.payload).map_err(|_| ProofFault::Form)?;
        let claims = ProofClaims::parse(&claims)?;
        if claims.method != head.method.as_str() {
            return Err(ProofFault::Method);
        }
        if !self.targets.hold(&claims.target, head, context) {
            return Err(ProofFault::Target);
        }
        if *claims.token_hash != *Base64UrlUnpadded::encode_string(&Sha256::digest(token)) {
            return Err(ProofFault::Token);
        }
        let (until, nonce_ends) = self.date(&claims, now)?;
        let key = SeenKey::new("dpop", &[&thumbprint, claims.id.as_bytes()]);
        Ok(Proven { key, keep: until.since(now).saturating_add(SKEW), nonce_ends })
    }

    /// Until when the proof could be used again. With a nonce the date is that of the nonce (RFC
    /// 9449 §4.3, check 11): the client's clock then plays no part.
    fn date(&self, claims: &ProofClaims<'_>, now: Timestamp) -> Result<(Timestamp, bool), ProofFault> {
        if let Some(nonces) = &self.nonces {
            let known = claims.nonce.as_ref().and_then(|nonce| nonces.judge(nonce, now)).ok_or(ProofFault::Nonce)?;
            return Ok((known.until, known.is_previous));
        }
        let until = claims.issued.saturating_add(self.dates.max_age);
        if now >= until || claims.issued > now.saturating_add(FUTURE) {
            return Err(ProofFault::Age);
        }
        Ok((until, false))
    }
}

/// Check 1.
fn only_proof(head: Head<'_>) -> Result<&str, ProofFault> {
    let mut lines = head.headers.get_all(DPOP).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().map(str::trim_ascii).map_err(|_| ProofFault::Form),
        _ => Err(ProofFault::Count),
    }
}

impl Targets {
    /// Check 9: `claim` is the URL that the client asked for.
    fn hold(&self, claim: &str, head: Head<'_>, context: &RequestContext) -> bool {
        let Some(claimed) = Target::parse(claim) else { return false };
        // A nested router takes its prefix away from the one, and leaves the other whole.
        let uri = head.extensions.get::<OriginalUri>().map_or(head.uri, |original| &original.0);
        let Some(path) = Some(uri.path()).filter(|path| path.starts_with('/')).and_then(htu::path_of) else {
            return false;
        };
        match self {
            Self::Listed(targets) => targets.iter().any(|target| {
                let prefix = target.path.trim_end_matches('/');
                target.origin == claimed.origin && claimed.path.strip_prefix(prefix) == Some(&*path)
            }),
            Self::AnyHost => {
                let scheme = if context.scheme() == Scheme::Http { "http" } else { "https" };
                let host = || {
                    let mut lines = head.headers.get_all(header::HOST).iter();
                    let line = lines.next().filter(|_| lines.next().is_none())?;
                    line.to_str().ok()
                };
                let authority = uri.authority().map(http::uri::Authority::as_str).or_else(host);
                let origin = authority.and_then(|authority| htu::origin(scheme, authority));
                origin == Some(claimed.origin) && claimed.path == path
            }
        }
    }
}

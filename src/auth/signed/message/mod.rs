//! HTTP Message Signatures (RFC 9421), as the credential or as a proof beside one.

mod base;
mod builder;
pub(in crate::auth) mod digest;
pub(in crate::auth) mod input;

mod policy;
mod proof;
mod query;
mod site;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Sha256, Sha512};

#[cfg(feature = "testing")]
pub(crate) use self::base::signature_params;
pub use self::builder::HttpSignaturesBuilder;
pub(in crate::auth) use self::proof::Proof;
pub(crate) use self::{
    base::{Message, signature_base},
    input::parse_input,
};
use self::{
    input::{Input, parse_signatures},
    policy::Terms,
    site::Origin,
};
use super::{SigningKey, SigningKeyStore, body, decoy, lookup, refused::Refused, target};
use crate::{
    auth::{Authenticator, Head, Presence, Presented, Verified},
    rejection::{Rejection, RejectionKind},
    store::{BoxFuture, SeenKey, SeenStore, Sighting},
    time::SKEW,
};

const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");

/// Verifies requests that are signed as RFC 9421 says. See the [module](super).
///
/// Clones share everything: one verifier may be the credential of one layer and the proof of
/// another.
#[derive(Clone)]
pub struct HttpSignatures {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    keys: Arc<dyn SigningKeyStore>,
    /// Beside method, target and digest of the body.
    fields: Vec<HeaderName>,
    window: Duration,
    label: Option<String>,
    tag: Option<String>,
    origin: Option<Origin>,
    nonces: Option<Arc<dyn SeenStore>>,
    service: Option<Box<str>>,
    max_body: usize,
    body_timeout: Duration,
    /// `Accept-Signature` (RFC 9421 §5.1): what a signature should be like.
    wanted: Option<HeaderValue>,
}

/// What a request says of its signature. Nothing of it is believed yet.
struct Envelope {
    input: Input,
    terms: Terms,
    signature: Vec<u8>,
}

impl HttpSignatures {
    /// A verifier with the keys of this store.
    pub fn builder(keys: impl SigningKeyStore) -> HttpSignaturesBuilder {
        HttpSignaturesBuilder::new(Arc::new(keys))
    }

    pub(in crate::auth) fn is_signed(headers: &HeaderMap) -> bool {
        headers.contains_key(SIGNATURE_INPUT) || headers.contains_key(SIGNATURE)
    }

    /// Everything that can be wrong before the body is there and the key is asked. `bound` are the
    /// fields of a credential that the signature must cover, too.
    fn open(&self, request: &Presented<'_>, bound: &[&str]) -> Result<Envelope, Refused> {
        const INPUT: Refused = Refused::Malformed("Signature-Input is missing or malformed.");
        const SIGNED: Refused = Refused::Malformed("Signature is missing or malformed.");
        let (inner, head) = (&*self.inner, &request.head);
        let inputs = combined(head.headers, &SIGNATURE_INPUT).and_then(|value| parse_input(&value)).ok_or(INPUT)?;
        let input = policy::choose(inputs, inner.label.as_deref(), inner.tag.as_deref())?;
        let signatures = combined(head.headers, &SIGNATURE).and_then(|value| parse_signatures(&value)).ok_or(SIGNED)?;
        let signature = signatures.into_iter().find(|(label, _)| *label == input.label).ok_or(SIGNED)?.1;
        let terms = policy::terms(&input)?;
        terms.check_time(request.context.now().wall, inner.window)?;
        if inner.nonces.is_some() && terms.nonce.is_none() {
            return Err(Refused::Uncovered("The signature must have a nonce."));
        }
        let has_query = target::uri(head).query().is_some();
        let fields = inner.fields.iter().filter(|name| head.headers.contains_key(*name));
        policy::check_coverage(&input, has_query, fields.map(HeaderName::as_str).chain(bound.iter().copied()))?;
        Ok(Envelope { input, terms, signature })
    }

    /// The key that signed the request.
    async fn verify(&self, request: Presented<'_>, bound: &[&str]) -> Result<Arc<SigningKey>, Rejection> {
        let now = request.context.now();
        let Envelope { input, terms, signature } = self.open(&request, bound)?;
        if !request.body.is_empty() {
            policy::check_coverage(&input, false, [CONTENT_DIGEST.as_str()])?;
        }
        let base = self.base(&request, &input)?;

        let found = lookup::find(&*self.inner.keys, &terms.key_id, now.wall).await?;
        let id = || Box::<str>::from(&*terms.key_id);
        let Some(key) = found else {
            // An unknown key costs about what a wrong signature costs.
            decoy::verify(terms.algorithm.as_deref(), base.as_bytes(), &signature, now.wall);
            return Err(Refused::Unknown(id()).into());
        };
        // The key decides the algorithm; the request may only say the same (RFC 9421 §3.2).
        let agrees = terms.algorithm.as_deref().is_none_or(|named| named == key.algorithm().as_str());
        if !key.verify(base.as_bytes(), &signature, now.wall) || !agrees {
            return Err(Refused::Wrong(id()).into());
        }
        let service = self.inner.service.as_deref();
        key.in_force(service, now.wall).map_err(|why| Refused::NotInForce(id(), why))?;
        self.check_digest(&request, &input, &key).await?;
        self.see_nonce(&request, &terms).await?;
        Ok(key)
    }

    fn base(&self, request: &Presented<'_>, input: &Input) -> Result<String, Refused> {
        let sent = Origin::of(&request.head, request.context);
        let origin = self.inner.origin.as_ref().or(sent.as_ref());
        let origin = origin.ok_or(Refused::Malformed("The request must name its host, and only one."))?;
        let message = Message { head: request.head, scheme: origin.scheme(), authority: origin.authority() };
        signature_base(&message, input)
    }

    /// The digest was signed; now the body must have it (RFC 9530 §2).
    async fn check_digest(&self, request: &Presented<'_>, input: &Input, key: &SigningKey) -> Result<(), Rejection> {
        const MALFORMED: Refused =
            Refused::Malformed("Content-Digest must hold a digest by sha-256 or sha-512, once each.");
        if !input.components.iter().any(|component| component.name == CONTENT_DIGEST.as_str()) {
            return Ok(());
        }
        let field = combined(request.head.headers, &CONTENT_DIGEST).ok_or(MALFORMED)?;
        let expected = digest::parse(&field).ok_or(MALFORMED)?;
        let sha256 = match expected.sha256 {
            Some(_) => Some(body::digest::<Sha256>(request.body).await),
            None => None,
        };
        let sha512 = match expected.sha512 {
            Some(_) => Some(body::digest::<Sha512>(request.body).await),
            None => None,
        };
        if expected.matches(sha256.as_deref(), sha512.as_deref()) {
            return Ok(());
        }
        Err(Refused::Body(key.id().into()).into())
    }

    async fn see_nonce(&self, request: &Presented<'_>, terms: &Terms) -> Result<(), Rejection> {
        let (Some(store), Some(nonce)) = (&self.inner.nonces, &terms.nonce) else { return Ok(()) };
        let now = request.context.now();
        let key = SeenKey::new("http-signature", &[terms.key_id.as_bytes(), nonce.as_bytes()]);
        // The time is that of the head; the body may have come since, and the store has a clock of its own.
        let slack = self.inner.body_timeout.saturating_add(SKEW);
        let keep = terms.remaining(now.wall, self.inner.window).saturating_add(slack);
        let seen = match store.see_now(key, keep, now.monotonic) {
            Some(seen) => seen,
            None => lookup::in_time(store.see(key, keep, now.monotonic)).await,
        };
        match seen.map_err(Rejection::backend)? {
            Sighting::First => Ok(()),
            Sighting::Again => Err(Refused::Replayed(terms.key_id.as_str().into()).into()),
        }
    }

    /// Adds what a signature should be like to a refusal that a better one would have avoided.
    fn explain(&self, rejection: Rejection) -> Rejection {
        let helps = matches!(rejection.kind(), RejectionKind::InvalidSignature | RejectionKind::MalformedSignature);
        match &self.inner.wanted {
            Some(wanted) if helps => rejection.with_header(ACCEPT_SIGNATURE, wanted.clone()),
            _ => rejection,
        }
    }
}

/// All lines of a field, as one.
fn combined(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = headers.get_all(name).iter();
    let mut value = lines.next()?.as_bytes().to_vec();
    for line in lines {
        value.extend_from_slice(b", ");
        value.extend_from_slice(line.as_bytes());
    }
    Some(value)
}

impl Authenticator for HttpSignatures {
    fn name(&self) -> &'static str {
        "http_signature"
    }

    fn presence(&self, head: Head<'_>) -> Presence {
        if Self::is_signed(head.headers) { Presence::Present } else { Presence::Absent }
    }

    fn body_limit(&self) -> usize {
        self.inner.max_body
    }

    fn body_timeout(&self) -> Duration {
        self.inner.body_timeout
    }

    fn before_body(&self, request: Presented<'_>) -> Result<(), Rejection> {
        self.open(&request, &[]).map(drop).map_err(|why| self.explain(why.into()))
    }

    fn authenticate<'a>(&'a self, request: Presented<'a>) -> BoxFuture<'a, Result<Verified, Rejection>> {
        Box::pin(async move {
            let key = self.verify(request, &[]).await.map_err(|rejection| self.explain(rejection))?;
            Ok(Verified::of(key.parts().clone()))
        })
    }

    /// `Signature realm="…"`.
    fn challenge(&self, realm: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("Signature realm=\"{realm}\"")).ok()
    }
}

impl fmt::Debug for HttpSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSignatures")
            .field("label", &self.inner.label)
            .field("tag", &self.inner.tag)
            .field("service", &self.inner.service)
            .finish_non_exhaustive()
    }
}

//! AWS Signature Version 4, and forms that work like it.

pub(in crate::auth) mod authorization;
mod builder;
pub(crate) mod canonical;
mod envelope;
pub(crate) mod time;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use sha2::Sha256;

pub use self::builder::SigV4Builder;
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::envelope::signed_headers;
use self::{
    canonical::Paths,
    envelope::{Envelope, Payload},
};
use super::{SignatureForm, SigningKeyStore, body, decoy, derived::Derivation, lookup, refused::Refused};
use crate::{
    auth::{Authenticator, Head, Presence, Presented, Verified},
    rejection::Rejection,
    store::BoxFuture,
};

/// Verifies requests that are signed with AWS Signature Version 4, or a form that works like it. See
/// the [module](super).
pub struct SigV4 {
    form: SignatureForm,
    keys: Arc<dyn SigningKeyStore>,
    region: Box<str>,
    service: Box<str>,
    paths: Paths,
    unresolved: bool,
    presigned: bool,
    unsigned: bool,
    window: Duration,
    required: Vec<HeaderName>,
    max_body: usize,
    body_timeout: Duration,
}

impl SigV4 {
    /// AWS's own form, for signatures whose scope names this region and service.
    pub fn builder(keys: impl SigningKeyStore, region: impl Into<String>, service: impl Into<String>) -> SigV4Builder {
        SigV4Builder::new(SignatureForm::aws(), Arc::new(keys), region.into(), service.into())
    }

    /// The same under names of your own.
    ///
    /// ```
    /// use portcullis::{auth::signed::{SigV4, SignatureForm}, backend::memory::MemoryStore};
    ///
    /// let form = SignatureForm::new("ACME1-HMAC-SHA256", "x-acme-");
    /// let signed = SigV4::generic(form, MemoryStore::new(), "eu-1", "orders").build()?;
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    pub fn generic(
        form: SignatureForm,
        keys: impl SigningKeyStore,
        region: impl Into<String>,
        service: impl Into<String>,
    ) -> SigV4Builder {
        SigV4Builder::new(form, Arc::new(keys), region.into(), service.into())
    }

    /// The name of a parameter of a presigned query.
    fn parameter(&self, end: &str) -> String {
        format!("{}{end}", self.form.query_prefix())
    }

    async fn verify(&self, request: Presented<'_>) -> Result<Verified, Rejection> {
        let (head, now) = (request.head, request.context.now().wall);
        let envelope = Envelope::read(self, &head)?;
        envelope.check(self, &head, now)?;
        let digest = base16ct::lower::encode_string(&body::digest::<Sha256>(request.body).await);
        let message = envelope.string_to_sign(self, &head, &digest)?;
        let credential = envelope.credential()?;
        let id = || Box::<str>::from(credential.key_id);

        let found = lookup::find(&*self.keys, credential.key_id, now).await?;
        let derivation = Derivation {
            prefix: self.form.key_prefix(),
            date: credential.date,
            region: credential.region,
            service: credential.service,
            terminator: credential.terminator,
        };
        // An unknown key costs the same MACs as a wrong signature.
        let genuine = found
            .as_deref()
            .or_else(|| decoy::secret())
            .is_some_and(|key| key.verify_derived(&derivation, message.as_bytes(), &envelope.signature, now));
        let key = found.ok_or_else(|| Refused::Unknown(id()))?;
        if !genuine {
            return Err(Refused::Wrong(id()).into());
        }
        key.in_force(Some(&self.service), now).map_err(|why| Refused::NotInForce(id(), why))?;
        match &envelope.payload {
            Payload::Declared(declared) if *declared != digest => Err(Refused::Body(id()).into()),
            _ => Ok(Verified::of(key.parts().clone())),
        }
    }
}

impl Authenticator for SigV4 {
    fn name(&self) -> &'static str {
        "sigv4"
    }

    fn presence(&self, head: Head<'_>) -> Presence {
        envelope::presence(self, &head)
    }

    fn body_limit(&self) -> usize {
        self.max_body
    }

    fn body_timeout(&self) -> Duration {
        self.body_timeout
    }

    fn before_body(&self, request: Presented<'_>) -> Result<(), Rejection> {
        let envelope = Envelope::read(self, &request.head)?;
        Ok(envelope.check(self, &request.head, request.context.now().wall)?)
    }

    fn authenticate<'a>(&'a self, request: Presented<'a>) -> BoxFuture<'a, Result<Verified, Rejection>> {
        Box::pin(self.verify(request))
    }

    /// `AWS4-HMAC-SHA256 realm="…"`.
    fn challenge(&self, realm: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{} realm=\"{realm}\"", self.form.algorithm())).ok()
    }
}

impl fmt::Debug for SigV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigV4")
            .field("algorithm", &self.form.algorithm())
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

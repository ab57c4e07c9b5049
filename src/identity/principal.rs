use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde::de::DeserializeOwned;

use super::{AuthorizationDetail, DetailsError, HashOnce, Scopes, Text, claims::Remembered, details};
use crate::{secret::Fingerprint, time::Timestamp};

/// How the caller proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// A JWT as bearer token (RFC 6750, RFC 9068).
    Jwt,
    /// An API key.
    ApiKey,
    /// An opaque token that its issuer vouches for (RFC 7662).
    OpaqueToken,
    /// A client certificate (RFC 8705).
    ClientCertificate,
    /// A signature of the request itself.
    SignedRequest,
    /// Something that an [`Authenticator`](crate::auth::Authenticator) of the application verified.
    Custom(&'static str),
}

impl AuthMethod {
    /// The stable name, as audit records carry it: `jwt`, `api_key`, `opaque_token`,
    /// `client_certificate`, `signed_request`, or the application's own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
            Self::OpaqueToken => "opaque_token",
            Self::ClientCertificate => "client_certificate",
            Self::SignedRequest => "signed_request",
            Self::Custom(name) => name,
        }
    }
}

/// The verified caller. Cheap to clone; cannot be made except by verifying a credential.
///
/// `Debug` shows the subject's length, never its claims: a principal often ends up in a log.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

struct Inner {
    parts: PrincipalParts,
    remembered: Mutex<Remembered>,
    hashes: PrincipalHashes,
}

/// What limits know the caller by: made by whoever asks first, and kept as long as the credential is
/// remembered.
#[derive(Default)]
pub(crate) struct PrincipalHashes {
    /// Issuer and subject.
    pub(crate) subject: HashOnce,
    /// Method, issuer and id of the credential.
    pub(crate) credential: HashOnce,
    /// Issuer and tenant.
    pub(crate) tenant: HashOnce,
    /// Whose allowance it is: the caller's own, and that of its tenant.
    pub(crate) allowance: HashOnce,
    pub(crate) shared_allowance: HashOnce,
}

/// What a principal consists of; filled by the layer that verified the credential. Texts may be
/// places in `claims`: who takes them from `jwt::Claims::judge` sets `claims` to what was judged.
#[derive(Clone, Default)]
pub(crate) struct PrincipalParts {
    pub(crate) subject: Text,
    pub(crate) issuer: Option<Text>,
    pub(crate) tenant: Option<Text>,
    pub(crate) client: Option<Text>,
    pub(crate) plan: Option<Text>,
    pub(crate) email: Option<Text>,
    pub(crate) method: Option<AuthMethod>,
    pub(crate) scopes: Scopes,
    pub(crate) roles: Vec<Text>,
    pub(crate) credential_id: Option<Text>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// `sid`: the session at the issuer.
    pub(crate) session: Option<Text>,
    pub(crate) acr: Option<Text>,
    pub(crate) amr: Vec<Text>,
    pub(crate) auth_time: Option<Timestamp>,
    /// `act.sub` (RFC 8693 §4.1).
    pub(crate) actor: Option<Text>,
    pub(crate) confirmation: Option<Confirmation>,
    /// It is bound, and taken from whoever bears it: something in front has seen the proof, of this
    /// request only.
    pub(crate) proven_elsewhere: bool,
    pub(crate) claims: String,
    /// `authorization_details`, once somebody has asked for them.
    pub(crate) details: OnceLock<Result<Arc<[AuthorizationDetail]>, DetailsError>>,
}

/// What a credential is bound to (`cnf`, RFC 7800): whoever presents it must prove the possession.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// The SHA-256 thumbprint of a `DPoP` key (`jkt`, RFC 9449 §6.1).
    pub(crate) dpop: Option<[u8; 32]>,
    /// The SHA-256 of a client certificate (`x5t#S256`, RFC 8705 §3.1).
    pub(crate) certificate: Option<[u8; 32]>,
    /// It is bound to something else as well, which nothing here can check.
    pub(crate) other: bool,
}

/// The claims do not have the shape that was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the claims do not have the expected shape")]
pub struct ClaimsError(#[source] Arc<serde_json::Error>);

impl Principal {
    pub(crate) fn new(parts: PrincipalParts) -> Self {
        Self(Arc::new(Inner { parts, remembered: Mutex::default(), hashes: PrincipalHashes::default() }))
    }

    fn parts(&self) -> &PrincipalParts {
        &self.0.parts
    }

    pub(crate) fn hashes(&self) -> &PrincipalHashes {
        &self.0.hashes
    }

    fn text<'a>(&'a self, text: &'a Text) -> &'a str {
        text.of(&self.0.parts.claims)
    }

    fn texts<'a>(&'a self, texts: &'a [Text]) -> impl Iterator<Item = &'a str> {
        texts.iter().map(|text| self.text(text))
    }

    /// The same caller, whose credential ends at another time.
    pub(crate) fn with_expiry(&self, at: Timestamp) -> Self {
        Self::new(PrincipalParts { expires_at: Some(at), ..PrincipalParts::clone(self.parts()) })
    }

    /// Who: `sub` of a token, the owner of an API key.
    pub fn subject(&self) -> &str {
        self.text(&self.parts().subject)
    }

    /// Who says so: `iss` of a token.
    pub fn issuer(&self) -> Option<&str> {
        self.parts().issuer.as_ref().map(|text| self.text(text))
    }

    /// The tenant (by default the claim `tenant_id`).
    pub fn tenant(&self) -> Option<&str> {
        self.parts().tenant.as_ref().map(|text| self.text(text))
    }

    /// The OAuth client (`client_id` or `azp`) on whose behalf the token was issued.
    pub fn client(&self) -> Option<&str> {
        self.parts().client.as_ref().map(|text| self.text(text))
    }

    /// The plan (by default the claim `subscription_tier`): what limits and quotas go by.
    pub fn plan(&self) -> Option<&str> {
        self.parts().plan.as_ref().map(|text| self.text(text))
    }

    /// The e-mail address, if a claim carried one. Audit records mask it.
    pub fn email(&self) -> Option<&str> {
        self.parts().email.as_ref().map(|text| self.text(text))
    }

    /// How the caller proved who it is.
    pub fn method(&self) -> AuthMethod {
        self.parts().method.unwrap_or(AuthMethod::Jwt)
    }

    /// What the credential allows.
    pub fn scopes(&self) -> &Scopes {
        &self.parts().scopes
    }

    /// The roles that the credential names.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.texts(&self.parts().roles)
    }

    /// Which credential: `jti` of a token, the id of an API key. Not secret.
    pub fn credential_id(&self) -> Option<&str> {
        self.parts().credential_id.as_ref().map(|text| self.text(text))
    }

    /// A short keyed digest of the credential, by which an investigator can recognise it.
    pub fn fingerprint(&self) -> Option<&str> {
        self.parts().fingerprint.as_ref().map(Fingerprint::as_str)
    }

    /// When the credential was issued, if it says so.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.parts().issued_at
    }

    /// The session at the issuer (`sid`), which a back-channel logout ends.
    pub fn session(&self) -> Option<&str> {
        self.parts().session.as_ref().map(|text| self.text(text))
    }

    /// How strongly the caller was authenticated (`acr`), in the issuer's words.
    pub fn acr(&self) -> Option<&str> {
        self.parts().acr.as_ref().map(|text| self.text(text))
    }

    /// By which methods the caller was authenticated (`amr`, RFC 8176): `pwd`, `otp`, `mfa` …
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.texts(&self.parts().amr)
    }

    /// When the caller was last authenticated in person (`auth_time`).
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.parts().auth_time
    }

    /// Who acts for the subject (`act.sub`, RFC 8693 §4.1).
    pub fn actor(&self) -> Option<&str> {
        self.parts().actor.as_ref().map(|text| self.text(text))
    }

    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        self.parts().confirmation.as_ref()
    }

    /// Whether both are one caller, by one credential.
    pub(crate) fn is_same_caller(&self, other: &Self) -> bool {
        self.method() == other.method()
            && self.subject() == other.subject()
            && self.issuer() == other.issuer()
            && self.credential_id() == other.credential_id()
    }

    /// Whether something must be proven with the credential each time that it is used, here or in
    /// front of here.
    pub(crate) fn is_bound(&self) -> bool {
        self.parts().confirmation.is_some() || self.parts().proven_elsewhere
    }

    /// When the credential ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.parts().expires_at
    }

    /// What the credential allows in detail: the claim `authorization_details` (RFC 9396), parsed at
    /// the first call. None without the claim.
    ///
    /// # Errors
    /// [`DetailsError`] if the claim is malformed; it then grants nothing.
    pub fn authorization_details(&self) -> Result<&[AuthorizationDetail], DetailsError> {
        match self.parts().details.get_or_init(|| details::read(self.parts().claims.as_bytes())) {
            Ok(details) => Ok(details),
            Err(error) => Err(*error),
        }
    }

    /// The claims as JSON, read into a type of yours. Parsed anew at each call: keep the result, or
    /// take [`Claims`](super::Claims).
    ///
    /// ```
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Department { department: String }
    ///
    /// let principal = portcullis::testing::principal("usr_1").claim("department", "legal").build();
    /// let claims: Department = principal.claims()?;
    /// assert_eq!(claims.department, "legal");
    /// # Ok::<_, portcullis::identity::ClaimsError>(())
    /// ```
    ///
    /// # Errors
    /// [`ClaimsError`] if the claims lack a field of `T` or have it in another shape.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        let claims = if self.parts().claims.is_empty() { "{}" } else { &self.parts().claims };
        serde_json::from_str(claims).map_err(|error| ClaimsError(Arc::new(error)))
    }

    /// The same, parsed at the first call only.
    pub(super) fn remembered<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>, ClaimsError> {
        let held = || self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = held().get() {
            return Ok(claims);
        }
        // Not under the lock: to read claims is code of the application, and may take its time.
        let claims = Arc::new(self.claims::<T>()?);
        held().insert(Arc::clone(&claims));
        Ok(claims)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("subject", &format_args!("<{} bytes>", self.subject().len()))
            .field("method", &self.method().as_str())
            .field("scopes", &self.parts().scopes)
            .finish_non_exhaustive()
    }
}

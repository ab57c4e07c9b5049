use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::Scopes;
use crate::time::Timestamp;

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
pub struct Principal(Arc<PrincipalParts>);

/// What a principal consists of; filled by the layer that verified the credential.
#[derive(Clone, Default)]
pub(crate) struct PrincipalParts {
    pub(crate) subject: Box<str>,
    pub(crate) issuer: Option<Box<str>>,
    pub(crate) tenant: Option<Box<str>>,
    pub(crate) client: Option<Box<str>>,
    pub(crate) plan: Option<Box<str>>,
    pub(crate) email: Option<Box<str>>,
    pub(crate) method: Option<AuthMethod>,
    pub(crate) scopes: Scopes,
    pub(crate) roles: Vec<Box<str>>,
    pub(crate) credential_id: Option<Box<str>>,
    pub(crate) fingerprint: Option<Box<str>>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// `sid`: the session at the issuer.
    pub(crate) session: Option<Box<str>>,
    pub(crate) acr: Option<Box<str>>,
    pub(crate) amr: Vec<Box<str>>,
    pub(crate) auth_time: Option<Timestamp>,
    /// `act.sub` (RFC 8693 §4.1).
    pub(crate) actor: Option<Box<str>>,
    pub(crate) confirmation: Option<Confirmation>,
    pub(crate) claims: Bytes,
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
        Self(Arc::new(parts))
    }

    /// Who: `sub` of a token, the owner of an API key.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Who says so: `iss` of a token.
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// The tenant (by default the claim `tenant_id`).
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// The OAuth client (`client_id` or `azp`) on whose behalf the token was issued.
    pub fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// The plan (by default the claim `subscription_tier`): what limits and quotas go by.
    pub fn plan(&self) -> Option<&str> {
        self.0.plan.as_deref()
    }

    /// The e-mail address, if a claim carried one. Audit records mask it.
    pub fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// How the caller proved who it is.
    pub fn method(&self) -> AuthMethod {
        self.0.method.unwrap_or(AuthMethod::Jwt)
    }

    /// What the credential allows.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// The roles that the credential names.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.iter().map(|role| &**role)
    }

    /// Which credential: `jti` of a token, the id of an API key. Not secret.
    pub fn credential_id(&self) -> Option<&str> {
        self.0.credential_id.as_deref()
    }

    /// A short keyed digest of the credential, by which an investigator can recognise it.
    pub fn fingerprint(&self) -> Option<&str> {
        self.0.fingerprint.as_deref()
    }

    /// When the credential was issued, if it says so.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.0.issued_at
    }

    /// The session at the issuer (`sid`), which a back-channel logout ends.
    pub fn session(&self) -> Option<&str> {
        self.0.session.as_deref()
    }

    /// How strongly the caller was authenticated (`acr`), in the issuer's words.
    pub fn acr(&self) -> Option<&str> {
        self.0.acr.as_deref()
    }

    /// By which methods the caller was authenticated (`amr`, RFC 8176): `pwd`, `otp`, `mfa` …
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.0.amr.iter().map(|method| &**method)
    }

    /// When the caller was last authenticated in person (`auth_time`).
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.0.auth_time
    }

    /// Who acts for the subject (`act.sub`, RFC 8693 §4.1).
    pub fn actor(&self) -> Option<&str> {
        self.0.actor.as_deref()
    }

    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_ref()
    }

    /// When the credential ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    /// The claims as JSON, read into a type of yours. Parsed anew at each call: keep the result.
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
        let claims = if self.0.claims.is_empty() { b"{}" } else { &*self.0.claims };
        serde_json::from_slice(claims).map_err(|error| ClaimsError(Arc::new(error)))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("subject", &format_args!("<{} bytes>", self.0.subject.len()))
            .field("method", &self.method().as_str())
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}

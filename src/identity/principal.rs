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
}

impl AuthMethod {
    /// The stable name, as audit records carry it: `jwt`, `api_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
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
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) claims: Bytes,
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

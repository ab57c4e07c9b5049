use http::{HeaderName, HeaderValue};

use super::accepted::Accepted;
use crate::{
    identity::{AuthMethod, Principal, PrincipalParts, ScopeError, Scopes, Text},
    secret::fingerprint,
    time::Timestamp,
};

/// What an [`Authenticator`](super::Authenticator) found: the caller, of whom the layer makes a
/// [`Principal`].
#[derive(Clone)]
#[must_use]
pub struct Verified {
    pub(in crate::auth) parts: PrincipalParts,
    response: Vec<(HeaderName, HeaderValue)>,
}

impl Verified {
    /// A caller with this subject. `method` is the authenticator's own name, as audit records
    /// carry it.
    pub fn new(subject: impl Into<String>, method: &'static str) -> Self {
        Self::by(subject, AuthMethod::Custom(method))
    }

    /// The holder of a client certificate, for a
    /// [`CertificateMapping`](super::mtls::CertificateMapping).
    pub fn by_certificate(subject: impl Into<String>) -> Self {
        Self::by(subject, AuthMethod::ClientCertificate)
    }

    pub(in crate::auth) fn by(subject: impl Into<String>, method: AuthMethod) -> Self {
        let parts =
            PrincipalParts { subject: subject.into().into(), method: Some(method), ..PrincipalParts::default() };
        Self { parts, response: Vec::new() }
    }

    /// A caller of whom everything is known already.
    pub(in crate::auth) fn of(parts: PrincipalParts) -> Self {
        Self { parts, response: Vec::new() }
    }

    /// Whether the other is the same caller in everything that can be said here. (The rest comes with a
    /// token.)
    pub(in crate::auth) fn is_same(&self, other: &Self) -> bool {
        let (one, two) = (&self.parts, &other.parts);
        // Texts are no places in claims, for there are none.
        let is = |one: &Text, two: &Text| one.of("") == two.of("");
        let same = |one: &Option<Text>, two: &Option<Text>| match (one, two) {
            (Some(one), Some(two)) => is(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        is(&one.subject, &two.subject)
            && one.method == two.method
            && same(&one.issuer, &two.issuer)
            && same(&one.tenant, &two.tenant)
            && same(&one.plan, &two.plan)
            && same(&one.credential_id, &two.credential_id)
            && one.fingerprint == two.fingerprint
            && one.scopes == two.scopes
            && one.roles.len() == two.roles.len()
            && one.roles.iter().zip(&two.roles).all(|(one, two)| is(one, two))
            && one.expires_at == two.expires_at
            && self.response == other.response
    }

    /// Which credential: an id that is not secret, by which limits, audit and revocation name it.
    pub fn credential_id(mut self, id: impl Into<String>) -> Self {
        self.parts.credential_id = Some(id.into().into());
        self
    }

    /// What distinguishes the credential from others, for investigators; only a short keyed digest
    /// of it is kept.
    pub fn fingerprint_of(mut self, credential: &[u8]) -> Self {
        self.parts.fingerprint = Some(fingerprint(self.parts.method.map_or("", AuthMethod::as_str), credential));
        self
    }

    /// Who vouches for the caller.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.parts.issuer = Some(issuer.into().into());
        self
    }

    /// The caller's tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.parts.tenant = Some(tenant.into().into());
        self
    }

    /// The plan that limits and quotas go by.
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.parts.plan = Some(plan.into().into());
        self
    }

    /// The scopes, from data of our own: `read:*` is a wildcard.
    ///
    /// # Errors
    /// If one is not a scope.
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        self.parts.scopes = Scopes::from_own_data(scopes)?;
        Ok(self)
    }

    /// The roles.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.parts.roles = roles.into_iter().map(|role| role.into().into()).collect();
        self
    }

    /// When the credential ends.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.parts.expires_at = Some(at);
        self
    }

    /// A header field of the response, should the request reach the handler.
    pub fn response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.push((name, value));
        self
    }
}

impl From<Verified> for Accepted {
    fn from(verified: Verified) -> Self {
        Self { principal: Principal::new(verified.parts), response: verified.response }
    }
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("method", &self.parts.method).finish_non_exhaustive()
    }
}

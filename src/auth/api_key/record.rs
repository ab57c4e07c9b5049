use super::{ApiKeyDigest, format};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    identity::{AuthMethod, Principal, PrincipalParts, Scopes},
    secret::fingerprint,
    time::Timestamp,
};

/// What is kept of an API key: everything but the key.
///
/// New keys come from [`ApiKey::issue`](super::ApiKey::issue); a store that reads a record back
/// puts it together with [`ApiKeyRecord::builder`] and [`ApiKeyRecordBuilder::build`].
#[derive(Clone, Debug)]
pub struct ApiKeyRecord {
    id: Box<str>,
    environment: Box<str>,
    digest: ApiKeyDigest,
    created_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// Made once for each record, not once for each request. Handed out only after the digest
    /// has been compared.
    principal: Principal,
}

impl ApiKeyRecord {
    /// A record of a key that belongs to `owner`: the subject of the principal that it stands for.
    pub fn builder(owner: impl Into<String>) -> ApiKeyRecordBuilder {
        ApiKeyRecordBuilder {
            owner: owner.into(),
            tenant: None,
            plan: None,
            scopes: Vec::new(),
            roles: Vec::new(),
            created_at: None,
            expires_at: None,
            revoked_at: None,
        }
    }

    /// The public id: twelve letters or digits, by which a store finds the record.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The environment that the key names.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The digest of the key.
    pub fn digest(&self) -> &ApiKeyDigest {
        &self.digest
    }

    /// Whose key it is.
    pub fn owner(&self) -> &str {
        self.principal.subject()
    }

    /// The owner's tenant.
    pub fn tenant(&self) -> Option<&str> {
        self.principal.tenant()
    }

    /// The plan that limits and quotas go by.
    pub fn plan(&self) -> Option<&str> {
        self.principal.plan()
    }

    /// What the key allows.
    pub fn scopes(&self) -> &Scopes {
        self.principal.scopes()
    }

    /// The roles that the key stands for.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.principal.roles()
    }

    /// When it was issued, if known.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    /// From when on it is refused.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.principal.expires_at()
    }

    /// When it was revoked. A revoked key is refused whatever the time, so that a clock that is
    /// behind does not revive it.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    /// The same record, revoked. The first revocation stands.
    #[must_use]
    pub fn revoked(mut self, at: Timestamp) -> Self {
        self.revoked_at = self.revoked_at.or(Some(at));
        self
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// Builds an [`ApiKeyRecord`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ApiKeyRecordBuilder {
    owner: String,
    tenant: Option<String>,
    plan: Option<String>,
    scopes: Vec<String>,
    roles: Vec<String>,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl ApiKeyRecordBuilder {
    /// The owner's tenant. Default: none.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The plan that limits and quotas go by. Default: none.
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// Adds to what the key allows; `read:*` is a wildcard here. Default: nothing.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds to the roles that the key stands for. Default: none.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// When it was issued. Default: unknown.
    pub fn created_at(mut self, at: Timestamp) -> Self {
        self.created_at = Some(at);
        self
    }

    /// From when on it is refused. Default: never.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// When it was revoked. Default: it was not.
    pub fn revoked_at(mut self, at: Timestamp) -> Self {
        self.revoked_at = Some(at);
        self
    }

    /// The record of a key that was issued earlier, from its stored parts.
    ///
    /// # Errors
    /// If the owner is empty, the id is not twelve letters or digits, the environment is not 1 to
    /// 16 of them, or a scope is not one (`*` and `*:*` are not: name the actions).
    pub fn build(self, id: &str, environment: &str, digest: ApiKeyDigest) -> Result<ApiKeyRecord, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.owner.is_empty() {
            issues.add("owner", "a key without an owner is nobody's", "name the user or service that the key is for");
        }
        if !format::is_id(id) {
            issues.add("id", "an id is twelve ASCII letters or digits", "use the id that ApiKey::issue made");
        }
        if !format::is_name(environment) {
            issues.add("environment", "not 1 to 16 ASCII letters or digits", "use the environment of the key's format");
        }
        let scopes = Scopes::from_own_data(self.scopes.iter().map(String::as_str)).unwrap_or_else(|error| {
            issues.add("scopes", error.to_string(), "write action:resource, or action:* for all of an action");
            Scopes::none()
        });
        let principal = Principal::new(PrincipalParts {
            subject: self.owner.into(),
            tenant: self.tenant.map(Into::into),
            plan: self.plan.map(Into::into),
            method: Some(AuthMethod::ApiKey),
            scopes,
            roles: self.roles.into_iter().map(Into::into).collect(),
            credential_id: Some(id.into()),
            fingerprint: Some(fingerprint("api_key", digest.as_bytes())),
            expires_at: self.expires_at,
            ..PrincipalParts::default()
        });
        issues.finish(ApiKeyRecord {
            id: id.into(),
            environment: environment.into(),
            digest,
            created_at: self.created_at,
            revoked_at: self.revoked_at,
            principal,
        })
    }
}

use std::net::IpAddr;

use ipnet::IpNet;

use super::{ApiKeyDigest, ApiKeyRecordBuilder, record_builder::MAX_REASON};
use crate::{
    identity::{Principal, Scopes},
    time::Timestamp,
};

/// What is kept of an API key: everything but the key.
///
/// New keys come from [`ApiKeys::issue`](super::ApiKeys::issue) or
/// [`ApiKey::issue`](super::ApiKey::issue); a store that reads a record back puts it together with
/// [`ApiKeyRecord::builder`] and [`ApiKeyRecordBuilder::build`].
#[derive(Clone, Debug)]
pub struct ApiKeyRecord {
    pub(super) id: Box<str>,
    pub(super) environment: Box<str>,
    pub(super) digest: ApiKeyDigest,
    pub(super) networks: Box<[IpNet]>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
    /// What few keys have.
    pub(super) history: Option<Box<History>>,
    /// Made once for each record, not once for each request. Handed out only after the digest
    /// has been compared.
    pub(super) principal: Principal,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) rotated_from: Option<Box<str>>,
    pub(super) superseded: Option<Superseded>,
    pub(super) revoked: Option<Revoked>,
}

/// A key that has been replaced, and works on for the time of transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    pub(super) by: Box<str>,
    pub(super) at: Timestamp,
}

impl Superseded {
    /// The id of the new key.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Since when there is a new one.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// When a key was revoked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revoked {
    pub(super) at: Timestamp,
    pub(super) reason: Option<Box<str>>,
}

impl ApiKeyRecord {
    /// A record of a key that belongs to `owner`: the subject of the principal that it stands for.
    pub fn builder(owner: impl Into<String>) -> ApiKeyRecordBuilder {
        ApiKeyRecordBuilder::new(owner.into())
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

    /// The networks from which it may be used, as CIDRs; none means from anywhere.
    pub fn allowed_networks(&self) -> impl Iterator<Item = String> {
        self.networks.iter().map(ToString::to_string)
    }

    /// When it was issued, if known.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.principal.issued_at()
    }

    /// Before when it is refused.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// From when on it is refused.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.principal.expires_at()
    }

    /// The id of the key that this one replaced.
    pub fn rotated_from(&self) -> Option<&str> {
        self.history.as_ref()?.rotated_from.as_deref()
    }

    /// The key that replaces this one; it works until [`expires_at`](Self::expires_at).
    pub fn superseded(&self) -> Option<&Superseded> {
        self.history.as_ref()?.superseded.as_ref()
    }

    /// When it was revoked. A revoked key is refused whatever the time, so that a clock that is
    /// behind does not revive it.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        Some(self.history.as_ref()?.revoked.as_ref()?.at)
    }

    /// Why it was revoked.
    pub fn revocation_reason(&self) -> Option<&str> {
        self.history.as_ref()?.revoked.as_ref()?.reason.as_deref()
    }

    /// When it was last used, as far as that has been written: uses are written in batches.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        self.last_used_at
    }

    /// The same record, revoked. The first revocation stands.
    #[must_use]
    pub fn revoked(mut self, at: Timestamp) -> Self {
        let history = self.history.get_or_insert_default();
        history.revoked.get_or_insert(Revoked { at, reason: None });
        self
    }

    /// The same record, used at `at`. The latest use stands.
    #[must_use]
    pub fn used(mut self, at: Timestamp) -> Self {
        self.last_used_at = self.last_used_at.max(Some(at));
        self
    }

    /// The same record after a change, or `None` if the change does not apply: what a store does
    /// that has no statement for it. Read, change and write must be one step, or a conditional write.
    pub fn changed(&self, change: &ApiKeyChange) -> Option<Self> {
        let mut record = self.clone();
        match change {
            ApiKeyChange::Revoke { at, reason } => {
                let history = record.history.get_or_insert_default();
                if history.revoked.is_some() {
                    return None;
                }
                history.revoked =
                    Some(Revoked { at: *at, reason: Some(reason.chars().take(MAX_REASON).collect::<String>().into()) });
            }
            ApiKeyChange::Supersede { by, at, until } => {
                let is_over = self.expires_at().is_some_and(|end| *at >= end);
                if is_over || self.revoked_at().is_some() || self.superseded().is_some() {
                    return None;
                }
                let end = self.expires_at().map_or(*until, |end| end.min(*until));
                record.principal = record.principal.with_expiry(end);
                record.history.get_or_insert_default().superseded =
                    Some(Superseded { by: by.as_str().into(), at: *at });
            }
            ApiKeyChange::Rehash { from, to } => {
                if self.digest != *from {
                    return None;
                }
                record.digest = to.clone();
            }
        }
        Some(record)
    }

    /// A record for the key that is to replace this one: the same owner and the same rights.
    pub fn successor(&self) -> ApiKeyRecordBuilder {
        let mut builder = Self::builder(self.owner())
            .scopes(self.scopes().iter())
            .roles(self.roles())
            .allowed_networks(self.allowed_networks())
            .rotated_from(self.id());
        if let Some(tenant) = self.tenant() {
            builder = builder.tenant(tenant);
        }
        if let Some(plan) = self.plan() {
            builder = builder.plan(plan);
        }
        builder
    }

    /// Whether it may be used from an address. Nobody knows where an unknown peer is.
    pub(super) fn allows(&self, client: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || client.is_some_and(|client| self.networks.iter().any(|network| network.contains(&client)))
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// A change of a stored record. Each applies as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiKeyChange {
    /// The key ends at once. Applies unless it is revoked already: the first revocation stands.
    Revoke {
        /// When.
        at: Timestamp,
        /// Why, for the owner and the audit: at most 200 characters are kept.
        reason: String,
    },
    /// Another key replaces this one. Applies unless it is revoked, superseded or expired at `at`: of
    /// two rotations at once, one wins.
    Supersede {
        /// The id of the new key.
        by: String,
        /// When.
        at: Timestamp,
        /// Until when the old key works, if it does not expire before.
        until: Timestamp,
    },
    /// A digest of the same key by the present hasher. Applies if `from` is what is stored.
    Rehash {
        /// The digest that was verified.
        from: ApiKeyDigest,
        /// The digest to be stored.
        to: ApiKeyDigest,
    },
}

/// What became of an [`ApiKeyChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is made, and [`ApiKeyStore::find`](super::ApiKeyStore::find) shows it.
    Applied,
    /// There is such a key, but the change does not apply to it.
    NotApplicable,
    /// There is no such key.
    Unknown,
}

use std::{
    fmt::{self, Write as _},
    hash::{Hash, Hasher},
};

use crate::{
    identity::Principal,
    request::{Network, RequestContext},
};

/// Whose allowance a request uses: a caller's, a tenant's, or that of an address without a caller.
///
/// `Debug` shows the kind only: keys of stores are made by [`to_key`](Self::to_key).
#[derive(Clone)]
pub struct QuotaSubject(Kind);

#[derive(Clone)]
enum Kind {
    Caller(Principal),
    /// Only principals that have a tenant.
    Tenant(Principal),
    Network(Network),
}

/// Whether the principals of a tenant share one allowance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sharing {
    #[default]
    Apart,
    ByTenant,
}

impl QuotaSubject {
    /// The allowance of a verified caller.
    pub fn caller(principal: Principal) -> Self {
        Self(Kind::Caller(principal))
    }

    /// The allowance that the callers of the principal's tenant share; of the caller alone if there
    /// is no tenant.
    pub fn tenant(principal: Principal) -> Self {
        Self(if principal.tenant().is_some() { Kind::Tenant(principal) } else { Kind::Caller(principal) })
    }

    /// The allowance of an address without a verified caller.
    pub fn network(network: Network) -> Self {
        Self(Kind::Network(network))
    }

    pub(super) fn of(context: &RequestContext, sharing: Sharing) -> Self {
        match (context.principal(), sharing) {
            (Some(principal), Sharing::Apart) => Self::caller(principal.clone()),
            (Some(principal), Sharing::ByTenant) => Self::tenant(principal.clone()),
            (None, _) => Self::network(context.client_ip().network()),
        }
    }

    /// Whether there is no verified caller. Addresses are many and cost nothing, so a store should
    /// not let them crowd out callers.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.0, Kind::Network(_))
    }

    /// The subject's hash, kept as long as the credential is remembered: made by whoever asks first, so all
    /// must make it by one secret.
    pub(crate) fn hash_once(&self, make: impl FnOnce(&Self) -> u128) -> u128 {
        match &self.0 {
            Kind::Caller(principal) => principal.hashes().allowance.of(|| make(self)),
            Kind::Tenant(principal) => principal.hashes().shared_allowance.of(|| make(self)),
            Kind::Network(_) => make(self),
        }
    }

    /// The subject as a key for a store: different subjects have different keys, whatever their
    /// parts contain, and a subject's key is the same in every process. It names the caller.
    pub fn to_key(&self) -> String {
        let mut key = String::new();
        let mut put = |part: Option<&str>| {
            // The length makes it unambiguous. Writing to a String cannot fail.
            let _ = match part {
                Some(part) => write!(key, ":{}:{part}", part.len()),
                None => write!(key, ":-"),
            };
        };
        match &self.0 {
            Kind::Caller(principal) => {
                put(Some("caller"));
                put(principal.issuer());
                put(principal.tenant());
                put(Some(principal.subject()));
            }
            Kind::Tenant(principal) => {
                put(Some("tenant"));
                put(principal.issuer());
                put(principal.tenant());
            }
            Kind::Network(network) => {
                put(Some("network"));
                match network {
                    Network::V4(ip) => put(Some(&ip.to_string())),
                    Network::V6(ip) => put(Some(&ip.to_string())),
                    Network::Unknown => put(None),
                }
            }
        }
        key
    }
}

/// Hashes the parts in place: a store in memory needs no key text.
impl Hash for QuotaSubject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Kind::Caller(principal) => {
                (0_u8, principal.issuer(), principal.tenant(), principal.subject()).hash(state);
            }
            Kind::Tenant(principal) => (1_u8, principal.issuer(), principal.tenant()).hash(state),
            Kind::Network(network) => (2_u8, network).hash(state),
        }
    }
}

impl fmt::Debug for QuotaSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Caller(_) => "QuotaSubject(caller)",
            Kind::Tenant(_) => "QuotaSubject(tenant)",
            Kind::Network(_) => "QuotaSubject(network)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::identity::PrincipalParts;

    fn principal(issuer: Option<&str>, tenant: Option<&str>, subject: &str) -> Principal {
        let parts = PrincipalParts {
            subject: subject.into(),
            issuer: issuer.map(Into::into),
            tenant: tenant.map(Into::into),
            ..PrincipalParts::default()
        };
        Principal::new(parts)
    }

    #[test]
    fn different_subjects_have_different_keys() {
        let all = [
            principal(None, None, "a"),
            principal(Some("i"), None, "a"),
            principal(Some("j"), None, "a"),
            principal(None, Some("i"), "a"),
            principal(Some("i"), Some("t"), "a"),
            principal(Some("i"), Some("u"), "a"),
            principal(Some("i:1:t"), None, "a"),
            principal(Some(""), None, "a"),
            principal(None, None, "-"),
        ];
        let mut subjects: Vec<_> = all.iter().cloned().map(QuotaSubject::caller).collect();
        subjects.push(QuotaSubject::tenant(principal(Some("i"), Some("t"), "a")));
        subjects.extend([Network::Unknown, Network::V4([1, 2, 3, 4].into())].map(QuotaSubject::network));
        let keys: HashSet<_> = subjects.iter().map(QuotaSubject::to_key).collect();
        assert_eq!(keys.len(), subjects.len(), "{keys:?}");
    }

    #[test]
    fn a_tenants_callers_share_and_others_do_not() {
        let key = |tenant, subject| QuotaSubject::tenant(principal(Some("i"), tenant, subject)).to_key();
        assert_eq!(key(Some("t"), "a"), key(Some("t"), "b"));
        assert_ne!(key(Some("t"), "a"), key(Some("u"), "a"));
        assert_ne!(key(None, "a"), key(None, "b"));
    }

    #[test]
    fn debug_names_nobody() {
        assert_eq!(format!("{:?}", QuotaSubject::caller(principal(None, None, "usr_1"))), "QuotaSubject(caller)");
    }
}

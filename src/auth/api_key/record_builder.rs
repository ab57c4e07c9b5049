use ipnet::{IpNet, Ipv4Net};

use super::{
    ApiKeyDigest, ApiKeyRecord, format,
    record::{History, Revoked, Superseded},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    identity::{AuthMethod, Principal, PrincipalParts, Scopes},
    secret::fingerprint,
    time::Timestamp,
};

/// More networks than this are a firewall's business.
const MAX_NETWORKS: usize = 64;
pub(super) const MAX_REASON: usize = 200;
/// Of an owner, a tenant, a plan, a role: what ends up in every log line and audit record.
const MAX_NAME: usize = 256;
const MAX_ROLES: usize = 64;

/// Builds an [`ApiKeyRecord`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ApiKeyRecordBuilder {
    owner: String,
    tenant: Option<String>,
    plan: Option<String>,
    scopes: Vec<String>,
    roles: Vec<String>,
    networks: Vec<String>,
    created_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    rotated_from: Option<String>,
    superseded: Option<(String, Timestamp)>,
    revoked_at: Option<Timestamp>,
    reason: Option<String>,
}

impl ApiKeyRecordBuilder {
    pub(super) fn new(owner: String) -> Self {
        Self {
            owner,
            tenant: None,
            plan: None,
            scopes: Vec::new(),
            roles: Vec::new(),
            networks: Vec::new(),
            created_at: None,
            not_before: None,
            expires_at: None,
            last_used_at: None,
            rotated_from: None,
            superseded: None,
            revoked_at: None,
            reason: None,
        }
    }

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

    /// A key that reads everything and changes nothing: the scope `read:*`.
    pub fn read_only(self) -> Self {
        self.scopes(["read:*"])
    }

    /// Adds to the roles that the key stands for. Default: none.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Adds to the networks from which the key may be used: CIDRs such as `203.0.113.0/24`, or
    /// single addresses; at most 64. From elsewhere, and from an unknown address, it is refused.
    /// Default: from anywhere.
    pub fn allowed_networks(mut self, networks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.networks.extend(networks.into_iter().map(Into::into));
        self
    }

    /// When it was issued. Default: unknown; [`ApiKeys`](super::ApiKeys) sets it.
    pub fn created_at(mut self, at: Timestamp) -> Self {
        self.created_at = Some(at);
        self
    }

    /// Before when it is refused. Default: it holds at once.
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.not_before = Some(at);
        self
    }

    /// From when on it is refused. Default: never.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// When it was last used. Default: unknown.
    pub fn last_used_at(mut self, at: Timestamp) -> Self {
        self.last_used_at = Some(at);
        self
    }

    /// The id of the key that it replaces. Default: none.
    pub fn rotated_from(mut self, id: impl Into<String>) -> Self {
        self.rotated_from = Some(id.into());
        self
    }

    /// The id of the key that replaces it, and since when. Default: none does.
    pub fn superseded(mut self, by: impl Into<String>, at: Timestamp) -> Self {
        self.superseded = Some((by.into(), at));
        self
    }

    /// When it was revoked. Default: it was not.
    pub fn revoked_at(mut self, at: Timestamp) -> Self {
        self.revoked_at = Some(at);
        self
    }

    /// Why it was revoked; 200 characters are kept. Default: unknown.
    pub fn revocation_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub(super) fn created_by_default_at(mut self, at: Timestamp) -> Self {
        self.created_at = self.created_at.or(Some(at));
        self
    }

    /// The record of a key that was issued earlier, from its stored parts.
    ///
    /// # Errors
    /// If the owner is empty, a name has more than 256 bytes or a control character, the id is not twelve letters or digits,
    /// the environment is not 1 to 16 of them, a scope is not one (`*` and `*:*` are not: name the
    /// actions), a network is no CIDR, or there are more than 64 roles or networks.
    pub fn build(self, id: &str, environment: &str, digest: ApiKeyDigest) -> Result<ApiKeyRecord, ConfigError> {
        let mut issues = ConfigIssues::new();
        self.check_names(&mut issues);
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
        let networks = networks(&self.networks, &mut issues);
        let history = history(self.rotated_from, self.superseded, self.revoked_at, self.reason);
        let principal = Principal::new(PrincipalParts {
            subject: self.owner.into(),
            tenant: self.tenant.map(Into::into),
            plan: self.plan.map(Into::into),
            method: Some(AuthMethod::ApiKey),
            scopes,
            roles: self.roles.into_iter().map(Into::into).collect(),
            credential_id: Some(id.into()),
            // Of the id: the digest changes with the pepper, and the credential does not.
            fingerprint: Some(fingerprint("api_key", id.as_bytes())),
            issued_at: self.created_at,
            expires_at: self.expires_at,
            ..PrincipalParts::default()
        });
        issues.finish(ApiKeyRecord {
            id: id.into(),
            environment: environment.into(),
            digest,
            networks,
            not_before: self.not_before,
            last_used_at: self.last_used_at,
            history,
            principal,
        })
    }

    /// A key that is issued must hold at some time; one that was rotated before it began need not.
    pub(super) fn check_window(&self) -> Result<(), ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.not_before.zip(self.expires_at).is_some_and(|(from, to)| from >= to) {
            issues.add("not_before", "the key ends before it begins", "let it end later, or begin earlier");
        }
        issues.finish(())
    }

    fn check_names(&self, issues: &mut ConfigIssues) {
        if self.owner.is_empty() {
            issues.add("owner", "a key without an owner is nobody's", "name the user or service that the key is for");
        }
        let unfit = |name: &str| name.len() > MAX_NAME || name.chars().any(char::is_control);
        for (field, is_unfit) in [
            ("owner", unfit(&self.owner)),
            ("tenant", self.tenant.as_deref().is_some_and(unfit)),
            ("plan", self.plan.as_deref().is_some_and(unfit)),
            ("roles", self.roles.len() > MAX_ROLES || self.roles.iter().any(|role| unfit(role))),
        ] {
            if is_unfit {
                issues.add(
                    field,
                    "longer than 256 bytes, with a control character, or more than 64",
                    "use an id, not a description",
                );
            }
        }
    }
}

fn networks(texts: &[String], issues: &mut ConfigIssues) -> Box<[IpNet]> {
    if texts.len() > MAX_NETWORKS {
        issues.add("allowed_networks", "more than 64", "name fewer, wider networks");
        return Box::default();
    }
    let parse = |text: &String| {
        let single = || text.parse().ok().map(|ip: std::net::IpAddr| IpNet::from(ip));
        text.parse::<IpNet>().ok().or_else(single).map(unmapped)
    };
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        match parse(text) {
            Some(network) => networks.push(network.trunc()),
            None => issues.add(
                "allowed_networks",
                format!("{text:?} is no network"),
                "write 203.0.113.0/24 or 2001:db8::/48",
            ),
        }
    }
    networks.into()
}

/// `::ffff:10.0.0.0/104` means `10.0.0.0/8`: callers are compared in their IPv4 form.
fn unmapped(network: IpNet) -> IpNet {
    let v4 = match network {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok()).map_or(network, IpNet::V4)
}

fn history(
    rotated_from: Option<String>,
    superseded: Option<(String, Timestamp)>,
    revoked_at: Option<Timestamp>,
    reason: Option<String>,
) -> Option<Box<History>> {
    if rotated_from.is_none() && superseded.is_none() && revoked_at.is_none() {
        return None;
    }
    let reason = reason.map(|reason| reason.chars().take(MAX_REASON).collect::<String>().into());
    Some(Box::new(History {
        rotated_from: rotated_from.map(Into::into),
        superseded: superseded.map(|(by, at)| Superseded { by: by.into(), at }),
        revoked: revoked_at.map(|at| Revoked { at, reason }),
    }))
}

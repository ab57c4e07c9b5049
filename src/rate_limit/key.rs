use super::{ChargeKey, HashedPart, HashedRule, batch::put, identity::hash_part};
use crate::{
    identity::{AuthMethod, Principal},
    request::{Network, RequestContext},
};

/// By what a rule tells callers apart: who shares a bucket with whom.
///
/// Only verified facts select a bucket. A header that nobody verified never does: whoever could
/// choose his bucket would have as many as he likes.
///
/// | key | one bucket for each | where there is none |
/// |---|---|---|
/// | [`client`](Key::client) | verified API key, else principal, else address | – |
/// | [`api_key`](Key::api_key) | verified API key | the rule does not apply |
/// | [`principal`](Key::principal) | issuer and subject | the rule does not apply |
/// | [`credential`](Key::credential) | API key, or token (`jti`) | the rule does not apply |
/// | [`tenant`](Key::tenant) | issuer and tenant | the rule does not apply |
/// | [`ip`](Key::ip) | IPv4 address, IPv6 /64 | all unknown addresses share one |
/// | [`endpoint`](Key::endpoint) | method and matched route | all unmatched requests share one |
/// | [`global`](Key::global) | – (one for all callers) | – |
///
/// [`and`](Key::and) combines them: `Key::ip().and(Key::endpoint())` is a bucket for each address
/// and endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    parts: Vec<Selector>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Client,
    ApiKey,
    Credential,
    Principal,
    Tenant,
    Ip,
    Endpoint,
    Global,
}

impl Key {
    /// Whoever calls, as precisely as was verified: the API key, else the principal (whose next
    /// token is no new bucket), else the address.
    pub fn client() -> Self {
        Self::of(Selector::Client)
    }

    /// The verified API key. A rule by it says nothing about other callers.
    pub fn api_key() -> Self {
        Self::of(Selector::ApiKey)
    }

    /// The verified credential: the API key, or the token by its `jti`. A caller who can get new
    /// tokens gets new buckets; for the caller itself use [`principal`](Key::principal).
    pub fn credential() -> Self {
        Self::of(Selector::Credential)
    }

    /// The verified caller: issuer and subject. A rule by it says nothing about anonymous callers.
    pub fn principal() -> Self {
        Self::of(Selector::Principal)
    }

    /// The tenant of the verified caller, so that one tenant's users share a bucket.
    pub fn tenant() -> Self {
        Self::of(Selector::Tenant)
    }

    /// The client's address ([`ClientIp::network`](crate::request::ClientIp::network)): IPv4 as it
    /// is, IPv6 by /64.
    pub fn ip() -> Self {
        Self::of(Selector::Ip)
    }

    /// The method and the matched route, `GET /orders/{id}`. `HEAD` counts as `GET`; all methods that
    /// RFC 9110 and RFC 5789 do not name count as one.
    pub fn endpoint() -> Self {
        Self::of(Selector::Endpoint)
    }

    /// All callers together: protects what stands behind. A refusal is then nobody's fault, and is
    /// answered 503 instead of 429. May be combined with [`endpoint`](Key::endpoint) only.
    pub fn global() -> Self {
        Self::of(Selector::Global)
    }

    /// Both: a bucket for each combination. At most three parts.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for part in other.parts {
            if !self.parts.contains(&part) {
                self.parts.push(part);
            }
        }
        self
    }

    fn of(selector: Selector) -> Self {
        Self { parts: vec![selector] }
    }

    pub(super) fn is_global(&self) -> bool {
        self.parts.contains(&Selector::Global)
    }

    /// Whether it tells callers apart by who they are, and so tells nobody apart without an `AuthLayer`.
    pub(super) fn needs_principal(&self) -> bool {
        use Selector::{ApiKey, Credential, Principal, Tenant};
        self.parts.iter().any(|part| matches!(part, ApiKey | Credential | Principal | Tenant))
    }

    /// What is wrong with it, if something is.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let callers = self.parts.iter().any(|part| !matches!(part, Selector::Global | Selector::Endpoint));
        if self.is_global() && callers {
            return Some(("all callers together cannot be told apart", "leave Key::global() out, or the other key"));
        }
        // One part is kept for a rule's own endpoints.
        if self.parts.len() >= ChargeKey::MAX_PARTS {
            return Some(("it has more than three parts", "combine three at most"));
        }
        None
    }

    /// The key of this request, or `None` if the rule does not apply to it.
    pub(super) fn of_request<'a>(&self, rule: HashedRule<'a>, context: &'a RequestContext) -> Option<ChargeKey<'a>> {
        // As most keys are: nothing is moved about.
        if let [selector] = self.parts.as_slice() {
            return Some(match selector.select(context)? {
                Selected::Part(part) => ChargeKey::of(rule, remembered(part, context)),
                Selected::Everybody => ChargeKey::new(rule),
            });
        }
        let mut key = ChargeKey::new(rule);
        for selector in &self.parts {
            match selector.select(context)? {
                Selected::Part(part) => key = key.with(remembered(part, context))?,
                Selected::Everybody => {}
            }
        }
        Some(key)
    }
}

/// Hashed once for each request, and what belongs to the caller once for each credential that is
/// remembered: not once for each rule.
fn remembered<'a>(part: KeyPart<'a>, context: &'a RequestContext) -> HashedPart<'a> {
    let make = || hash_part(&part);
    let principal = || context.principal().map(Principal::hashes);
    let hash = match part {
        KeyPart::Network(_) => Some(context.hashes().network.of(make)),
        // Without a route it may be found yet, further in.
        KeyPart::Endpoint { route: Some(_), .. } => Some(context.hashes().endpoint.of(make)),
        KeyPart::Credential { .. } => principal().map(|hashes| hashes.credential.of(make)),
        KeyPart::Principal { .. } => principal().map(|hashes| hashes.subject.of(make)),
        KeyPart::Tenant { .. } => principal().map(|hashes| hashes.tenant.of(make)),
        KeyPart::Endpoint { route: None, .. } | KeyPart::Bytes(_) => None,
    };
    HashedPart::again(part, hash.unwrap_or_else(make))
}

enum Selected<'a> {
    Part(KeyPart<'a>),
    Everybody,
}

impl Selector {
    fn select(self, context: &RequestContext) -> Option<Selected<'_>> {
        let principal = context.principal();
        let ip = || KeyPart::Network(context.client_ip().network());
        let part = match self {
            Self::Client => {
                principal.map_or_else(ip, |principal| api_key(principal).unwrap_or_else(|| subject(principal)))
            }
            Self::ApiKey => api_key(principal?)?,
            Self::Credential => credential(principal?)?,
            Self::Principal => subject(principal?),
            Self::Tenant => {
                let principal = principal?;
                KeyPart::Tenant { issuer: principal.issuer(), tenant: principal.tenant()? }
            }
            Self::Ip => ip(),
            Self::Endpoint => KeyPart::Endpoint { method: method(context), route: context.route() },
            Self::Global => return Some(Selected::Everybody),
        };
        Some(Selected::Part(part))
    }
}

/// A client may invent methods, and handlers for any method answer them: each a fresh bucket, if they
/// were told apart.
fn method(context: &RequestContext) -> &'static str {
    match context.method().as_str() {
        "GET" | "HEAD" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "*",
    }
}

fn api_key(principal: &Principal) -> Option<KeyPart<'_>> {
    (principal.method() == AuthMethod::ApiKey).then(|| credential(principal)).flatten()
}

fn credential(principal: &Principal) -> Option<KeyPart<'_>> {
    let id = principal.credential_id()?;
    Some(KeyPart::Credential { method: principal.method(), issuer: principal.issuer(), id })
}

fn subject(principal: &Principal) -> KeyPart<'_> {
    KeyPart::Principal { issuer: principal.issuer(), subject: principal.subject() }
}

/// One part of a bucket's identity, borrowed from the request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyPart<'a> {
    /// The client's address.
    Network(Network),
    /// A verified credential.
    Credential {
        /// Of which kind.
        method: AuthMethod,
        /// Who issued it.
        issuer: Option<&'a str>,
        /// Its id, which is not secret.
        id: &'a str,
    },
    /// A verified caller.
    Principal {
        /// Who says so.
        issuer: Option<&'a str>,
        /// Who.
        subject: &'a str,
    },
    /// The tenant of a verified caller.
    Tenant {
        /// Who says so.
        issuer: Option<&'a str>,
        /// Which.
        tenant: &'a str,
    },
    /// What is called.
    Endpoint {
        /// The method.
        method: &'a str,
        /// The route's template; `None` if none matched.
        route: Option<&'a str>,
    },
    /// Anything else.
    Bytes(&'a [u8]),
}

impl KeyPart<'_> {
    /// Unambiguous bytes: a tag, then each field with its length before it.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let mut part = |tag: u8, fields: [Option<&[u8]>; 3]| {
            bytes.push(tag);
            for field in fields {
                bytes.push(u8::from(field.is_some()));
                put(bytes, field.unwrap_or_default());
            }
        };
        match self {
            Self::Network(Network::V4(ip)) => part(0, [Some(&ip.octets()), None, None]),
            Self::Network(Network::V6(ip)) => part(0, [Some(&ip.octets()), None, None]),
            Self::Network(Network::Unknown) => part(0, [None, None, None]),
            Self::Credential { method, issuer, id } => {
                part(1, [Some(method.as_str().as_bytes()), issuer.map(str::as_bytes), Some(id.as_bytes())]);
            }
            Self::Principal { issuer, subject } => {
                part(2, [issuer.map(str::as_bytes), Some(subject.as_bytes()), None]);
            }
            Self::Tenant { issuer, tenant } => part(3, [issuer.map(str::as_bytes), Some(tenant.as_bytes()), None]),
            Self::Endpoint { method, route } => {
                part(4, [Some(method.as_bytes()), route.map(str::as_bytes), None]);
            }
            Self::Bytes(text) => part(5, [Some(text), None, None]),
        }
    }
}

/// Which kind; who calls is not for logs.
impl std::fmt::Debug for KeyPart<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Network(_) => "Network",
            Self::Credential { .. } => "Credential",
            Self::Principal { .. } => "Principal",
            Self::Tenant { .. } => "Tenant",
            Self::Endpoint { .. } => "Endpoint",
            Self::Bytes(_) => "Bytes",
        })
    }
}

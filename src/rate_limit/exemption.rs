//! Who is not limited.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::IpAddr,
    sync::Arc,
};

use http::Method;
use ipnet::IpNet;

use super::{RequestView, endpoint::Endpoint};
use crate::{config_error::ConfigIssues, identity::AuthMethod, request::TrustedProxies};

type Condition = dyn Fn(&RequestView<'_>) -> bool + Send + Sync;

/// Whom a rule ([`Rule::exempt`](super::Rule::exempt)) or a whole layer
/// ([`RateLimitLayerBuilder::exempt`](super::RateLimitLayerBuilder::exempt)) does not hold for. An
/// exempt request is not charged, and gets no header fields of the rule.
///
/// Nobody is exempt by what he says of himself: addresses are those of
/// [`ClientIp`](crate::request::ClientIp), callers are verified ones. Where the layer stands outside
/// `AuthLayer` there are none.
///
/// ```
/// use http::Method;
/// use portcullis::rate_limit::{Exemption, Key, Rate, Rule};
///
/// let clients = Rule::new("clients", Key::client(), Rate::per_minute(600))
///     .exempt(Exemption::network("10.0.0.0/8"))
///     .exempt(Exemption::api_key("k7Qm2xW9aB3c"))
///     .exempt(Exemption::principal("https://id.example", "monitor"))
///     .exempt(Exemption::endpoint(Method::GET, "/health"))
///     .exempt(Exemption::when(|view| view.context().principal().is_some_and(|caller| caller.roles().any(|role| role == "admin"))));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Exemption(Kind);

#[derive(Clone)]
enum Kind {
    Network(Box<str>),
    Principal { issuer: Box<str>, subject: Box<str> },
    ApiKey(Box<str>),
    Credential { issuer: Box<str>, id: Box<str> },
    Endpoint(Endpoint),
    When(Arc<Condition>),
}

impl Exemption {
    /// The clients in a network: a CIDR (`10.0.0.0/8`, `2001:db8::/32`) or an address. An unknown
    /// address is in none.
    pub fn network(cidr: &str) -> Self {
        Self(Kind::Network(cidr.into()))
    }

    /// A verified caller, by issuer and subject.
    pub fn principal(issuer: &str, subject: &str) -> Self {
        Self(Kind::Principal { issuer: issuer.into(), subject: subject.into() })
    }

    /// A verified API key, by its id.
    pub fn api_key(id: &str) -> Self {
        Self(Kind::ApiKey(id.into()))
    }

    /// A verified token, by its issuer and its `jti`.
    pub fn credential(issuer: &str, id: &str) -> Self {
        Self(Kind::Credential { issuer: issuer.into(), id: id.into() })
    }

    /// An endpoint, as [`Rule::on`](super::Rule::on) takes it.
    pub fn endpoint(method: Method, path: &str) -> Self {
        Self(Kind::Endpoint(Endpoint::new(method, path)))
    }

    /// The requests of which a function says so. It runs for every request, and must not block.
    pub fn when(condition: impl Fn(&RequestView<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(condition)))
    }

    pub(super) fn place(&self) -> Option<&Endpoint> {
        match &self.0 {
            Kind::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }
}

impl fmt::Debug for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Network(_) => "Network",
            Kind::Principal { .. } => "Principal",
            Kind::ApiKey(_) => "ApiKey",
            Kind::Credential { .. } => "Credential",
            Kind::Endpoint(_) => "Endpoint",
            Kind::When(_) => "When",
        })
    }
}

/// All exemptions of a rule or a layer, except the endpoints.
#[derive(Default)]
pub(super) struct Exemptions {
    networks: Vec<IpNet>,
    /// By issuer, as are the tokens.
    callers: HashMap<Box<str>, HashSet<Box<str>>>,
    tokens: HashMap<Box<str>, HashSet<Box<str>>>,
    keys: HashSet<Box<str>>,
    conditions: Vec<Arc<Condition>>,
}

impl Exemptions {
    pub(super) fn compile(all: &[Exemption], issues: &mut ConfigIssues) -> Self {
        let mut compiled = Self::default();
        for exemption in all {
            match &exemption.0 {
                Kind::Network(text) => compiled.networks.extend(network(text, issues)),
                Kind::Principal { issuer, subject } => {
                    compiled.callers.entry(issuer.clone()).or_default().insert(subject.clone());
                }
                Kind::Credential { issuer, id } => {
                    compiled.tokens.entry(issuer.clone()).or_default().insert(id.clone());
                }
                Kind::ApiKey(id) => {
                    compiled.keys.insert(id.clone());
                }
                Kind::Endpoint(endpoint) => {
                    if let Some((reason, cure)) = endpoint.fault() {
                        issues.add(format!("exempt[{endpoint}]"), reason, cure);
                    }
                }
                Kind::When(condition) => compiled.conditions.push(Arc::clone(condition)),
            }
        }
        compiled
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self { networks, callers, tokens, keys, conditions } = self;
        networks.is_empty() && callers.is_empty() && tokens.is_empty() && keys.is_empty() && conditions.is_empty()
    }

    pub(super) fn needs_principal(&self) -> bool {
        !self.callers.is_empty() || !self.tokens.is_empty() || !self.keys.is_empty()
    }

    pub(super) fn hold_for(&self, view: &RequestView<'_>) -> bool {
        let context = view.context();
        let near = |ip: IpAddr| self.networks.iter().any(|network| network.contains(&ip));
        (!self.networks.is_empty() && context.client_ip().ip().is_some_and(near))
            || (self.needs_principal() && self.hold_for_caller(view))
            || self.conditions.iter().any(|condition| condition(view))
    }

    fn hold_for_caller(&self, view: &RequestView<'_>) -> bool {
        let Some(caller) = view.context().principal() else { return false };
        let id = caller.credential_id();
        if caller.method() == AuthMethod::ApiKey {
            return id.is_some_and(|id| self.keys.contains(id));
        }
        let Some(issuer) = caller.issuer() else { return false };
        let holds = |all: &HashMap<Box<str>, HashSet<Box<str>>>, name: &str| {
            all.get(issuer).is_some_and(|names| names.contains(name))
        };
        holds(&self.callers, caller.subject()) || id.is_some_and(|id| holds(&self.tokens, id))
    }
}

/// Networks are checked as those of trusted proxies are: `/0` exempts everybody.
fn network(text: &str, issues: &mut ConfigIssues) -> Option<IpNet> {
    if TrustedProxies::cidrs([text]).is_err() {
        issues.add(
            format!("exempt[{text}]"),
            "it is no network, has host bits set, or exempts everybody",
            "write a CIDR such as 10.0.0.0/8, or an address",
        );
        return None;
    }
    let net: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    // Clients are known in their IPv4 form.
    Some(match net {
        IpNet::V6(v6) => match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
            (Some(v4), Some(prefix)) => ipnet::Ipv4Net::new(v4, prefix).map_or(net, IpNet::V4),
            _ => net,
        },
        IpNet::V4(_) => net,
    })
}

impl fmt::Debug for Exemptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exemptions").field("none", &self.is_empty()).finish_non_exhaustive()
    }
}

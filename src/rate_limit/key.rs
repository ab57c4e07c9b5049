use std::sync::Arc;

use http::HeaderName;

use super::{
    ChargeKey, HashedPart, HashedRule, RequestView,
    batch::put,
    identity::hash_part,
    selector::{Selected, Selector, Text},
};
use crate::{
    identity::{AuthMethod, Principal},
    rejection::Rejection,
    request::{Network, RequestContext},
};

/// By what a rule tells callers apart: who shares a bucket with whom.
///
/// Only verified facts select a bucket. A header that nobody verified should not: whoever can choose
/// his bucket has as many as he likes.
///
/// | key | one bucket for each | where there is none |
/// |---|---|---|
/// | [`client`](Key::client) | verified API key, else principal, else address | – |
/// | [`api_key`](Key::api_key) | verified API key | the rule does not apply |
/// | [`principal`](Key::principal) | issuer and subject | the rule does not apply |
/// | [`credential`](Key::credential) | API key, or token (`jti`) | the rule does not apply |
/// | [`tenant`](Key::tenant) | issuer and tenant | the rule does not apply |
/// | [`ip`](Key::ip) | IPv4 address, IPv6 /64 | all unknown addresses share one |
/// | [`ip_prefix`](Key::ip_prefix) | network of a length of yours | all unknown addresses share one |
/// | [`endpoint`](Key::endpoint) | method and matched route | all unmatched requests share one |
/// | [`route`](Key::route) | matched route | all unmatched requests share one |
/// | [`path_param`](Key::path_param) | value in the path | the rule does not apply |
/// | [`by`](Key::by) | what a function of yours returns | the rule does not apply |
/// | [`dangerously_header`](Key::dangerously_header) | value of a header field | all without it share one |
/// | [`global`](Key::global) | – (one for all callers) | – |
///
/// What is taken from the path, a header or a function is 256 bytes at most; a longer value, and a
/// header that comes twice, is answered 400.
///
/// [`and`](Key::and) combines them: `Key::ip().and(Key::endpoint())` is a bucket for each address
/// and endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    parts: Vec<Selector>,
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

    /// The client's network: the first `v4` bits of an IPv4 address, the first `v6` of an IPv6 one. For
    /// who is given more than one address: `ip_prefix(24, 48)` is one bucket for a site.
    ///
    /// IPv6 is told apart by 64 bits at most: every client holds that many addresses, and would have
    /// as many buckets.
    pub fn ip_prefix(v4: u8, v6: u8) -> Self {
        Self::of(Selector::Prefix { v4, v6 })
    }

    /// The matched route, whatever the method.
    pub fn route() -> Self {
        Self::of(Selector::Route)
    }

    /// The value of a parameter in the matched route's path, percent-decoded: `Key::path_param("tenant")`
    /// is a bucket for each tenant of `/tenants/{tenant}/orders`. The caller chooses it: combine it
    /// with who calls, unless what it names is to be protected from everybody together.
    pub fn path_param(name: &str) -> Self {
        Self::of(Selector::Text(Text::Parameter(name.into())))
    }

    /// What a function makes of the request; `None` where the rule does not apply. It runs for every
    /// request to which the rule may apply, and must not block.
    ///
    /// ```
    /// use portcullis::rate_limit::Key;
    ///
    /// let per_region = Key::by(|view| Some(view.context().principal()?.tenant()?.split_once('-')?.0.to_owned()));
    /// ```
    pub fn by<T: Into<Vec<u8>>>(function: impl Fn(&RequestView<'_>) -> Option<T> + Send + Sync + 'static) -> Self {
        let function = move |view: &RequestView<'_>| function(view).map(Into::into);
        Self::of(Selector::Text(Text::Function(Arc::new(function))))
    }

    /// The value of a header field that a proxy of yours sets, and that it removes from what clients
    /// send. Where a client can set it, it chooses a fresh bucket for each request, and the rule limits
    /// nobody: hence the name.
    pub fn dangerously_header(name: HeaderName) -> Self {
        Self::of(Selector::Text(Text::Header(name)))
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
        let place = |part: &Selector| matches!(part, Selector::Global | Selector::Endpoint | Selector::Route);
        let callers = !self.parts.iter().all(place);
        if self.is_global() && callers {
            return Some(("all callers together cannot be told apart", "leave Key::global() out, or the other key"));
        }
        // One part is kept for a rule's own endpoints.
        if self.parts.len() >= ChargeKey::MAX_PARTS {
            return Some(("it has more than three parts", "combine three at most"));
        }
        self.parts.iter().find_map(|part| match part {
            Selector::Prefix { v4, v6 } if !(8..=32).contains(v4) || !(16..=64).contains(v6) => {
                Some(("the prefix is of no use", "use 8 to 32 bits of IPv4 addresses, 16 to 64 of IPv6 ones"))
            }
            Selector::Text(Text::Parameter(name)) if name.is_empty() || name.contains(['{', '}', '*', '/']) => {
                Some(("it is not the name of a parameter", "write the name alone: tenant for {tenant}"))
            }
            _ => None,
        })
    }

    /// Whether the rule applies to the request, as far as the context tells.
    pub(super) fn applies(&self, context: &RequestContext) -> bool {
        self.parts.iter().all(|selector| selector.applies(context))
    }

    /// Whether it goes by what only the request itself holds.
    pub(super) fn takes_texts(&self) -> bool {
        self.parts.iter().any(|selector| matches!(selector, Selector::Text(_)))
    }

    /// Takes what the context does not hold; whether the rule applies.
    pub(super) fn take_texts(&self, view: &RequestView<'_>, texts: &mut Vec<Box<[u8]>>) -> Result<bool, Rejection> {
        for selector in &self.parts {
            if let Selector::Text(text) = selector {
                let Some(text) = text.take(view)? else { return Ok(false) };
                texts.push(text);
            }
        }
        Ok(true)
    }

    /// The key of this request, or `None` if the rule does not apply to it. `texts` are those that
    /// [`take_texts`](Self::take_texts) took.
    #[inline]
    pub(super) fn of_request<'a>(
        &self,
        rule: HashedRule<'a>,
        context: &'a RequestContext,
        texts: &'a [Box<[u8]>],
    ) -> Option<ChargeKey<'a>> {
        // As most keys are: nothing is moved about.
        let [selector] = self.parts.as_slice() else { return self.of_several(rule, context, texts) };
        let part = match selector.select(context)? {
            Selected::Part(part) => remembered(part, context),
            Selected::Own(part) => part.into(),
            Selected::Text => KeyPart::Bytes(texts.first()?).into(),
            Selected::Everybody => return Some(ChargeKey::new(rule)),
        };
        Some(ChargeKey::of(rule, part))
    }

    #[inline(never)]
    fn of_several<'a>(
        &self,
        rule: HashedRule<'a>,
        context: &'a RequestContext,
        texts: &'a [Box<[u8]>],
    ) -> Option<ChargeKey<'a>> {
        let mut texts = texts.iter();
        let mut key = ChargeKey::new(rule);
        for selector in &self.parts {
            match selector.select(context)? {
                Selected::Part(part) => key = key.with(remembered(part, context))?,
                Selected::Own(part) => key = key.with(part)?,
                Selected::Text => key = key.with(KeyPart::Bytes(texts.next()?))?,
                Selected::Everybody => {}
            }
        }
        Some(key)
    }

    /// For explanations.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().map(Selector::name)
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

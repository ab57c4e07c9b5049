//! The parts of a [`Key`](super::Key): where each comes from.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use http::HeaderName;

use super::{KeyPart, RequestView, view::unreadable};
use crate::{
    identity::{AuthMethod, Principal},
    rejection::Rejection,
    request::{Network, RequestContext},
};

/// What is taken from the request itself is copied, and may stand in a remote store's key.
pub(super) const MAX_TEXT: usize = 256;

/// A function of the application's, `None` where the rule does not apply.
pub(super) type KeyFunction = dyn Fn(&RequestView<'_>) -> Option<Vec<u8>> + Send + Sync;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    Client,
    ApiKey,
    Credential,
    Principal,
    Tenant,
    Ip,
    Prefix {
        v4: u8,
        v6: u8,
    },
    Endpoint,
    Route,
    Global,
    /// Not in the context, and so taken while the request is at hand.
    Text(Text),
}

#[derive(Clone)]
pub(super) enum Text {
    Header(HeaderName),
    Parameter(Arc<str>),
    Function(Arc<KeyFunction>),
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header(a), Self::Header(b)) => a == b,
            (Self::Parameter(a), Self::Parameter(b)) => a == b,
            (Self::Function(a), Self::Function(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "Header({name})"),
            Self::Parameter(name) => write!(f, "Parameter({name})"),
            Self::Function(_) => f.write_str("Function"),
        }
    }
}

impl Text {
    /// The text, or `None` if the rule does not apply.
    pub(super) fn take(&self, view: &RequestView<'_>) -> Result<Option<Box<[u8]>>, Rejection> {
        let text = match self {
            // Without the field all share one bucket: to leave it out is no way around the rule.
            Self::Header(name) => Some(view.single(name)?.unwrap_or_default().into()),
            Self::Parameter(name) => view.path_param(name).map(|value| value.into_bytes().into_boxed_slice()),
            Self::Function(function) => function(view).map(Vec::into_boxed_slice),
        };
        match text {
            Some(text) if text.len() > MAX_TEXT => Err(unreadable()),
            text => Ok(text),
        }
    }
}

pub(super) enum Selected<'a> {
    /// The one part of its kind that the request has, whose hash is remembered.
    Part(KeyPart<'a>),
    /// Another one of that kind.
    Own(KeyPart<'a>),
    Everybody,
    /// The next of the texts that were taken.
    Text,
}

impl Selector {
    pub(super) fn select<'a>(&self, context: &'a RequestContext) -> Option<Selected<'a>> {
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
            Self::Prefix { v4, v6 } => {
                return Some(Selected::Own(KeyPart::Network(masked(context.client_ip().ip(), *v4, *v6))));
            }
            Self::Endpoint => KeyPart::Endpoint { method: method(context), route: context.route() },
            Self::Route => return Some(Selected::Own(KeyPart::Endpoint { method: "*", route: context.route() })),
            Self::Global => return Some(Selected::Everybody),
            Self::Text(_) => return Some(Selected::Text),
        };
        Some(Selected::Part(part))
    }

    /// Whether [`select`](Self::select) finds something.
    pub(super) fn applies(&self, context: &RequestContext) -> bool {
        match self {
            // Every request has one.
            Self::Client
            | Self::Ip
            | Self::Prefix { .. }
            | Self::Endpoint
            | Self::Route
            | Self::Global
            | Self::Text(_) => true,
            Self::Principal => context.principal().is_some(),
            Self::ApiKey | Self::Credential | Self::Tenant => self.select(context).is_some(),
        }
    }

    /// For explanations: which kind of caller it tells apart.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ApiKey => "api_key",
            Self::Credential => "credential",
            Self::Principal => "principal",
            Self::Tenant => "tenant",
            Self::Ip | Self::Prefix { .. } => "ip",
            Self::Endpoint => "endpoint",
            Self::Route => "route",
            Self::Global => "global",
            Self::Text(Text::Header(_)) => "header",
            Self::Text(Text::Parameter(_)) => "path_param",
            Self::Text(Text::Function(_)) => "function",
        }
    }
}

fn masked(ip: Option<IpAddr>, v4: u8, v6: u8) -> Network {
    match ip {
        Some(IpAddr::V4(ip)) => {
            let dropped = 32_u32.saturating_sub(v4.into());
            Network::V4(Ipv4Addr::from_bits(u32::MAX.checked_shl(dropped).unwrap_or(0) & ip.to_bits()))
        }
        Some(IpAddr::V6(ip)) => {
            let dropped = 128_u32.saturating_sub(v6.into());
            Network::V6(Ipv6Addr::from_bits(u128::MAX.checked_shl(dropped).unwrap_or(0) & ip.to_bits()))
        }
        None => Network::Unknown,
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

//! What proxies write about the way that a request has taken, read from the right.

mod explain;
mod grammar;
mod node;
mod walk;
mod x_forwarded_for;

pub use self::explain::{HopVerdict, Walk, WalkedHop};
pub(super) use self::walk::{Found, MAX_HOPS, walk};
use super::{proxies::TrustedProxies, scheme::Scheme};

/// The header field in which the trusted proxies write whom a request came from. Exactly one is
/// read: what stands in the other has passed the proxies unread, so it is the client's invention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, a list of addresses; with `X-Forwarded-Proto` for the scheme.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): `for=`, and `proto=` for the scheme.
    Forwarded,
}

impl ForwardingHeader {
    /// The name of the field, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// No honest chain of proxies is longer.
const MAX_BYTES: usize = 8 * 1024;

/// What one proxy wrote: whom the request came from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    node: Node,
    /// Absent if the proxy does not say.
    scheme: Option<Scheme>,
}

/// Whom a request came from, in a proxy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Address(std::net::IpAddr),
    /// `unknown`, an obfuscated name, or nothing at all: the proxy knows, and does not say.
    Hidden,
    /// Not to be read, and why.
    Broken(&'static str),
}

impl Element {
    const fn broken(why: &'static str) -> Self {
        Self { node: Node::Broken(why), scheme: None }
    }
}

/// Counts what has been read of a field.
#[derive(Debug, Default)]
struct Budget(usize);

impl Budget {
    /// Whether so many more bytes, and a separator, may be read.
    fn takes(&mut self, bytes: usize) -> bool {
        self.0 = self.0.saturating_add(bytes).saturating_add(1);
        self.0 <= MAX_BYTES
    }
}

/// Walks from a trusted peer to the client. `lines` are those of the configured field, in the order
/// in which they stand in the request.
pub(super) fn client<'a>(
    peer: Option<std::net::IpAddr>,
    lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    proxies: &TrustedProxies,
    see: &mut impl FnMut(WalkedHop),
) -> Found {
    match proxies.forwarding_header() {
        ForwardingHeader::XForwardedFor => walk(peer, x_forwarded_for::elements(lines), proxies, see),
        ForwardingHeader::Forwarded => walk(peer, grammar::elements(lines), proxies, see),
    }
}

#[cfg(test)]
mod tests;

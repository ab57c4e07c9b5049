use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::{request::Cidr, store::StoreError, time::Timestamp};

/// A network that is kept out until a moment, and why. Serialises, times as RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Block {
    /// Who: an IPv4 address or network, or an IPv6 network of /64 at most.
    pub network: Cidr,
    /// Since when, in wall time.
    #[serde(serialize_with = "rfc3339")]
    pub since: Timestamp,
    /// The first moment at which it no longer holds, in wall time.
    #[serde(serialize_with = "rfc3339")]
    pub until: Timestamp,
    /// Why, in words of the owner: for logs and lists, never for the client. At most 200 characters,
    /// none of them a control character.
    #[serde(serialize_with = "text")]
    pub reason: Arc<str>,
}

impl Block {
    /// How long a reason may be; what is longer is cut.
    pub const LONGEST_REASON: usize = 200;

    /// A block, for stores that read one. Networks are widened, and reasons cut and cleaned, as
    /// [`BlockList::block`](super::BlockList::block) does.
    pub fn new(network: Cidr, since: Timestamp, until: Timestamp, reason: &str) -> Self {
        let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
        let reason: String = reason.chars().take(Self::LONGEST_REASON).map(clean).collect();
        Self { network: network.widened(32, 64), since, until, reason: reason.into() }
    }

    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// What two blocks of one network amount to: the one that ends later. A block is never made
    /// shorter by another.
    #[must_use]
    pub fn or_longer(self, held: Option<Self>, now: Timestamp) -> Self {
        match held {
            Some(held) if held.holds(now) && held.until >= self.until => held,
            _ => self,
        }
    }
}

fn text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Why somebody was not blocked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// There is no address, or only that of a proxy: who the client is is not known.
    #[error("the client's own address is not known, so it cannot be blocked")]
    NotVerified,
    /// It is loopback, a trusted proxy, or another network that is protected, or one of these is in it.
    #[error("{0} is protected, or holds what is: it is not blocked")]
    Protected(Cidr),
    /// It is wider than /8, or /24 of IPv6.
    #[error("{0} is too wide to be blocked in a hurry")]
    TooWide(Cidr),
    /// Nothing, or longer than 30 days. Who is never to come in stands on the deny list.
    #[error("a block lasts more than nothing and at most 30 days")]
    Duration,
    /// The store could not answer, or would not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

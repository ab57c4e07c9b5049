//! What a bucket is known by in this process: 128 bits, hashed once for each part of its key.
//!
//! Each field of a part goes through `SipHash-1-3` under a secret of the process, so that nobody outside
//! knows any of the numbers, and none of them can be chosen. What stands between the fields (which kind
//! of part, in which order, under which rule) is mixed in by a permutation of 128 bits for each: as cheap
//! as a multiplication, so that a part that several rules go by is hashed once for all of them.
//!
//! Two keys share an identity with a chance of 2^-128.

use std::{collections::hash_map::RandomState, fmt, hash::BuildHasher as _, sync::OnceLock};

use super::{KeyPart, sip::Sip};
use crate::request::Network;

/// One for the process: an identity is the same in all stores, and in all that remember one.
static SECRET: OnceLock<Sip> = OnceLock::new();

/// An odd number without pattern (the golden ratio's digits), so that multiplying permutes.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Mixes a number that nobody outside knows into an identity: for each of the two a permutation of the
/// other. The halves change places, because a multiplication carries upwards only.
pub(crate) const fn mix(identity: u128, part: u128) -> u128 {
    (identity ^ part).wrapping_mul(SPREAD).rotate_left(64)
}

/// What a bucket is known by: see [`Charge::identity_hash`](super::Charge::identity_hash). Layouts are
/// few, and nobody chooses them: what differs in one of them differs by a constant, and two keys differ by
/// that with a chance of 2^-128.
#[inline]
pub(crate) const fn bucket(key: u128, layout: u128) -> u128 {
    key ^ layout
}

/// Where it is inlined it is often known how long a number is.
#[inline]
fn hashed(bytes: &[u8]) -> u128 {
    match bytes.try_into() {
        Ok(word) => hashed_word(u64::from_le_bytes(word)),
        Err(_) => hashed_bytes(bytes),
    }
}

/// A function of its own, as the next one is, so that callers of the library get no copy of it at every place.
#[inline(never)]
fn hashed_word(word: u64) -> u128 {
    match SECRET.get() {
        Some(secret) => secret.hash_word(word),
        // To be called last: whatever came back here would cost the common case its registers.
        None => hashed_first(&word.to_le_bytes()),
    }
}

#[inline(never)]
fn hashed_bytes(bytes: &[u8]) -> u128 {
    match SECRET.get() {
        Some(secret) => secret.hash(bytes),
        None => hashed_first(bytes),
    }
}

#[cold]
#[inline(never)]
fn hashed_first(bytes: &[u8]) -> u128 {
    let make = || {
        let keys = RandomState::new();
        Sip::keyed(keys.hash_one(0_u8), keys.hash_one(1_u8))
    };
    SECRET.get_or_init(make).hash(bytes)
}

fn optional(bytes: Option<&[u8]>) -> u128 {
    bytes.map_or(0, hashed)
}

/// A rule's name, and its hash: made once, when the rule is.
///
/// ```
/// use portcullis::rate_limit::{ChargeKey, HashedRule};
///
/// let rule = HashedRule::from("login");
/// assert_eq!(ChargeKey::new(rule), ChargeKey::new("login"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashedRule<'a> {
    name: &'a str,
    hash: u128,
}

impl<'a> HashedRule<'a> {
    /// The name again, with the hash that was made of it before.
    pub(crate) const fn again(name: &'a str, hash: u128) -> Self {
        Self { name, hash }
    }

    /// The name.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    pub(crate) const fn hash(&self) -> u128 {
        self.hash
    }
}

impl<'a> From<&'a str> for HashedRule<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, hash: mix(1, hashed(name.as_bytes())) }
    }
}

impl fmt::Debug for HashedRule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HashedRule").field(&self.name).finish()
    }
}

/// A part of a key, and its hash: for a part that many charges go by.
///
/// The hash is worth nothing outside the process: it goes by a secret that is drawn at the start.
///
/// ```
/// use portcullis::rate_limit::{ChargeKey, HashedPart, KeyPart};
///
/// let caller = HashedPart::from(KeyPart::Bytes(b"usr_1"));
/// let (reads, writes) = (ChargeKey::new("reads").with(caller), ChargeKey::new("writes").with(caller));
/// assert_ne!(reads, writes);
/// assert_eq!(reads, ChargeKey::new("reads").with(KeyPart::Bytes(b"usr_1")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedPart<'a> {
    part: KeyPart<'a>,
    hash: u128,
}

impl<'a> HashedPart<'a> {
    /// The part again, with the hash that was made of it before.
    pub(crate) const fn again(part: KeyPart<'a>, hash: u128) -> Self {
        Self { part, hash }
    }

    /// The part.
    pub const fn part(&self) -> KeyPart<'a> {
        self.part
    }

    pub(crate) const fn hash(&self) -> u128 {
        self.hash
    }
}

impl<'a> From<KeyPart<'a>> for HashedPart<'a> {
    #[inline]
    fn from(part: KeyPart<'a>) -> Self {
        // The kind is mostly known where this is inlined, and what most keys of applications are is short.
        let hash = if let KeyPart::Bytes(bytes) = part { hashed(bytes) } else { hash_part(&part) };
        Self { part, hash }
    }
}

/// Begins with the kind of the part, then each field in order. One kind needs nothing to begin with, to be
/// told from all others: the one of which applications hash the most.
pub(super) fn hash_part(part: &KeyPart<'_>) -> u128 {
    match part {
        KeyPart::Network(Network::V4(ip)) => mix(2, hashed(&ip.octets())),
        KeyPart::Network(Network::V6(ip)) => mix(3, hashed(&ip.octets())),
        KeyPart::Network(Network::Unknown) => mix(4, hashed(&[])),
        KeyPart::Credential { method, issuer, id } => {
            let issued = mix(mix(5, hashed(method.as_str().as_bytes())), optional(issuer.map(str::as_bytes)));
            mix(issued, hashed(id.as_bytes()))
        }
        KeyPart::Principal { issuer, subject } => {
            mix(mix(6, optional(issuer.map(str::as_bytes))), hashed(subject.as_bytes()))
        }
        KeyPart::Tenant { issuer, tenant } => {
            mix(mix(7, optional(issuer.map(str::as_bytes))), hashed(tenant.as_bytes()))
        }
        KeyPart::Endpoint { method, route } => {
            mix(mix(8, hashed(method.as_bytes())), optional(route.map(str::as_bytes)))
        }
        KeyPart::Bytes(bytes) => hashed(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Else two keys that differ in one part could meet for certain.
        #[test]
        fn mixing_permutes(a: u128, b: u128, c: u128) {
            prop_assume!(a != b);
            prop_assert_ne!(mix(a, c), mix(b, c));
            prop_assert_ne!(mix(c, a), mix(c, b));
        }

        #[test]
        fn the_order_of_parts_counts(a: u128, b: u128, rule: u128) {
            prop_assume!(a != b);
            prop_assert_ne!(mix(mix(rule, a), b), mix(mix(rule, b), a));
        }
    }

    /// A table takes its places from the low bits and from the high ones.
    #[test]
    fn neighbours_lie_far_apart() {
        let rule = HashedRule::from("r").hash();
        let all: Vec<u128> =
            (0..4_096_u32).map(|index| mix(rule, hash_part(&KeyPart::Bytes(&index.to_be_bytes())))).collect();
        for shift in [0, 32, 64, 96] {
            let places: HashSet<u128> = all.iter().map(|identity| (identity >> shift) & 0xffff).collect();
            // Of 4,096 throws at 65,536 places some 126 meet.
            assert!(places.len() > 3_900, "{shift}: {}", places.len());
        }
    }

    #[test]
    fn the_same_bytes_in_another_field_are_another_part() {
        let parts = [
            KeyPart::Principal { issuer: None, subject: "" },
            KeyPart::Principal { issuer: Some(""), subject: "" },
            KeyPart::Tenant { issuer: Some(""), tenant: "" },
            KeyPart::Endpoint { method: "", route: Some("") },
            KeyPart::Bytes(b""),
            KeyPart::Network(Network::Unknown),
        ];
        assert_eq!(parts.iter().map(hash_part).collect::<HashSet<_>>().len(), parts.len());
    }
}

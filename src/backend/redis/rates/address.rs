//! Where a state lies.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};
use siphasher::sip::SipHasher13;

use crate::rate_limit::Charge;

/// A field of a hash: the hash is `prefix:rate:{subject}:parts`, one for each list of key parts, and has
/// a field for each rule and algorithm.
///
/// Redis Cluster places a key by what stands in the braces. A client chooses what the key is made of, so it
/// is a digest of which nobody finds two; a field is made of what the application chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Of the first part.
    subject: u64,
    /// Of all parts.
    parts: u128,
    field: u64,
}

impl Address {
    /// How long the name of a field is.
    pub(super) const FIELD: usize = 11;

    /// `beside`: another charge of the same batch, which often has the same parts.
    pub(super) fn of(charge: &Charge<'_>, beside: Option<(&Charge<'_>, Self)>) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&charge.algorithm().id().layout().to_be_bytes());
        bytes.extend_from_slice(charge.key().rule().as_bytes());
        let field = SipHasher13::new().hash(&bytes);
        if let Some((_, address)) = beside.filter(|(other, _)| other.key().parts().eq(charge.key().parts())) {
            return Self { field, ..address };
        }
        bytes.clear();
        let mut parts = charge.key().parts();
        if let Some(first) = parts.next() {
            first.write(&mut bytes);
        }
        let first = digest(&bytes);
        let length = bytes.len();
        parts.for_each(|part| part.write(&mut bytes));
        let all = if bytes.len() == length { first } else { digest(&bytes) };
        let subject = first.first_chunk().map_or(0, |half| u64::from_be_bytes(*half));
        let parts = all.last_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        Self { subject, parts, field }
    }

    pub(super) const fn subject(&self) -> u64 {
        self.subject
    }

    pub(super) const fn is_beside(&self, other: &Self) -> bool {
        self.subject == other.subject && self.parts == other.parts
    }

    /// The key, after `prefix`, into a buffer of the caller's.
    pub(super) fn key<'b>(&self, prefix: &str, buffer: &'b mut String) -> &'b str {
        let mut name = [0; 22];
        buffer.clear();
        buffer.push_str(prefix);
        buffer.push_str(":rate:{");
        buffer.push_str(base64(&self.subject.to_be_bytes(), &mut name));
        buffer.push_str("}:");
        buffer.push_str(base64(&self.parts.to_be_bytes(), &mut name));
        buffer
    }

    pub(super) fn field(&self) -> [u8; Self::FIELD] {
        let mut name = [0; Self::FIELD];
        base64(&self.field.to_be_bytes(), &mut name);
        name
    }

    /// One of so many.
    pub(super) fn turn(&self, of: usize) -> usize {
        let of = u128::try_from(of).unwrap_or(1);
        let mixed = self.parts ^ u128::from(self.field);
        mixed.checked_rem(of).and_then(|turn| usize::try_from(turn).ok()).unwrap_or(0)
    }
}

/// `name` is long enough for all that is written here.
fn base64<'n>(bytes: &[u8], name: &'n mut [u8]) -> &'n str {
    Base64UrlUnpadded::encode(bytes, name).unwrap_or_default()
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::{ChargeKey, FixedWindow, KeyPart, Op, Rate, TokenBucket};

    fn text(address: Address) -> (String, String) {
        let field = String::from_utf8(address.field().to_vec()).unwrap();
        (address.key("p", &mut String::new()).to_owned(), field)
    }

    #[test]
    fn buckets_of_one_subject_share_its_braces_and_none_its_field_of_a_key() {
        let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
        let window = FixedWindow::new(Rate::per_minute(2)).unwrap();
        let address = |rule, parts: &[&'static [u8]], algorithm| {
            let key = parts.iter().fold(ChargeKey::new(rule), |key, part| key.with(KeyPart::Bytes(part)).unwrap());
            Address::of(&Charge::new(key, algorithm, Op::Peek), None)
        };
        let all = [
            address("a", &[b"alice"], &bucket),
            address("b", &[b"alice"], &bucket),
            address("a", &[b"alice", b"here"], &bucket),
            address("a", &[b"alice"], &window),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.subject(), all[0].subject());
            assert!(all[..index].iter().all(|other| text(*other) != text(*one)));
        }
        // Rules that go by the same parts lie together.
        assert!(all[0].is_beside(&all[1]) && all[0].is_beside(&all[3]) && !all[0].is_beside(&all[2]));
        assert_eq!(text(all[0]).0, text(all[1]).0);
        let braces = |key: &str| key.split_inclusive('}').next().unwrap().to_owned();
        assert_eq!(braces(&text(all[0]).0), braces(&text(all[2]).0));
        for other in [address("a", &[b"bob"], &bucket), address("a", &[], &bucket)] {
            assert_ne!(other.subject(), all[0].subject());
        }
    }

    #[test]
    fn it_is_the_same_whoever_stands_beside() {
        let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
        let charge = |rule, part| Charge::new(ChargeKey::of(rule, KeyPart::Bytes(part)), &bucket, Op::Peek);
        let one = charge("a", b"alice");
        for other in [charge("b", b"alice"), charge("a", b"bob")] {
            let beside = (&other, Address::of(&other, None));
            assert_eq!(Address::of(&one, Some(beside)), Address::of(&one, None));
        }
    }

    /// Every process of a fleet must find the same state, of every version of the crate.
    #[test]
    fn an_address_is_pinned() {
        let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
        let key = ChargeKey::new("clients").with(KeyPart::Bytes(b"alice")).unwrap();
        let pinned = text(Address::of(&Charge::new(key, &bucket, Op::Peek), None));
        assert_eq!(pinned, ("p:rate:{sOwmyh0RsaI}:8i9r7lUA9Q2KKaqojswJxw".to_owned(), "ZLC289TiWpw".to_owned()));
    }
}

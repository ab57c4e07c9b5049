use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Asked;
use crate::rate_limit::Charge;

/// `prefix:rate:{subject}:bucket`. Redis Cluster places a key by what stands in the braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    subject: u64,
    bucket: u128,
    text: String,
}

impl Key {
    pub(super) fn of(prefix: &str, charge: &Charge<'_>) -> Self {
        let mut bytes = Vec::with_capacity(96);
        if let Some(part) = charge.key().parts().next() {
            part.write(&mut bytes);
        }
        let subject = u64::from_be_bytes(first(&bytes));
        let bucket = u128::from_be_bytes(first(&charge.identity()));
        Self { subject, bucket, text: format!("{prefix}:rate:{{{subject:016x}}}:{bucket:032x}") }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// One of so many.
    pub(super) fn turn(&self, of: usize) -> usize {
        let of = u128::try_from(of).unwrap_or(1);
        self.bucket.checked_rem(of).and_then(|turn| usize::try_from(turn).ok()).unwrap_or(0)
    }

    pub(super) const fn subject(&self) -> u64 {
        self.subject
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(super) fn share_a_node(asked: &[Asked<'_>]) -> bool {
    asked.windows(2).all(|pair| matches!(pair, [a, b] if a.key.subject == b.key.subject))
}

/// The first bytes of the digest. A client chooses some of what is hashed, so they must be hard to find.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.first_chunk().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::{ChargeKey, FixedWindow, KeyPart, Op, Rate, TokenBucket};

    #[test]
    fn buckets_of_one_subject_share_its_braces_and_nothing_else() {
        let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
        let window = FixedWindow::new(Rate::per_minute(2)).unwrap();
        let key = |rule, parts: &[&'static [u8]], algorithm| {
            let key = parts.iter().fold(ChargeKey::new(rule), |key, part| key.with(KeyPart::Bytes(part)).unwrap());
            Key::of("p", &Charge::new(key, algorithm, Op::Peek))
        };
        let all = [
            key("a", &[b"alice"], &bucket),
            key("b", &[b"alice"], &bucket),
            key("a", &[b"alice", b"here"], &bucket),
            key("a", &[b"alice"], &window),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.subject(), all[0].subject());
            assert!(all[..index].iter().all(|other| other.as_str() != one.as_str()));
            assert!(one.as_str().starts_with(&format!("p:rate:{{{:016x}}}:", one.subject())));
        }
        assert_ne!(key("a", &[b"bob"], &bucket).subject(), all[0].subject());
        assert_ne!(key("a", &[], &bucket).subject(), all[0].subject());
    }

    /// Every process of a fleet must find the same key, of every version of the crate.
    #[test]
    fn a_key_is_pinned() {
        let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
        let key = ChargeKey::new("clients").with(KeyPart::Bytes(b"alice")).unwrap();
        let key = Key::of("p", &Charge::new(key, &bucket, Op::Peek));
        assert_eq!(key.as_str(), "p:rate:{b0ec26ca1d11b1a2}:82e2557429c5ad9c54217d4ad25f8963");
    }
}

//! A table of what is hashed already.

use std::hash::{BuildHasher, Hasher};

/// Hashes a [`LeaseKey`](super::LeaseKey): its first half is a hash with a secret of the process, so that nobody can
/// look for keys that meet in the table, and is not hashed again. The parameters are not the callers' to choose.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hashed;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words(u64);

impl BuildHasher for Hashed {
    type Hasher = Words;

    fn build_hasher(&self) -> Words {
        Words::default()
    }
}

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(part).for_each(|(held, byte)| *held = *byte);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }

    fn write_u128(&mut self, number: u128) {
        // Either half would do alone.
        self.write_u64(u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::rate_limit::{Charge, ChargeKey, KeyPart, Op, Rate, TokenBucket};

    /// A table takes its places from the low bits and from the high ones.
    #[test]
    fn keys_are_spread() {
        let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
        let hash = |number: u64| {
            let number = number.to_be_bytes();
            let charge = Charge::new(ChargeKey::of("rule", KeyPart::Bytes(&number)), &bucket, Op::Take(1));
            Hashed.hash_one(super::super::Shared::key(&charge))
        };
        for shift in [0, 24, 48] {
            let places: HashSet<u64> = (0..4_096).map(|number| (hash(number) >> shift) & 0xffff).collect();
            // Of 4,096 throws at 65,536 places some 126 meet.
            assert!(places.len() > 3_900, "{shift}: {}", places.len());
        }
    }

    #[test]
    fn other_parameters_are_another_hash() {
        assert_ne!(Hashed.hash_one((7_u128, 1_u64)), Hashed.hash_one((7_u128, 2_u64)));
    }
}

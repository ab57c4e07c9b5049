use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// Hashes what is a digest already. Keyed, so that nobody can choose tokens that meet in the table; half
/// of the digest, multiplied with two secrets, is enough for that.
#[derive(Clone)]
pub(super) struct DigestHasher([u64; 2]);

impl DigestHasher {
    pub(super) fn random() -> Self {
        let keys = RandomState::new();
        Self([keys.hash_one(0_u8), keys.hash_one(1_u8)])
    }
}

impl BuildHasher for DigestHasher {
    type Hasher = OneDigest;

    fn build_hasher(&self) -> OneDigest {
        OneDigest { keys: self.0, hash: 0 }
    }
}

pub(super) struct OneDigest {
    keys: [u64; 2],
    hash: u64,
}

impl Hasher for OneDigest {
    fn write(&mut self, bytes: &[u8]) {
        let [one, other] = self.keys;
        let word = |from: usize| {
            let eight = bytes.get(from..).and_then(<[u8]>::first_chunk);
            u64::from_le_bytes(eight.copied().unwrap_or_default())
        };
        let product = u128::from(word(0) ^ one).wrapping_mul(u128::from(word(8) ^ other));
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        self.hash ^= half(product) ^ half(product >> 64);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A table takes its places from the low bits and from the high ones.
    #[test]
    fn digests_are_spread() {
        let hasher = DigestHasher::random();
        let hash = |index: u64| {
            let mut one = hasher.build_hasher();
            let word = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            one.write(&[word, word.map(|byte| byte.rotate_left(3)), word, word].concat());
            one.finish()
        };
        for shift in [0, 24, 48] {
            let places: HashSet<u64> = (0..4_096).map(|index| (hash(index) >> shift) & 0xffff).collect();
            // Of 4,096 throws at 65,536 places some 126 meet.
            assert!(places.len() > 3_900, "{shift}: {}", places.len());
        }
    }

    #[test]
    fn another_secret_is_another_hash() {
        let hash = |hasher: DigestHasher| {
            let mut one = hasher.build_hasher();
            one.write(&[7; 32]);
            one.finish()
        };
        assert_ne!(hash(DigestHasher::random()), hash(DigestHasher::random()));
    }
}

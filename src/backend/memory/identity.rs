//! What a key is known by in memory: a keyed 128-bit hash of its borrowed parts.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher as _, Hash, Hasher},
};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// A secret of this process, so that nobody can look for two keys with one identity.
#[derive(Clone, Copy)]
pub(super) struct Secret(u64, u64);

impl Secret {
    pub(super) fn random() -> Self {
        let keys = RandomState::new();
        Self(keys.hash_one(0_u8), keys.hash_one(1_u8))
    }

    /// Two keys share an identity with a chance of 2^-128.
    pub(super) fn identity_of(&self, key: &impl Hash) -> u128 {
        let mut hasher =
            Gathered { hasher: SipHasher13::new_with_keys(self.0, self.1), buffer: [0; Gathered::ROOM], len: 0 };
        key.hash(&mut hasher);
        hasher.finish128()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// `SipHash` of the same bytes, handed over in long pieces: a key has a dozen short parts, and to begin
/// and end a piece costs more than to hash it.
struct Gathered {
    hasher: SipHasher13,
    buffer: [u8; Gathered::ROOM],
    len: usize,
}

impl Gathered {
    const ROOM: usize = 192;

    fn flush(&mut self) {
        self.hasher.write(self.buffer.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    fn finish128(mut self) -> u128 {
        self.flush();
        self.hasher.finish128().as_u128()
    }
}

impl Hasher for Gathered {
    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() > Self::ROOM.saturating_sub(self.len) {
            self.flush();
        }
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            // Longer than the whole buffer, which is empty.
            None => self.hasher.write(bytes),
        }
    }

    fn finish(&self) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(self.buffer.get(..self.len).unwrap_or_default());
        hasher.finish()
    }
}

/// The hasher of maps whose keys are identities already: half of one is hash enough.
#[derive(Default)]
pub(super) struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, identity: u128) {
        self.0 = u64::try_from(identity & u128::from(u64::MAX)).unwrap_or(0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(secret: Secret, key: &impl Hash) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(secret.0, secret.1);
        key.hash(&mut hasher);
        hasher.finish128().as_u128()
    }

    proptest! {
        #[test]
        fn gathered_is_what_it_would_be_in_pieces(parts in proptest::collection::vec((".{0,300}", any::<u64>()), 0..6)) {
            let secret = Secret::random();
            prop_assert_eq!(secret.identity_of(&parts), plain(secret, &parts));
        }
    }

    #[test]
    fn another_secret_gives_another_identity() {
        assert_ne!(Secret::random().identity_of(&"key"), Secret::random().identity_of(&"key"));
    }
}

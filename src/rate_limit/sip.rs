//! `SipHash-1-3` with 128 bits of output, of bytes that are there at once.
//!
//! The crate siphasher computes the same, and the tests compare the two. It is made for bytes that come in
//! pieces, of which it keeps the rest, and takes half as many instructions again for a short key: for what
//! stands in the way of every decision that is too much.

/// A key, as the state that it begins with, of which half a round is made already: that half looks at nothing
/// that is absorbed.
#[derive(Clone, Copy)]
pub(super) struct Sip {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Sip {
    pub(super) const fn keyed(first: u64, second: u64) -> Self {
        let mut state = Self {
            v0: first ^ 0x736f_6d65_7073_6575,
            // 0xee: of 128 bits, and not of 64.
            v1: second ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            v2: first ^ 0x6c79_6765_6e65_7261,
            v3: second ^ 0x7465_6462_7974_6573,
        };
        state.first_half();
        state
    }

    #[inline]
    pub(super) fn hash(&self, bytes: &[u8]) -> u128 {
        let mut state = *self;
        let (words, _) = bytes.as_chunks();
        for word in words {
            state.absorb(u64::from_le_bytes(*word));
        }
        state.absorb((bytes.len() as u64).wrapping_shl(56) | rest(bytes));
        state.finish()
    }

    /// Of the eight bytes of a number, the lowest first: nothing is left of them, and there is nothing to count.
    #[inline]
    pub(super) fn hash_word(&self, word: u64) -> u128 {
        let mut state = *self;
        state.absorb(word);
        state.absorb(8 << 56);
        state.finish()
    }

    #[inline]
    fn finish(mut self) -> u128 {
        self.v2 ^= 0xee;
        self.second_half();
        self.round();
        let low = self.round();
        self.v1 ^= 0xdd;
        self.round();
        self.round();
        let high = self.round();
        u128::from(low) | u128::from(high).wrapping_shl(64)
    }

    #[inline]
    const fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.second_half();
        self.v0 ^= word;
        self.first_half();
    }

    #[inline]
    const fn round(&mut self) -> u64 {
        self.first_half();
        self.second_half();
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    #[inline]
    const fn first_half(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
    }

    #[inline]
    const fn second_half(&mut self) {
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

/// What is left of the bytes behind the last whole word: seven of them at most, none of which is read by
/// itself where a few loads that overlap will do.
#[inline]
fn rest(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if len.is_multiple_of(8) {
        return 0;
    }
    if let Some(last) = bytes.last_chunk() {
        // Of the last word the upper bytes.
        return u64::from_le_bytes(*last).wrapping_shr(shift(len).wrapping_neg());
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // Bytes that are in both lie at the same place in both.
        let last = u64::from(u32::from_le_bytes(*last)).wrapping_shl(shift(len.wrapping_sub(4)));
        return u64::from(u32::from_le_bytes(*first)) | last;
    }
    // Of three bytes each is another one, of two the latter is twice here, and of one it is all three.
    let byte = |index: usize| bytes.get(index).map_or(0, |byte| u64::from(*byte));
    let (middle, end) = (len / 2, len.wrapping_sub(1));
    byte(0) | byte(middle).wrapping_shl(shift(middle)) | byte(end).wrapping_shl(shift(end))
}

/// How far up the byte at an index belongs.
#[expect(clippy::cast_possible_truncation, reason = "shifts go by their number modulo 64")]
#[inline]
const fn shift(index: usize) -> u32 {
    (index as u32).wrapping_mul(8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use siphasher::sip128::SipHasher13;

    use super::*;

    /// Computed with OpenSSL (`c-rounds:1`, `d-rounds:3`, `size:16`), of the bytes from zero on.
    #[test]
    fn it_is_what_openssl_computes() {
        let vectors = [
            (0, 0xe77e_bcb2_2788_a5be_fd62_db6a_dd30_3001),
            (1, 0xfc6f_3704_60d3_eda8_5e05_73cc_2b2f_f063),
            (7, 0x1084_b923_f2aa_e0c3_a62f_2ec8_0848_ab77),
            (8, 0xaa12_fee1_d5e3_dab4_724f_16ab_35f9_c799),
            (15, 0xc17e_5505_b2bd_526c_2921_cdec_1e7e_0109),
            (63, 0x4c58_00e3_4efe_426f_079f_6b0a_a752_60ad_u128),
        ];
        let key = Sip::keyed(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        for (len, expected) in vectors {
            let bytes: Vec<u8> = (0..len).collect();
            assert_eq!(key.hash(&bytes), expected.swap_bytes(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_crate_computes(first: u64, second: u64, bytes in prop::collection::vec(any::<u8>(), 0..=600)) {
            let theirs = SipHasher13::new_with_keys(first, second);
            prop_assert_eq!(
                Sip::keyed(first, second).hash_word(first),
                theirs.hash(&first.to_le_bytes()).as_u128()
            );
            prop_assert_eq!(Sip::keyed(first, second).hash(&bytes), theirs.hash(&bytes).as_u128());
            // Each length of short ones, which are most.
            for len in 0..=bytes.len().min(64) {
                prop_assert_eq!(Sip::keyed(first, second).hash(&bytes[..len]), theirs.hash(&bytes[..len]).as_u128());
            }
        }
    }
}

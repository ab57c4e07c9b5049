use std::sync::OnceLock;

/// A keyed hash of something that does not change, made when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct HashOnce(OnceLock<[u64; 2]>);

impl HashOnce {
    /// The hash. Everybody who asks must ask for the same: the first one's answer stays.
    #[inline]
    pub(crate) fn of(&self, make: impl FnOnce() -> u128) -> u128 {
        // Two words, because a number of 128 bits would be aligned to 16 bytes.
        let [high, low] = *self.0.get_or_init(|| {
            let hash = make();
            let word = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
            [word(hash >> 64), word(hash)]
        });
        (u128::from(high) << 64) | u128::from(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once() {
        let hash = HashOnce::default();
        assert_eq!(hash.of(|| u128::MAX - 7), u128::MAX - 7);
        assert_eq!(hash.of(|| unreachable!()), u128::MAX - 7);
    }
}

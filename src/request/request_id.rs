use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::BuildHasher as _,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::time::Timestamp;

/// The id of one request: `req_` and 32 hexadecimal digits, of which the first twelve are the
/// milliseconds since the epoch, so that ids sort by time.
///
/// Each request gets one of its own, whatever the client sent: an id that a client may choose
/// cannot be relied on in a log. Unique, not secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; RequestId::LEN]);

/// Per process: a keyed hash of a counter has no pattern, and needs no system call for each id.
struct Generator {
    node: u16,
    keys: RandomState,
    count: AtomicU64,
}

impl RequestId {
    const LEN: usize = 36;

    pub(crate) fn generate(now: Timestamp) -> Self {
        static GENERATOR: OnceLock<Generator> = OnceLock::new();
        let generator = GENERATOR.get_or_init(|| {
            let keys = RandomState::new();
            let node = u16::try_from(keys.hash_one("node") & 0xffff).unwrap_or(0);
            Generator { node, keys, count: AtomicU64::new(0) }
        });
        let tail = generator.keys.hash_one(generator.count.fetch_add(1, Relaxed));
        let millis = now.as_micros() / 1_000;
        let bits = (u128::from(millis) << 80) | (u128::from(generator.node) << 64) | u128::from(tail);
        let mut text = *b"req_00000000000000000000000000000000";
        if let Some(digits) = text.get_mut(4..) {
            // Fails only if the buffer were too short.
            let _ = base16ct::lower::encode(&bits.to_be_bytes(), digits);
        }
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("req_")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_sort_by_time() {
        let ids: HashSet<_> = (0..10_000).map(|_| RequestId::generate(Timestamp::from_secs(1_700_000_000))).collect();
        assert_eq!(ids.len(), 10_000);
        let earlier = RequestId::generate(Timestamp::from_micros(1_700_000_000_000_000));
        let later = RequestId::generate(Timestamp::from_micros(1_700_000_000_001_000));
        assert!(earlier.as_str() < later.as_str(), "{earlier} {later}");
        assert_eq!(earlier.as_str().len(), 36);
    }
}

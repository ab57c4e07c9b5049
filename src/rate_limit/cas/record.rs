//! What a key of a [`CasBackend`](super::CasBackend) holds: the states of all limits on one caller.

use std::time::Duration;

use crate::{
    rate_limit::{
        Charge, State, Write,
        state_bytes::{read_state, write_state},
    },
    time::{Timestamp, secs_ceil},
};

/// The layout below: `"pc"` and a number.
const LAYOUT: &[u8] = b"pc\x01";

/// Which limit of a caller: a hash of the rule, its endpoint, and the algorithm's name and version.
pub(super) type Tag = [u8; 16];

/// One record. Absent is the same as empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Drawn for each write, so that whoever lost the answer can see whether the write arrived.
    pub(super) nonce: u64,
    /// With which time it was stepped last.
    pub(super) at: Timestamp,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    tag: Tag,
    expires: Timestamp,
    state: State,
}

#[derive(Debug, thiserror::Error)]
#[error("a rate record of an unknown layout")]
pub(super) struct UnknownLayout;

impl Record {
    pub(super) fn state(&self, tag: &Tag) -> Option<&State> {
        self.entries.iter().find(|entry| entry.tag == *tag).map(|entry| &entry.state)
    }

    /// Writes what a step says, and says whether that changes anything.
    pub(super) fn write(&mut self, tag: &Tag, charge: &Charge<'_>, write: &Write, now: Timestamp) -> bool {
        match write {
            Write::Set(state) => {
                let expires = now.saturating_add(charge.algorithm().expires_after(state, now));
                self.set(*tag, state.clone(), expires);
            }
            Write::Clear => self.clear(tag),
            Write::Keep => return false,
        }
        true
    }

    /// The record as it is to be written now.
    #[must_use]
    pub(super) fn written(mut self, nonce: u64, now: Timestamp) -> Self {
        self.sweep(now);
        self.at = self.at.max(now);
        self.nonce = nonce;
        self
    }

    fn set(&mut self, tag: Tag, state: State, expires: Timestamp) {
        self.clear(&tag);
        self.entries.push(Entry { tag, expires, state });
    }

    fn clear(&mut self, tag: &Tag) {
        self.entries.retain(|entry| entry.tag != *tag);
    }

    /// Leaves out what has expired: that decides like no state at all.
    fn sweep(&mut self, now: Timestamp) {
        self.entries.retain(|entry| now < entry.expires);
    }

    /// In whole seconds, at least one: many databases know no shorter time, and take zero for ever.
    pub(super) fn ttl(&self, now: Timestamp, skew: Duration) -> Duration {
        let longest = self.entries.iter().map(|entry| entry.expires.since(now)).max().unwrap_or_default();
        Duration::from_secs(secs_ceil(longest.saturating_add(skew)).max(1))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len().saturating_mul(64).saturating_add(32));
        bytes.extend_from_slice(LAYOUT);
        bytes.extend_from_slice(&self.nonce.to_be_bytes());
        bytes.extend_from_slice(&self.at.as_micros().to_be_bytes());
        let mut state = Vec::new();
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.tag);
            bytes.extend_from_slice(&entry.expires.as_micros().to_be_bytes());
            state.clear();
            write_state(&entry.state, &mut state);
            bytes.extend_from_slice(&u32::try_from(state.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(&state);
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, UnknownLayout> {
        Self::read(bytes).ok_or(UnknownLayout)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(LAYOUT)?;
        let (nonce, rest) = number(rest)?;
        let (at, mut rest) = number(rest)?;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (tag, tail) = rest.split_first_chunk()?;
            let (expires, tail) = number(tail)?;
            let (length, tail) = tail.split_first_chunk()?;
            let (state, tail) = tail.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            let state = read_state(state)?;
            entries.push(Entry { tag: *tag, expires: Timestamp::from_micros(expires), state });
            rest = tail;
        }
        Some(Self { nonce, at: Timestamp::from_micros(at), entries })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let entry = (any::<Tag>(), any::<u64>(), prop::collection::vec(any::<u64>(), 1..8)).prop_map(
            |(tag, expires, words)| Entry { tag, expires: Timestamp::from_micros(expires), state: words.into() },
        );
        (any::<u64>(), any::<u64>(), prop::collection::vec(entry, 0..6)).prop_map(|(nonce, at, entries)| Record {
            nonce,
            at: Timestamp::from_micros(at),
            entries,
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(record in record()) {
            let bytes = record.encode();
            prop_assert_eq!(Record::read(&bytes), Some(record));
        }

        #[test]
        fn a_part_is_no_record(record in record(), cut in 1_usize..9) {
            let bytes = record.encode();
            prop_assert_eq!(Record::read(&bytes[..bytes.len().saturating_sub(cut)]), None);
        }

        #[test]
        fn anything_else_is_refused_or_a_record(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            bytes.splice(..0, LAYOUT.iter().copied());
            if let Some(record) = Record::read(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }

    #[test]
    fn what_has_expired_goes_and_what_is_written_last_stands() {
        let at = Timestamp::from_secs;
        let mut record = Record::default();
        record.set([1; 16], 7.into(), at(10));
        record.set([2; 16], 8.into(), at(20));
        record.set([1; 16], 9.into(), at(12));
        assert_eq!(record.state(&[1; 16]), Some(&State::from(9)));
        assert_eq!(record.ttl(at(10), Duration::ZERO), Duration::from_secs(10));
        assert_eq!(record.ttl(at(19), Duration::from_micros(1)), Duration::from_secs(2));
        record.sweep(at(12));
        assert_eq!((record.state(&[1; 16]), record.entries.len()), (None, 1));
        record.clear(&[2; 16]);
        assert_eq!(record.ttl(at(12), Duration::ZERO), Duration::from_secs(1));
    }
}

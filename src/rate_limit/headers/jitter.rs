//! Waiting times that differ, without a clock or random numbers of their own.

use std::{
    hash::{Hash as _, Hasher as _},
    time::Duration,
};

use siphasher::sip::SipHasher13;

use crate::request::RequestId;

/// `truth` and from nothing to `most` more; the same for the same id. Ids are random or a client's own: whoever
/// chooses his chooses how long he is told to wait, between the truth and later.
pub(super) fn later(truth: Duration, most: Duration, id: RequestId) -> Duration {
    let mut hasher = SipHasher13::new();
    id.hash(&mut hasher);
    // 2^32 steps from none of it to nearly all.
    let share = u128::from(hasher.finish() >> 32);
    let nanos = most.as_nanos().saturating_mul(share) >> 32;
    truth.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

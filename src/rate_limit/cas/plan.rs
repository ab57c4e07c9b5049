//! Which records a batch needs, and where in them its charges stand.

use sha2::{Digest as _, Sha256};

use super::record::Tag;
use crate::rate_limit::{Batch, Charge, Inline, KeyPart, batch::put};

/// A record, and how the backend finds it.
#[derive(Debug)]
pub(super) struct Target {
    /// 64 letters of `0-9a-f`.
    pub(super) key: String,
    /// By how many parts it tells callers apart: the fewer, the more write it.
    parts: usize,
}

/// Which record each charge stands in.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) targets: Vec<Target>,
    places: Inline<(usize, Tag), { Batch::MAX }>,
}

impl Plan {
    /// All limits on one caller stand in one record, so that one write charges them all or none. The
    /// records that most callers write come first: where they are contended, nothing is to be undone.
    pub(super) fn of(batch: &Batch<'_>) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        for charge in batch.charges() {
            let target = target(charge);
            if !targets.iter().any(|held| held.key == target.key) {
                targets.push(target);
            }
        }
        targets.sort_by(|a, b| (a.parts, &a.key).cmp(&(b.parts, &b.key)));
        let mut places = Inline::new();
        for charge in batch.charges() {
            let key = target(charge).key;
            let index = targets.iter().position(|held| held.key == key).unwrap_or(0);
            // As many places as charges.
            let _ = places.push((index, tag(charge)));
        }
        Self { targets, places }
    }

    /// The record of a charge, and its tag in it.
    pub(super) fn place(&self, charge: usize) -> Option<&(usize, Tag)> {
        self.places.get(charge)
    }

    /// The charges of a record.
    pub(super) fn charges(&self, target: usize) -> impl Iterator<Item = (usize, &Tag)> {
        let places = self.places.iter().enumerate();
        places.filter(move |(_, (index, _))| *index == target).map(|(charge, (_, tag))| (charge, tag))
    }
}

/// Endpoints come from the configuration, so a caller's limits on all of them fit one record. Where
/// nothing but the endpoint tells buckets apart, one record for all would be everybody's.
fn is_of_record(charge: &Charge<'_>, part: &KeyPart<'_>) -> bool {
    let is_endpoint = |part: &KeyPart<'_>| matches!(part, KeyPart::Endpoint { .. });
    !is_endpoint(part) || charge.key().parts().all(is_endpoint)
}

fn target(charge: &Charge<'_>) -> Target {
    let mut bytes = Vec::with_capacity(128);
    put(&mut bytes, b"portcullis.rates");
    let mut parts: usize = 0;
    for part in charge.key().parts().filter(|part| is_of_record(charge, part)) {
        part.write(&mut bytes);
        parts = parts.saturating_add(1);
    }
    // A hash, because parts are as long as callers like, and name them.
    Target { key: base16ct::lower::encode_string(&Sha256::digest(&bytes)), parts }
}

fn tag(charge: &Charge<'_>) -> Tag {
    let id = charge.algorithm().id();
    let mut bytes = Vec::with_capacity(96);
    put(&mut bytes, id.name().as_bytes());
    bytes.extend_from_slice(&id.version().to_be_bytes());
    put(&mut bytes, charge.key().rule().as_bytes());
    charge.key().parts().filter(|part| !is_of_record(charge, part)).for_each(|part| part.write(&mut bytes));
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rate_limit::{ChargeKey, Op, Rate, TokenBucket},
        request::Network,
        time::Timestamp,
    };

    const IP: KeyPart<'_> = KeyPart::Network(Network::V4(std::net::Ipv4Addr::LOCALHOST));
    const ENDPOINT: KeyPart<'_> = KeyPart::Endpoint { method: "GET", route: Some("/orders") };
    const OTHER: KeyPart<'_> = KeyPart::Endpoint { method: "GET", route: Some("/") };

    fn plan(keys: &[(&str, &[KeyPart<'_>])]) -> Plan {
        let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
        let mut batch = Batch::new(Timestamp::EPOCH);
        for (rule, parts) in keys {
            let key = parts.iter().fold(ChargeKey::new(*rule), |key, part| key.with(*part).unwrap());
            batch.push(Charge::new(key, &bucket, Op::Take(1))).unwrap();
        }
        Plan::of(&batch)
    }

    #[test]
    fn a_caller_has_one_record_for_all_limits_and_endpoints() {
        let plan = plan(&[("a", &[IP]), ("b", &[IP]), ("a", &[IP, ENDPOINT]), ("a", &[IP, OTHER])]);
        assert_eq!(plan.targets.len(), 1);
        let tags: std::collections::HashSet<_> = plan.charges(0).map(|(_, tag)| *tag).collect();
        assert_eq!(tags.len(), 4, "each limit has its place");
    }

    #[test]
    fn the_record_that_everybody_writes_comes_first() {
        let plan = plan(&[("a", &[IP]), ("all", &[]), ("route", &[ENDPOINT]), ("route", &[OTHER])]);
        assert_eq!(plan.targets.len(), 4, "no record is shared by all endpoints");
        assert_eq!(plan.charges(0).map(|(charge, _)| charge).collect::<Vec<_>>(), [1]);
        assert!(plan.targets.iter().all(|target| target.key.len() == 64));
    }

    /// What lies in a database must be found by the next version, too.
    #[test]
    fn keys_and_tags_are_pinned() {
        let plan = plan(&[("a", &[IP])]);
        assert_eq!(plan.targets[0].key, "d59f0236b67d1739c7b73a600767b177fa9b0daa4dac9e34cd1e7a2035457955");
        let (_, tag) = plan.place(0).unwrap();
        assert_eq!(base16ct::lower::encode_string(tag), "aefe4ddd683047a6fd91bfb2243ab98e");
    }
}

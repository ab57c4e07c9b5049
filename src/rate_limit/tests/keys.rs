use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use proptest::prelude::*;

use super::*;
use crate::request::Network;

fn hash(charge: &Charge<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    charge.hash(&mut hasher);
    hasher.finish()
}

fn parts(text: &str) -> Vec<KeyPart<'_>> {
    vec![
        KeyPart::Bytes(text.as_bytes()),
        KeyPart::Principal { issuer: None, subject: text },
        KeyPart::Principal { issuer: Some(""), subject: text },
        KeyPart::Principal { issuer: Some(text), subject: "" },
        KeyPart::Tenant { issuer: None, tenant: text },
        KeyPart::Credential { method: AuthMethod::ApiKey, issuer: None, id: text },
        KeyPart::Credential { method: AuthMethod::Jwt, issuer: None, id: text },
        KeyPart::Endpoint { method: "GET", route: Some(text) },
        KeyPart::Endpoint { method: text, route: None },
    ]
}

proptest! {
    #[test]
    fn no_two_keys_are_one(a in proptest::collection::vec(any::<u8>(), 0..9), split in 0_usize..9) {
        let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
        let text = String::from_utf8_lossy(&a).into_owned();
        let mut keys: Vec<ChargeKey<'_>> =
            parts(&text).into_iter().map(|part| ChargeKey::new("r").with(part).unwrap()).collect();
        // The same bytes, cut elsewhere.
        let (left, right) = a.split_at(split.min(a.len()));
        keys.push(ChargeKey::new("r").with(KeyPart::Bytes(left)).unwrap().with(KeyPart::Bytes(right)).unwrap());
        keys.push(ChargeKey::new("r"));
        keys.push(ChargeKey::new("rr"));
        let charges: Vec<_> = keys.iter().map(|key| Charge::new(*key, &bucket, Op::Peek)).collect();
        // An empty text leaves `issuer: Some("")` twice.
        let different = keys.iter().collect::<HashSet<_>>().len();
        prop_assert_eq!(charges.iter().map(Charge::identity).collect::<HashSet<_>>().len(), different);
        prop_assert_eq!(charges.iter().map(hash).collect::<HashSet<_>>().len(), different);
    }
}

#[test]
fn the_algorithm_is_part_of_the_identity_and_its_parameters_are_not() {
    let key = ChargeKey::new("r");
    let (slow, fast) = (TokenBucket::new(Rate::per_second(1)).unwrap(), TokenBucket::new(Rate::per_second(2)).unwrap());
    let window = FixedWindow::new(Rate::per_second(1)).unwrap();
    let identity = |algorithm: &dyn Algorithm| Charge::new(key, algorithm, Op::Peek).identity();
    assert_eq!(identity(&slow), identity(&fast));
    assert_ne!(identity(&slow), identity(&window));
    assert_ne!(slow.id(), fast.id());
}

#[test]
fn networks_are_kept_apart() {
    let v4 = KeyPart::Network(Network::V4([0, 0, 0, 0].into()));
    let v6 = KeyPart::Network(Network::V6(0_u128.into()));
    let all = [v4, v6, KeyPart::Network(Network::Unknown)];
    let written: HashSet<_> = all
        .iter()
        .map(|part| {
            let mut bytes = Vec::new();
            part.write(&mut bytes);
            bytes
        })
        .collect();
    assert_eq!(written.len(), 3);
}

#[test]
fn a_fifth_part_and_a_ninth_charge_do_not_fit() {
    let mut key = ChargeKey::new("r");
    for _ in 0..4 {
        key = key.with(KeyPart::Bytes(b"x")).unwrap();
    }
    assert!(key.with(KeyPart::Bytes(b"x")).is_none());
    let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
    let mut batch = Batch::new(START);
    let charge = Charge::new(key, &bucket, Op::Take(1));
    assert!((0..8).all(|_| batch.push(charge).is_ok()) && batch.push(charge).is_err());
}

#[test]
fn debug_shows_no_caller() {
    let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
    let key = ChargeKey::new("r").with(KeyPart::Principal { issuer: None, subject: "secret-subject" }).unwrap();
    assert!(!format!("{:?}", Charge::new(key, &bucket, Op::Peek)).contains("secret-subject"));
}

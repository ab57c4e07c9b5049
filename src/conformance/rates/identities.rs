//! Laws about who shares a bucket with whom.
#![allow(clippy::unwrap_used, reason = "the parameters are ours, and within what is allowed")]

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use super::{
    RateClock,
    algorithms::{CoolDown, Ledger, bucket, hours, limit_of},
    probe::Probe,
};
use crate::{
    identity::AuthMethod,
    rate_limit::{Algorithm, ChargeKey, FixedWindow, KeyPart, Op, Rate, RateLimitStore, Windows},
    request::Network,
};

/// One unit for each: all pass once, and then none does.
async fn all_apart(probe: &Probe<impl RateLimitStore + ?Sized>, keys: &[ChargeKey<'_>]) {
    let once = limit_of(1);
    for passes in [true, false, false] {
        for (index, key) in keys.iter().enumerate() {
            let verdicts = probe.ask(probe.at(Duration::ZERO), &[(*key, &once, Op::Take(1))]).await;
            let found = verdicts.allowed();
            probe.is(found, passes, format_args!("key {index} of {}, charged as often as the others", keys.len()));
        }
    }
}

/// Keys of any bytes, empty, with zeros, of 4 KiB, as prefixes of each other, in other kinds of parts and
/// other divisions into parts: none shares its bucket with another.
///
/// # Panics
/// If the law is broken.
pub async fn keys_are_apart(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("keys_are_apart", store, clock);
    let long = vec![0xff; 4_096];
    let longer = vec![0xff; 4_097];
    let ended: Vec<u8> = long.iter().copied().chain([0]).collect();
    // The last byte of a long key counts as much as the first.
    let marked: Vec<Vec<u8>> =
        [0, 1, 2_048, 4_095].map(|mark| (0..4_096).map(|at| u8::from(at == mark)).collect()).into();
    let mut text: Vec<&[u8]> = vec![b"", b"\0", b"\0\0", b"a", b"a\0", b"\0a", b"A", b"ab", b"a b", b"a:b", b"{a}b"];
    text.extend([b"a\n".as_slice(), b"a\r\n", b"'; --", b"%00", "é".as_bytes(), "e\u{301}".as_bytes(), b"\xff\xfe"]);
    text.extend([long.as_slice(), &longer, &ended]);
    text.extend(marked.iter().map(Vec::as_slice));
    let one = |part| probe.with(ChargeKey::new(probe.rule()), part);
    let mut keys: Vec<ChargeKey<'_>> = text.iter().map(|bytes| one(KeyPart::Bytes(bytes))).collect();
    keys.push(ChargeKey::new(probe.rule()));
    let divided: [(&[u8], &[u8]); 4] = [(b"a", b"bc"), (b"ab", b"c"), (b"abc", b""), (b"", b"abc")];
    keys.extend(divided.map(|(first, second)| probe.with(one(KeyPart::Bytes(first)), KeyPart::Bytes(second))));
    keys.extend([
        one(KeyPart::Network(Network::V4(Ipv4Addr::new(97, 0, 0, 0)))),
        one(KeyPart::Network(Network::V6(Ipv6Addr::from(97_u128 << 120)))),
        one(KeyPart::Network(Network::Unknown)),
        one(KeyPart::Principal { issuer: None, subject: "a" }),
        one(KeyPart::Principal { issuer: Some(""), subject: "a" }),
        one(KeyPart::Principal { issuer: Some("a"), subject: "" }),
        one(KeyPart::Tenant { issuer: None, tenant: "a" }),
        one(KeyPart::Credential { method: AuthMethod::ApiKey, issuer: None, id: "a" }),
        one(KeyPart::Credential { method: AuthMethod::Jwt, issuer: None, id: "a" }),
        one(KeyPart::Endpoint { method: "GET", route: None }),
        one(KeyPart::Endpoint { method: "GET", route: Some("") }),
        one(KeyPart::Endpoint { method: "", route: Some("GET") }),
    ]);
    all_apart(&probe, &keys).await;
}

/// Rules of other names have buckets of their own, whatever bytes the names have.
///
/// # Panics
/// If the law is broken.
pub async fn rules_are_apart(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("rules_are_apart", store, clock);
    let names: Vec<String> =
        ["", "a", "A", "a ", " a", "a:", "ab", "{a}", "a\"", "\\"].map(|name| format!("{}{name}", probe.rule())).into();
    let mut keys = Vec::new();
    for name in names.iter().map(String::as_str) {
        keys.push(ChargeKey::new(name));
        keys.push(probe.with(ChargeKey::new(name), KeyPart::Bytes(b"")));
        keys.push(probe.with(ChargeKey::new(name), KeyPart::Bytes(b"b")));
    }
    all_apart(&probe, &keys).await;
}

/// The states of other algorithms never meet, though the key is the same: their words mean something else.
///
/// # Panics
/// If the law is broken.
pub async fn algorithms_are_apart(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("algorithms_are_apart", store, clock);
    let day = FixedWindow::new(Rate::per(1, hours(7_200))).unwrap();
    let first_hit = day.clone().windows(Windows::FirstHit);
    let (once, pause) = (limit_of(1), CoolDown { pause: hours(240) });
    let ledger = Ledger { limit: 1, keep: hours(240) };
    let all: [&dyn Algorithm; 5] = [&once, &day, &first_hit, &pause, &ledger];
    for passes in [true, false] {
        for algorithm in all {
            let found = probe.one(probe.at(Duration::ZERO), b"k", algorithm, Op::Take(1)).await;
            probe.is(found.allowed, passes, format_args!("{} with a key that others have, too", algorithm.id()));
        }
    }
}

/// Parameters are no part of a bucket's identity: who owed under the old rate owes under the new one.
///
/// # Panics
/// If the law is broken.
pub async fn a_new_rate_takes_over_what_is_owed(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_new_rate_takes_over_what_is_owed", store, clock);
    // Both take a hundred hours for a token, so that what is owed is the same number of them.
    let (old, new) = (bucket(Rate::per(1, hours(100)).burst(10)), bucket(Rate::per(1, hours(100)).burst(6)));
    probe.one(probe.at(Duration::ZERO), b"k", &old, Op::Take(4)).await;
    probe.is(probe.remaining(probe.at(Duration::ZERO), b"k", &new).await, 2, "four of ten, and then of six");
    probe.one(probe.at(Duration::ZERO), b"k", &new, Op::Take(2)).await;
    probe.is(probe.remaining(probe.at(Duration::ZERO), b"k", &old).await, 4, "six of ten");
}

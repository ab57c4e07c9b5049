//! What a token must be to be accepted, and each way not to be.
#![cfg(any(feature = "aws-lc", feature = "rust-crypto"))]

mod accepted;
mod attacks;
mod cache;
mod claims;
mod configuration;
mod costs;
#[cfg(feature = "jwks")]
mod discovery;
mod fuzz;
mod header;
mod hostile;
mod keys;
mod known;
mod oracle;
mod profiles;

use std::sync::Arc;

use super::*;
use crate::{
    auth::accepted::Checked,
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    secret::{Secret, SecretSet},
    testing::{TestIssuer, TestToken},
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const URL: &str = "https://issuer.test";
const AUDIENCE: &str = "https://api.test";

fn issuer() -> TestIssuer {
    issuer_with(Algorithm::Es256)
}

fn issuer_with(algorithm: Algorithm) -> TestIssuer {
    TestIssuer::with_algorithm(URL, algorithm).clock(ManualClock::at(NOW))
}

/// RSA keys take long to make: one issuer of each algorithm for all tests of this process.
fn shared_issuer(algorithm: Algorithm) -> &'static TestIssuer {
    static ISSUERS: [std::sync::OnceLock<TestIssuer>; 13] = [const { std::sync::OnceLock::new() }; 13];
    let at = Algorithm::ALL.iter().position(|one| *one == algorithm).unwrap();
    ISSUERS[at].get_or_init(|| issuer_with(algorithm))
}

fn rsa_issuer() -> &'static TestIssuer {
    shared_issuer(Algorithm::Rs256)
}

/// Those that the provider has.
fn every_algorithm() -> impl Iterator<Item = Algorithm> {
    let lacks_p521 = cfg!(not(feature = "aws-lc"));
    Algorithm::ALL.iter().copied().filter(move |algorithm| !(lacks_p521 && *algorithm == Algorithm::Es512))
}

fn at_once(verifier: &JwtVerifier, token: &str, now: Timestamp) -> Result<Principal, Rejection> {
    match verifier.verify(token, now) {
        Checked::Ready(result) => result.map(|accepted| accepted.principal),
        Checked::Wait(_) => panic!("static keys never wait"),
    }
}

fn verdict(verifier: &JwtVerifier, token: &str) -> Result<Principal, RejectionKind> {
    at_once(verifier, token, NOW).map_err(|rejection| rejection.kind())
}

/// The kind and the fault, which only the log sees.
#[track_caller]
fn refused(verifier: &JwtVerifier, token: &str) -> (RejectionKind, String) {
    let rejection = at_once(verifier, token, NOW).expect_err("the token must be refused");
    let fault = rejection.source().expect("a fault").to_string();
    assert_eq!(rejection.detail(), rejection.kind().detail(), "the client learns only the kind");
    (rejection.kind(), fault)
}

#[track_caller]
fn refuses(verifier: &JwtVerifier, token: TestToken, kind: RejectionKind) {
    let shown = format!("{token:?}");
    assert_eq!(refused(verifier, &token.sign()).0, kind, "{shown}");
}

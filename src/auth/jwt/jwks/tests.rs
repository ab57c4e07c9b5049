//! Over HTTP on the loopback interface, and with sources that misbehave.
#![cfg(all(feature = "jwks", any(feature = "aws-lc", feature = "rust-crypto")))]

mod hostile;
mod misbehaving;
mod over_http;

use super::*;
use crate::{
    auth::{
        accepted::Checked,
        jwt::{Issuer, JwtVerifier},
    },
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    testing::TestIssuer,
    time::ManualClock,
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const URL: &str = "https://issuer.test";
const AUDIENCE: &str = "https://api.test";
/// What is looked at here is the age of keys, not that of tokens.
const LONG: Duration = Duration::from_secs(1_000_000);

fn issuer() -> TestIssuer {
    TestIssuer::new(URL).clock(ManualClock::at(NOW))
}

fn at_url(url: &str, clock: &ManualClock) -> JwtVerifier {
    Issuer::new(URL).audience(AUDIENCE).jwks_url(url).max_lifetime(LONG).clock(clock.clone()).build().unwrap()
}

fn from_source(source: &Arc<impl KeySource>, clock: &ManualClock) -> JwtVerifier {
    let source: Arc<dyn KeySource> = source.clone();
    Issuer::new(URL).audience(AUDIENCE).key_source(source).max_lifetime(LONG).clock(clock.clone()).build().unwrap()
}

async fn verify_at(verifier: &JwtVerifier, token: &str, now: Timestamp) -> Result<Principal, Rejection> {
    match verifier.verify(token, now) {
        Checked::Ready(result) => result.map(|accepted| accepted.principal),
        Checked::Wait(result) => result.await.map(|accepted| accepted.principal),
    }
}

async fn verdict(verifier: &JwtVerifier, token: &str) -> Result<(), RejectionKind> {
    verify_at(verifier, token, NOW).await.map(|_| ()).map_err(|rejection| rejection.kind())
}

/// What is said without waiting; `None` if it would wait.
fn at_once(verifier: &JwtVerifier, token: &str) -> Option<Result<(), RejectionKind>> {
    match verifier.verify(token, NOW) {
        Checked::Ready(result) => Some(result.map(|_| ()).map_err(|rejection| rejection.kind())),
        Checked::Wait(_) => None,
    }
}

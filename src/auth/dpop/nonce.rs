//! Nonces that the service hands out and knows again without a store (RFC 9449 §8, §9).

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::{
    config_error::ConfigError,
    secret::{Secret, SecretSet},
    time::{Timestamp, micros_ceil},
};

const DEFAULT_ROTATION: Duration = Duration::from_secs(60);
const ROTATIONS: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(600);
/// The number of the period, and half of its MAC.
const BYTES: usize = 8 + 16;
const TEXT: usize = BYTES.div_ceil(3) * 4;
const MIN_SECRET: usize = 32;

/// Nonces of the service, which a client must put into its proofs: so that a proof cannot be made in
/// advance, by who has the use of a key for a while.
///
/// A nonce is the number of a period and a MAC of it, so nothing is stored, and every instance that
/// has the secret knows the nonces of the others. It is taken during its period and the next one.
///
/// ```
/// use std::time::Duration;
/// use portcullis::{auth::dpop::DpopNonces, secret::Secret};
///
/// let nonces = DpopNonces::with_secret(Secret::new([7; 32])).rotate_every(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DpopNonces {
    secret: Option<SecretSet>,
    rotation: Duration,
}

impl DpopNonces {
    /// Nonces of this instance alone, under a random secret.
    #[expect(clippy::new_without_default, reason = "the random secret is a choice that one should see")]
    pub fn new() -> Self {
        Self { secret: None, rotation: DEFAULT_ROTATION }
    }

    /// Nonces of every instance that has the secret, of at least 32 bytes.
    pub fn with_secret(secret: impl Into<SecretSet>) -> Self {
        Self { secret: Some(secret.into()), rotation: DEFAULT_ROTATION }
    }

    /// How long a nonce is the current one: 5 s to 10 min. It is taken for as long again. Default:
    /// one minute.
    pub fn rotate_every(mut self, rotation: Duration) -> Self {
        self.rotation = rotation;
        self
    }

    pub(super) fn build(self) -> Result<Nonces, ConfigError> {
        if !ROTATIONS.contains(&self.rotation) {
            return Err(ConfigError::new("rotate_every", "it is not 5 s to 10 min", "use one minute"));
        }
        let secret = match self.secret {
            Some(secret) if secret.valid_at(Timestamp::EPOCH).iter().any(|secret| secret.len() < MIN_SECRET) => {
                return Err(ConfigError::new(
                    "with_secret",
                    "a secret is shorter than 32 bytes",
                    "use 32 random bytes",
                ));
            }
            Some(secret) => secret,
            None => {
                let mut bytes = vec![0; MIN_SECRET];
                getrandom::fill(&mut bytes).map_err(|error| {
                    ConfigError::new("nonces", format!("there is no randomness: {error}"), "give with_secret")
                })?;
                SecretSet::new(Secret::new(bytes))
            }
        };
        Ok(Nonces { secret, period: micros_ceil(self.rotation).max(1) })
    }
}

/// What makes and knows nonces.
#[derive(Debug)]
pub(super) struct Nonces {
    secret: SecretSet,
    period: u64,
}

/// A nonce that is one of ours, and in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// It ends soon: the client is told the next one.
    pub(super) is_previous: bool,
    /// Until then it is taken.
    pub(super) until: Timestamp,
}

impl Nonces {
    /// The nonce of the present period: 32 characters of base64url.
    pub(super) fn current(&self, now: Timestamp) -> String {
        Base64UrlUnpadded::encode_string(&bytes_of(self.number(now), &self.secret.current()))
    }

    /// Whether a nonce is ours and in time. One of the next period is, too: instances' clocks differ.
    pub(super) fn judge(&self, nonce: &str, now: Timestamp) -> Option<Known> {
        let mut buffer = [0; TEXT];
        let bytes: [u8; BYTES] = Base64UrlUnpadded::decode(nonce, &mut buffer).ok()?.try_into().ok()?;
        let (number, _) = bytes.split_first_chunk()?;
        let number = u64::from_be_bytes(*number);
        let present = self.number(now);
        if number.abs_diff(present) > 1 {
            return None;
        }
        let secrets = self.secret.valid_at(now);
        let ours = secrets.iter().any(|secret| bool::from(bytes_of(number, secret).ct_eq(&bytes)));
        let until = Timestamp::from_micros(number.saturating_add(2).saturating_mul(self.period));
        ours.then_some(Known { is_previous: number < present, until })
    }

    fn number(&self, now: Timestamp) -> u64 {
        now.as_micros().checked_div(self.period).unwrap_or(0)
    }
}

fn bytes_of(number: u64, secret: &Secret) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let number = number.to_be_bytes();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else { return bytes };
    mac.update(b"portcullis dpop nonce");
    mac.update(&number);
    let digest = mac.finalize().into_bytes();
    for (to, from) in bytes.iter_mut().zip(number.iter().chain(&digest)) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nonces() -> Nonces {
        DpopNonces::with_secret(Secret::new([7; 32])).build().unwrap()
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_nonce_is_known_for_two_periods_rfc9449_8() {
        let nonce = nonces().current(at(600));
        assert_eq!(nonce.len(), 32);
        let until = at(720);
        assert_eq!(nonces().judge(&nonce, at(600)), Some(Known { is_previous: false, until }));
        assert_eq!(nonces().judge(&nonce, at(659)), Some(Known { is_previous: false, until }));
        assert_eq!(nonces().judge(&nonce, at(660)), Some(Known { is_previous: true, until }));
        assert_eq!(nonces().judge(&nonce, at(719)), Some(Known { is_previous: true, until }));
        assert_eq!(nonces().judge(&nonce, at(720)), None);
        assert_eq!(nonces().judge(&nonce, at(599)), Some(Known { is_previous: false, until }));
        assert_eq!(nonces().judge(&nonce, at(539)), None);
        assert_ne!(nonces().current(at(660)), nonce);
    }

    #[test]
    fn nonces_of_others_and_of_the_imagination_are_not_known() {
        let other = DpopNonces::with_secret(Secret::new([8; 32])).build().unwrap();
        assert_eq!(nonces().judge(&other.current(at(600)), at(600)), None);
        let random = DpopNonces::new().build().unwrap();
        assert_eq!(nonces().judge(&random.current(at(600)), at(600)), None);
        for nonce in ["", "x", &"A".repeat(32), &"A".repeat(31), &"A".repeat(4_000)] {
            assert_eq!(nonces().judge(nonce, at(0)), None, "{nonce}");
        }
    }

    #[test]
    fn a_rotated_secret_still_knows_its_nonces() {
        let set = SecretSet::new(Secret::new([1; 32]));
        let nonces = DpopNonces::with_secret(set.clone()).build().unwrap();
        let old = nonces.current(at(600));
        set.rotate(Secret::new([2; 32]), at(650));
        assert_ne!(nonces.current(at(600)), old);
        assert!(nonces.judge(&old, at(649)).is_some() && nonces.judge(&old, at(650)).is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let short = DpopNonces::with_secret(Secret::new([0; 31])).build().unwrap_err();
        assert_eq!(short.issues()[0].field, "with_secret");
        for rotation in [Duration::from_secs(4), Duration::from_secs(601)] {
            assert_eq!(DpopNonces::new().rotate_every(rotation).build().unwrap_err().issues()[0].field, "rotate_every");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_change_is_known(flip in 0..32_usize, with in "[A-Za-z0-9_-]", junk in ".{0,40}") {
            let nonce = nonces().current(at(600));
            let mut changed = nonce.clone();
            changed.replace_range(flip..=flip, &with);
            prop_assert_eq!(nonces().judge(&changed, at(600)).is_some(), changed == nonce);
            prop_assert!(nonces().judge(&junk, at(600)).is_none());
        }
    }
}

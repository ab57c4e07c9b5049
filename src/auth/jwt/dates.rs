//! The dates of a token (RFC 7519 §2, §4.1.4 to §4.1.6).

use std::time::Duration;

use serde_json::value::RawValue;

use super::fault::Fault;
use crate::time::Timestamp;

/// The dates as the claims have them: the JSON of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dates<'de> {
    pub(crate) expires: Option<&'de str>,
    pub(crate) not_before: Option<&'de str>,
    pub(crate) issued: Option<&'de str>,
    pub(crate) authenticated: Option<&'de str>,
}

/// The dates of a token that holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) expires_at: Timestamp,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) auth_time: Option<Timestamp>,
}

impl Dates<'_> {
    pub(crate) fn judge(&self, leeway: Duration, max_lifetime: Duration, now: Timestamp) -> Result<Held, Fault> {
        let expires_at = date(self.expires, "exp")?.ok_or(Fault::Claim("exp"))?;
        // The current time MUST be before exp (§4.1.4): at exp plus leeway it is over.
        if now >= expires_at.saturating_add(leeway) {
            return Err(Fault::Expired);
        }
        let issued_at = date(self.issued, "iat")?;
        for from in [date(self.not_before, "nbf")?, issued_at].into_iter().flatten() {
            if now.saturating_add(leeway) < from {
                return Err(Fault::NotYet);
            }
        }
        let lifetime = match issued_at {
            Some(issued) => expires_at.since(issued),
            // It was issued by now, as the issuer's clock has it.
            None => expires_at.since(now).saturating_sub(leeway),
        };
        if lifetime > max_lifetime {
            return Err(Fault::Lifetime);
        }
        Ok(Held { expires_at, issued_at, auth_time: date(self.authenticated, "auth_time")? })
    }
}

fn date(claim: Option<&str>, name: &'static str) -> Result<Option<Timestamp>, Fault> {
    claim.map(|claim| from_json(claim).ok_or(Fault::Claim(name))).transpose()
}

/// Seconds since the epoch, perhaps with a fraction (RFC 7519 §2); `None` if it is no JSON number.
pub(crate) fn numeric_date(value: &RawValue) -> Option<Timestamp> {
    from_json(value.get())
}

fn from_json(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Timestamp::from_secs(seconds));
    }
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    let seconds: f64 = text.parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates at both ends")]
    let micros = (seconds * 1e6) as u64;
    Some(Timestamp::from_micros(micros))
}

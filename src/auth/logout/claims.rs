//! What a logout token must say (`OpenID` Connect Back-Channel Logout 1.0, 2.4 and 2.6).

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::{Map, Number, Value};

use super::fault::LogoutFault;
use crate::time::Timestamp;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The claims; a member that is there twice is refused by the derived code.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: Value,
    iat: Number,
    exp: Number,
    jti: String,
    events: Map<String, Value>,
    sub: Option<String>,
    sid: Option<String>,
    #[serde(default)]
    nonce: Nonce,
}

/// Whether there is a nonce, be it `null`.
#[derive(Debug, Default)]
struct Nonce(bool);

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// Who is to be logged out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// One session, and whose it is if that is said.
    Session { sid: String, sub: Option<String> },
    /// All sessions of a subject.
    Subject(String),
}

/// A logout token that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logout {
    pub(super) jti: String,
    pub(super) whom: Whom,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Who may say it, to whom, and how far clocks may differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) leeway: Duration,
}

/// Judges the payload of a token whose signature has verified.
pub(super) fn judge(payload: &[u8], expected: Expected<'_>, now: Timestamp) -> Result<Logout, LogoutFault> {
    let claims: Claims = serde_json::from_slice(payload).map_err(|_| LogoutFault::Claims)?;
    if claims.iss != expected.issuer {
        return Err(LogoutFault::Issuer);
    }
    if !names(&claims.aud, expected.client)? {
        return Err(LogoutFault::Audience);
    }
    let issued_at = time(&claims.iat).ok_or(LogoutFault::Claims)?;
    let expires_at = time(&claims.exp).ok_or(LogoutFault::Claims)?;
    if now >= expires_at.saturating_add(expected.leeway) {
        return Err(LogoutFault::Expired);
    }
    if now.saturating_add(expected.leeway) < issued_at {
        return Err(LogoutFault::NotYet);
    }
    if !claims.events.get(EVENT).is_some_and(Value::is_object) {
        return Err(LogoutFault::Event);
    }
    if claims.nonce.0 {
        return Err(LogoutFault::Nonce);
    }
    let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    if claims.jti.is_empty() || empty(&claims.sub) || empty(&claims.sid) {
        return Err(LogoutFault::Claims);
    }
    let whom = match (claims.sid, claims.sub) {
        (Some(sid), sub) => Whom::Session { sid, sub },
        (None, Some(sub)) => Whom::Subject(sub),
        (None, None) => return Err(LogoutFault::Nobody),
    };
    Ok(Logout { jti: claims.jti, whom, issued_at, expires_at })
}

/// A string, or an array of strings (RFC 7519 §4.1.3).
fn names(audience: &Value, client: &str) -> Result<bool, LogoutFault> {
    match audience {
        Value::String(one) => Ok(one == client),
        Value::Array(many) if many.iter().all(Value::is_string) => Ok(many.iter().any(|one| one == client)),
        _ => Err(LogoutFault::Claims),
    }
}

/// Seconds since the epoch, perhaps with a fraction.
fn time(number: &Number) -> Option<Timestamp> {
    if let Some(seconds) = number.as_u64() {
        return Some(Timestamp::from_secs(seconds));
    }
    let seconds = number.as_f64().filter(|seconds| seconds.is_finite())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates at both ends")]
    let micros = (seconds * 1e6) as u64;
    Some(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://issuer.test", client: "orders", leeway: Duration::from_secs(30) };

    fn good() -> Value {
        json!({
            "iss": "https://issuer.test", "aud": "orders", "iat": 1_800_000_000, "exp": 1_800_000_120, "jti": "j1",
            "events": { EVENT: {} }, "sub": "usr_1", "sid": "s1",
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = good();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn fault(claims: &Value) -> LogoutFault {
        judge(claims.to_string().as_bytes(), EXPECTED, NOW).unwrap_err()
    }

    fn whom(claims: &Value) -> Whom {
        judge(claims.to_string().as_bytes(), EXPECTED, NOW).unwrap().whom
    }

    #[test]
    fn session_or_subject_is_named_oidc_back_channel_2_4() {
        assert_eq!(whom(&good()), Whom::Session { sid: "s1".into(), sub: Some("usr_1".into()) });
        assert_eq!(whom(&without("sub")), Whom::Session { sid: "s1".into(), sub: None });
        assert_eq!(whom(&without("sid")), Whom::Subject("usr_1".into()));
        assert_eq!(whom(&with("aud", json!(["x", "orders"]))), whom(&good()));
        let mut nobody = without("sub");
        nobody.as_object_mut().unwrap().remove("sid");
        assert_eq!(fault(&nobody), LogoutFault::Nobody);
    }

    #[test]
    fn the_steps_of_validation_oidc_back_channel_2_6() {
        for name in ["iss", "aud", "iat", "exp", "jti", "events"] {
            assert_eq!(fault(&without(name)), LogoutFault::Claims, "{name} is required");
        }
        assert_eq!(fault(&with("iss", json!("https://issuer.test/"))), LogoutFault::Issuer);
        for audience in [json!("other"), json!([]), json!(["other"])] {
            assert_eq!(fault(&with("aud", audience)), LogoutFault::Audience);
        }
        assert_eq!(fault(&with("exp", json!(1_799_999_970))), LogoutFault::Expired);
        assert_eq!(fault(&with("iat", json!(1_800_000_031))), LogoutFault::NotYet);
        for events in [json!({}), json!({ EVENT: "x" }), json!({ "http://schemas.openid.net/event/other": {} })] {
            assert_eq!(fault(&with("events", events)), LogoutFault::Event);
        }
        for nonce in [json!("n"), json!(null), json!({})] {
            assert_eq!(fault(&with("nonce", nonce)), LogoutFault::Nonce, "as an ID token has");
        }
    }

    #[test]
    fn what_has_the_wrong_type_is_refused() {
        for (name, value) in [
            ("iss", json!(1)),
            ("aud", json!({})),
            ("aud", json!(["orders", 1])),
            ("iat", json!("1800000000")),
            ("exp", json!(null)),
            ("jti", json!("")),
            ("jti", json!(["j1"])),
            ("events", json!([EVENT])),
            ("sub", json!(1)),
            ("sub", json!("")),
            ("sid", json!([])),
        ] {
            assert_eq!(fault(&with(name, value.clone())), LogoutFault::Claims, "{name}: {value}");
        }
        let twice = good().to_string().replacen('{', r#"{"sub":"usr_2","#, 1);
        assert_eq!(judge(twice.as_bytes(), EXPECTED, NOW).unwrap_err(), LogoutFault::Claims);
    }

    proptest! {
        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(judge(&bytes, EXPECTED, NOW).is_err());
        }
    }
}

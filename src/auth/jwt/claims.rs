//! The claims (RFC 7519 §4.1), read once, after the signature has verified.

use std::{borrow::Cow, fmt, time::Duration};

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    claim_names::{ClaimNames, Field},
    fault::Fault,
    json::{self, Distinct, Names, Texts},
};
use crate::{
    identity::{AuthMethod, PrincipalParts, Scopes},
    time::Timestamp,
};

/// What a token must say to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    pub(crate) issuer: Box<str>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) leeway: Duration,
    pub(crate) names: ClaimNames,
    /// Whether tokens bound to a key or certificate are taken from whoever bears them.
    pub(crate) bound: BoundTokens,
}

/// What becomes of tokens with `cnf` (RFC 7800).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundTokens {
    Refused,
    Accepted,
}

/// What the claims say.
#[derive(Debug, Default)]
pub(crate) struct Claims<'de> {
    issuer: Option<Texts<'de>>,
    subject: Option<Texts<'de>>,
    audience: Option<Texts<'de>>,
    id: Option<Texts<'de>>,
    expires: Option<&'de RawValue>,
    not_before: Option<&'de RawValue>,
    issued: Option<&'de RawValue>,
    bound: bool,
    other_purpose: bool,
    fields: [(usize, Texts<'de>); 6],
}

impl<'de> Claims<'de> {
    pub(crate) fn parse(bytes: &'de [u8], names: &ClaimNames) -> Result<Self, Fault> {
        json::object(bytes, ClaimsVisitor(names)).map_err(|_| Fault::ClaimsJson)
    }

    /// Compares with what is expected, and takes what a principal consists of. Who and for whom
    /// comes before when: a token for somebody else is not called expired.
    pub(crate) fn judge(self, expected: &Expectations, now: Timestamp) -> Result<PrincipalParts, Fault> {
        let issuer = text(self.issuer, "iss")?;
        if *issuer != *expected.issuer {
            return Err(Fault::Issuer);
        }
        check_audience(self.audience, &expected.audiences)?;
        let subject = text(self.subject, "sub")?;
        if self.bound && expected.bound == BoundTokens::Refused {
            return Err(Fault::Bound);
        }
        if self.other_purpose {
            return Err(Fault::Purpose);
        }
        let expires_at = check_times(self.expires, self.not_before, self.issued, expected.leeway, now)?;
        let id = self.id.map(|id| id.into_one().ok_or(Fault::Claim("jti"))).transpose()?;
        let [scope, roles, tenant, plan, client, email] = self.fields.map(|(_, texts)| texts);
        Ok(PrincipalParts {
            subject: subject.into(),
            issuer: Some(issuer.into()),
            tenant: optional(tenant, "tenant")?,
            client: optional(client, "client")?,
            plan: optional(plan, "plan")?,
            email: optional(email, "email")?,
            method: Some(AuthMethod::Jwt),
            scopes: scopes(&scope)?,
            roles: role_list(&roles)?,
            credential_id: id.map(Into::into),
            expires_at: Some(expires_at),
            ..PrincipalParts::default()
        })
    }
}

fn text<'de>(texts: Option<Texts<'de>>, name: &'static str) -> Result<Cow<'de, str>, Fault> {
    texts.and_then(Texts::into_one).ok_or(Fault::Claim(name))
}

/// An empty string says as much as no claim.
fn optional(texts: Texts<'_>, name: &'static str) -> Result<Option<Box<str>>, Fault> {
    match texts {
        Texts::Absent => Ok(None),
        Texts::One(text) if text.is_empty() => Ok(None),
        Texts::One(text) => Ok(Some(text.into())),
        Texts::Many(_) | Texts::Wrong => Err(Fault::Claim(name)),
    }
}

/// A string or an array of strings; one of ours among them is enough (RFC 7519 §4.1.3).
fn check_audience(claim: Option<Texts<'_>>, accepted: &[Box<str>]) -> Result<(), Fault> {
    let claim = claim.unwrap_or_default();
    if matches!(claim, Texts::Absent | Texts::Wrong) {
        return Err(Fault::Claim("aud"));
    }
    let ours = claim.iter().any(|audience| accepted.iter().any(|ours| **ours == *audience));
    if ours { Ok(()) } else { Err(Fault::Audience) }
}

fn check_times(
    expires: Option<&RawValue>,
    not_before: Option<&RawValue>,
    issued: Option<&RawValue>,
    leeway: Duration,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let expires = numeric_date(expires.ok_or(Fault::Claim("exp"))?).ok_or(Fault::Claim("exp"))?;
    // The current time MUST be before exp (§4.1.4): at exp plus leeway it is over.
    if now >= expires.saturating_add(leeway) {
        return Err(Fault::Expired);
    }
    for (claim, name) in [(not_before, "nbf"), (issued, "iat")] {
        if let Some(claim) = claim {
            let from = numeric_date(claim).ok_or(Fault::Claim(name))?;
            if now.saturating_add(leeway) < from {
                return Err(Fault::NotYet);
            }
        }
    }
    Ok(expires)
}

/// Seconds since the epoch, perhaps with a fraction (RFC 7519 §2); `None` if it is no JSON number.
pub(crate) fn numeric_date(value: &RawValue) -> Option<Timestamp> {
    let text = value.get();
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

fn scopes(texts: &Texts<'_>) -> Result<Scopes, Fault> {
    let scopes = match texts {
        Texts::Absent => Ok(Scopes::none()),
        Texts::One(text) if text.is_empty() => Ok(Scopes::none()),
        Texts::One(text) => Scopes::from_token(text.split(' ')),
        Texts::Many(_) => Scopes::from_token(texts.iter()),
        Texts::Wrong => return Err(Fault::Claim("scope")),
    };
    scopes.map_err(|_| Fault::Claim("scope"))
}

fn role_list(texts: &Texts<'_>) -> Result<Vec<Box<str>>, Fault> {
    if matches!(texts, Texts::Wrong) {
        return Err(Fault::Claim("roles"));
    }
    Ok(texts.iter().filter(|role| !role.is_empty()).map(Into::into).collect())
}

struct ClaimsVisitor<'n>(&'n ClaimNames);

impl<'de> Visitor<'de> for ClaimsVisitor<'_> {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JWT claims set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims<'de>, A::Error> {
        let mut names = Names::new();
        let mut claims = Claims::default();
        while let Some(name) = names.next(&mut map)? {
            match name {
                "iss" => claims.issuer = Some(map.next_value()?),
                "sub" => claims.subject = Some(map.next_value()?),
                "aud" => claims.audience = Some(map.next_value()?),
                "jti" => claims.id = Some(map.next_value()?),
                "exp" => claims.expires = Some(map.next_value()?),
                "nbf" => claims.not_before = Some(map.next_value()?),
                "iat" => claims.issued = Some(map.next_value()?),
                // RFC 8725 §3.12: the rules of access tokens exclude those of the other kinds.
                "at_hash" | "c_hash" | "events" => {
                    map.next_value::<Distinct>()?;
                    claims.other_purpose = true;
                }
                "cnf" => {
                    map.next_value::<Distinct>()?;
                    claims.bound = true;
                }
                name => claims.take_named(self.0, name, &mut map)?,
            }
        }
        Ok(claims)
    }
}

impl<'de> Claims<'de> {
    fn take_named<A: MapAccess<'de>>(&mut self, names: &ClaimNames, name: &str, map: &mut A) -> Result<(), A::Error> {
        let mut wanted = names.find(name).peekable();
        if wanted.peek().is_none() {
            return map.next_value::<Distinct>().map(drop);
        }
        let texts: Texts<'de> = map.next_value()?;
        if texts == Texts::Absent {
            return Ok(());
        }
        for (field, rank) in wanted {
            let slot = match (field, &mut self.fields) {
                (Field::Scope, [slot, ..])
                | (Field::Roles, [_, slot, ..])
                | (Field::Tenant, [_, _, slot, ..])
                | (Field::Plan, [_, _, _, slot, ..])
                | (Field::Client, [.., slot, _])
                | (Field::Email, [.., slot]) => slot,
            };
            if slot.1 == Texts::Absent || rank < slot.0 {
                *slot = (rank, texts.clone());
            }
        }
        Ok(())
    }
}

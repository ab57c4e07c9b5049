//! The claims (RFC 7519 §4.1), read once, after the signature has verified.

use std::{borrow::Cow, fmt, mem::take, time::Duration};

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    Profile,
    bound::{Act, Cnf, is_other_purpose},
    claim_fields::{Along, Fields},
    claim_names::{ClaimNames, PlainNames},
    dates::Dates,
    fault::Fault,
    json::{self, Distinct, Names, Texts},
    scan::{self, Plain},
};
use crate::{
    identity::{AuthMethod, Confirmation, PrincipalParts, Scopes, Text},
    time::Timestamp,
};

/// What a token must say to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    pub(crate) issuer: Box<str>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) profile: Profile,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) names: ClaimNames,
    /// What becomes of tokens that are bound to a key or certificate.
    pub(crate) bound: BoundTokens,
}

/// What becomes of tokens with `cnf` (RFC 7800).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundTokens {
    /// The layer checks the binding, of which the principal's `confirmation` tells it.
    Checked,
    /// They are taken from whoever bears them: the principal has no `confirmation`.
    Accepted,
}

impl BoundTokens {
    /// What holds unless the owner accepts the danger: the condition that checks bindings stands in
    /// every layer.
    pub(crate) const DEFAULT: Self = Self::Checked;
}

/// What the claims say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Claims<'de> {
    whole: &'de [u8],
    issuer: Option<Texts<'de>>,
    subject: Option<Texts<'de>>,
    audience: Option<Texts<'de>>,
    id: Option<Texts<'de>>,
    session: Texts<'de>,
    acr: Texts<'de>,
    amr: Texts<'de>,
    actor: Texts<'de>,
    dates: Dates<'de>,
    confirmation: Option<Confirmation>,
    /// Whether the claim of that name is a string, whatever names are configured for it.
    client_id: bool,
    other_purpose: bool,
    fields: Fields<'de>,
}

impl<'de> Claims<'de> {
    pub(crate) fn parse(bytes: &'de [u8], names: &ClaimNames) -> Result<Self, Fault> {
        let claims = json::object(bytes, ClaimsVisitor(names)).map_err(|_| Fault::ClaimsJson)?;
        Ok(Self { whole: bytes, ..claims })
    }

    /// The same for claims as most tokens have them, in a quarter of the time; `None` says nothing but
    /// that they are others, or none.
    pub(crate) fn scan(text: &'de str, names: &PlainNames) -> Option<Self> {
        let mut claims = Self { whole: text.as_bytes(), ..Self::default() };
        scan::object(text, |name, value| claims.take_plain(name, value, names))?;
        Some(claims)
    }

    /// Compares with what is expected, and takes what a principal consists of. Who and for whom
    /// comes before when: a token for somebody else is not called expired.
    ///
    /// The texts of the parts are places in the bytes that were parsed: those must become
    /// `PrincipalParts::claims`.
    pub(crate) fn judge(&mut self, expected: &Expectations, now: Timestamp) -> Result<PrincipalParts, Fault> {
        let issuer = text(self.issuer.take(), "iss")?;
        if *issuer != *expected.issuer {
            return Err(Fault::Issuer);
        }
        check_audience(self.audience.take(), &expected.audiences)?;
        let subject = text(self.subject.take(), "sub")?;
        let is_bound = self.confirmation.is_some();
        let confirmation = check_binding(self.confirmation.take(), expected)?;
        if self.other_purpose {
            return Err(Fault::Purpose);
        }
        if expected.profile != Profile::Lenient {
            self.check_required()?;
        }
        let dates = self.dates.judge(expected.leeway, expected.max_lifetime, now)?;
        let whole = self.whole;
        let place = |text: Cow<'_, str>| Text::place(text, whole);
        let one = |texts: Texts<'_>, name| optional(texts, name).map(|text| text.map(place));
        let all = |texts: Texts<'_>, name| list(texts, name, &place);
        let id = self.id.take().map(|id| id.into_one().ok_or(Fault::Claim("jti"))).transpose()?;
        let [scope, roles, tenant, plan, client, email] = take(&mut self.fields).into_texts();
        Ok(PrincipalParts {
            subject: place(subject),
            issuer: Some(place(issuer)),
            tenant: one(tenant, "tenant")?,
            client: one(client, "client")?,
            plan: one(plan, "plan")?,
            email: one(email, "email")?,
            method: Some(AuthMethod::Jwt),
            scopes: scopes(&scope)?,
            roles: all(roles, "roles")?,
            credential_id: id.map(place),
            issued_at: dates.issued_at,
            expires_at: Some(dates.expires_at),
            session: one(take(&mut self.session), "sid")?,
            acr: one(take(&mut self.acr), "acr")?,
            amr: all(take(&mut self.amr), "amr")?,
            auth_time: dates.auth_time,
            actor: one(take(&mut self.actor), "act")?,
            proven_elsewhere: is_bound && confirmation.is_none(),
            confirmation,
            ..PrincipalParts::default()
        })
    }

    /// RFC 9068 §2.2: beside `iss`, `exp`, `aud` and `sub`, which every profile demands.
    fn check_required(&self) -> Result<(), Fault> {
        let missing = [("client_id", self.client_id), ("iat", self.dates.issued.is_some()), ("jti", self.id.is_some())];
        match missing.into_iter().find(|(_, there)| !there) {
            Some((name, _)) => Err(Fault::Claim(name)),
            None => Ok(()),
        }
    }
}

/// What the layer still has to check.
fn check_binding(found: Option<Confirmation>, expected: &Expectations) -> Result<Option<Confirmation>, Fault> {
    let bound = found.as_ref().is_some_and(|found| found.dpop.is_some() || found.certificate.is_some());
    if expected.profile == Profile::Fapi2 && !bound {
        return Err(Fault::Unbound);
    }
    match expected.bound {
        BoundTokens::Accepted => Ok(None),
        BoundTokens::Checked => Ok(found),
    }
}

fn text<'de>(texts: Option<Texts<'de>>, name: &'static str) -> Result<Cow<'de, str>, Fault> {
    texts.and_then(Texts::into_one).ok_or(Fault::Claim(name))
}

/// An empty string says as much as no claim.
fn optional<'de>(texts: Texts<'de>, name: &'static str) -> Result<Option<Cow<'de, str>>, Fault> {
    match texts {
        Texts::Absent => Ok(None),
        Texts::One(text) if text.is_empty() => Ok(None),
        Texts::One(text) => Ok(Some(text)),
        Texts::Many(_) | Texts::Listed(_) | Texts::Wrong => Err(Fault::Claim(name)),
    }
}

fn list(texts: Texts<'_>, name: &'static str, place: &dyn Fn(Cow<'_, str>) -> Text) -> Result<Vec<Text>, Fault> {
    if matches!(texts, Texts::Wrong) {
        return Err(Fault::Claim(name));
    }
    Ok(texts.into_each().filter(|text| !text.is_empty()).map(place).collect())
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

fn scopes(texts: &Texts<'_>) -> Result<Scopes, Fault> {
    let scopes = match texts {
        Texts::Absent => Ok(Scopes::none()),
        Texts::One(text) if text.is_empty() => Ok(Scopes::none()),
        Texts::One(text) => Scopes::from_text(text),
        Texts::Many(_) | Texts::Listed(_) => Scopes::from_token(texts.iter()),
        Texts::Wrong => return Err(Fault::Claim("scope")),
    };
    scopes.map_err(|_| Fault::Claim("scope"))
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
                "sid" => claims.session = map.next_value()?,
                "acr" => claims.acr = map.next_value()?,
                "amr" => claims.amr = map.next_value()?,
                "exp" => claims.dates.expires = Some(raw(&mut map)?),
                "nbf" => claims.dates.not_before = Some(raw(&mut map)?),
                "iat" => claims.dates.issued = Some(raw(&mut map)?),
                "auth_time" => claims.dates.authenticated = Some(raw(&mut map)?),
                "act" => claims.actor = map.next_value::<Act<'de>>()?.0,
                "cnf" => claims.confirmation = Some(map.next_value::<Cnf>()?.0),
                // RFC 8725 §3.12: the rules of access tokens exclude those of the other kinds.
                "at_hash" | "c_hash" | "events" => {
                    map.next_value::<Distinct>()?;
                    claims.other_purpose = true;
                }
                "typ" | "token_use" => {
                    let other = is_other_purpose(name, &map.next_value()?);
                    claims.other_purpose |= other;
                }
                "client_id" => claims.take_client_id(self.0, map.next_value()?),
                name => claims.take_named(self.0, name, &mut map)?,
            }
        }
        Ok(claims)
    }
}

/// A value as it is written.
fn raw<'de, A: MapAccess<'de>>(map: &mut A) -> Result<&'de str, A::Error> {
    map.next_value::<&RawValue>().map(RawValue::get)
}

impl<'de> Claims<'de> {
    fn take_client_id(&mut self, names: &ClaimNames, texts: Texts<'de>) {
        self.client_id = matches!(&texts, Texts::One(id) if !id.is_empty());
        let set = names.matching(u64::MAX, 0, "client_id");
        Along { names, set, depth: 1, fields: &mut self.fields }.put(texts);
    }

    /// What [`ClaimsVisitor`] does with a member, for those whose value is plain.
    fn take_plain(&mut self, name: &'de str, value: Plain<'de>, names: &PlainNames) -> Option<()> {
        match name {
            "iss" => self.issuer = Some(value.texts()),
            "sub" => self.subject = Some(value.texts()),
            "aud" => self.audience = Some(value.texts()),
            "jti" => self.id = Some(value.texts()),
            "sid" => self.session = value.texts(),
            "acr" => self.acr = value.texts(),
            "amr" => self.amr = value.texts(),
            "exp" => self.dates.expires = Some(value.digits()?),
            "nbf" => self.dates.not_before = Some(value.digits()?),
            "iat" => self.dates.issued = Some(value.digits()?),
            "auth_time" => self.dates.authenticated = Some(value.digits()?),
            // Objects, if they are right.
            "act" | "cnf" => return None,
            "at_hash" | "c_hash" | "events" => self.other_purpose = true,
            "typ" | "token_use" => self.other_purpose |= is_other_purpose(name, &value.texts()),
            _ => {
                let texts = value.texts();
                if name == "client_id" {
                    self.client_id = matches!(&texts, Texts::One(id) if !id.is_empty());
                }
                for (field, rank) in names.named(name) {
                    self.fields.put(field, rank, texts.clone());
                }
            }
        }
        Some(())
    }

    fn take_named<A: MapAccess<'de>>(&mut self, names: &ClaimNames, name: &str, map: &mut A) -> Result<(), A::Error> {
        let set = names.matching(u64::MAX, 0, name);
        if set == 0 {
            return map.next_value::<Distinct>().map(drop);
        }
        map.next_value_seed(Along { names, set, depth: 1, fields: &mut self.fields })
    }
}

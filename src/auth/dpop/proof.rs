//! The header and the claims of a proof (RFC 9449 §4.2). Pure: bytes in, what they say out.

use std::{borrow::Cow, fmt};

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::ProofFault;
use crate::{
    auth::jwt::parts::{Distinct, Names, Texts, numeric_date, object, without_application},
    time::Timestamp,
};

/// What the header of a proof says.
#[derive(Debug)]
pub(super) struct ProofHeader<'de> {
    pub(super) algorithm: Cow<'de, str>,
    pub(super) jwk: &'de RawValue,
}

#[derive(Debug, Default)]
struct HeaderMembers<'de> {
    algorithm: Option<Texts<'de>>,
    typ: Option<Texts<'de>>,
    jwk: Option<&'de RawValue>,
    critical: bool,
}

impl<'de> ProofHeader<'de> {
    pub(super) fn parse(bytes: &'de [u8]) -> Result<Self, ProofFault> {
        let members = object(bytes, HeaderVisitor).map_err(|_| ProofFault::Form)?;
        // None of the extensions is understood here (RFC 7515 §4.1.11).
        if members.critical {
            return Err(ProofFault::Form);
        }
        let typ = members.typ.and_then(Texts::into_one).ok_or(ProofFault::Type)?;
        if !without_application(&typ).eq_ignore_ascii_case("dpop+jwt") {
            return Err(ProofFault::Type);
        }
        let algorithm = members.algorithm.and_then(Texts::into_one).ok_or(ProofFault::Algorithm)?;
        Ok(Self { algorithm, jwk: members.jwk.ok_or(ProofFault::Key)? })
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = HeaderMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the JOSE header of a proof")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Names::new();
        let mut members = HeaderMembers::default();
        while let Some(name) = names.next(&mut map)? {
            match name {
                "alg" => members.algorithm = Some(map.next_value()?),
                "typ" => members.typ = Some(map.next_value()?),
                "jwk" => members.jwk = Some(map.next_value()?),
                "crit" => {
                    map.next_value::<Distinct>()?;
                    members.critical = true;
                }
                _ => {
                    map.next_value::<Distinct>()?;
                }
            }
        }
        Ok(members)
    }
}

/// What the claims of a proof say.
#[derive(Debug)]
pub(super) struct ProofClaims<'de> {
    pub(super) id: Cow<'de, str>,
    pub(super) method: Cow<'de, str>,
    pub(super) target: Cow<'de, str>,
    pub(super) issued: Timestamp,
    pub(super) token_hash: Cow<'de, str>,
    pub(super) nonce: Option<Cow<'de, str>>,
}

#[derive(Debug, Default)]
struct ClaimMembers<'de> {
    id: Option<Texts<'de>>,
    method: Option<Texts<'de>>,
    target: Option<Texts<'de>>,
    issued: Option<&'de RawValue>,
    token_hash: Option<Texts<'de>>,
    nonce: Option<Texts<'de>>,
}

impl<'de> ProofClaims<'de> {
    pub(super) fn parse(bytes: &'de [u8]) -> Result<Self, ProofFault> {
        let members = object(bytes, ClaimsVisitor).map_err(|_| ProofFault::Form)?;
        let issued = members.issued.and_then(numeric_date).ok_or(ProofFault::Claim("iat"))?;
        Ok(Self {
            id: text(members.id, "jti")?,
            method: text(members.method, "htm")?,
            target: text(members.target, "htu")?,
            issued,
            token_hash: text(members.token_hash, "ath")?,
            nonce: members.nonce.map(|nonce| text(Some(nonce), "nonce")).transpose()?,
        })
    }
}

fn text<'de>(texts: Option<Texts<'de>>, name: &'static str) -> Result<Cow<'de, str>, ProofFault> {
    texts.and_then(Texts::into_one).ok_or(ProofFault::Claim(name))
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = ClaimMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a proof")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Names::new();
        let mut members = ClaimMembers::default();
        while let Some(name) = names.next(&mut map)? {
            match name {
                "jti" => members.id = Some(map.next_value()?),
                "htm" => members.method = Some(map.next_value()?),
                "htu" => members.target = Some(map.next_value()?),
                "iat" => members.issued = Some(map.next_value()?),
                "ath" => members.token_hash = Some(map.next_value()?),
                "nonce" => members.nonce = Some(map.next_value()?),
                _ => {
                    map.next_value::<Distinct>()?;
                }
            }
        }
        Ok(members)
    }
}

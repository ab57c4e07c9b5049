//! Several issuers: a token is shown to the one that it names, and to no other.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{
    JwtVerifier,
    fault::Fault,
    json::{Text, Texts},
    token::{Token, decode_to},
};
use crate::{
    auth::{accepted::Checked, grammar::MAX_TOKEN, layer::TokenVerifier},
    config_error::ConfigIssues,
    time::Timestamp,
};

/// What the longest token can hold: three bytes in four letters.
const MAX_CLAIMS: usize = MAX_TOKEN / 4 * 3;

/// The verifiers of a layer, by issuer.
#[derive(Debug)]
pub(in crate::auth) enum Issuers {
    /// Which token is whose need not be asked.
    One(JwtVerifier),
    Many(HashMap<Box<str>, JwtVerifier>),
}

impl Issuers {
    /// `None` if there are none.
    pub(in crate::auth) fn new(verifiers: Vec<JwtVerifier>, issues: &mut ConfigIssues) -> Option<Self> {
        let mut verifiers = verifiers.into_iter();
        let first = verifiers.next()?;
        let mut many = HashMap::new();
        for verifier in verifiers {
            let name: Box<str> = verifier.issuer().into();
            if *name == *first.issuer() || many.contains_key(&name) {
                issues.add(
                    "jwt",
                    format!("two verifiers are for the issuer {name:?}, and only one would be asked"),
                    "give one Issuer all audiences and keys",
                );
            }
            many.insert(name, verifier);
        }
        if many.is_empty() {
            return Some(Self::One(first));
        }
        many.insert(first.issuer().into(), first);
        Some(Self::Many(many))
    }
}

impl TokenVerifier for Issuers {
    /// What a token says of its issuer is believed only as far as to choose whose keys must verify
    /// it: that verifier's word is final.
    fn verify(&self, token: &str, now: Timestamp) -> Checked {
        match self {
            Self::One(verifier) => verifier.verify(token, now),
            Self::Many(verifiers) => match choose(verifiers, token) {
                Ok(verifier) => verifier.verify(token, now),
                Err(fault) => Checked::Ready(Err(fault.into())),
            },
        }
    }

    fn recognise(&self, bytes: &[u8], now: Timestamp) -> Option<Checked> {
        match self {
            Self::One(verifier) => verifier.recognise(bytes, now),
            // Two may have the same headers.
            Self::Many(_) => None,
        }
    }

    fn verifiers(&self) -> Vec<JwtVerifier> {
        match self {
            Self::One(verifier) => vec![verifier.clone()],
            Self::Many(verifiers) => {
                let mut all: Vec<_> = verifiers.values().cloned().collect();
                all.sort_by(|a, b| a.issuer().cmp(b.issuer()));
                all
            }
        }
    }
}

fn choose<'v>(verifiers: &'v HashMap<Box<str>, JwtVerifier>, token: &str) -> Result<&'v JwtVerifier, Fault> {
    // On the stack: nobody has verified yet that it is worth more.
    let mut buffer = [0; MAX_CLAIMS];
    let len = decode_to(Token::split(token)?.payload.as_bytes(), &mut buffer)?;
    let issuer = issuer_of(buffer.get(..len).unwrap_or_default()).ok_or(Fault::Issuer)?;
    verifiers.get(&*issuer).ok_or(Fault::Issuer)
}

/// The member `iss` of an object, if it is a string. That no other member has its name is seen when
/// the claims are read in earnest.
fn issuer_of(claims: &[u8]) -> Option<Cow<'_, str>> {
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_slice(claims);
    // What follows `iss` is not read, which the parser calls an error, in a box: cheaper than reading.
    let _ = deserializer.deserialize_map(FindIssuer(&mut found));
    found.and_then(Texts::into_one)
}

struct FindIssuer<'a, 'de>(&'a mut Option<Texts<'de>>);

impl<'de> Visitor<'de> for FindIssuer<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JWT claims set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(is_issuer) = map.next_key_seed(IsIssuer)? {
            if is_issuer {
                *self.0 = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

struct IsIssuer;

impl<'de> DeserializeSeed<'de> for IsIssuer {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        <Text<'de> as serde::Deserialize>::deserialize(deserializer).map(|Text(name)| name == "iss")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_iss_is_found() {
        for (claims, expected) in [
            (r#"{"iss":"a"}"#, Some("a")),
            (r#" {"x":{"iss":"b"},"y":[1,{"z":2}],"iss":"a","iss":"c"}"#, Some("a")),
            (r#"{"\u0069ss":"a\u0062"}"#, Some("ab")),
            (r#"{"iss":["a"]}"#, None),
            (r#"{"iss":null}"#, None),
            (r#"{"iss":""}"#, None),
            (r#"{"sub":"a"}"#, None),
            (r#"["iss"]"#, None),
            ("", None),
            (r#"{"iss":"a"#, None),
        ] {
            assert_eq!(issuer_of(claims.as_bytes()).as_deref(), expected, "{claims}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = issuer_of(&bytes);
        }
    }
}

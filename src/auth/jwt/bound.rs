//! Claims that are objects: what a token is bound to (`cnf`, RFC 7800), who acts (`act`, RFC 8693).

use std::{borrow::Cow, fmt};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::json::{Distinct, Names, Texts};
use crate::identity::Confirmation;

/// A member of an object, where the object may be something else.
#[derive(Debug)]
enum Object<T> {
    Read(T),
    Other,
}

/// The claim `cnf`. What cannot be read binds to something that nothing here can check.
#[derive(Debug, Default)]
pub(crate) struct Cnf(pub(crate) Confirmation);

/// The claim `act`, of which the present actor is read (RFC 8693 §4.1). An object without `sub`
/// names nobody; what is no object is wrong.
#[derive(Debug)]
pub(crate) struct Act<'de>(pub(crate) Texts<'de>);

impl<'de> Deserialize<'de> for Cnf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(Members([None, None], ["jkt", "x5t#S256"]))?;
        let Object::Read(([dpop, certificate], mut other)) = read else {
            return Ok(Self(Confirmation { other: true, ..Confirmation::default() }));
        };
        let mut digest = |texts: Option<Texts<'de>>| {
            let digest = texts.as_ref().and_then(digest);
            other |= texts.is_some() && digest.is_none();
            digest
        };
        let (dpop, certificate) = (digest(dpop), digest(certificate));
        // To be bound to nothing is no binding that anybody could prove.
        other |= dpop.is_none() && certificate.is_none();
        Ok(Self(Confirmation { dpop, certificate, other }))
    }
}

impl<'de> Deserialize<'de> for Act<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(Members([None], ["sub"]))?;
        Ok(Self(match read {
            Object::Read(([subject], _)) => subject.unwrap_or_default(),
            Object::Other => Texts::Wrong,
        }))
    }
}

/// A SHA-256 in base64url.
fn digest(texts: &Texts<'_>) -> Option<[u8; 32]> {
    let Texts::One(text) = texts else { return None };
    let mut digest = [0; 32];
    // A buffer of the right size for one that is as long, and no other.
    (Base64UrlUnpadded::decode(&**text, &mut digest).ok()?.len() == digest.len()).then_some(digest)
}

/// The named members of an object, and whether it has others.
struct Members<'de, const N: usize>([Option<Texts<'de>>; N], [&'static str; N]);

impl<'de, const N: usize> Visitor<'de> for Members<'de, N> {
    type Value = Object<([Option<Texts<'de>>; N], bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self(mut found, wanted) = self;
        let (mut names, mut other) = (Names::new(), false);
        while let Some(name) = names.next(&mut map)? {
            let slot = found.iter_mut().zip(wanted).find_map(|(slot, wanted)| (wanted == name).then_some(slot));
            if let Some(slot) = slot {
                *slot = Some(map.next_value()?);
            } else {
                map.next_value::<Distinct>()?;
                other = true;
            }
        }
        Ok(Object::Read((found, other)))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Distinct.visit_seq(items).map(|_| Object::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }
}

/// Which members of a JWT say that it is no access token, whatever its `typ` (RFC 8725 §3.12): as
/// Keycloak (`typ`) and Cognito (`token_use`) mark theirs.
pub(crate) fn is_other_purpose(name: &str, value: &Texts<'_>) -> bool {
    let Texts::One(value) = value else { return false };
    let value: &Cow<'_, str> = value;
    match name {
        "typ" => ["ID", "Refresh", "Offline", "Logout"].contains(&&**value),
        "token_use" => **value == *"id",
        _ => false,
    }
}

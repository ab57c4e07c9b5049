//! `authorization_details` (RFC 9396), read strictly. Pure.

use std::{fmt, sync::Arc};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// More than a token of 8 KiB can say is not a grant but an attack.
const MAX_DETAILS: usize = 64;

/// One element of `authorization_details` (RFC 9396 §2): a type, and what it allows.
#[derive(Clone, PartialEq)]
pub struct AuthorizationDetail {
    kind: Box<str>,
    members: Map<String, Value>,
}

impl AuthorizationDetail {
    /// The `type` (RFC 9396 §2.1): what all the other members mean follows from it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Any member but `type`.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The names of all members but `type`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    fn read(value: Value) -> Option<Self> {
        let Value::Object(mut members) = value else { return None };
        match members.remove("type") {
            Some(Value::String(kind)) if !kind.is_empty() => Some(Self { kind: kind.into(), members }),
            _ => None,
        }
    }
}

/// Shows the type and the names only: values are account numbers and amounts.
impl fmt::Debug for AuthorizationDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationDetail")
            .field("kind", &self.kind)
            .field("names", &self.names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The claim is not what RFC 9396 §2 says: an array of objects, each with a string `type`, no member
/// twice. Such a claim grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authorization_details is malformed, so it grants nothing")]
pub struct DetailsError;

/// Reads the claim out of a set of claims; no claim is no detail.
pub(super) fn read(claims: &[u8]) -> Result<Arc<[AuthorizationDetail]>, DetailsError> {
    #[derive(serde::Deserialize)]
    struct Claims {
        #[serde(default)]
        authorization_details: Option<Strict>,
    }
    if claims.is_empty() {
        return Ok(Arc::default());
    }
    let claims: Claims = serde_json::from_slice(claims).map_err(|_| DetailsError)?;
    match claims.authorization_details {
        None => Ok(Arc::default()),
        Some(Strict(Value::Array(details))) if details.len() <= MAX_DETAILS => {
            details.into_iter().map(|detail| AuthorizationDetail::read(detail).ok_or(DetailsError)).collect()
        }
        Some(_) => Err(DetailsError),
    }
}

/// A JSON value without duplicate members, at every depth. (`Value`'s own reading lets the last win,
/// and the issuer may have meant the first.)
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom("duplicate member"));
            }
            let Strict(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(claims: &str) -> Option<Vec<String>> {
        read(claims.as_bytes()).ok().map(|details| details.iter().map(|detail| detail.kind().to_owned()).collect())
    }

    #[test]
    fn the_claim_of_the_rfc_is_read() {
        let claims =
            r#"{"sub":"u","authorization_details":[{"type":"a","actions":["read"]},{"type":"b"},{"type":"a"}]}"#;
        assert_eq!(kinds(claims).unwrap(), ["a", "b", "a"]);
        for none in ["", "{}", r#"{"authorization_details":null}"#, r#"{"authorization_details":[]}"#] {
            assert_eq!(kinds(none).unwrap(), [""; 0], "{none}");
        }
    }

    #[test]
    fn section_2_rfc9396_a_malformed_claim_grants_nothing_at_all() {
        for wrong in [
            r#"{"type":"a"}"#,
            r#""a""#,
            r#"[{"type":"a"},{}]"#,
            r#"[{"type":"a"},{"type":""}]"#,
            r#"[{"type":"a"},{"type":["a"]}]"#,
            r#"[{"type":"a"},"b"]"#,
            r#"[{"type":"a","type":"b"}]"#,
            r#"[{"type":"a","x":{"amount":"1","amount":"9"}}]"#,
            "7",
        ] {
            assert_eq!(kinds(&format!(r#"{{"authorization_details":{wrong}}}"#)), None, "{wrong}");
        }
        let twice = r#"{"authorization_details":[],"authorization_details":[{"type":"a"}]}"#;
        assert_eq!(kinds(twice), None);
        let many = format!(r#"{{"authorization_details":[{}]}}"#, vec![r#"{"type":"a"}"#; 65].join(","));
        assert_eq!(kinds(&many), None);
    }

    #[test]
    fn debug_hides_values() {
        let claims =
            br#"{"authorization_details":[{"type":"pay","creditorAccount":{"iban":"DE02120300000000202051"}}]}"#;
        let text = format!("{:?}", read(claims).unwrap());
        assert!(text.contains("creditorAccount") && !text.contains("DE02"), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_details_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_json_is_details_or_an_error(json in "[\\[\\]{}\":,a0-9etyp]{0,60}") {
            let _ = read(format!(r#"{{"authorization_details":{json}}}"#).as_bytes());
        }
    }
}

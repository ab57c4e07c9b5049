//! Reads two top-level fields of a verified JSON body, without building a value of the rest. Pure.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// An id or type longer than this is not one.
const MAX_LEN: usize = 256;

/// What was found under the two keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) id: Option<Box<str>>,
    pub(super) kind: Option<Box<str>>,
}

/// Nothing where the body is no JSON object, or a key appears twice (which of them is meant
/// depends on the parser), or the value is no short printable string or number.
pub(super) fn read(body: &[u8], id: Option<&str>, kind: Option<&str>) -> Fields {
    let mut json = serde_json::Deserializer::from_slice(body);
    match json.deserialize_map(Top { id, kind }) {
        Ok(fields) if json.end().is_ok() => fields,
        _ => Fields::default(),
    }
}

/// A value that can be an id: visible ASCII, so that it is the same everywhere it is written.
pub(super) fn is_token(text: &str) -> bool {
    (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

struct Top<'k> {
    id: Option<&'k str>,
    kind: Option<&'k str>,
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        let (mut ids, mut kinds) = (0_u32, 0_u32);
        while let Some(Key(key)) = map.next_key()? {
            if Some(&*key) == self.id {
                ids = ids.saturating_add(1);
                fields.id = token(map.next_value()?);
            } else if Some(&*key) == self.kind {
                kinds = kinds.saturating_add(1);
                fields.kind = token(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        fields.id = fields.id.filter(|_| ids == 1);
        fields.kind = fields.kind.filter(|_| kinds == 1);
        Ok(fields)
    }
}

/// A key is borrowed unless it is written with escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn token(raw: &RawValue) -> Option<Box<str>> {
    let text = raw.get();
    let text: Box<str> = match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok()?,
        byte if byte.is_ascii_digit() => Box::from(text),
        _ => return None,
    };
    is_token(&text).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(body: &str) -> Option<Box<str>> {
        read(body.as_bytes(), Some("id"), Some("type")).id
    }

    #[test]
    fn only_the_top_level_counts() {
        let body = r#"{"data":{"id":"inner","type":[1,{"id":2}]},"type":"charge","id":"evt_1"}"#;
        let fields = read(body.as_bytes(), Some("id"), Some("type"));
        assert_eq!((fields.id.as_deref(), fields.kind.as_deref()), (Some("evt_1"), Some("charge")));
        assert_eq!(id(r#"{"id":42}"#).as_deref(), Some("42"));
        assert_eq!(id(r#"{"\u0069d":"evt\u005f1"}"#).as_deref(), Some("evt_1"));
    }

    #[test]
    fn what_cannot_be_an_id_is_none() {
        let long = format!(r#"{{"id":"{}"}}"#, "a".repeat(257));
        for body in [
            "",
            "null",
            "[]",
            "\"id\"",
            "{",
            r#"{"id":null}"#,
            r#"{"id":true}"#,
            r#"{"id":-1}"#,
            r#"{"id":{}}"#,
            r#"{"id":""}"#,
            r#"{"id":"a b"}"#,
            r#"{"id":"a\nb"}"#,
            r#"{"id":"é"}"#,
            r#"{"id":"a"} x"#,
            r#"{"id":"a","id":"b"}"#,
            r#"{"id":"a","id":"a"}"#,
            r#"{"other":1}"#,
            &long,
        ] {
            assert_eq!(id(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&body, Some("id"), Some("type"));
        }

        #[test]
        fn agrees_with_a_full_parse(value in "[!-~]{1,40}", other in "\\PC{0,20}") {
            let body = serde_json::json!({ "a": other, "id": value, "z": [1, 2, {"id": 3}] }).to_string();
            prop_assert_eq!(id(&body), Some(value.into()));
        }
    }
}

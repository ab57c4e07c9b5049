//! JSON objects whose members are distinct, at every depth (RFC 7515 §5.2, RFC 7519 §4).
//!
//! A parser that silently takes the first or the last of two members lets a token mean one thing
//! to us and another to whoever looks at it next.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

pub(crate) use super::texts::Texts;

/// More members in one object than this is not a token but an attack on the comparison below.
const MAX_MEMBERS: usize = 128;

/// The names of an object's members, borrowed from the text where they have no escapes. The first
/// few, which is all of them in common tokens, lie on the stack.
#[derive(Debug)]
pub(crate) struct Names<'de> {
    first: [Cow<'de, str>; 16],
    more: Vec<Cow<'de, str>>,
    len: usize,
}

impl<'de> Names<'de> {
    pub(crate) fn new() -> Self {
        Self { first: [const { Cow::Borrowed("") }; 16], more: Vec::new(), len: 0 }
    }

    /// Reads the next name, and refuses one that was there already.
    pub(crate) fn next<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<Option<&str>, A::Error> {
        let Some(Text(name)) = map.next_key()? else { return Ok(None) };
        if self.len == MAX_MEMBERS {
            return Err(A::Error::custom("too many members"));
        }
        if self.first.iter().take(self.len).chain(&self.more).any(|seen| *seen == name) {
            return Err(A::Error::custom("duplicate member"));
        }
        let at = self.len;
        self.len = at.saturating_add(1);
        if let Some(free) = self.first.get_mut(at) {
            *free = name;
            Ok(Some(free))
        } else {
            self.more.push(name);
            Ok(self.more.last().map(|name| &**name))
        }
    }
}

/// A string, borrowed where it has no escapes. (`Cow`'s own `Deserialize` always copies.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.into())))
    }
}

/// Any value, looked at only for duplicate members. The parser bounds the depth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = Names::new();
        while names.next(&mut map)?.is_some() {
            map.next_value::<Self>()?;
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

/// Reads `bytes` as one JSON object with `visitor`; nothing may follow but white space.
pub(crate) fn object<'de, V: Visitor<'de>>(bytes: &'de [u8], visitor: V) -> Result<V::Value, serde_json::Error> {
    // As a whole, which is faster than the strings one by one.
    let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = deserializer.deserialize_map(visitor)?;
    deserializer.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distinct(text: &str) -> bool {
        object(text.as_bytes(), Distinct).is_ok()
    }

    #[test]
    fn duplicates_are_refused_at_every_depth_rfc7519_4() {
        assert!(distinct(r#"{"a":1,"b":[{"c":null},{"c":true}],"d":{"a":-1.5}}"#));
        for text in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":1}"#, r#"{"x":{"a":1,"a":2}}"#, r#"{"x":[[{"a":1,"b":2,"a":3}]]}"#]
        {
            assert!(!distinct(text), "{text}");
        }
    }

    #[test]
    fn only_one_object_and_nothing_behind_it() {
        for text in ["", "[]", "1", "null", "\"a\"", "{} {}", "{}x", "{\"a\":1,}", "{'a':1}", "\u{feff}{}"] {
            assert!(!distinct(text), "{text}");
        }
        assert!(distinct(" {} \n"));
        assert!(object(b"{\"a\":\"\xff\"}", Distinct).is_err());
    }

    #[test]
    fn depth_and_number_are_bounded() {
        assert!(!distinct(&format!("{{\"a\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000))));
        let many: Vec<String> = (0..=MAX_MEMBERS).map(|i| format!("\"{i}\":1")).collect();
        assert!(!distinct(&format!("{{{}}}", many.join(","))));
        assert!(distinct(&format!("{{{}}}", many[1..].join(","))));
    }

    #[test]
    fn texts_know_right_from_wrong() {
        let read = |text: &'static str| serde_json::from_str::<Texts<'_>>(text).unwrap();
        assert_eq!(read("\"a\""), Texts::One("a".into()));
        assert_eq!(read("[\"a\",\"\\u0062\"]"), Texts::Many(vec!["a".into(), "b".into()]));
        assert_eq!(read("null"), Texts::Absent);
        for text in ["1", "-1", "1.5", "true", "{}", "[1]", "[null]", "[[\"a\"]]", "[\"a\",{}]"] {
            assert_eq!(read(text), Texts::Wrong, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if object(&bytes, Distinct).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok());
            }
        }
    }
}

//! JSON that means one thing only (RFC 8259, and RFC 7493 for the names): no member twice, and
//! bounds on depth and number. Pure.
//!
//! `serde_json` takes the last of two members with one name, others the first: what was checked here
//! would not be what somebody else reads. It is found while the values are made, in the same pass.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

/// How much a document may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How many arrays and objects may stand in each other.
    pub(super) depth: usize,
    /// How many values there may be: each takes 32 bytes or more in memory, and as few as two in the
    /// text.
    pub(super) values: usize,
}

/// `serde_json` reads 127, and does not say why it reads no deeper.
pub(super) const DEEPEST: usize = 126;

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It is no JSON.
    Syntax,
    /// It ends too early.
    CutShort,
    /// A member stands twice in one object.
    Duplicate,
    /// It is nested too deeply.
    Depth,
    /// It holds too many values.
    Values,
}

/// Why a text is not taken, and where that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JsonFault {
    pub(super) what: What,
    /// How many bytes of the text had been read.
    pub(super) offset: usize,
}

impl JsonFault {
    /// What the client is told: nothing of what it sent.
    pub(super) const fn detail(self) -> &'static str {
        match self.what {
            What::Syntax => "The body is not JSON.",
            What::CutShort => "The body is JSON that ends too early.",
            What::Duplicate => "The body has an object in which a member stands twice.",
            What::Depth => "The body is nested too deeply.",
            What::Values => "The body holds more values than allowed.",
        }
    }
}

/// The document that the text is.
pub(super) fn parse(text: &[u8], bounds: Bounds) -> Result<Value, JsonFault> {
    let watch = Watch { left: Cell::new(bounds.values), found: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = Seed { watch: &watch, depth: bounds.depth.min(DEEPEST) }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| fault(text, &watch, &error))
}

#[cold]
fn fault(text: &[u8], watch: &Watch, error: &serde_json::Error) -> JsonFault {
    let what = watch.found.get().unwrap_or(if error.is_eof() { What::CutShort } else { What::Syntax });
    JsonFault { what, offset: offset(text, error.line(), error.column()) }
}

/// The offset of what `serde_json` counts in lines and columns.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let before = line.saturating_sub(1);
    let start = match before.checked_sub(1) {
        None => 0,
        Some(last) => text
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(last)
            .map_or(text.len(), |(at, _)| at.saturating_add(1)),
    };
    start.saturating_add(column).min(text.len())
}

struct Watch {
    left: Cell<usize>,
    found: Cell<Option<What>>,
}

impl Watch {
    fn refuse<E: Error>(&self, what: What) -> E {
        self.found.set(Some(what));
        E::custom("refused")
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| self.refuse(What::Values))?;
        self.left.set(left);
        Ok(())
    }
}

/// Makes one value. `depth` is how many levels may still begin.
#[derive(Clone, Copy)]
struct Seed<'a> {
    watch: &'a Watch,
    depth: usize,
}

impl Seed<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.watch.refuse(What::Depth)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.watch.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match object.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(members.next_value_seed(inner)?);
                }
                Entry::Occupied(_) => return Err(self.watch.refuse(What::Duplicate)),
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { depth: 64, values: 1_000 };

    fn refused(text: &str, bounds: Bounds) -> (What, usize) {
        let fault = parse(text.as_bytes(), bounds).unwrap_err();
        (fault.what, fault.offset)
    }

    #[test]
    fn no_member_stands_twice_at_whatever_depth_and_however_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":[{"a":1,"b":2,"a":3}]}"#, r#"[{"":0,"":0}]"#]
        {
            assert_eq!(refused(text, BOUNDS).0, What::Duplicate, "{text}");
        }
        let text = r#"{"amount":1,"amount":1000000}"#;
        assert_eq!(refused(text, BOUNDS), (What::Duplicate, 20), "at the second name's end");
        assert!(parse(br#"{"a":{"a":{"a":[{"a":1},{"a":1}]}}}"#, BOUNDS).is_ok());
    }

    #[test]
    fn what_serde_keeps_for_itself_is_a_name_like_any_other() {
        let text = br#"{"$serde_json::private::RawValue":"[1,2"}"#;
        assert_eq!(parse(text, BOUNDS).unwrap()["$serde_json::private::RawValue"], "[1,2");
    }

    #[test]
    fn where_it_went_wrong_is_told() {
        assert_eq!(refused("{\"a\":1,}", BOUNDS), (What::Syntax, 8));
        assert_eq!(refused("{\"a\":\n\n  x}", BOUNDS), (What::Syntax, 10));
        assert_eq!(refused("{\"a\":", BOUNDS), (What::CutShort, 5));
        assert_eq!(refused("", BOUNDS), (What::CutShort, 0));
        assert_eq!(refused("{} {}", BOUNDS).0, What::Syntax);
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let few = Bounds { depth: 3, values: 5 };
        assert!(parse(nested(3).as_bytes(), few).is_ok());
        assert_eq!(refused(&nested(4), few), (What::Depth, 5), "it is noticed one byte later");
        assert_eq!(refused(&nested(100_000), Bounds { depth: usize::MAX, values: usize::MAX }).0, What::Depth);
        assert!(parse(nested(DEEPEST).as_bytes(), Bounds { depth: DEEPEST, values: 126 }).is_ok());
        assert!(parse(b"[1,2,3,4]", few).is_ok());
        assert_eq!(refused("[1,2,3,4,5]", few).0, What::Values);
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_is_what_serde_json_reads(document in documents(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
            let theirs: Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(parse(&text, BOUNDS), Ok(theirs));
        }

        #[test]
        fn what_is_taken_serde_json_takes_too(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\au01e.- \n\xff".to_vec()), 0..40)) {
            let theirs = serde_json::from_slice::<Value>(&bytes);
            match parse(&bytes, BOUNDS) {
                Ok(ours) => prop_assert_eq!(ours, theirs.unwrap()),
                Err(fault) => {
                    prop_assert!(theirs.is_err() || fault.what == What::Duplicate);
                    prop_assert!(fault.offset <= bytes.len());
                }
            }
        }
    }
}

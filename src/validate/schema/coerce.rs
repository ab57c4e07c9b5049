//! What the text of a parameter may mean (`OpenAPI` 3.1 "Data Types"): a schema speaks of numbers and
//! booleans, a query has text only. Pure.

use arrayvec::ArrayVec;
use serde_json::Value;

/// Which types a schema names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const NUMBER: u8 = 4;
const STRING: u8 = 8;
const ARRAY: u8 = 16;
const OBJECT: u8 = 32;

impl Types {
    pub(super) fn of_name(name: &str) -> Self {
        Self(match name {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "integer" | "number" => NUMBER,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => 0,
        })
    }

    pub(super) fn of_value(value: &Value) -> Self {
        Self(match value {
            Value::Null => NULL,
            Value::Bool(_) => BOOLEAN,
            Value::Number(_) => NUMBER,
            Value::String(_) => STRING,
            Value::Array(_) => ARRAY,
            Value::Object(_) => OBJECT,
        })
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn has_array(self) -> bool {
        self.0 & ARRAY != 0
    }

    pub(super) fn has_object(self) -> bool {
        self.0 & OBJECT != 0
    }

    fn has(self, kind: u8) -> bool {
        self.0 & kind != 0
    }
}

/// What the text may mean, the most special first; it always means something.
pub(super) fn meanings(text: &str, types: Types) -> ArrayVec<Value, 4> {
    let mut all = ArrayVec::new();
    let mut add = |value: Option<Value>| {
        // Four kinds, four places.
        let _ = value.map(|value| all.try_push(value));
    };
    if types.has(NULL) && (text.is_empty() || text == "null") {
        add(Some(Value::Null));
    }
    if types.has(BOOLEAN) {
        add(match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        });
    }
    if types.has(NUMBER) {
        add(number(text));
    }
    if types.has(STRING) || types.is_empty() || all.is_empty() {
        let _ = all.try_push(Value::String(text.to_owned()));
    }
    all
}

/// A number as JSON writes one: no blanks, no plus sign, no leading zeros.
fn number(text: &str) -> Option<Value> {
    let begins = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    let ends = text.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit());
    if !(ends && text.as_bytes().first().is_some_and(begins)) || text.len() > 64 {
        return None;
    }
    serde_json::from_str(text).ok().filter(Value::is_number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn types(names: &[&str]) -> Types {
        names.iter().fold(Types::default(), |all, name| all.or(Types::of_name(name)))
    }

    #[test]
    fn text_means_what_the_schema_asks_for() {
        for (text, names, expected) in [
            ("7", &["integer"][..], json!([7])),
            ("-7.50", &["number"], json!([-7.5])),
            ("1e3", &["number"], json!([1000.0])),
            ("7", &["string"], json!(["7"])),
            ("7", &["integer", "string"], json!([7, "7"])),
            ("7", &[], json!(["7"])),
            ("true", &["boolean"], json!([true])),
            ("True", &["boolean"], json!(["True"])),
            ("1", &["boolean"], json!(["1"])),
            ("", &["null", "integer"], json!([null])),
            ("null", &["null", "string"], json!([null, "null"])),
        ] {
            assert_eq!(json!(meanings(text, types(names)).to_vec()), expected, "{text} as {names:?}");
        }
        for text in
            ["+7", "07", " 7", "7 ", "7.", ".5", "0x7", "1_000", "NaN", "Infinity", "-", "", "7\n", "٧", "1e999"]
        {
            assert_eq!(json!(meanings(text, types(&["integer", "number"])).to_vec()), json!([text]), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_comes_back(number in any::<i64>()) {
            prop_assert_eq!(&meanings(&number.to_string(), types(&["integer"]))[..], &[json!(number)]);
        }

        #[test]
        fn whatever_it_is_it_means_something(text in "\\PC{0,12}") {
            prop_assert!(!meanings(&text, Types(0x3f)).is_empty());
        }
    }
}

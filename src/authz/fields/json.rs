//! Walks over JSON text and copies it, without the members that are denied. Pure.
//!
//! Text, and not a tree of values: numbers keep their digits, members their order, and a type its
//! own way of being written. The text comes from serde, so it is known to be JSON; what is not is an
//! error all the same, never a guess.

use std::borrow::Cow;

use super::field::Denied;

/// Deeper is refused: each level costs a stack frame. (`serde_json` reads no deeper either.)
const MAX_DEPTH: usize = 128;

/// The text is no JSON, or is nested too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    #[error("not JSON")]
    Syntax,
    #[error("nested more than {MAX_DEPTH} deep")]
    Depth,
}

/// The text without the denied members.
pub(super) fn without(text: &[u8], denied: &Denied) -> Result<Vec<u8>, JsonError> {
    let mut kept = Vec::with_capacity(text.len());
    Walk { rest: text, path: Vec::new(), depth: 0, denied, kept: Some(&mut kept), found: &mut |_| {} }.document()?;
    Ok(kept)
}

/// Tells `found` of every denied member that is there.
pub(super) fn find(text: &[u8], denied: &Denied, found: &mut dyn FnMut(usize)) -> Result<(), JsonError> {
    Walk { rest: text, path: Vec::new(), depth: 0, denied, kept: None, found }.document()
}

struct Walk<'a, 'w> {
    rest: &'a [u8],
    path: Vec<Cow<'a, str>>,
    depth: usize,
    denied: &'w Denied,
    /// The copy; `None` within a member that is left out.
    kept: Option<&'w mut Vec<u8>>,
    found: &'w mut dyn FnMut(usize),
}

impl<'a> Walk<'a, '_> {
    fn document(mut self) -> Result<(), JsonError> {
        self.value()?;
        if self.peek().is_none() { Ok(()) } else { Err(JsonError::Syntax) }
    }

    fn value(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => {
                let text = self.string()?;
                self.keep(text);
                Ok(())
            }
            Some(_) => self.scalar(),
            None => Err(JsonError::Syntax),
        }
    }

    fn nested(&mut self, inside: fn(&mut Self) -> Result<(), JsonError>) -> Result<(), JsonError> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        inside(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    fn array(&mut self) -> Result<(), JsonError> {
        self.take(b'[')?;
        self.keep(b"[");
        if self.peek() != Some(b']') {
            loop {
                self.value()?;
                if self.peek() != Some(b',') {
                    break;
                }
                self.take(b',')?;
                self.keep(b",");
            }
        }
        self.take(b']')?;
        self.keep(b"]");
        Ok(())
    }

    fn object(&mut self) -> Result<(), JsonError> {
        self.take(b'{')?;
        self.keep(b"{");
        let mut any = false;
        if self.peek() != Some(b'}') {
            loop {
                any |= self.member(any)?;
                if self.peek() != Some(b',') {
                    break;
                }
                self.take(b',')?;
            }
        }
        self.take(b'}')?;
        self.keep(b"}");
        Ok(())
    }

    /// Whether the member was kept.
    fn member(&mut self, after_another: bool) -> Result<bool, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(JsonError::Syntax);
        }
        let quoted = self.string()?;
        self.take(b':')?;
        self.path.push(name(quoted)?);
        let denied = self.denied.find(&self.path);
        if let Some(row) = denied {
            (self.found)(row);
            let kept = self.kept.take();
            self.value()?;
            self.kept = kept;
        } else {
            if after_another {
                self.keep(b",");
            }
            self.keep(quoted);
            self.keep(b":");
            self.value()?;
        }
        self.path.pop();
        Ok(denied.is_none())
    }

    /// With its quotes.
    fn string(&mut self) -> Result<&'a [u8], JsonError> {
        let text = self.rest;
        let mut bytes = text.iter().enumerate().skip(1);
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'"' => {
                    let (string, rest) = text.split_at_checked(index.saturating_add(1)).ok_or(JsonError::Syntax)?;
                    self.rest = rest;
                    return Ok(string);
                }
                _ => {}
            }
        }
        Err(JsonError::Syntax)
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Result<(), JsonError> {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = self.rest.iter().take_while(|byte| inside(byte)).count();
        let (scalar, rest) = self.rest.split_at_checked(length).ok_or(JsonError::Syntax)?;
        if scalar.is_empty() {
            return Err(JsonError::Syntax);
        }
        self.rest = rest;
        self.keep(scalar);
        Ok(())
    }

    /// The next byte that is not white space (RFC 8259 §2).
    fn peek(&mut self) -> Option<u8> {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    fn take(&mut self, wanted: u8) -> Result<(), JsonError> {
        self.peek();
        match self.rest.split_first() {
            Some((byte, rest)) if *byte == wanted => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(JsonError::Syntax),
        }
    }

    fn keep(&mut self, text: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(text);
        }
    }
}

/// The name that a quoted text stands for: `"\u006dargin"` is `margin`.
fn name(quoted: &[u8]) -> Result<Cow<'_, str>, JsonError> {
    if quoted.contains(&b'\\') {
        return serde_json::from_slice::<String>(quoted).map(Cow::Owned).map_err(|_| JsonError::Syntax);
    }
    let inner = quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(JsonError::Syntax)?;
    std::str::from_utf8(inner).map(Cow::Borrowed).map_err(|_| JsonError::Syntax)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{super::Field, *};

    static FIELDS: &[Field] = &[
        Field::needs("/a", "x:a"),
        Field::needs("/b/a", "x:a"),
        Field::needs("/c/*/d", "x:d"),
        Field::needs("/**/z", "x:z"),
    ];

    fn denied() -> Denied {
        Denied::of(FIELDS, |_| false)
    }

    fn stripped(text: &str) -> Result<String, JsonError> {
        without(text.as_bytes(), &denied()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn what_is_denied_is_left_out_and_all_else_is_as_it_was() {
        for (text, expected) in [
            (r#"{"a":1}"#, "{}"),
            (r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            (r#"{"b":2,"a":1}"#, r#"{"b":2}"#),
            (r#"{"b":2,"a":{"x":[1,{"y":"}"}]},"c":3}"#, r#"{"b":2,"c":3}"#),
            // Arrays are not in the path.
            (r#"[{"a":1,"x":2},[{"a":1}]]"#, r#"[{"x":2},[{}]]"#),
            (r#"{"b":[{"a":1,"k":1},{"k":2}]}"#, r#"{"b":[{"k":1},{"k":2}]}"#),
            (r#"{"c":{"mon":{"d":1,"e":2},"d":3}}"#, r#"{"c":{"mon":{"e":2},"d":3}}"#),
            (r#"{"x":{"y":[{"z":1}]},"z":2}"#, r#"{"x":{"y":[{}]}}"#),
            // However the name is written, and however often.
            (r#"{"\u0061":1,"a":2,"x":3,"a":4}"#, r#"{"x":3}"#),
            (r#"{"x":"\"a\":1","y":"\\"}"#, r#"{"x":"\"a\":1","y":"\\"}"#),
            // Numbers keep their digits and members their order.
            (
                r#"{"n":123456789012345678901234567890.10,"m":-1e-7,"a":0}"#,
                r#"{"n":123456789012345678901234567890.10,"m":-1e-7}"#,
            ),
            (" { \"a\" : 1 ,\n\"x\" : [ 1 , true ] , \"y\" : null } ", r#"{"x":[1,true],"y":null}"#),
            ("[]", "[]"),
            ("\"a\"", "\"a\""),
            ("null", "null"),
        ] {
            assert_eq!(stripped(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        for text in [
            "",
            "{",
            "}",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\" 1}",
            "{a:1}",
            "[1",
            "[1 2]",
            "\"",
            "\"\\",
            "{} {}",
            "{\"x\":}",
            "{\"\\x\":1}",
            "{,}",
        ] {
            assert_eq!(stripped(text), Err(JsonError::Syntax), "{text}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(stripped(&nested(128)), Ok(nested(128)));
        assert_eq!(stripped(&nested(129)), Err(JsonError::Depth));
        assert_eq!(stripped(&"[".repeat(1_000_000)), Err(JsonError::Depth));
        assert_eq!(stripped(&"{\"x\":".repeat(1_000_000)), Err(JsonError::Depth));
        assert_eq!(without(b"{\"\xff\":1}", &denied()), Err(JsonError::Syntax));
    }

    /// The same on a tree of values.
    fn oracle(value: &mut Value, path: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| oracle(item, path)),
            Value::Object(members) => {
                members.retain(|name, inner| {
                    path.push(name.clone());
                    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                    let gone = matches!(steps[..], ["a"] | ["b", "a"] | ["c", _, "d"] | [.., "z"]);
                    if !gone {
                        oracle(inner, path);
                    }
                    path.pop();
                    !gone
                });
            }
            _ => {}
        }
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            let names = prop_oneof![
                Just("a".to_owned()),
                Just("b".to_owned()),
                Just("c".to_owned()),
                Just("d".to_owned()),
                Just("z".to_owned()),
                "\\PC{0,3}"
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(names, inner, 0..5).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_does_what_a_tree_of_values_would(document in documents(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
            let kept: Value = serde_json::from_str(&stripped(&text).unwrap()).unwrap();
            let mut expected = document;
            oracle(&mut expected, &mut Vec::new());
            prop_assert_eq!(kept, expected);
        }

        #[test]
        fn garbage_is_an_error_or_nothing_denied_is_left(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\az1u06 \xff".to_vec()), 0..40)) {
            if let Ok(kept) = without(&bytes, &denied()) {
                let mut left = Vec::new();
                find(&kept, &denied(), &mut |row| left.push(row)).unwrap();
                prop_assert_eq!(left, Vec::<usize>::new());
            }
        }
    }
}

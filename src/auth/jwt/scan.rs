//! JSON objects as most tokens have them, read in one pass: strings without escapes, lists of such
//! strings, whole numbers, `true` and `false`. Pure.
//!
//! What is read here, the parser of [`json`](super::json) reads the same. What is not, that parser is
//! asked about: nothing is refused here, and nothing is accepted that it would refuse.

use std::borrow::Cow;

use super::texts::{Listed, Texts};

/// More members than this, and the other parser counts them.
const MAX_MEMBERS: usize = 24;
/// Longer numbers may lose digits, or be too large: the other parser knows.
const MAX_DIGITS: usize = 18;

/// A value of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain<'t> {
    Text(&'t str),
    List(Listed<'t>),
    Digits(&'t str),
    /// `true` or `false`.
    Truth,
}

impl<'t> Plain<'t> {
    pub(super) fn texts(self) -> Texts<'t> {
        match self {
            Self::Text(text) => Texts::One(Cow::Borrowed(text)),
            Self::List(list) => Texts::Listed(list),
            Self::Digits(_) | Self::Truth => Texts::Wrong,
        }
    }

    pub(super) fn digits(self) -> Option<&'t str> {
        match self {
            Self::Digits(digits) => Some(digits),
            _ => None,
        }
    }
}

/// Hands each member of the object to `member`. `None` if the other parser must be asked, or if
/// `member` says so.
pub(super) fn object<'t>(text: &'t str, mut member: impl FnMut(&'t str, Plain<'t>) -> Option<()>) -> Option<()> {
    let mut scan = Scan { text, at: 0 };
    let mut names = Names::default();
    scan.eat(b'{')?;
    if scan.peek()? == b'}' {
        scan.step();
    } else {
        loop {
            scan.eat(b'"')?;
            let name = scan.string()?;
            names.add(name)?;
            scan.eat(b':')?;
            member(name, scan.value()?)?;
            match scan.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
    }
    scan.peek().is_none().then_some(())
}

/// The names so far. Most are new, which their lengths and first letters tell.
#[derive(Default)]
struct Names<'t> {
    all: [&'t str; MAX_MEMBERS],
    len: usize,
    seen: u64,
}

impl<'t> Names<'t> {
    /// `None` if it was there before, or there is no more room.
    fn add(&mut self, name: &'t str) -> Option<()> {
        let first = name.as_bytes().first().copied().unwrap_or(0);
        let bit = 1_u64.wrapping_shl(u32::from(first) ^ u32::try_from(name.len()).unwrap_or(0).wrapping_mul(7));
        if self.seen & bit != 0 && self.all.iter().take(self.len).any(|seen| *seen == name) {
            return None;
        }
        self.seen |= bit;
        *self.all.get_mut(self.len)? = name;
        self.len = self.len.saturating_add(1);
        Some(())
    }
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// The next byte that is no white space; it is left where it is.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.step(),
                byte => return Some(*byte),
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.step();
        Some(byte)
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// Takes `len` bytes, which must be whole characters.
    fn take(&mut self, len: usize) -> Option<&'t str> {
        let end = self.at.saturating_add(len);
        let taken = self.text.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A string behind its first quote.
    fn string(&mut self) -> Option<&'t str> {
        let len = until_quote(self.text.as_bytes().get(self.at..)?)?;
        let text = self.take(len)?;
        self.step();
        Some(text)
    }

    fn value(&mut self) -> Option<Plain<'t>> {
        match self.peek()? {
            b'"' => {
                self.step();
                self.string().map(Plain::Text)
            }
            b'[' => self.list().map(Plain::List),
            b'0'..=b'9' => self.digits().map(Plain::Digits),
            b't' => (self.take(4)? == "true").then_some(Plain::Truth),
            b'f' => (self.take(5)? == "false").then_some(Plain::Truth),
            _ => None,
        }
    }

    fn list(&mut self) -> Option<Listed<'t>> {
        let start = self.at;
        self.eat(b'[')?;
        if self.peek()? == b']' {
            self.step();
        } else {
            loop {
                self.eat(b'"')?;
                self.string()?;
                match self.next()? {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        self.text.get(start..self.at).map(Listed)
    }

    /// A whole number; what comes behind it is for the caller to judge, and is never part of a number.
    fn digits(&mut self) -> Option<&'t str> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.take(len)?;
        (len <= MAX_DIGITS && (len == 1 || !digits.starts_with('0'))).then_some(digits)
    }
}

/// How many bytes there are before the quote that ends a string; `None` if there is an escape, or a
/// character that must be escaped. Eight bytes at a time.
fn until_quote(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0_usize;
    for word in words {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            // Of those found, the first is certain; another may be one that only looks like it, behind a borrow.
            at = at.saturating_add(usize::try_from(found.trailing_zeros() / 8).ok()?);
            return (bytes.get(at)? == &b'"').then_some(at);
        }
        at = at.saturating_add(8);
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1F))?;
    (rest.get(found)? == &b'"').then(|| at.saturating_add(found))
}

/// The highest bit of each byte that is a quote, a backslash or a control character.
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ 0x2222_2222_2222_2222);
    let backslash = zero(word ^ 0x5C5C_5C5C_5C5C_5C5C);
    let control = word.wrapping_sub(0x2020_2020_2020_2020) & !word;
    (quote | backslash | control) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(text: &str) -> Option<Vec<(&str, Plain<'_>)>> {
        let mut found = Vec::new();
        object(text, |name, value| {
            found.push((name, value));
            Some(())
        })?;
        Some(found)
    }

    #[test]
    fn what_is_plain_is_read() {
        let text = " {\"a\" : \"b c\",\n\"long name of a claim\":[ \"x\" , \"\u{e9}\"],\"n\":0,\"m\":123456789012345678,\"t\":true,\"f\":false,\"e\":[],\"\":\"\"}\r";
        let found = members(text).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "long name of a claim", "n", "m", "t", "f", "e", ""]);
        assert_eq!(found[0].1, Plain::Text("b c"));
        assert_eq!(found[1].1.texts(), Texts::Many(vec!["x".into(), "\u{e9}".into()]));
        assert_eq!((found[2].1, found[3].1), (Plain::Digits("0"), Plain::Digits("123456789012345678")));
        assert_eq!((found[4].1, found[5].1), (Plain::Truth, Plain::Truth));
        assert_eq!(found[6].1.texts(), Texts::Many(Vec::new()));
        assert_eq!(members("{}").unwrap(), []);
    }

    #[test]
    fn everything_else_is_left_to_the_other_parser() {
        let many: Vec<String> = (0..25).map(|number| format!("\"{number}\":1")).collect();
        let many = format!("{{{}}}", many.join(","));
        for text in [
            "",
            "{",
            "[]",
            "{} x",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1",
            "\"a\"",
            "{\"a\":null}",
            "{\"a\":{}}",
            "{\"a\":-1}",
            "{\"a\":1.5}",
            "{\"a\":1e9}",
            "{\"a\":01}",
            "{\"a\":00}",
            "{\"a\":1234567890123456789}",
            "{\"a\":[1]}",
            "{\"a\":[\"b\",]}",
            "{\"a\":[,]}",
            "{\"a\":[\"b\"}",
            "{\"a\":[[\"b\"]]}",
            "{\"a\":\"\\n\"}",
            "{\"\\u0061\":1}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"1234567\u{1f}\"}",
            "{\"a\":\"b}",
            "{\"a\":trux}",
            "{\"a\":truex}",
            "{\"a\":tru",
            "{\"a\":1,\"a\":1}",
            "{\"b\":1,\"a\":1,\"b\":2}",
            "\u{feff}{}",
            "{}\u{a0}",
            "{a:1}",
            many.as_str(),
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_string_is_found_wherever_it_is() {
        for len in 0..40 {
            for special in ['"', '\\', '\u{0}', '\u{1f}'] {
                let text = format!("{}{special}\"\\\u{1}{}", "\u{e9}x\u{7f}!".repeat(len), "y".repeat(len));
                let expected = (special == '"').then_some(len * 5);
                assert_eq!(until_quote(text.as_bytes()), expected, "{len} {special:?}");
            }
            assert_eq!(until_quote("z".repeat(len).as_bytes()), None);
        }
    }

    /// A member that the other parser reads, in many spellings.
    fn json() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            "\"[ -~]{0,12}\"",
            "\"[a-z \u{e9}]{0,20}\"",
            "[0-9]{1,20}",
            "-?[0-9]{1,3}(\\.[0-9]{1,2})?(e[0-9])?",
            "true|false|null|tru",
            "\\[(\"[a-z]{0,3}\"( ?, ?\"[a-z]{0,3}\"){0,3})?\\]",
            "\\{(\"a\":[0-9])?\\}",
        ];
        let name = prop_oneof!["[a-c]{0,2}", "[ -~]{0,9}", "iss|sub|aud"];
        let member =
            (name, " {0,2}", value).prop_map(|(name, space, value)| format!("\"{name}\"{space}:{space}{value}"));
        (proptest::collection::vec(member, 0..8), "[ \n]{0,2}")
            .prop_map(|(all, end)| format!("{{{}}}{end}", all.join(",")))
    }

    proptest! {
        #[test]
        fn what_is_read_the_other_parser_reads_the_same(text in json()) {
            if let Some(found) = members(&text) {
                prop_assert!(super::super::json::object(text.as_bytes(), super::super::json::Distinct).is_ok(), "{}", text);
                let other: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(found.len(), other.len());
                for (name, value) in found {
                    let value_there = &other[name];
                    match value {
                        Plain::Text(text) => prop_assert_eq!(value_there, text),
                        Plain::List(_) => {
                            let texts = value.texts();
                            let listed: Vec<&str> = texts.iter().collect();
                            prop_assert_eq!(value_there, &serde_json::json!(listed));
                        }
                        Plain::Digits(digits) => prop_assert_eq!(value_there.as_u64(), digits.parse().ok()),
                        Plain::Truth => prop_assert!(value_there.is_boolean()),
                    }
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            prop_assert!(members(&text).is_none_or(|_| serde_json::from_str::<serde_json::Value>(&text).is_ok()));
        }
    }
}

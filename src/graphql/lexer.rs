//! The tokens of a GraphQL document (GraphQL, September 2025, §2.1).

use super::fault::{Fault, Limit};

/// What a document is made of. What does not matter here, such as the text of strings, is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Int(&'a str),
    Float,
    /// A string or a block string.
    Text,
    /// One of `!$&():=@[]{|}`.
    Sign(u8),
    /// `...`
    Spread,
    End,
}

/// Reads token by token, and no more of them than are allowed.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    length: usize,
    left: u64,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, tokens: u64) -> Self {
        Self { rest: text.as_bytes(), length: text.len(), left: tokens }
    }

    /// How many tokens more are allowed.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// What is wrong here.
    pub(super) fn fault(&self) -> Fault {
        Fault::Syntax { at: self.length.saturating_sub(self.rest.len()) }
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, Fault> {
        self.skip();
        if self.rest.is_empty() {
            return Ok(Token::End);
        }
        self.left = self.left.checked_sub(1).ok_or(Fault::Exceeded(Limit::Tokens))?;
        let (token, rest) = match self.rest {
            [b'.', b'.', b'.', rest @ ..] => (Token::Spread, rest),
            [sign, rest @ ..] if b"!$&():=@[]{|}".contains(sign) => (Token::Sign(*sign), rest),
            [b'"', b'"', b'"', rest @ ..] => (Token::Text, after_block(rest).ok_or_else(|| self.fault())?),
            [b'"', rest @ ..] => (Token::Text, after_string(rest).ok_or_else(|| self.fault())?),
            [b'-' | b'0'..=b'9', ..] => number(self.rest).ok_or_else(|| self.fault())?,
            [first, ..] if is_name_start(*first) => {
                let (name, rest) = split(self.rest, is_name);
                (Token::Name(name), rest)
            }
            _ => return Err(self.fault()),
        };
        self.rest = rest;
        Ok(token)
    }

    /// White space, line ends, commas, comments and byte order marks mean nothing (§2.1.7).
    fn skip(&mut self) {
        loop {
            self.rest = match self.rest {
                [b' ' | b'\t' | b'\n' | b'\r' | b',', rest @ ..] | [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
                [b'#', rest @ ..] => split(rest, |byte| byte != b'\n' && byte != b'\r').1,
                _ => return,
            };
        }
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The first bytes of which something holds, and the others. If they are no text, which names and digits
/// always are, they are nothing.
fn split(bytes: &[u8], holds: impl Fn(u8) -> bool) -> (&str, &[u8]) {
    let end = bytes.iter().position(|byte| !holds(*byte)).unwrap_or(bytes.len());
    let (start, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (std::str::from_utf8(start).unwrap_or_default(), rest)
}

/// What follows a string whose first quote has been read. `None` if it has no end, or an escape that there
/// is none of.
fn after_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'u', b'{', rest @ ..] => {
                let (digits, rest) = split(rest, |byte| byte.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok()?;
                char::from_u32(code)?;
                rest.strip_prefix(b"}")?
            }
            [b'\\', b'u', a, b, c, d, rest @ ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_hexdigit()) => rest,
            [b'\\', escape, rest @ ..] if b"\"\\/bfnrt".contains(escape) => rest,
            [] | [b'\n' | b'\r' | b'\\', ..] => return None,
            [_, rest @ ..] => rest,
        }
    }
}

/// The same after three quotes.
fn after_block(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', b'"', b'"', rest @ ..] => return Some(rest),
            [b'\\', b'"', b'"', b'"', rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        }
    }
}

/// A number, which no name and no dot may follow (§2.9.1).
fn number(bytes: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let digits = |bytes| {
        let (digits, rest) = split(bytes, |byte| byte.is_ascii_digit());
        (!digits.is_empty()).then_some((digits, rest))
    };
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (whole, mut rest) = digits(unsigned)?;
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let mut is_float = false;
    if let [b'.', fraction @ ..] = rest {
        (is_float, rest) = (true, digits(fraction)?.1);
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
        (is_float, rest) = (true, digits(exponent)?.1);
    }
    if rest.first().is_some_and(|next| *next == b'.' || is_name_start(*next)) {
        return None;
    }
    // Of a negative number the amount is none.
    let int = if unsigned.len() == bytes.len() { whole } else { "0" };
    Some((if is_float { Token::Float } else { Token::Int(int) }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
        let mut lexer = Lexer::new(text, 100);
        let mut tokens = Vec::new();
        loop {
            match lexer.next()? {
                Token::End => return Ok(tokens),
                token => tokens.push(token),
            }
        }
    }

    #[test]
    fn every_token_is_known() {
        assert_eq!(
            tokens("\u{FEFF}{ a1,_b # } ...\n...c \t-12 0 1.5e+3 1E2 \"x\" \"\"\" \" \\\"\"\" \"\"\" @ $ }").unwrap(),
            [
                Token::Sign(b'{'),
                Token::Name("a1"),
                Token::Name("_b"),
                Token::Spread,
                Token::Name("c"),
                Token::Int("0"),
                Token::Int("0"),
                Token::Float,
                Token::Float,
                Token::Text,
                Token::Text,
                Token::Sign(b'@'),
                Token::Sign(b'$'),
                Token::Sign(b'}'),
            ]
        );
    }

    #[test]
    fn nothing_hides_in_strings_and_comments() {
        for text in [
            r#""{ a }""#,
            r#""\"{ a }""#,
            r#""\\""#,
            r#""\u0022 \u{1F600} \uD83D\uDE00""#,
            r#""""""""#,
            r#""""{ a }"""#,
            r#""""\""" { a }""""#,
            "\"\"\"\n\r\n\"\"\"",
            "\"\"",
            "\"é\u{2028}\"",
        ] {
            assert_eq!(
                tokens(text),
                if text == r#""""{ a }"""# { tokens("\"") } else { Ok(vec![Token::Text]) },
                "{text}"
            );
        }
        assert_eq!(tokens("# { a }"), Ok(vec![]));
        // A carriage return ends a comment, too.
        assert_eq!(tokens("#a\rb"), Ok(vec![Token::Name("b")]));
    }

    #[test]
    fn what_the_grammar_does_not_have_is_refused() {
        for text in [
            "\"",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u{110000}\"",
            "\"\\u{}\"",
            "\"\\u{D800}\"",
            "\"\"\"",
            "\"\"\"a\\\"\"\"",
            "..",
            ".",
            "01",
            "-",
            "-a",
            "1.",
            "1.a",
            "1e",
            "1a",
            "1.5.",
            "00",
            "1_",
            "?",
            "%",
            "'a'",
            "`",
            "é",
            "\u{0}",
            "\u{A0}",
            ";",
        ] {
            assert!(tokens(text).is_err(), "{text:?} {:?}", tokens(text));
        }
    }

    #[test]
    fn there_are_no_more_tokens_than_are_allowed() {
        let mut lexer = Lexer::new("a b c # d", 3);
        for _ in 0..3 {
            lexer.next().unwrap();
        }
        assert_eq!(lexer.clone().next(), Ok(Token::End));
        let mut lexer = Lexer::new("a b c d", 3);
        for _ in 0..3 {
            lexer.next().unwrap();
        }
        assert_eq!(lexer.next(), Err(Fault::Exceeded(Limit::Tokens)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\"|\\\\|u|\\{|\\}|#|\n|\\.|-|0|1|e|[a-z]|\\PC){0,40}") {
            let _ = tokens(&text);
        }
    }
}

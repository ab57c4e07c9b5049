use std::borrow::Cow;

/// Something that must not be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sensitive {
    Jwt,
    Key,
    Email,
    CardNumber,
    Token,
}

impl Sensitive {
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Jwt => "[jwt]",
            Self::Key => "[key]",
            Self::Email => "[email]",
            Self::CardNumber => "[pan]",
            Self::Token => "[token]",
        }
    }
}

/// How credentials of well-known issuers begin.
const KEY_PREFIXES: &[&str] = &[
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "pk_live_",
    "pk_test_",
    "whsec_",
    "AKIA",
    "ASIA",
    "AIza",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "npm_",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "sk-ant-",
    "SG.",
];
/// An API key of anybody who follows the custom `name_live_…`, `name_test_…`.
const KEY_INFIXES: &[&str] = &["_live_", "_test_"];
/// No credential is shorter, with its prefix.
const MIN_SENSITIVE: usize = 7;
const MIN_AFTER_PREFIX: usize = 4;
const MIN_AFTER_INFIX: usize = 10;
/// No infix with what must follow it is shorter either.
const MIN_JWT: usize = 16;
const MIN_CARD_DIGITS: usize = 13;
/// Longer than the ids that resources have: a ULID is 26, a KSUID 27.
const MIN_TOKEN: usize = 32;
const MIN_TOKEN_CHANGES: usize = 6;

/// Whether `text` holds a card number, its digits perhaps in groups.
pub(super) fn holds_card_number(text: &str) -> bool {
    let decoded = decode(text);
    has_card_number(&decode(&decoded))
}

/// What `text` holds, also where it is percent-encoded (once or twice).
pub(super) fn find(text: &str) -> Option<Sensitive> {
    if is_plain(text) { None } else { search(text) }
}

fn search(text: &str) -> Option<Sensitive> {
    let decoded = decode(text);
    let decoded = decode(&decoded);
    if has_email(&decoded) {
        return Some(Sensitive::Email);
    }
    if has_card_number(&decoded) {
        return Some(Sensitive::CardNumber);
    }
    decoded.split(|c| !is_token_char(c)).find_map(classify_word)
}

/// Whether there is nothing to search, and nothing to escape: no word of a credential's length that is
/// more than small letters, no card number's digits, no address, and nothing that means something else.
/// Most paths are so.
pub(super) fn is_plain(text: &str) -> bool {
    let (mut word, mut is_mixed, mut digits) = (0_usize, false, 0_usize);
    text.bytes().all(|byte| {
        match byte {
            b'a'..=b'z' => word = word.saturating_add(1),
            _ if is_token_char(char::from(byte)) => {
                (word, is_mixed) = (word.saturating_add(1), true);
                digits = digits.saturating_add(usize::from(byte.is_ascii_digit()));
            }
            _ => (word, is_mixed) = (0, false),
        }
        (word < MIN_SENSITIVE || !is_mixed)
            && digits < MIN_CARD_DIGITS
            && matches!(byte, b' '..=b'~')
            && !matches!(byte, b'%' | b'@')
    })
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+')
}

fn classify_word(word: &str) -> Option<Sensitive> {
    // Most words are short, and need no search.
    if word.len() < MIN_SENSITIVE {
        return None;
    }
    let long_after = |at: Option<usize>, prefix: &str, min: usize| {
        at.is_some_and(|at| word.len().saturating_sub(at.saturating_add(prefix.len())) >= min)
    };
    // A search costs more than to see that there is no room for what is searched.
    let is_long = word.len() >= MIN_JWT;
    if is_long && long_after(word.find("eyJ"), "", MIN_JWT) {
        return Some(Sensitive::Jwt);
    }
    let key =
        KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix) && long_after(Some(0), prefix, MIN_AFTER_PREFIX))
            || is_long
                && KEY_INFIXES.iter().any(|infix| {
                    let rest = word.split_once(infix).map_or("", |(_, rest)| rest);
                    rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= MIN_AFTER_INFIX
                });
    if key {
        return Some(Sensitive::Key);
    }
    is_long_token(word).then_some(Sensitive::Token)
}

/// Long, with digits, and changing between digits, small and capital letters: what a generator
/// makes, and no words with hyphens. A UUID is an id.
fn is_long_token(word: &str) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 3,
        _ => 0,
    };
    let changes = || {
        let pairs = word.bytes().map(class).zip(word.bytes().map(class).skip(1));
        pairs.filter(|(one, next)| *one != 0 && *next != 0 && one != next).count()
    };
    word.len() >= MIN_TOKEN
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && !is_uuid(word)
        && changes() >= MIN_TOKEN_CHANGES
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// A masked address (`a***@example.com`) is none.
fn has_email(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at.saturating_add(1)..).and_then(|text| text.chars().next());
        before.is_some_and(|c| c.is_alphanumeric() || "._+-\"'".contains(c))
            && after.is_some_and(|c| c.is_alphanumeric() || c == '[')
    })
}

/// 13 to 19 digits, also in groups, with a valid check digit (Luhn, ISO/IEC 7812-1) and an issuer of
/// the payment networks (2 to 6): milliseconds since the epoch begin with 1.
fn has_card_number(text: &str) -> bool {
    if text.bytes().filter(u8::is_ascii_digit).count() < MIN_CARD_DIGITS {
        return false;
    }
    let mut run = DigitRun::default();
    let mut previous = ' ';
    for c in text.chars().chain(['.']) {
        let is_letter = |c: char| c.is_alphabetic() || c == '_';
        if let Some(digit) = c.to_digit(10) {
            run.push(digit, !previous.is_ascii_digit(), is_letter(previous));
        } else {
            run.touched |= previous.is_ascii_digit() && is_letter(c);
            let grouping = c == '-' || c.is_whitespace();
            if !grouping && std::mem::take(&mut run).has_card_number() {
                return true;
            }
        }
        previous = c;
    }
    false
}

/// More digits in groups than this are a table.
const MAX_DIGITS: usize = 40;

/// Digits in groups: a card number begins and ends with a group, but other numbers may stand beside it.
#[derive(Default)]
struct DigitRun {
    digits: Vec<u8>,
    starts: Vec<usize>,
    /// A letter stands at the digits: part of an id is no card number.
    touched: bool,
}

impl DigitRun {
    fn push(&mut self, digit: u32, starts: bool, touched: bool) {
        self.touched |= touched;
        if self.digits.len() <= MAX_DIGITS {
            if starts {
                self.starts.push(self.digits.len());
            }
            self.digits.push(u8::try_from(digit).unwrap_or(0));
        }
    }

    fn has_card_number(mut self) -> bool {
        if self.touched || self.digits.len() < 13 || self.digits.len() > MAX_DIGITS {
            return false;
        }
        self.starts.push(self.digits.len());
        let (digits, bounds) = (&self.digits, &self.starts);
        bounds.iter().any(|start| bounds.iter().filter_map(|end| digits.get(*start..*end)).any(is_card_number))
    }
}

fn is_card_number(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(*digit);
        let doubled = digit.saturating_mul(2);
        let worth = if place % 2 == 0 { digit } else { (doubled % 10).saturating_add(doubled / 10) };
        sum.saturating_add(worth)
    });
    (13..=19).contains(&digits.len()) && matches!(digits.first(), Some(2..=6)) && sum % 10 == 0
}

/// Percent-decoding (RFC 3986 §2.1) that leaves alone what it does not understand.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                bytes.push(hex(high).unwrap_or(0) << 4 | hex(low).unwrap_or(0));
                after
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_plain_holds_nothing(text in "([a-zA-Z0-9@%é ,-]|[0-9]{4}|eyJ|SG\\.|_live_|%40){0,12}") {
            proptest::prop_assert!(!is_plain(&text) || search(&text).is_none());
        }
    }
}

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
const MIN_AFTER_PREFIX: usize = 4;
const MIN_AFTER_INFIX: usize = 10;
const MIN_JWT: usize = 16;
/// Longer than the ids that resources have: a ULID is 26, a KSUID 27.
const MIN_TOKEN: usize = 32;
const MIN_TOKEN_RUN: usize = 20;

/// What `text` holds, also where it is percent-encoded (once or twice).
pub(super) fn find(text: &str) -> Option<Sensitive> {
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

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+')
}

fn classify_word(word: &str) -> Option<Sensitive> {
    let long_after = |at: Option<usize>, prefix: &str, min: usize| {
        at.is_some_and(|at| word.len().saturating_sub(at.saturating_add(prefix.len())) >= min)
    };
    if long_after(word.find("eyJ"), "", MIN_JWT) {
        return Some(Sensitive::Jwt);
    }
    let key =
        KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix) && long_after(Some(0), prefix, MIN_AFTER_PREFIX))
            || KEY_INFIXES.iter().any(|infix| {
                let rest = word.split_once(infix).map_or("", |(_, rest)| rest);
                rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= MIN_AFTER_INFIX
            });
    if key {
        return Some(Sensitive::Key);
    }
    is_long_token(word).then_some(Sensitive::Token)
}

/// Long, with a long run of mixed characters: what a generator makes, and no words with hyphens.
fn is_long_token(word: &str) -> bool {
    word.len() >= MIN_TOKEN
        && word.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
            let has = |class: fn(&u8) -> bool| usize::from(run.bytes().any(|byte| class(&byte)));
            let classes = [u8::is_ascii_digit, u8::is_ascii_lowercase, u8::is_ascii_uppercase].map(has);
            run.len() >= MIN_TOKEN_RUN && classes.iter().sum::<usize>() >= 2
        })
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
    if text.bytes().filter(u8::is_ascii_digit).count() < 13 {
        return false;
    }
    let mut digits = [0_u8; 20];
    let mut count = 0_usize;
    let mut previous = ' ';
    // A run may not touch a letter: part of an id is no card number.
    let mut touched = false;
    for c in text.chars().chain(['\n']) {
        let grouping = matches!(c, ' ' | '-' | '\u{a0}') && previous.is_ascii_digit();
        if let Some(digit) = c.to_digit(10) {
            touched |= count == 0 && (previous.is_alphanumeric() || previous == '_');
            if let Some(slot) = digits.get_mut(count) {
                *slot = u8::try_from(digit).unwrap_or(0);
            }
            count = count.saturating_add(1);
        } else if !grouping {
            let touches = touched || c.is_alphabetic() || c == '_';
            if !touches && digits.get(..count).is_some_and(is_card_number) {
                return true;
            }
            (count, touched) = (0, false);
        }
        previous = c;
    }
    false
}

fn is_card_number(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(*digit);
        let doubled = digit.saturating_mul(2);
        let worth = if place % 2 == 0 { digit } else { doubled % 10 + doubled / 10 };
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

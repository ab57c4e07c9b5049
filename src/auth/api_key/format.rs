//! What a key looks like: `{brand}_{environment}_{id}_{secret}{checksum}`. Pure.

use super::crc::crc32;
use crate::config_error::{ConfigError, ConfigIssues};

pub(super) const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(super) const ID_LEN: usize = 12;
/// 43 letters of 62 hold 256 bits.
pub(super) const SECRET_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;
const MAX_NAME: usize = 16;
const MAX_LEN: usize = 100;

/// The first two parts of a key, which say whose it is and for what: `acme_live_…`, `acme_test_…`.
///
/// A key names its environment, so that a test key is refused in production before a store is
/// asked, and a leaked key is recognised by scanners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyFormat {
    brand: Box<str>,
    environment: Box<str>,
}

impl ApiKeyFormat {
    /// The regular expression by which a scanner finds keys of every brand and environment. The last
    /// six characters are a checksum, by which false finds are told.
    pub const SCANNER_PATTERN: &'static str =
        r"\b[0-9A-Za-z]{1,16}_[0-9A-Za-z]{1,16}_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b";

    /// A format of 1 to 16 letters or digits each.
    ///
    /// # Errors
    /// If one of them is empty, longer, or has another character.
    pub fn new(brand: impl Into<String>, environment: impl Into<String>) -> Result<Self, ConfigError> {
        let (brand, environment) = (brand.into(), environment.into());
        let mut issues = ConfigIssues::new();
        for (field, name) in [("brand", &brand), ("environment", &environment)] {
            if !is_name(name) {
                issues.add(
                    field,
                    format!("{name:?} is not 1 to 16 ASCII letters or digits"),
                    "use a word such as live",
                );
            }
        }
        issues.finish(Self { brand: brand.into(), environment: environment.into() })
    }

    /// The first part.
    pub fn brand(&self) -> &str {
        &self.brand
    }

    /// The second part.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The regular expression by which a scanner finds leaked keys of this format in source text.
    ///
    /// ```
    /// let format = portcullis::auth::api_key::ApiKeyFormat::new("acme", "live")?;
    /// assert_eq!(format.scanner_pattern(), r"\bacme_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b");
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    pub fn scanner_pattern(&self) -> String {
        format!(r"\b{}_{}_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{49}}\b", self.brand, self.environment)
    }

    /// Puts a key together.
    pub(in crate::auth) fn compose(&self, id: &str, secret: &str) -> String {
        let mut key = format!("{}_{}_{id}_{secret}", self.brand, self.environment);
        let checksum = checksum(&key);
        key.extend(checksum.iter().map(|byte| char::from(*byte)));
        key
    }
}

/// A key that has the right form. Says nothing on whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shaped<'a> {
    pub(super) brand: &'a str,
    pub(super) environment: &'a str,
    pub(super) id: &'a str,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misshapen {
    /// It does not have the parts.
    Form,
    /// It was mistyped, or cut off.
    Checksum,
}

impl<'a> Shaped<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Misshapen> {
        // First, so that a token of several KiB costs nothing here.
        if text.len() > MAX_LEN {
            return Err(Misshapen::Form);
        }
        let mut parts = text.split('_');
        let (Some(brand), Some(environment), Some(id), Some(tail), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Misshapen::Form);
        };
        let tail_len = const { SECRET_LEN + CHECKSUM_LEN };
        if !is_name(brand) || !is_name(environment) || !is_id(id) || tail.len() != tail_len || !is_alphanumeric(tail) {
            return Err(Misshapen::Form);
        }
        let split = text.len().saturating_sub(CHECKSUM_LEN);
        let (body, stated) = text.split_at_checked(split).ok_or(Misshapen::Form)?;
        if checksum(body) != stated.as_bytes() {
            return Err(Misshapen::Checksum);
        }
        Ok(Self { brand, environment, id })
    }

    pub(super) fn is_of(&self, format: &ApiKeyFormat) -> bool {
        self.brand == &*format.brand && self.environment == &*format.environment
    }
}

/// Whether a bearer token is an API key. A JWT never is: its dots are no letters of a key.
pub(crate) fn is_api_key(token: &str) -> bool {
    Shaped::parse(token).is_ok()
}

pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_LEN && is_alphanumeric(text)
}

pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && is_alphanumeric(text)
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The CRC in base 62, with leading zeros.
fn checksum(body: &str) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        let letter = usize::try_from(rest % 62).ok().and_then(|index| ALPHABET.get(index));
        *digit = letter.copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> String {
        let format = ApiKeyFormat::new("acme", "live").unwrap();
        format.compose("0123456789Ab", &"x".repeat(43))
    }

    /// Computed with another implementation (zlib's crc32, base 62 by hand): the format must not
    /// change under keys that have been given out.
    #[test]
    fn the_format_is_frozen() {
        assert_eq!(key(), concat!("acme_live_0123456789Ab_", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "37LT3x"));
    }

    #[test]
    fn what_is_composed_parses() {
        let key = key();
        let shaped = Shaped::parse(&key).unwrap();
        assert_eq!((shaped.brand, shaped.environment, shaped.id), ("acme", "live", "0123456789Ab"));
        assert!(shaped.is_of(&ApiKeyFormat::new("acme", "live").unwrap()));
        assert!(!shaped.is_of(&ApiKeyFormat::new("acme", "test").unwrap()));
    }

    #[test]
    fn the_longest_key_has_fewer_than_a_hundred_characters() {
        let format = ApiKeyFormat::new("a".repeat(16), "b".repeat(16)).unwrap();
        assert!(Shaped::parse(&format.compose("0123456789Ab", &"x".repeat(43))).is_ok());
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "_", "____", "acme_live", "eyJh.eyJz.c2ln", &"a".repeat(101), "acme_live_é", "a_b_c_d_e"] {
            assert_eq!(Shaped::parse(text), Err(Misshapen::Form), "{text}");
        }
        assert_eq!(Shaped::parse(&key().replace("live", "test")), Err(Misshapen::Checksum));
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "a b", "a_b", "é", "abcdefghijklmnopq"] {
            assert_eq!(ApiKeyFormat::new(name, name).unwrap_err().issues().len(), 2, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_single_mistake_goes_unseen(at in 0_usize..72, letter in "[0-9A-Za-z]") {
            let mut mistyped = key();
            prop_assume!(at < mistyped.len() && mistyped[at..=at] != letter && &mistyped[at..=at] != "_");
            mistyped.replace_range(at..=at, &letter);
            prop_assert_eq!(Shaped::parse(&mistyped), Err(Misshapen::Checksum));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,110}") {
            prop_assert!(Shaped::parse(&text).is_err());
        }
    }
}

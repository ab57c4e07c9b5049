//! Headers that led to a key.
//!
//! All tokens that an issuer signs with one key have the same header. One that is, byte for byte, that
//! of a token which was verified needs neither be decoded nor judged again, nor its key be looked for,
//! as long as the key set is the same.

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwapOption, Guard};

use super::token::Token;

/// Keys that sign at the same time, in all but odd cases. Those that come later are read each time.
const MAX_HEADERS: usize = 4;
const MAX_LEN: usize = 512;

/// The headers of one verifier's tokens. Another one has other rules.
#[derive(Default)]
pub(crate) struct KnownHeaders(ArcSwapOption<Known>);

/// Those of one key set.
pub(crate) struct Known {
    generation: u64,
    headers: Vec<KnownHeader>,
}

#[derive(Clone)]
pub(crate) struct KnownHeader {
    /// In base64url, with the dot behind it.
    text: Box<str>,
    /// How many letters the signatures of the key have.
    signature: usize,
    /// The key's place in the set.
    pub(crate) key: usize,
}

impl KnownHeaders {
    pub(crate) fn load(&self) -> Guard<Option<Arc<Known>>> {
        self.0.load()
    }

    /// Notes the header of a token that has just been verified. Of two that come at once one may be
    /// lost, until its next token.
    pub(crate) fn remember(&self, generation: u64, token: &Token<'_>, key: usize) {
        let (text, signature) = (token.header_and_dot(), token.signature.len());
        let held = self.0.load();
        let mut headers = match &*held {
            Some(known) if known.generation == generation => {
                let is_held = known.headers.iter().any(|header| *header.text == *text);
                if is_held || known.headers.len() >= MAX_HEADERS {
                    return;
                }
                known.headers.clone()
            }
            // Who still reads an older set has nothing to say of this one.
            Some(known) if known.generation > generation => return,
            _ => Vec::new(),
        };
        if text.len() <= MAX_LEN {
            headers.push(KnownHeader { text: text.into(), signature, key });
            self.0.store(Some(Arc::new(Known { generation, headers })));
        }
    }
}

impl Known {
    /// The header of `token`, if it was one of a token that was verified with this key set.
    pub(crate) fn find(&self, generation: u64, token: &[u8]) -> Option<&KnownHeader> {
        if self.generation != generation {
            return None;
        }
        self.headers.iter().find(|header| token.starts_with(header.text.as_bytes()))
    }
}

impl KnownHeader {
    /// What was signed of a token with this header, its payload, and its signature, none of them
    /// decoded. Where the dots are is known: what stands there instead is left to who decodes.
    pub(crate) fn split<'t>(&self, token: &'t [u8]) -> Option<(&'t [u8], &'t [u8], &'t [u8])> {
        let (signed, signature) = token.split_at_checked(token.len().checked_sub(self.signature)?)?;
        let signed = signed.strip_suffix(b".")?;
        let payload = signed.get(self.text.len()..)?;
        Some((signed, payload, signature))
    }
}

/// How many, and nothing of them.
impl fmt::Debug for KnownHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.load().as_ref().map_or(0, |known| known.headers.len());
        f.debug_struct("KnownHeaders").field("count", &count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(headers: &KnownHeaders, generation: u64, token: &str) -> Option<usize> {
        headers.load().as_ref().and_then(|known| known.find(generation, token.as_bytes())).map(|header| header.key)
    }

    #[test]
    fn only_the_same_bytes_are_the_same_header() {
        let headers = KnownHeaders::default();
        headers.remember(7, &Token::split("abc.p.sig").unwrap(), 3);
        assert_eq!(find(&headers, 7, "abc.p.sig"), Some(3));
        for other in ["abd.p.sig", "ab.p.sig", "abcd.p.sig", "abc", "", "aBc.p.sig", " abc.p.sig"] {
            assert_eq!(find(&headers, 7, other), None, "{other}");
        }
    }

    #[test]
    fn another_key_set_knows_none_of_them() {
        let headers = KnownHeaders::default();
        let token = Token::split("abc.p.sig").unwrap();
        headers.remember(7, &token, 3);
        assert_eq!((find(&headers, 8, "abc.p.sig"), find(&headers, 6, "abc.p.sig")), (None, None));
        headers.remember(6, &token, 1);
        assert_eq!(find(&headers, 7, "abc.p.sig"), Some(3), "an older set");
        headers.remember(8, &token, 0);
        assert_eq!((find(&headers, 7, "abc.p.sig"), find(&headers, 8, "abc.p.sig")), (None, Some(0)));
    }

    #[test]
    fn there_are_never_more_than_four_and_none_is_long() {
        let headers = KnownHeaders::default();
        headers.remember(1, &Token::split(&format!("{}.p.s", "a".repeat(600))).unwrap(), 0);
        assert!(headers.load().is_none());
        let tokens: Vec<String> = (0..9).map(|number| format!("h{number}.p.s")).collect();
        for _ in 0..2 {
            for token in &tokens {
                headers.remember(1, &Token::split(token).unwrap(), 0);
            }
        }
        assert_eq!(headers.load().as_ref().unwrap().headers.len(), 4);
        assert_eq!((find(&headers, 1, &tokens[3]), find(&headers, 1, &tokens[4])), (Some(0), None));
    }

    #[test]
    fn the_dots_are_where_they_must_be() {
        let header = KnownHeader { text: "abc.".into(), signature: 3, key: 0 };
        let whole = |token: &'static str| header.split(token.as_bytes());
        assert_eq!(whole("abc.pay.sig"), Some((&b"abc.pay"[..], &b"pay"[..], &b"sig"[..])));
        assert_eq!(whole("abc..sig"), Some((&b"abc."[..], &b""[..], &b"sig"[..])));
        for token in ["abc.pay.si", "abc.paysig", "abc.sig", "sig", "", "abc."] {
            assert_eq!(whole(token), None, "{token}");
        }
    }
}

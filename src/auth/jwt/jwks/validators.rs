//! What lets a server say that nothing has changed (RFC 9110 §13.1.2).

use std::sync::Mutex;

use bytes::Bytes;
use http::HeaderValue;

use super::flight::lock;

/// A longer one is no tag but a load.
const MAX_TAG: usize = 256;

/// The last answer of a URL, and the tag that it came with.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    pub(super) tag: HeaderValue,
    pub(super) jwks: Bytes,
}

/// Remembers the last answer that had a tag.
#[derive(Debug, Default)]
pub(super) struct LastAnswer(Mutex<Option<Tagged>>);

impl LastAnswer {
    /// What to ask with: `If-None-Match`, and the answer if there is no newer one.
    pub(super) fn get(&self) -> Option<Tagged> {
        lock(&self.0).clone()
    }

    /// An answer without a tag, or with one that is none, takes the place of one with.
    pub(super) fn keep(&self, tag: Option<&HeaderValue>, jwks: &Bytes) {
        let tag = tag.filter(|tag| is_tag(tag.as_bytes()));
        *lock(&self.0) = tag.map(|tag| Tagged { tag: tag.clone(), jwks: jwks.clone() });
    }
}

/// `W/"…"` or `"…"` (RFC 9110 §8.8.3). Compared by the server, weakly, so both will do.
fn is_tag(value: &[u8]) -> bool {
    let opaque = value.strip_prefix(b"W/").unwrap_or(value);
    let inner = opaque.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    value.len() <= MAX_TAG && inner.is_some_and(|inner| inner.iter().all(|byte| *byte != b'"' && *byte > b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_tag_is_sent_back_rfc9110_8_8_3() {
        for tag in ["\"a\"", "W/\"a\"", "\"\"", "\"a,b\""] {
            assert!(is_tag(tag.as_bytes()), "{tag}");
        }
        let long = format!("\"{}\"", "x".repeat(MAX_TAG));
        for no in ["", "a", "\"", "\"a", "a\"", "w/\"a\"", "\"a\", \"b\"", "*", &long] {
            assert!(!is_tag(no.as_bytes()), "{no}");
        }
        let last = LastAnswer::default();
        last.keep(Some(&HeaderValue::from_static("\"1\"")), &Bytes::from_static(b"{}"));
        assert_eq!(last.get().unwrap().jwks, "{}");
        last.keep(None, &Bytes::from_static(b"[]"));
        assert!(last.get().is_none());
    }
}

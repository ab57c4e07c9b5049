//! SPIFFE IDs (the SPIFFE-ID specification §2). Pure.

use std::fmt;

const MAX_ID: usize = 2048;
const MAX_DOMAIN: usize = 255;

/// The name of a workload: `spiffe://trust-domain/path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpiffeId<'a> {
    text: &'a str,
    trust_domain: &'a str,
}

impl<'a> SpiffeId<'a> {
    /// The id that a URI is, if it is one: a trust domain of lower-case letters, digits, `.`, `-` and
    /// `_`, and a path of segments with letters, digits and the same marks, none of them empty or dots.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("spiffe://").filter(|_| text.len() <= MAX_ID)?;
        let (trust_domain, path) = rest.split_once('/')?;
        let segment = |segment: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !matches!(segment, "" | "." | "..") && segment.bytes().all(letter)
        };
        (is_trust_domain(trust_domain) && path.split('/').all(segment)).then_some(Self { text, trust_domain })
    }

    /// All of it.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Who vouches for the workload.
    pub const fn trust_domain(&self) -> &'a str {
        self.trust_domain
    }
}

impl fmt::Display for SpiffeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

pub(super) fn is_trust_domain(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    !text.is_empty() && text.len() <= MAX_DOMAIN && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_trust_domain_and_a_path() {
        let id = SpiffeId::parse("spiffe://prod.example.org/ns/shop/sa/orders_1").unwrap();
        assert_eq!(
            (id.trust_domain(), id.to_string().as_str()),
            ("prod.example.org", "spiffe://prod.example.org/ns/shop/sa/orders_1")
        );
        for text in [
            "",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe:///orders",
            "SPIFFE://example.org/orders",
            "https://example.org/orders",
            "spiffe://Example.org/orders",
            "spiffe://example.org:8443/orders",
            "spiffe://user@example.org/orders",
            "spiffe://example.org/orders/",
            "spiffe://example.org//orders",
            "spiffe://example.org/./orders",
            "spiffe://example.org/../orders",
            "spiffe://example.org/orders?x",
            "spiffe://example.org/orders#x",
            "spiffe://example.org/%6frders",
            "spiffe://example.org/ör",
        ] {
            assert_eq!(SpiffeId::parse(text), None, "{text}");
        }
        assert_eq!(SpiffeId::parse(&format!("spiffe://a/{}", "b".repeat(MAX_ID))), None);
        assert_eq!(SpiffeId::parse(&format!("spiffe://{}/b", "a".repeat(256))), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", tail in "[a-z/.%:]{0,40}") {
            let _ = (SpiffeId::parse(&text), SpiffeId::parse(&format!("spiffe://{tail}")));
        }
    }
}

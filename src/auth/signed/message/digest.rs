//! `Content-Digest` (RFC 9530 §2). Pure.

use subtle::ConstantTimeEq as _;

use super::input::byte_sequences;

/// A sender who gives more digests than this wants to be slow.
const MAX_DIGESTS: usize = 8;

/// The digests of a body that count: SHA-256 and SHA-512. Others (RFC 9530 §5) are for whoever knows
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentDigest {
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) sha512: Option<[u8; 64]>,
}

/// `None` if the field is malformed, a digest has a wrong length, or none is of an algorithm that
/// counts.
pub(crate) fn parse(value: &[u8]) -> Option<ContentDigest> {
    let mut digest = ContentDigest::default();
    for (name, bytes) in byte_sequences(value, MAX_DIGESTS)? {
        match &*name {
            "sha-256" => digest.sha256 = Some(bytes.try_into().ok()?),
            "sha-512" => digest.sha512 = Some(bytes.try_into().ok()?),
            _ => {}
        }
    }
    (digest.sha256.is_some() || digest.sha512.is_some()).then_some(digest)
}

impl ContentDigest {
    /// Whether all digests that count are those of the body: one that is right does not make up for
    /// one that is wrong.
    pub(crate) fn matches(&self, sha256: Option<&[u8]>, sha512: Option<&[u8]>) -> bool {
        let right = |expected: Option<&[u8]>, actual: Option<&[u8]>| match (expected, actual) {
            (Some(expected), Some(actual)) => expected.ct_eq(actual).into(),
            (expected, _) => expected.is_none(),
        };
        let any = self.sha256.is_some() || self.sha512.is_some();
        any && right(self.sha256.as_ref().map(<[u8; 32]>::as_slice), sha256)
            && right(self.sha512.as_ref().map(<[u8; 64]>::as_slice), sha512)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256, Sha512};

    use super::*;

    fn holds(field: &str, body: &[u8]) -> Option<bool> {
        let digest = parse(field.as_bytes())?;
        Some(digest.matches(Some(&Sha256::digest(body)), Some(&Sha512::digest(body))))
    }

    /// Appendix B.1 and B.4 of RFC 9530.
    #[test]
    fn the_examples_of_rfc9530_hold() {
        let body = b"{\"hello\": \"world\"}\n";
        assert_eq!(holds("sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", body), Some(true));
        assert_eq!(holds("sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", b""), Some(false));
        assert_eq!(
            holds(
                "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
                b"{\"hello\": \"world\"}"
            ),
            Some(true)
        );
        let empty = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        assert_eq!((holds(empty, b""), holds(empty, b" ")), (Some(true), Some(false)));
    }

    #[test]
    fn one_right_digest_does_not_make_up_for_a_wrong_one_rfc9530_2() {
        let right = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        let wrong = format!("sha-512=:{}==:", "A".repeat(86));
        assert_eq!(holds(&format!("{right}, {wrong}"), b""), Some(false));
        assert_eq!(holds(&format!("{wrong}, {right}"), b""), Some(false));
        // What nobody knows is ignored, next to something known.
        assert_eq!(holds(&format!("md5=:AAAA:, {right}"), b""), Some(true));
        assert_eq!(holds("md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", b""), None);
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let right = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        for bad in [
            "",
            "sha-256",
            "sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha-256=:AAAA:",
            "SHA-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            &format!("{right}, {right}"),
            &format!("{right};q=1"),
            &format!("{right}, sha-512=:AAAA:"),
        ] {
            assert_eq!(holds(bad, b""), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&value);
        }
    }
}

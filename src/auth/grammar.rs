//! The grammar of the two credential headers. Pure: bytes in, slices of them out.

/// More than any token that a browser or a proxy lets through whole; a longer one is an attack.
pub(in crate::auth) const MAX_TOKEN: usize = 8 * 1024;
/// See `api_key::format`: the longest key has 95 characters.
const MAX_API_KEY: usize = 100;

/// What an `Authorization` header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization<'a> {
    /// A token of RFC 6750 §2.1: `b64token` characters, 1 to 8 KiB.
    Bearer(&'a str),
    /// The same under the scheme of RFC 9449 §7.1.
    Dpop(&'a str),
    /// Another scheme, which is nobody's credential here.
    OtherScheme,
}

/// Why a header is unreadable. RFC 6750 §3.1 tells the two apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The header is: 400 `invalid_request`, with this detail.
    Header(&'static str),
    /// The header is well-formed, the token in it cannot be one: 401 `invalid_token`.
    Token,
}

/// `credentials = auth-scheme 1*SP b64token` (RFC 9110 §11.4, RFC 6750 §2.1), scheme in any case.
/// Where `DPoP` is not offered, it is a scheme like any other.
pub(super) fn authorization(value: &[u8], dpop: bool) -> Result<Authorization<'_>, Malformed> {
    let text =
        printable(value).ok_or(Malformed::Header("The Authorization header has a character that it may not."))?;
    if text.is_empty() {
        return Err(Malformed::Header("The Authorization header is empty."));
    }
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    let is_dpop = dpop && scheme.eq_ignore_ascii_case("dpop");
    if !is_bearer && !is_dpop {
        return Ok(Authorization::OtherScheme);
    }
    let token = rest.trim_start_matches(' ');
    if token.is_empty() {
        return Err(Malformed::Header("The Authorization header names a scheme, but has no token."));
    }
    if is_token(token) {
        return Ok(if is_bearer { Authorization::Bearer(token) } else { Authorization::Dpop(token) });
    }
    // A comma is what a proxy makes of two lines.
    if token.contains([' ', ',']) {
        return Err(Malformed::Header("The Authorization header must hold exactly one token."));
    }
    Err(Malformed::Token)
}

/// What stands behind `Bearer` and a space, if that is how the value begins: perhaps a token, as it is.
pub(super) fn behind_bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
}

/// Whether this can be a bearer token at all.
pub(super) fn is_token(token: &str) -> bool {
    token.len() <= MAX_TOKEN && is_b64token(token)
}

/// The value of `X-API-Key`: one word of visible characters, at most 100.
pub(super) fn api_key(value: &[u8]) -> Result<&str, Malformed> {
    let text = printable(value).ok_or(Malformed::Header("The X-API-Key header has a character that it may not."))?;
    if text.is_empty() {
        return Err(Malformed::Header("The X-API-Key header is empty."));
    }
    if text.contains([' ', ',']) {
        return Err(Malformed::Header("The X-API-Key header must hold exactly one key."));
    }
    if text.len() > MAX_API_KEY {
        return Err(Malformed::Token);
    }
    Ok(text)
}

/// Printable ASCII, without the spaces around it: in HTTP they mean nothing (RFC 9110 §5.5).
fn printable(value: &[u8]) -> Option<&str> {
    if !all(value, |byte| byte.wrapping_sub(0x20) <= 0x5E) {
        return None;
    }
    Some(std::str::from_utf8(value).ok()?.trim_matches(' '))
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    // `-`, `.`, `/` and the digits follow each other. Bits instead of branches: see `all`.
    #[expect(clippy::needless_bitwise_bool, reason = "a branch would keep the compiler from doing sixteen at once")]
    let allowed = |byte: u8| {
        ((byte | 0x20).wrapping_sub(b'a') < 26)
            | (byte.wrapping_sub(b'-') < 13)
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'+')
    };
    !body.is_empty() && all(body.as_bytes(), allowed)
}

/// Whether all bytes are so. It does not stop at the first that is not: without a way out of the loop
/// the compiler looks at sixteen bytes at once, and a token has hundreds.
fn all(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0_u8, |wrong, byte| wrong | u8::from(!allowed(*byte))) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_byte_is_what_the_grammar_says() {
        for byte in 0..=0x7F_u8 {
            let text = format!("a{}a", char::from(byte));
            let named = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_b64token(&text), named, "{byte:#x}");
            assert_eq!(printable(text.as_bytes()).is_some(), (0x20..=0x7E).contains(&byte), "{byte:#x}");
        }
        assert!((0x80..=0xFF).all(|byte| printable(&[b'a', byte]).is_none()));
    }

    #[test]
    fn the_scheme_is_case_insensitive_and_the_token_is_not_touched() {
        for value in ["Bearer aB.c-_~+/9==", "bearer aB.c-_~+/9==", "BEARER   aB.c-_~+/9==", " bEaReR aB.c-_~+/9== "] {
            assert_eq!(authorization(value.as_bytes(), true), Ok(Authorization::Bearer("aB.c-_~+/9==")), "{value}");
        }
    }

    #[test]
    fn other_schemes_are_not_ours_to_judge() {
        for value in ["Basic dTpw", "Digest a=\"b\", c=\"d\"", "eyJ.a.b", "Bearers x", "Bearer,x", "DPoPs a"] {
            assert_eq!(authorization(value.as_bytes(), true), Ok(Authorization::OtherScheme), "{value}");
        }
        assert_eq!(authorization(b"DPoP a b", false), Ok(Authorization::OtherScheme));
        assert_eq!(authorization(b"dPoP a", true), Ok(Authorization::Dpop("a")));
    }

    #[test]
    fn a_malformed_header_is_told_from_a_malformed_token() {
        let long = format!("Bearer {}", "a".repeat(8_193));
        for token in ["Bearer a\"b", "Bearer =", "Bearer a=b", "Bearer {}", "Bearer a:b", long.as_str()] {
            assert_eq!(authorization(token.as_bytes(), true), Err(Malformed::Token), "{token}");
        }
        let headers: [&[u8]; 9] = [
            b"",
            b"  ",
            b"Bearer",
            b"Bearer   ",
            b"Bearer a b",
            b"Bearer a, Bearer b",
            b"Bearer a,b",
            b"Bearer \xff",
            b"Bearer\ta",
        ];
        for header in headers {
            assert!(matches!(authorization(header, true), Err(Malformed::Header(_))), "{header:?}");
        }
        let longest = format!("Bearer {}", "a".repeat(8_192));
        assert!(authorization(longest.as_bytes(), true).is_ok());
    }

    #[test]
    fn an_api_key_is_one_word() {
        assert_eq!(api_key(b" abc "), Ok("abc"));
        assert_eq!(api_key("a".repeat(101).as_bytes()), Err(Malformed::Token));
        for header in [&b""[..], b"a b", b"a,b", b"a\tb", b"\x80", "é".as_bytes()] {
            assert!(matches!(api_key(header), Err(Malformed::Header(_))), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_without_panic(value in proptest::collection::vec(any::<u8>(), 0..64), bearer: bool) {
            let mut header = if bearer { b"Bearer ".to_vec() } else { Vec::new() };
            header.extend(&value);
            if let Ok(Authorization::Bearer(token)) = authorization(&header, true) {
                prop_assert!(is_b64token(token) && token.len() <= MAX_TOKEN);
                prop_assert!(header.ends_with(token.as_bytes()) || header.ends_with(b" "));
            }
            if let Ok(key) = api_key(&value) {
                prop_assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}

//! The value of `Authorization` in AWS Signature Version 4. Pure: slices of it out.

/// A longer one signs more header fields than anybody sends.
const MAX_LEN: usize = 8 * 1024;
/// Header fields that one signature may cover.
const MAX_SIGNED: usize = 100;
/// See `signed::key`: no key has a longer id.
pub(crate) const MAX_KEY_ID: usize = 256;

/// `Credential=…, SignedHeaders=…, Signature=…`, in this or another order, each exactly once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) credential: Credential<'a>,
    pub(crate) signed: &'a str,
    pub(crate) signature: [u8; 32],
}

/// `key-id/20150830/region/service/terminator`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credential<'a> {
    pub(crate) key_id: &'a str,
    /// Everything after the key's id.
    pub(crate) scope: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) terminator: &'a str,
}

/// Whether the value is one of this scheme (RFC 9110 §11.1: in any case).
pub(crate) fn has_scheme(value: &[u8], algorithm: &str) -> bool {
    let scheme = value.trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
    scheme.eq_ignore_ascii_case(algorithm.as_bytes())
}

/// `None` if it is malformed.
pub(crate) fn parse<'a>(value: &'a [u8], algorithm: &str) -> Option<Authorization<'a>> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii() && text.len() <= MAX_LEN)?;
    let (scheme, rest) = text.trim_ascii().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case(algorithm) {
        return None;
    }
    let (mut credential, mut signed, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let (name, value) = part.trim_matches(' ').split_once('=')?;
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed,
            "Signature" => &mut signature,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(Authorization {
        credential: parse_credential(credential?)?,
        signed: signed.filter(|signed| is_list(signed))?,
        signature: parse_signature(signature?)?,
    })
}

/// `None` if it is malformed. A key's id may hold slashes; the scope has four parts without any.
pub(crate) fn parse_credential(text: &str) -> Option<Credential<'_>> {
    let mut parts = text.rsplitn(5, '/');
    let (terminator, service, region, date) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let key_id = parts.next().filter(|id| is_key_id(id))?;
    let is_word = |word: &&str| (1..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
    if ![service, region, terminator].iter().all(is_word) || date.len() != 8 || !is_number(date) {
        return None;
    }
    let scope = text.get(key_id.len().saturating_add(1)..)?;
    Some(Credential { key_id, scope, date, region, service, terminator })
}

/// 64 lower-case hexadecimal digits.
pub(crate) fn parse_signature(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let decoded = base16ct::lower::decode(text, &mut bytes).ok()?;
    (decoded.len() == 32).then_some(bytes)
}

/// What can be the id of a key: visible ASCII that ends no field of a signature.
pub(crate) fn is_key_id(id: &str) -> bool {
    (1..=MAX_KEY_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && !b",\"\\".contains(&byte))
}

/// Names in lower case, sorted and therefore distinct.
pub(crate) fn is_list(signed: &str) -> bool {
    let is_name = |name: &str| {
        let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(is_letter)
    };
    let sorted = signed.split(';').zip(signed.split(';').skip(1)).all(|(one, next)| one < next);
    sorted && signed.split(';').count() <= MAX_SIGNED && signed.split(';').all(is_name)
}

/// `20150830T123600Z`; nothing else.
pub(crate) fn is_stamp(text: &str) -> bool {
    match text.split_at_checked(8) {
        Some((date, time)) => {
            is_number(date)
                && time.len() == 8
                && time.strip_prefix('T').and_then(|time| time.strip_suffix('Z')).is_some_and(is_number)
        }
        None => false,
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AWS: &str = "AWS4-HMAC-SHA256";

    fn value(credential: &str, signed: &str, signature: &str) -> String {
        format!("{AWS} Credential={credential}, SignedHeaders={signed}, Signature={signature}")
    }

    fn hex() -> String {
        "0f".repeat(32)
    }

    #[test]
    fn the_parts_may_come_in_any_order_and_without_spaces() {
        let hex = hex();
        let scope = "20150830/us-east-1/orders/aws4_request";
        let text = value(&format!("AKID/{scope}"), "host;x-amz-date", &hex);
        let expected = parse(text.as_bytes(), AWS).unwrap();
        assert_eq!((expected.credential.key_id, expected.credential.scope), ("AKID", scope));
        assert_eq!((expected.credential.date, expected.credential.service), ("20150830", "orders"));
        for other in [
            format!("{AWS} Signature={hex},SignedHeaders=host;x-amz-date,Credential=AKID/{scope}"),
            format!("aws4-hmac-sha256  Credential=AKID/{scope} ,  SignedHeaders=host;x-amz-date, Signature={hex} "),
        ] {
            assert_eq!(parse(other.as_bytes(), AWS).as_ref(), Some(&expected), "{other}");
        }
        let slashes = value(&format!("team/a/{scope}"), "host", &hex);
        assert_eq!(parse(slashes.as_bytes(), AWS).unwrap().credential.key_id, "team/a");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let (hex, good) = (hex(), "AKID/20150830/us-east-1/orders/aws4_request");
        let long = "a".repeat(257);
        let many = (0..101).map(|n| format!("h{n:03}")).collect::<Vec<_>>().join(";");
        for bad in [
            String::new(),
            AWS.to_owned(),
            format!("{AWS} "),
            format!("{AWS}-X Credential={good}, SignedHeaders=host, Signature={hex}"),
            format!("{AWS} Credential={good}, SignedHeaders=host"),
            format!("{AWS} Credential={good}, Credential={good}, SignedHeaders=host, Signature={hex}"),
            format!("{AWS} Credential={good}, SignedHeaders=host, Signature={hex}, Extra=1"),
            format!("{AWS} Credential={good}, SignedHeaders=host, Signature={hex},"),
            value("AKID/20150830/us-east-1/orders", "host", &hex),
            value("/20150830/us-east-1/orders/aws4_request", "host", &hex),
            value("AKID/2015083/us-east-1/orders/aws4_request", "host", &hex),
            value("AKID/2015083x/us-east-1/orders/aws4_request", "host", &hex),
            value("AKID/20150830//orders/aws4_request", "host", &hex),
            value(&good.replace("AKID", &long), "host", &hex),
            value(good, "", &hex),
            value(good, "Host", &hex),
            value(good, "x-amz-date;host", &hex),
            value(good, "host;host", &hex),
            value(good, "host;;x-amz-date", &hex),
            value(good, "host x", &hex),
            value(good, &many, &hex),
            value(good, "host", &hex.to_uppercase()),
            value(good, "host", &hex[2..]),
            value(good, "host", &format!("{hex}00")),
            value(good, "host", "zz"),
            value(good, "host", &hex) + &" ".repeat(9_000),
        ] {
            assert_eq!(parse(bad.as_bytes(), AWS), None, "{bad}");
        }
        assert_eq!(parse(b"AWS4-HMAC-SHA256 Credential=\xff", AWS), None);
    }

    #[test]
    fn stamps_have_one_form() {
        assert!(is_stamp("20150830T123600Z"));
        for bad in [
            "",
            "20150830",
            "20150830T123600",
            "20150830t123600z",
            "2015083éT12360Z",
            "20150830T12360٠Z",
            "20150830T123600ZZ",
        ] {
            assert!(!is_stamp(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..200), prefixed: bool) {
            let mut header = if prefixed { b"AWS4-HMAC-SHA256 Credential=".to_vec() } else { Vec::new() };
            header.extend(value);
            let _ = (parse(&header, AWS), has_scheme(&header, AWS));
        }

        #[test]
        fn what_is_written_is_read(id in "[!-~&&[^,\"\\\\]]{1,40}", date in "[0-9]{8}", region in "[a-z0-9-]{1,20}", signature: [u8; 32]) {
            let scope = format!("{date}/{region}/orders/aws4_request");
            let hex = base16ct::lower::encode_string(&signature);
            let text = value(&format!("{id}/{scope}"), "host", &hex);
            let parsed = parse(text.as_bytes(), AWS).unwrap();
            prop_assert_eq!((parsed.credential.key_id, parsed.credential.scope, parsed.signature), (&*id, &*scope, signature));
        }
    }
}

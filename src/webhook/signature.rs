//! Reads the value of a signature header. Pure; never panics; refuses what it does not understand.

use base64ct::{Base64, Encoding as _};

use super::spec::{SignatureEncoding, SignatureFormat};

/// An HMAC-SHA256.
pub(super) type Tag = [u8; 32];

/// A provider that rotates sends two or three; more are somebody's attempt to make us compare.
const MAX_CANDIDATES: usize = 16;

/// What a signature header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    /// The timestamp's text, if the format has it here.
    pub(super) timestamp: Option<&'a str>,
    /// At least one.
    pub(super) candidates: Vec<Tag>,
}

/// `None` is a malformed header.
pub(super) fn parse<'a>(value: &'a [u8], format: &SignatureFormat, encoding: SignatureEncoding) -> Option<Parsed<'a>> {
    let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
    let one = |text: &str| Some(Parsed { timestamp: None, candidates: vec![decode(text, encoding)?] });
    match format {
        SignatureFormat::Bare => one(value),
        SignatureFormat::Prefixed(prefix) => one(value.strip_prefix(&**prefix)?),
        SignatureFormat::KeyValues { separator, timestamp, signature } => {
            let pairs = value.split(*separator).map(|item| item.split_once('='));
            list(pairs, timestamp.as_deref(), signature, encoding)
        }
        SignatureFormat::Versioned(version) => {
            list(value.split(' ').map(|item| item.split_once(',')), None, version, encoding)
        }
    }
}

/// One malformed candidate spoils the header: a decoder that skips junk would make signatures malleable.
fn list<'a>(
    pairs: impl Iterator<Item = Option<(&'a str, &'a str)>>,
    timestamp_key: Option<&str>,
    signature_key: &str,
    encoding: SignatureEncoding,
) -> Option<Parsed<'a>> {
    let mut parsed = Parsed { timestamp: None, candidates: Vec::new() };
    for pair in pairs {
        // A space before a key is what a proxy leaves that folds two lines of a header into one.
        let (key, value) = pair.filter(|(key, _)| is_key(key))?;
        if Some(key) == timestamp_key {
            if parsed.timestamp.replace(value).is_some() {
                return None;
            }
        } else if key == signature_key {
            if parsed.candidates.len() == MAX_CANDIDATES {
                return None;
            }
            parsed.candidates.push(decode(value, encoding)?);
        }
    }
    let complete = !parsed.candidates.is_empty() && parsed.timestamp.is_some() == timestamp_key.is_some();
    complete.then_some(parsed)
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Exactly one canonical encoding of exactly 32 bytes.
fn decode(text: &str, encoding: SignatureEncoding) -> Option<Tag> {
    let mut tag = Tag::default();
    let decoded = match encoding {
        SignatureEncoding::Hex => base16ct::lower::decode(text, &mut tag).ok()?,
        SignatureEncoding::Base64 => Base64::decode(text, &mut tag).ok()?,
    };
    (decoded.len() == size_of::<Tag>()).then_some(tag)
}

/// The inverse of `decode`.
pub(super) fn encode(tag: &Tag, encoding: SignatureEncoding) -> String {
    match encoding {
        SignatureEncoding::Hex => base16ct::lower::encode_string(tag),
        SignatureEncoding::Base64 => Base64::encode_string(tag),
    }
}

/// The inverse of `parse`, with one candidate.
pub(super) fn write(tag: &Tag, timestamp: &str, format: &SignatureFormat, encoding: SignatureEncoding) -> String {
    let signature = encode(tag, encoding);
    match format {
        SignatureFormat::Bare => signature,
        SignatureFormat::Prefixed(prefix) => format!("{prefix}{signature}"),
        SignatureFormat::KeyValues { separator, timestamp: Some(key), signature: name } => {
            format!("{key}={timestamp}{separator}{name}={signature}")
        }
        SignatureFormat::KeyValues { signature: name, .. } => format!("{name}={signature}"),
        SignatureFormat::Versioned(version) => format!("{version},{signature}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formats() -> Vec<SignatureFormat> {
        let pairs = |timestamp| SignatureFormat::KeyValues { separator: ',', timestamp, signature: "v1".into() };
        vec![
            SignatureFormat::Bare,
            SignatureFormat::Prefixed("v0=".into()),
            pairs(Some("t".into())),
            pairs(None),
            SignatureFormat::Versioned("v1".into()),
        ]
    }

    #[test]
    fn junk_around_a_signature_is_refused() {
        let hex = encode(&[0xab; 32], SignatureEncoding::Hex);
        let accepts = |text: &str| parse(text.as_bytes(), &SignatureFormat::Bare, SignatureEncoding::Hex).is_some();
        assert!(accepts(&hex));
        for bad in [
            format!("{hex}zz"),
            format!("{hex}00"),
            format!(" {hex}"),
            hex.to_uppercase(),
            "zz".into(),
            hex[2..].into(),
        ] {
            assert!(!accepts(&bad), "{bad}");
        }
    }

    #[test]
    fn base64_must_be_canonical() {
        let text = encode(&[0; 32], SignatureEncoding::Base64);
        let accepts = |text: &str| parse(text.as_bytes(), &SignatureFormat::Bare, SignatureEncoding::Base64).is_some();
        assert!(accepts(&text));
        // The same 32 bytes to a lax decoder: a stray bit in the last character, no padding, a line end.
        for bad in [text.replace("A=", "B="), text.replace('=', ""), format!("{text}\n"), format!("{text}=")] {
            assert!(!accepts(&bad), "{bad}");
        }
    }

    #[test]
    fn every_candidate_is_kept_and_other_keys_are_ignored() {
        let (a, b) = (encode(&[1; 32], SignatureEncoding::Hex), encode(&[2; 32], SignatureEncoding::Hex));
        let header = format!("t=12,v1={a},v0=zz,v1={b}");
        let parsed = parse(header.as_bytes(), &formats()[2], SignatureEncoding::Hex).unwrap();
        assert_eq!((parsed.timestamp, parsed.candidates), (Some("12"), vec![[1; 32], [2; 32]]));
        for bad in [
            format!("v1={a}"),
            "t=12".into(),
            format!("t=1,t=1,v1={a}"),
            format!("t=1,v1={a},"),
            format!("t=1,v1={a},v1=zz"),
        ] {
            assert_eq!(parse(bad.as_bytes(), &formats()[2], SignatureEncoding::Hex), None, "{bad}");
        }
    }

    #[test]
    fn candidates_are_bounded() {
        let one = format!("v1,{}", encode(&[1; 32], SignatureEncoding::Base64));
        let many = |count| vec![one.as_str(); count].join(" ");
        let read = |text: &str| {
            parse(text.as_bytes(), &formats()[4], SignatureEncoding::Base64).map(|parsed| parsed.candidates.len())
        };
        assert_eq!((read(&many(16)), read(&many(17))), (Some(16), None));
    }

    proptest! {
        #[test]
        fn nothing_panics(value in prop::collection::vec(any::<u8>(), 0..200), format in 0..5_usize, hex: bool) {
            let encoding = if hex { SignatureEncoding::Hex } else { SignatureEncoding::Base64 };
            let _ = parse(&value, &formats()[format], encoding);
        }

        #[test]
        fn what_is_written_is_read(tag: [u8; 32], format in 0..5_usize, hex: bool) {
            let encoding = if hex { SignatureEncoding::Hex } else { SignatureEncoding::Base64 };
            let text = write(&tag, "17", &formats()[format], encoding);
            let parsed = parse(text.as_bytes(), &formats()[format], encoding).unwrap();
            prop_assert_eq!(parsed.candidates, vec![tag]);
            prop_assert_eq!(parsed.timestamp, (format == 2).then_some("17"));
        }
    }
}

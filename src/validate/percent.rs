//! Percent-encoding (RFC 3986 §2.1). Pure.

use std::borrow::Cow;

/// What is done with a percent sign that begins no escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// The text is malformed.
    Refuse,
    /// It stands for itself.
    Keep,
}

/// The text, decoded once. `None` if it is malformed.
pub(super) fn decode(text: &[u8], stray: Stray) -> Option<Cow<'_, [u8]>> {
    if !text.contains(&b'%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escape = match tail {
            [high, low, after @ ..] if *first == b'%' => nibble(*high).zip(nibble(*low)).map(|pair| (pair, after)),
            _ => None,
        };
        match escape {
            Some(((high, low), after)) => {
                bytes.push(high << 4 | low);
                rest = after;
            }
            None if *first == b'%' && stray == Stray::Refuse => return None,
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Some(Cow::Owned(bytes))
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(decode(b"a%2Fb%252F", Stray::Refuse).as_deref(), Some(&b"a/b%2F"[..]));
        for stray in ["%", "%4", "%zz", "a%"] {
            assert_eq!(decode(stray.as_bytes(), Stray::Refuse), None, "{stray}");
            assert_eq!(decode(stray.as_bytes(), Stray::Keep).as_deref(), Some(stray.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let encoded = bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            prop_assert_eq!(&*decode(encoded.as_bytes(), Stray::Refuse).unwrap(), &bytes[..]);
        }
    }
}

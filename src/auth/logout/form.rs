//! The body of a logout request: `application/x-www-form-urlencoded`, of which one field is read.

use super::fault::LogoutFault;

const FIELD: &[u8] = b"logout_token";

/// The value of the one field `logout_token`; fields of other names are for others.
pub(super) fn logout_token(body: &[u8]) -> Result<String, LogoutFault> {
    let mut found = None;
    for pair in body.split(|byte| *byte == b'&') {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=').and_then(|at| pair.split_at_checked(at)) {
            Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
            None => (pair, &[][..]),
        };
        if decode(name)? == FIELD {
            let value = String::from_utf8(decode(value)?).map_err(|_| LogoutFault::Form)?;
            if found.replace(value).is_some() {
                return Err(LogoutFault::Form);
            }
        }
    }
    found.filter(|token| !token.is_empty()).ok_or(LogoutFault::Form)
}

fn decode(text: &[u8]) -> Result<Vec<u8>, LogoutFault> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (bytes.next().copied().and_then(digit), bytes.next().copied().and_then(digit)) {
                (Some(high), Some(low)) => high.wrapping_shl(4) | low,
                _ => return Err(LogoutFault::Form),
            },
            byte => *byte,
        });
    }
    Ok(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_field_is_found() {
        for body in [
            "logout_token=a.b.c",
            "x=1&logout_token=a.b.c&y",
            "logout%5Ftoken=a%2Eb%2ec",
            "&&logout_token=a.b.c&",
            "Logout_Token=x&logout_token=a.b.c",
        ] {
            assert_eq!(logout_token(body.as_bytes()).unwrap(), "a.b.c", "{body}");
        }
    }

    #[test]
    fn two_or_none_or_garbage_are_refused() {
        for body in [
            "",
            "logout_token",
            "logout_token=",
            "token=a.b.c",
            "logout_token=a&logout_token=a",
            "logout_token=a&logout%5ftoken=b",
            "logout_token=%",
            "logout_token=%4",
            "logout_token=%zz",
            "%=1&logout_token=a",
            "logout_token=%ff",
        ] {
            assert!(logout_token(body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = logout_token(&body);
        }

        #[test]
        fn what_is_encoded_is_decoded(token in "[ -~]{1,40}") {
            let hex = base16ct::upper::encode_string(token.as_bytes());
            let pairs: Vec<&str> = (0..hex.len()).step_by(2).map(|at| &hex[at..at.saturating_add(2)]).collect();
            let body = format!("logout_token=%{}", pairs.join("%"));
            prop_assert_eq!(logout_token(body.as_bytes()).unwrap(), token);
        }
    }
}

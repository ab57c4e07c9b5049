//! The parameters of a query, as RFC 9421 §2.2.8 wants them. Pure.

use std::fmt::Write as _;

/// Names and values, decoded as a form is, and encoded anew.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (recoded(name), recoded(value))
    })
}

/// The percent-encode set of `application/x-www-form-urlencoded`, with `%20` for a space.
fn recoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, after) {
            (b'%', [high, low, after @ ..]) => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    // A form is UTF-8; what is not becomes U+FFFD, as for every reader of forms.
    let mut encoded = String::with_capacity(text.len());
    for byte in String::from_utf8_lossy(&bytes).bytes() {
        if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 9421 §2.2.8.
    #[test]
    fn the_example_of_rfc9421_holds() {
        let query =
            "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
        let expected = [
            ("var", "this%20is%20a%20big%0Amultiline%20value"),
            ("bar", "with%20plus%20whitespace"),
            ("fa%C3%A7ade%22%3A%20", "something"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(query).collect::<Vec<_>>(), expected);
        assert_eq!(
            pairs("a=%&%zz=~&%ff").collect::<Vec<_>>(),
            [("a".into(), "%25".into()), ("%25zz".into(), "%7E".into()), ("%EF%BF%BD".into(), String::new())]
        );
    }

    proptest! {
        #[test]
        fn what_was_encoded_stays_as_it_is(text in "\\PC{0,20}") {
            prop_assert_eq!(recoded(&recoded(&text)), recoded(&text));
        }
    }
}

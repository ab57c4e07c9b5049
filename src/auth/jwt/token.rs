//! The compact serialisation (RFC 7515 §3.1, §7.1): three parts of strict base64url.

use base64_simd::{AsOut as _, URL_SAFE_NO_PAD};

use super::fault::Fault;
use crate::auth::grammar::MAX_TOKEN;

/// The signature of an RSA key of 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// A token, split but not yet decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// What was signed: the first two parts with the dot between them.
    pub(crate) signed: &'a str,
}

impl<'a> Token<'a> {
    /// Exactly three parts, of which only the payload's content is left to be looked at later. An
    /// empty signature (an unsecured JWS, RFC 7515 §A.5) is let through so that its `alg` is judged.
    pub(crate) fn split(text: &'a str) -> Result<Self, Fault> {
        if text.len() > MAX_TOKEN {
            return Err(Fault::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Fault::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(Fault::Parts)?;
        if header.is_empty() || payload.contains('.') {
            return Err(Fault::Parts);
        }
        Ok(Self { header, payload, signature, signed })
    }

    pub(crate) fn header_and_dot(&self) -> &'a str {
        self.signed.get(..=self.header.len()).unwrap_or(self.signed)
    }
}

/// A decoded header: on the stack, where it is as short as headers are.
#[derive(Debug)]
pub(crate) struct HeaderText {
    short: [u8; MAX_SHORT],
    len: usize,
    long: Vec<u8>,
}

/// Headers without certificate chains have a quarter of this.
const MAX_SHORT: usize = 512;

impl HeaderText {
    pub(crate) fn decode(text: &str) -> Result<Self, Fault> {
        let mut decoded = Self { short: [0; MAX_SHORT], len: 0, long: Vec::new() };
        // Four characters make three bytes.
        if text.len() / 4 >= MAX_SHORT / 3 {
            decoded.long = decode(text)?;
        } else {
            decoded.len = decode_to(text.as_bytes(), &mut decoded.short)?;
        }
        Ok(decoded)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() { self.short.get(..self.len).unwrap_or_default() } else { &self.long }
    }
}

/// A decoded signature, on the stack.
#[derive(Debug)]
pub(crate) struct Signature {
    buffer: [u8; MAX_SIGNATURE],
    len: usize,
}

impl Signature {
    pub(crate) fn decode(text: impl AsRef<[u8]>) -> Result<Self, Fault> {
        let mut buffer = [0; MAX_SIGNATURE];
        let len = decode_to(text.as_ref(), &mut buffer)?;
        Ok(Self { buffer, len })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

/// No padding, no other alphabet, no white space, no bits left over at the end (RFC 4648 §3.5):
/// otherwise one token had many spellings. Nothing of a token is secret before it is verified, so it
/// need not be decoded in constant time, which takes three times as long.
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Fault> {
    let text = text.as_ref();
    // Exactly as long as what it decodes to, so that it is not copied when it is shared.
    let mut decoded = vec![0; URL_SAFE_NO_PAD.decoded_length(text).map_err(|_| Fault::Base64)?];
    decode_to(text, &mut decoded)?;
    Ok(decoded)
}

/// The same into a buffer; how much of it is filled. What does not fit is refused as what is no base64url.
pub(crate) fn decode_to(text: &[u8], buffer: &mut [u8]) -> Result<usize, Fault> {
    // The decoder panics where the buffer is too short.
    if URL_SAFE_NO_PAD.decoded_length(text).map_err(|_| Fault::Base64)? > buffer.len() {
        return Err(Fault::Base64);
    }
    URL_SAFE_NO_PAD.decode(text, buffer.as_out()).map(|decoded| decoded.len()).map_err(|_| Fault::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_three_parts_rfc7515_7_1() {
        for text in ["", ".", "..", "a", "a.b", "a.b.c.d", "a.b.c.d.e", ".b.c"] {
            assert_eq!(Token::split(text).unwrap_err(), Fault::Parts, "{text:?}");
        }
        let token = Token::split("a.b.c").unwrap();
        assert_eq!((token.header, token.payload, token.signature, token.signed), ("a", "b", "c", "a.b"));
        assert_eq!(Token::split(&format!("a.b.{}", "c".repeat(MAX_TOKEN))).unwrap_err(), Fault::TooLong);
    }

    #[test]
    fn base64url_is_strict_rfc7515_2() {
        assert_eq!(decode("AQ").unwrap(), [1]);
        // Padding, trailing bits, standard alphabet, white space, a length of 1 modulo 4, not ASCII.
        for text in ["AQ==", "AR", "AQI+", "AQI/", "A Q", "AQ\n", "A", "AQIDB", "é"] {
            assert_eq!(decode(text).unwrap_err(), Fault::Base64, "{text:?}");
            assert_eq!(Signature::decode(text).unwrap_err(), Fault::Base64, "{text:?}");
        }
        assert_eq!(Signature::decode("A".repeat(2_000)).unwrap_err(), Fault::Base64);
        assert_eq!(Signature::decode("AQID").unwrap().as_bytes(), [1, 2, 3]);
    }
}

//! The MAC over the parts of a message. Nothing is concatenated; every comparison is constant-time.

use std::ops::Deref;

use base64ct::{Base64Unpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    signature::Tag,
    spec::{Part, SecretEncoding},
};
use crate::secret::Secret;

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn part(&self, part: &'a Part) -> &'a [u8] {
        match part {
            Part::Literal(text) => text.as_bytes(),
            Part::Id => self.id.as_bytes(),
            Part::Timestamp => self.timestamp.as_bytes(),
            Part::Body => self.body,
        }
    }
}

/// One MAC per valid secret, fed together so that the body is walked once.
pub(super) struct Verifier {
    macs: Vec<Hmac<Sha256>>,
}

impl Verifier {
    /// `None` if no secret is usable.
    pub(super) fn new(secrets: &[Secret], encoding: &SecretEncoding) -> Option<Self> {
        let macs: Vec<_> = secrets.iter().filter_map(|secret| keyed(secret, encoding).ok()).collect();
        (!macs.is_empty()).then_some(Self { macs })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for mac in &mut self.macs {
            mac.update(bytes);
        }
    }

    /// Compares every tag with every candidate, whatever has matched already.
    pub(super) fn finish(self, candidates: &[Tag]) -> bool {
        let mut genuine = Choice::from(0);
        for mac in self.macs {
            let mut tag: Tag = mac.finalize().into_bytes().into();
            for candidate in candidates {
                genuine |= tag.ct_eq(candidate);
            }
            tag.zeroize();
        }
        genuine.into()
    }
}

/// The tag of one message.
pub(super) fn sign(
    secret: &Secret,
    encoding: &SecretEncoding,
    template: &[Part],
    message: Message<'_>,
) -> Result<Tag, Unusable> {
    let mut mac = keyed(secret, encoding)?;
    for part in template {
        mac.update(message.part(part));
    }
    Ok(mac.finalize().into_bytes().into())
}

fn keyed(secret: &Secret, encoding: &SecretEncoding) -> Result<Hmac<Sha256>, Unusable> {
    Hmac::new_from_slice(&key(secret, encoding)?).map_err(|_| ("it has an impossible length", "use another secret"))
}

/// The MAC's key.
pub(super) enum Key<'a> {
    Held(&'a [u8]),
    Decoded(Zeroizing<Vec<u8>>),
}

impl Deref for Key<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Decoded(bytes) => bytes,
        }
    }
}

/// Why a secret is no key, and what to do.
pub(super) type Unusable = (&'static str, &'static str);

/// The smallest key that Standard Webhooks allows, in bytes.
const MIN_DECODED: usize = 24;

pub(super) fn key<'a>(secret: &'a Secret, encoding: &SecretEncoding) -> Result<Key<'a>, Unusable> {
    let bytes = secret.expose();
    if bytes.is_empty() {
        return Err(("it is empty, so anybody could sign", "use the secret that the provider shows"));
    }
    if bytes.trim_ascii().len() != bytes.len() {
        return Err(("it begins or ends with white space", "remove what was copied along with it"));
    }
    let SecretEncoding::Base64 { prefix } = encoding else { return Ok(Key::Held(bytes)) };
    let bytes = bytes.strip_prefix(prefix.as_bytes()).unwrap_or(bytes);
    let unpadded = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    let decoded = std::str::from_utf8(unpadded).ok().and_then(|text| Base64Unpadded::decode_vec(text).ok());
    match decoded {
        Some(key) if key.len() >= MIN_DECODED => Ok(Key::Decoded(Zeroizing::new(key))),
        Some(_) => Err(("it has fewer than 24 bytes", "use a secret of 24 to 64 random bytes")),
        None => Err(("it is not Base64", "use the secret as the provider shows it")),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const STANDARD: SecretEncoding = SecretEncoding::Base64 { prefix: Cow::Borrowed("whsec_") };

    #[test]
    fn unusable_secrets_are_named() {
        for (secret, encoding, reason) in [
            ("", SecretEncoding::Raw, "it is empty, so anybody could sign"),
            ("secret\n", SecretEncoding::Raw, "it begins or ends with white space"),
            ("whsec_", STANDARD, "it has fewer than 24 bytes"),
            ("whsec_!!!", STANDARD, "it is not Base64"),
            ("whsec_c2hvcnQ=", STANDARD, "it has fewer than 24 bytes"),
        ] {
            assert_eq!(key(&secret.into(), &encoding).err().unwrap().0, reason, "{secret:?}");
        }
    }

    #[test]
    fn prefix_and_padding_are_optional() {
        let plain = key(&"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA==".into(), &STANDARD).ok().unwrap().to_vec();
        assert_eq!(plain, (0..25).collect::<Vec<u8>>());
        for same in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA=="] {
            assert_eq!(key(&same.into(), &STANDARD).ok().unwrap().to_vec(), plain);
        }
    }
}

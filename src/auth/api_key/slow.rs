//! Argon2id and bcrypt, as stored strings say them. Pure, slow, and bounded: what a stored string
//! asks for is looked at before it is given.

use std::fmt;

/// The slow hash of new keys, and which stored ones count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlowHash {
    #[cfg(feature = "password")]
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
    #[cfg(feature = "password")]
    Bcrypt { cost: u32 },
}

/// A stored string that this build cannot, or will not, compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored digest is malformed, or asks for more memory or time than is allowed")]
pub(super) struct SlowError;

#[cfg(not(feature = "password"))]
impl SlowHash {
    pub(super) fn is_family_of(self, _: &str) -> bool {
        match self {}
    }

    pub(super) fn is_current(self, _: &str) -> bool {
        match self {}
    }

    pub(super) fn nobody(self) -> String {
        match self {}
    }
}

#[cfg(not(feature = "password"))]
pub(super) fn verify(_: &str, _: &str) -> Result<bool, SlowError> {
    Err(SlowError)
}

#[cfg(feature = "password")]
pub(super) use self::password::verify;

impl fmt::Display for SlowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "password")]
            Self::Argon2id { .. } => f.write_str("argon2id"),
            #[cfg(feature = "password")]
            Self::Bcrypt { .. } => f.write_str("bcrypt"),
            #[cfg(not(feature = "password"))]
            _ => f.write_str("none"),
        }
    }
}

#[cfg(feature = "password")]
mod password {
    use argon2::{Algorithm, Argon2, Params, Version};
    use base64ct::{Base64Unpadded, Encoding as _};
    use sha2::{Digest as _, Sha256};
    use subtle::ConstantTimeEq as _;

    use super::{SlowError, SlowHash};

    /// More than this of what a stored string asks for is an attack on the service.
    const MAX_MEMORY_KIB: u32 = 64 * 1024;
    const MAX_PASSES: u32 = 10;
    const MAX_LANES: u32 = 4;
    const MAX_COST: u32 = 15;
    const OUTPUT: usize = 32;
    /// 22 characters of salt and 31 of hash, behind `$2b$12$`.
    const BCRYPT_TAIL: usize = 53;

    impl SlowHash {
        /// The parameters of OWASP's password storage cheat sheet, 27 ms and 19 MiB (measured).
        pub(in super::super) const ARGON2ID: Self = Self::Argon2id { memory_kib: 19_456, passes: 2, lanes: 1 };

        pub(in super::super) fn hash(self, key: &str) -> Result<String, SlowError> {
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(|_| SlowError)?;
            match self {
                Self::Argon2id { memory_kib, passes, lanes } => {
                    let hash = argon2id([memory_kib, passes, lanes], key, &salt)?;
                    Ok(phc([memory_kib, passes, lanes], &salt, &hash))
                }
                Self::Bcrypt { cost } => bcrypt::hash_with_salt(prehash(key), cost, salt)
                    .map(|parts| parts.to_string())
                    .map_err(|_| SlowError),
            }
        }

        pub(in super::super) fn is_family_of(self, text: &str) -> bool {
            matches!(self, Self::Argon2id { .. }) == text.starts_with("$argon2id$")
        }

        /// Whether a stored string was made with these parameters.
        pub(in super::super) fn is_current(self, text: &str) -> bool {
            match self {
                Self::Argon2id { memory_kib, passes, lanes } => {
                    parse(text).is_ok_and(|stored| stored.params == [memory_kib, passes, lanes])
                }
                Self::Bcrypt { cost } => text.starts_with(&format!("$2b${cost:02}$")),
            }
        }

        /// A stored string that no key matches, and that costs as much as one that a key does.
        pub(in super::super) fn nobody(self) -> String {
            match self {
                Self::Argon2id { memory_kib, passes, lanes } => {
                    phc([memory_kib, passes, lanes], &[0; 16], &[0; OUTPUT])
                }
                Self::Bcrypt { cost } => format!("$2b${cost:02}${}", ".".repeat(BCRYPT_TAIL)),
            }
        }
    }

    pub(in super::super) fn verify(text: &str, key: &str) -> Result<bool, SlowError> {
        if text.starts_with("$argon2id$") {
            let Stored { params, salt, hash } = parse(text)?;
            let found = argon2id(params, key, &salt)?;
            return Ok(found.ct_eq(&hash).into());
        }
        let cost = text.split('$').nth(2).and_then(|cost| cost.parse::<u32>().ok()).ok_or(SlowError)?;
        if cost > MAX_COST {
            return Err(SlowError);
        }
        bcrypt::verify(prehash(key), text).map_err(|_| SlowError)
    }

    /// bcrypt reads 72 bytes and no more (a key has up to 96), so it is given a digest of the key.
    fn prehash(key: &str) -> String {
        let digest = Sha256::new().chain_update(b"portcullis api key bcrypt v1\0").chain_update(key).finalize();
        Base64Unpadded::encode_string(&digest)
    }

    fn argon2id([memory_kib, passes, lanes]: [u32; 3], key: &str, salt: &[u8]) -> Result<[u8; OUTPUT], SlowError> {
        let params = Params::new(memory_kib, passes, lanes, Some(OUTPUT)).map_err(|_| SlowError)?;
        let mut hash = [0; OUTPUT];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(key.as_bytes(), salt, &mut hash).map_err(|_| SlowError)?;
        Ok(hash)
    }

    fn phc([memory_kib, passes, lanes]: [u32; 3], salt: &[u8], hash: &[u8]) -> String {
        let (salt, hash) = (Base64Unpadded::encode_string(salt), Base64Unpadded::encode_string(hash));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }

    struct Stored {
        params: [u32; 3],
        salt: Vec<u8>,
        hash: Vec<u8>,
    }

    fn parse(text: &str) -> Result<Stored, SlowError> {
        let mut parts = text.split('$').skip(1);
        let (Some("argon2id"), Some("v=19"), Some(params), Some(salt), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SlowError);
        };
        let mut numbers = params.split(',');
        let mut number = |name: &str, most: u32| {
            let text = numbers.next().and_then(|part| part.strip_prefix(name)).ok_or(SlowError)?;
            text.parse::<u32>().ok().filter(|number| *number <= most).ok_or(SlowError)
        };
        let params = [number("m=", MAX_MEMORY_KIB)?, number("t=", MAX_PASSES)?, number("p=", MAX_LANES)?];
        let decode = |text| Base64Unpadded::decode_vec(text).map_err(|_| SlowError);
        let stored = Stored { params, salt: decode(salt)?, hash: decode(hash)? };
        if numbers.next().is_some() || stored.hash.len() != OUTPUT || stored.salt.len() < 8 {
            return Err(SlowError);
        }
        Ok(stored)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const CHEAP: [SlowHash; 2] =
            [SlowHash::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }, SlowHash::Bcrypt { cost: 4 }];

        #[test]
        fn a_key_matches_its_own_hash_and_no_other() {
            // Two keys that agree in their first 72 bytes: what bcrypt alone could not tell apart.
            let (one, other) = (format!("{}a", "k".repeat(80)), format!("{}b", "k".repeat(80)));
            for hash in CHEAP {
                let stored = hash.hash(&one).unwrap();
                assert_eq!((verify(&stored, &one), verify(&stored, &other)), (Ok(true), Ok(false)), "{stored}");
                assert_ne!(stored, hash.hash(&one).unwrap(), "salted");
                assert!(hash.is_current(&stored) && hash.is_family_of(&stored));
                assert_eq!(verify(&hash.nobody(), &one), Ok(false), "{}", hash.nobody());
                assert!(super::super::super::digest::ApiKeyDigest::of_slow(&hash.nobody()).is_some());
            }
            assert!(!SlowHash::ARGON2ID.is_current(&CHEAP[0].hash(&one).unwrap()));
            assert!(!CHEAP[0].is_family_of(&CHEAP[1].nobody()) && !CHEAP[1].is_family_of(&CHEAP[0].nobody()));
        }

        /// Made with the reference implementation (`argon2 somesalt -id -t 2 -k 65536 -p 1`, from its
        /// own test suite): strings of others verify, and ours are theirs.
        #[test]
        fn the_reference_implementations_string_verifies() {
            let stored =
                concat!("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
            assert_eq!((verify(stored, "password"), verify(stored, "Password")), (Ok(true), Ok(false)));
        }

        #[test]
        fn what_asks_for_too_much_is_not_computed() {
            for text in [
                "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                "$argon2id$v=19$m=64,t=99,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                "$argon2id$v=19$m=64,t=1,p=1,x=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
                "$argon2id$",
                "$2b$31$......................................................",
                "$2b$xx$",
                "$2b$",
            ] {
                assert_eq!(verify(text, "key"), Err(SlowError), "{text}");
            }
        }
    }
}

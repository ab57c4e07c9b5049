//! Secrets that do not leak: [`Secret`], [`SecretSet`] for rotation, [`SecretSource`] for where
//! they come from.
//!
//! A [`Secret`] shows `Secret(***)` in `Debug`, compares in constant time and is zeroed when
//! dropped. A [`SecretSet`] holds the current secret and, while a rotation is under way, the
//! previous ones with the time until which they are valid: both work during the transition.
//!
//! ```
//! use portcullis::{secret::{Secret, SecretSet}, time::Timestamp};
//!
//! let set = SecretSet::new(Secret::new("old"));
//! set.rotate(Secret::new("new"), Timestamp::from_secs(100));
//! assert_eq!(set.valid_at(Timestamp::from_secs(99)).len(), 2);
//! assert_eq!(set.valid_at(Timestamp::from_secs(100)).len(), 1);
//! assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
//! ```

mod fingerprint;
mod set;
mod source;

use std::{fmt, sync::Arc};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(crate) use self::fingerprint::{Fingerprint, fingerprint, process_key};
pub use self::{
    set::SecretSet,
    source::{EnvSecret, FileSecret, LoadedSecrets, SecretError, SecretRefresh, SecretSource},
};

/// Bytes that must not be seen. Clones share the bytes; the last one zeroes them.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes over the bytes. A `String` or `Vec<u8>` is moved, not copied.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The bytes. The name is meant to be seen in a review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes: never a usable secret, and refused by every builder.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Constant-time for secrets of equal length; the length itself is not hidden.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

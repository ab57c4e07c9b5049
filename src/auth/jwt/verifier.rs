use std::{fmt, sync::Arc};

use super::Algorithm;

/// Verifies signatures with one key and one algorithm.
///
/// portcullis makes these itself, with aws-lc-rs or the `RustCrypto` crates. Write one to keep keys
/// in another library, or to verify where a hardware module does.
///
/// ```
/// use std::sync::Arc;
/// use portcullis::auth::jwt::{Algorithm, Issuer, SignatureVerifier, StaticKeys};
///
/// #[derive(Debug)]
/// struct Module { slot: u32 }
///
/// impl SignatureVerifier for Module {
///     fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
///         // … ask the module; false also when it does not answer …
///         signature.len() == 64 && message.len() > 2 && self.slot == 7
///     }
/// }
///
/// let keys = StaticKeys::new().verifier("hsm-7", Algorithm::Es256, Arc::new(Module { slot: 7 }));
/// let verifier = Issuer::new("https://id.example.com").audience("orders").keys(keys).build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub trait SignatureVerifier: fmt::Debug + Send + Sync + 'static {
    /// Whether `signature` is the key's signature of `message`. Must not panic on any input, and
    /// must take the same time for every wrong one if the key is secret.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// A public key, with its numbers decoded and their sizes checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey<'a> {
    /// For `RS256` to `RS512` and `PS256` to `PS512`: modulus (2048 bits or more) and exponent,
    /// big-endian without leading zeros.
    Rsa {
        /// The modulus.
        modulus: &'a [u8],
        /// The exponent.
        exponent: &'a [u8],
    },
    /// For `ES256`: a point in SEC 1 uncompressed form, `04 x y`. Not yet known to lie on the curve.
    P256 {
        /// The point.
        point: &'a [u8; 65],
    },
    /// For `ES384`, in the same form.
    P384 {
        /// The point.
        point: &'a [u8; 97],
    },
    /// For `ES512`, in the same form.
    P521 {
        /// The point.
        point: &'a [u8; 133],
    },
    /// For `EdDSA`.
    Ed25519 {
        /// The key as in RFC 8032 §5.1.5.
        key: &'a [u8; 32],
    },
}

impl PublicKey<'_> {
    /// The algorithms that this type of key is for; one of them is what a key is used with.
    pub const fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Rsa { .. } => &[
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
            ],
            Self::P256 { .. } => &[Algorithm::Es256],
            Self::P384 { .. } => &[Algorithm::Es384],
            Self::P521 { .. } => &[Algorithm::Es512],
            Self::Ed25519 { .. } => &[Algorithm::EdDsa],
        }
    }
}

/// A key cannot be used: not a point of the curve, or an algorithm that the provider lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableKey(pub &'static str);

impl UnusableKey {
    pub(crate) const ALGORITHM: Self = Self("alg is not supported, or not one for this type of key");
}

/// Makes a [`SignatureVerifier`] of each public key of a key set: the way to another crypto library.
///
/// ```
/// use std::sync::Arc;
/// use portcullis::auth::jwt::{Algorithm, PublicKey, SignatureVerifier, UnusableKey, VerifierFactory};
///
/// #[derive(Debug)]
/// struct Mine;
/// # #[derive(Debug)] struct MyKey; impl MyKey { fn parse(_: &[u8]) -> Option<Self> { Some(Self) } }
/// # impl SignatureVerifier for MyKey { fn verify(&self, _: &[u8], _: &[u8]) -> bool { false } }
///
/// impl VerifierFactory for Mine {
///     fn verifier(
///         &self,
///         algorithm: Algorithm,
///         key: &PublicKey<'_>,
///     ) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
///         match key {
///             PublicKey::Ed25519 { key } => match MyKey::parse(*key) {
///                 Some(key) => Ok(Arc::new(key)),
///                 None => Err(UnusableKey("not a point of the curve")),
///             },
///             _ => Err(UnusableKey("only Ed25519 here")),
///         }
///     }
/// }
/// # let key = PublicKey::Ed25519 { key: &[0; 32] };
/// # assert!(Mine.verifier(Algorithm::EdDsa, &key).is_ok());
/// ```
pub trait VerifierFactory: fmt::Debug + Send + Sync + 'static {
    /// Called once for each key when a key set is loaded, never for a request. `algorithm` is one of
    /// [`PublicKey::algorithms`].
    ///
    /// # Errors
    /// [`UnusableKey`], which skips this key and no other.
    fn verifier(&self, algorithm: Algorithm, key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey>;

    /// What a key is used with that does not say (a JWK without `alg`). Default: the first of
    /// [`PublicKey::algorithms`], which is `RS256` for an RSA key.
    /// [`Issuer::algorithms`](super::Issuer::algorithms) has the first word.
    fn algorithm(&self, key: &PublicKey<'_>) -> Option<Algorithm> {
        key.algorithms().first().copied()
    }
}

/// The provider that is compiled in: aws-lc-rs before `RustCrypto` before none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BuiltIn;

impl VerifierFactory for BuiltIn {
    fn verifier(&self, algorithm: Algorithm, key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
        #[cfg(feature = "aws-lc")]
        {
            super::aws_lc::verifier(algorithm, key)
        }
        #[cfg(all(feature = "rust-crypto", not(feature = "aws-lc")))]
        {
            super::rust_crypto::verifier(algorithm, key)
        }
        #[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))]
        {
            let _ = (algorithm, key);
            Err(UnusableKey("no provider: enable the feature aws-lc or rust-crypto, or give Issuer::verifiers"))
        }
    }
}

/// A factory for an issuer that accepts these algorithms only: a key that does not say is used with
/// the first of them that it can be used with.
#[derive(Debug)]
pub(crate) struct Preferring {
    pub(crate) factory: Arc<dyn VerifierFactory>,
    pub(crate) algorithms: Vec<Algorithm>,
}

impl VerifierFactory for Preferring {
    fn verifier(&self, algorithm: Algorithm, key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
        self.factory.verifier(algorithm, key)
    }

    fn algorithm(&self, key: &PublicKey<'_>) -> Option<Algorithm> {
        let fits = |algorithm: &&Algorithm| key.algorithms().contains(algorithm);
        self.algorithms.iter().find(fits).copied().or_else(|| self.factory.algorithm(key))
    }
}

//! Signed requests.

mod algorithm;
mod body;
mod decoy;
pub(crate) mod derived;
mod form;
mod key;
mod limits;
mod lookup;
mod refused;
pub(crate) mod sigv4;
mod store;
pub(crate) mod target;

pub use self::{
    algorithm::SignatureAlgorithm,
    form::SignatureForm,
    key::{SigningKey, SigningKeyBuilder},
    sigv4::{SigV4, SigV4Builder},
    store::SigningKeyStore,
};

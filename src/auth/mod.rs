//! Authentication: who is calling.
pub mod api_key;
mod builder;
mod challenge;
mod credentials;
mod grammar;
pub mod jwt;
mod layer;

pub use self::{
    builder::AuthLayerBuilder,
    jwt::JwtVerifier,
    layer::{AuthGate, AuthLayer},
};

#[cfg(test)]
mod tests;

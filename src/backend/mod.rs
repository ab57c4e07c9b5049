//! Where state lives: adapters that implement the features' ports.

pub mod memory;
#[cfg(feature = "redis")]
pub mod redis;

//! What every store must do, as tests that a store of your own runs (feature `conformance`).
//!
//! One module for each port, and in it one function for each law: it asks the store, and panics with
//! what was broken. The built-in stores run the same functions, the ones on servers against real
//! ones.
//!
//! ```
//! use std::sync::Arc;
//! use portcullis::{backend::memory::MemoryStore, conformance::replays};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // A law for each test says at a glance what is broken …
//! replays::of_many_one_claims(&Arc::new(MemoryStore::new())).await;
//! // … and all of them take a second.
//! replays::all(&Arc::new(MemoryStore::new())).await;
//! # }
//! ```
//!
//! Where the server's clock counts, laws that are about time wait for it, some tenths of a second.
//! They use keys of their own, so they may run beside each other, and more than once on one server.

pub mod api_keys;
pub mod blocks;
pub mod permits;
pub mod rates;
pub mod replays;
pub mod revocations;
pub mod seen;

pub use self::rates::all as check_rates;

//! What every store must do, as tests that a store of your own runs.
//!
//! A module for each port. Each law is one function, which takes the store and the wall time and
//! panics where the store breaks it: write one test for each, and a failure has a name.
//!
//! ```
//! use portcullis::{backend::memory::MemoryStore, conformance::revocations, time::Timestamp};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let (store, now) = (MemoryStore::new(), Timestamp::from_secs(1_800_000_000));
//! revocations::what_is_not_revoked_is_not_found(&store, now).await;
//! revocations::a_revocation_ends_at_its_time(&store, now).await;
//! # }
//! ```
//!
//! The laws make names of their own that no other run uses, so they can share a store, one that
//! holds other things too.

pub mod revocations;

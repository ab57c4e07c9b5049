//! What every store must do, as tests that a store of your own runs (feature `conformance`).
//!
//! One module for each port, and in it one function for each law: it asks the store, and panics with
//! what was broken. The built-in stores run the same functions, the ones on servers against real
//! ones.
//!
//! ```
//! use std::sync::Arc;
//! use portcullis::{backend::memory::MemoryStore, conformance::replays, webhook::ReplayStore};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // A law for each test says at a glance what is broken …
//! replays::of_many_one_claims(&(Arc::new(MemoryStore::new()) as Arc<dyn ReplayStore>)).await;
//! // … and all of them take a second.
//! replays::all(&(Arc::new(MemoryStore::new()) as Arc<dyn ReplayStore>)).await;
//! # }
//! ```
//!
//! Laws that are about time wait for it, some tenths of a second: a store on a server has that
//! server's clock. They use keys of their own, so they may run beside each other, and more than once
//! on one server.

pub mod replays;
pub mod revocations;

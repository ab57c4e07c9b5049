//! The whole gateway of the example, called without a network between: what its contract says of
//! every route, every refusal and every record.
#![cfg(all(feature = "jwks", any(feature = "aws-lc", feature = "rust-crypto")))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "clippy.toml allows them in tests, but takes helpers of tests for none"
)]

#[path = "../examples/gateway/app/mod.rs"]
mod app;
#[path = "gateway/browsers.rs"]
mod browsers;
#[path = "gateway/credentials.rs"]
mod credentials;
#[path = "gateway/desk.rs"]
mod desk;
#[path = "gateway/garbage.rs"]
mod garbage;
#[path = "gateway/hooks.rs"]
mod hooks;
#[path = "gateway/limits.rs"]
mod limits;
#[path = "gateway/orders.rs"]
mod orders;
#[path = "gateway/records.rs"]
mod records;

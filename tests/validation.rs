//! `RequestValidationLayer` in front of a real router, through `oneshot` and over TCP.
#![cfg(feature = "json-schema")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on is to panic"
)]

mod validation {
    pub(crate) mod ask;
    mod bodies;
    mod configuration;
    mod filters;
    mod json;
    mod openapi;
    mod over_tcp;
    mod pace;
    mod parameters;
    mod paths;
    mod schemas;
    mod unchanged;
    #[path = "../gateway/wire.rs"]
    #[allow(dead_code, reason = "the gateway's tests use all of it")]
    mod wire;
}

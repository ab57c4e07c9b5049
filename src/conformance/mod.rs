//! The laws of the ports, as functions that hold a store to them: yours as well as those of this
//! crate. Call them from a test; they panic where a law is broken, and say which.

pub mod api_keys;

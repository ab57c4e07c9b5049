//! The protocol with its two loads in the wrong order.

use super::{sync, word};

#[allow(dead_code, reason = "what only the table uses")]
mod bucket {
    include!(concat!(env!("OUT_DIR"), "/swapped.rs"));
}

#[path = "models.rs"]
pub mod models;

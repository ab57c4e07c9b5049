//! The protocol as it stands.

use super::{sync, word};

#[path = "../../../src/backend/memory/rates/slots/bucket.rs"]
#[allow(dead_code, reason = "what only the table uses")]
mod bucket;

#[path = "models.rs"]
pub mod models;

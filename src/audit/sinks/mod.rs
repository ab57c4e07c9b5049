//! The sinks that come with the crate.

mod events;
mod json_lines;
#[cfg(any(test, feature = "testing"))]
mod memory;

#[cfg(any(test, feature = "testing"))]
pub use self::memory::MemorySink;
pub use self::{events::TracingSink, json_lines::JsonLines};

//! How values of ours lie in columns.

use crate::time::Timestamp;

/// Microseconds since the epoch, in a `BIGINT`: until the year 294,000.
pub(super) fn micros(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A list, as JSON: both databases read it, and so does whoever looks at the table.
pub(super) fn list(values: impl Iterator<Item = String>) -> String {
    serde_json::Value::from(values.collect::<Vec<_>>()).to_string()
}

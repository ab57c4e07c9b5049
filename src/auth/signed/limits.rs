//! The limits that all forms of signed requests share.

use std::time::Duration;

use crate::config_error::ConfigIssues;

/// Clocks differ by seconds; a request that was captured is good for anything as long as it is fresh.
pub(super) const WINDOW: Duration = Duration::from_secs(300);
/// What AWS allows.
const MAX_WINDOW: Duration = Duration::from_secs(900);
pub(super) const MAX_BODY: usize = 1024 * 1024;
const LARGEST_BODY: usize = 64 * 1024 * 1024;
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

pub(super) fn check(issues: &mut ConfigIssues, window: Duration, max_body: usize, body_timeout: Duration) {
    if !(Duration::from_secs(1)..=MAX_WINDOW).contains(&window) {
        issues.add("window", "it is not 1 s to 15 min", "use five minutes, and clocks that are set by NTP");
    }
    if !(1..=LARGEST_BODY).contains(&max_body) {
        issues.add("max_body", "it is not 1 byte to 64 MiB", "use the largest body that the handlers expect");
    }
    if body_timeout.is_zero() || body_timeout > LONGEST_TIMEOUT {
        issues.add("body_timeout", "it is zero, or more than 5 min", "use some seconds");
    }
}

//! How the fields' values are written.

use std::time::Duration;

use bytes::BytesMut;

use super::QuotaUnit;
use crate::{rate_limit::Rate, time::secs_ceil};

/// The names of an item's parameters, which changed from draft to draft and may again.
struct Parameters {
    quota: &'static str,
    unit: &'static str,
    window: &'static str,
    remaining: &'static str,
    until_more: &'static str,
}

const DRAFT_11: Parameters =
    Parameters { quota: ";q=", unit: ";qu=", window: ";w=", remaining: ";r=", until_more: ";t=" };

/// An RFC 9651 String. The caller has checked that the text is printable ASCII.
pub(in crate::rate_limit) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// `"name";q=100;w=60`, as the newest draft has it.
pub(in crate::rate_limit) fn policy_item(
    quoted: &str,
    limit: u64,
    window: Option<Duration>,
    unit: QuotaUnit,
) -> String {
    let Parameters { quota, unit: of, window: within, .. } = DRAFT_11;
    let mut item = format!("{quoted}{quota}{}", limit.min(Rate::MOST));
    if unit != QuotaUnit::Requests {
        item.push_str(of);
        item.push_str(&quote(unit.as_str()));
    }
    if let Some(window) = window {
        item.push_str(within);
        item.push_str(itoa::Buffer::new().format(whole_window(window)));
    }
    item
}

/// `"name";r=`, to which [`put_item`] adds the numbers: the same in every response.
pub(in crate::rate_limit) fn state_item(quoted: &str) -> Box<str> {
    [quoted, DRAFT_11.remaining].concat().into()
}

/// `"name";r=50;t=30`, as the newest draft has it; `t` is left out where nothing more will come.
pub(super) fn put_item(line: &mut BytesMut, state: &str, remaining: u64, next_after: Duration) {
    line.extend_from_slice(state.as_bytes());
    put(line, remaining);
    if !next_after.is_zero() {
        line.extend_from_slice(DRAFT_11.until_more.as_bytes());
        put(line, secs_ceil(next_after));
    }
}

/// What [`put_item`] appends to the item's beginning at most, and what stands between two items.
pub(super) const AFTER_NAME: usize = 48;

/// `100;w=60`, as drafts 06 and 07 have it.
pub(super) fn put_old_policy(line: &mut BytesMut, limit: u64, window: Option<Duration>) {
    put(line, limit);
    if let Some(window) = window {
        line.extend_from_slice(b";w=");
        put(line, whole_window(window));
    }
}

/// `limit=100, remaining=50, reset=30`, as draft 07 has it.
pub(super) fn put_old_state(line: &mut BytesMut, limit: u64, remaining: u64, reset: u64) {
    for (name, number) in [("limit=", limit), (", remaining=", remaining), (", reset=", reset)] {
        line.extend_from_slice(name.as_bytes());
        put(line, number);
    }
}

/// What [`put_old_state`] wrote.
pub(super) fn read_old_state(line: &str) -> Option<[u64; 3]> {
    let mut parts = line.split(", ");
    let mut number = |name: &str| parts.next()?.strip_prefix(name)?.parse().ok();
    Some([number("limit=")?, number("remaining=")?, number("reset=")?])
}

/// What [`put_old_policy`] and [`put_old_state`] append at most, and what stands between two items.
pub(super) const OLD: usize = 96;

/// A number that RFC 9651 can carry.
pub(super) fn put(line: &mut BytesMut, number: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(number.min(Rate::MOST)).as_bytes());
}

fn whole_window(window: Duration) -> u64 {
    secs_ceil(window).clamp(1, Rate::MOST)
}

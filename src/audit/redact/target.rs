//! The request target: paths and queries.

use super::{
    LONG,
    clean::{Capped, push_clean},
    detect::{self, Sensitive},
};

const MAX_PATH: usize = 1_024;
const MAX_SEGMENT: usize = 128;
const MAX_QUERY: usize = 1_024;
const MAX_PAIRS: usize = 32;
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 128;
const HIDDEN: &str = "***";

/// Names whose values are never shown, whatever an allow-list says: OpenTelemetry's list (HTTP
/// semantic conventions, `url.query`) and the names that credentials go by. Lower case.
pub(in crate::audit) const NEVER_SHOWN: &[&str] = &[
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "assertion",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "credential",
    "email",
    "id_token",
    "jwt",
    "key",
    "otp",
    "passwd",
    "password",
    "pin",
    "pwd",
    "refresh_token",
    "secret",
    "session",
    "session_id",
    "sessionid",
    "sid",
    "sig",
    "signature",
    "state",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
];

/// The path with each segment that looks like a secret or a person replaced by what it is.
pub(in crate::audit) fn path(raw: &str) -> String {
    // What most paths are: looked through once.
    if raw.len() <= MAX_SEGMENT && detect::is_plain(raw) && !raw.contains(';') {
        return raw.to_owned();
    }
    let mut out = Capped::new(MAX_PATH, raw.len(), "/…");
    for (index, segment) in raw.split('/').enumerate() {
        if index > 0 {
            out.text().push('/');
        }
        push_segment(out.text(), segment);
        if !out.end_piece() {
            break;
        }
    }
    out.finish()
}

/// Matrix parameters (`;jsessionid=…`) are values, and are hidden like those of a query.
fn push_segment(out: &mut String, segment: &str) {
    let (name, parameters) = segment.split_once(';').map_or((segment, false), |(name, _)| (name, true));
    match scan(name, MAX_SEGMENT) {
        Some(found) => out.push_str(found.mark()),
        None => push_clean(out, name, MAX_SEGMENT, LONG),
    }
    if parameters {
        out.push(';');
        out.push_str(HIDDEN);
    }
}

/// The query with its names, and the values only of the names in `shown`.
pub(in crate::audit) fn query(raw: &str, shown: &[Box<str>]) -> String {
    let mut out = Capped::new(MAX_QUERY, raw.len(), "&…");
    for (index, pair) in raw.split('&').enumerate() {
        if index > 0 {
            out.text().push('&');
        }
        if index == MAX_PAIRS {
            out.text().push('…');
            break;
        }
        push_pair(out.text(), pair, shown);
        if !out.end_piece() {
            break;
        }
    }
    out.finish()
}

fn push_pair(out: &mut String, pair: &str, shown: &[Box<str>]) {
    let Some((name, value)) = pair.split_once('=') else {
        // `?word` has a name only; `?sk_live_…` is a value.
        let is_word = pair.len() <= 32 && pair.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_mark = pair == HIDDEN || pair == "…";
        let harmless = is_mark || is_word && detect::find(pair).is_none();
        out.push_str(if harmless { pair } else { HIDDEN });
        return;
    };
    push_unless_sensitive(out, name, MAX_NAME);
    out.push('=');
    let is_shown = shown.iter().any(|held| held.eq_ignore_ascii_case(name));
    let is_secret = NEVER_SHOWN.iter().any(|held| held.eq_ignore_ascii_case(name));
    if value.is_empty() {
        return;
    }
    if is_shown && !is_secret {
        push_unless_sensitive(out, value, MAX_VALUE);
    } else {
        out.push_str(HIDDEN);
    }
}

fn push_unless_sensitive(out: &mut String, text: &str, max: usize) {
    match scan(text, max) {
        Some(_) => out.push_str(HIDDEN),
        None => push_clean(out, text, max, HIDDEN),
    }
}

/// What is longer than `max` will not be shown, and need not be looked at.
fn scan(text: &str, max: usize) -> Option<Sensitive> {
    if text.len() > max { None } else { detect::find(text) }
}

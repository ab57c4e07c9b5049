//! The tests that look at a single header.

use http::{HeaderMap, HeaderName, header};

use super::outcome::{self, Outcome};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// 180 days. The Observatory calls it six months.
const LONG: f64 = 15_552_000.0;

/// All lines of a header as one, the way Node joins them. Its bytes are Latin-1 there.
pub(super) fn line(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<String> = headers.get_all(name).iter().map(|value| latin1(value.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The same, trimmed, in lower case and not too long; an empty header is none.
fn word(headers: &HeaderMap, name: &HeaderName, longest: usize) -> Option<String> {
    let line = line(headers, name).filter(|line| !line.is_empty())?;
    Some(line.chars().take(longest).collect::<String>().trim().to_lowercase())
}

pub(super) fn transport_security(headers: &HeaderMap, https: bool) -> Outcome {
    if !https {
        return outcome::HSTS_NO_HTTPS;
    }
    let Some(line) = line(headers, &header::STRICT_TRANSPORT_SECURITY) else { return outcome::HSTS_ABSENT };
    let line: String = line.chars().take(1_024).collect();
    if line.contains(',') {
        return outcome::HSTS_INVALID;
    }
    let mut longest = None;
    for parameter in line.split(';').map(|part| part.trim().to_lowercase()) {
        if let Some(seconds) = parameter.strip_prefix("max-age=") {
            longest = Some(leading_number(&seconds.chars().take(120).collect::<String>()));
        }
    }
    match longest {
        Some(Some(seconds)) if seconds < LONG => outcome::HSTS_SHORT,
        // What is no number is not less than six months: so it is in JavaScript.
        Some(_) => outcome::HSTS_LONG,
        None => outcome::HSTS_INVALID,
    }
}

/// JavaScript's `parseInt(text, 10)`; `None` stands for NaN.
fn leading_number(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse::<f64>().ok().map(|number| sign * number)
}

pub(super) fn content_type_options(headers: &HeaderMap) -> Outcome {
    match word(headers, &header::X_CONTENT_TYPE_OPTIONS, 256).as_deref() {
        None => outcome::NOSNIFF_ABSENT,
        Some("nosniff") => outcome::NOSNIFF,
        Some(_) => outcome::NOSNIFF_INVALID,
    }
}

pub(super) fn frame_options(headers: &HeaderMap, by_csp: bool) -> Outcome {
    if by_csp {
        return outcome::FRAMES_BY_CSP;
    }
    match word(headers, &header::X_FRAME_OPTIONS, 1_024).as_deref() {
        None => outcome::FRAMES_ABSENT,
        Some("deny" | "sameorigin") => outcome::FRAMES_CLOSED,
        Some(other) if other.starts_with("allow-from") => outcome::FRAMES_ALLOW_FROM,
        Some(_) => outcome::FRAMES_INVALID,
    }
}

pub(super) fn resource_policy(headers: &HeaderMap) -> Outcome {
    match word(headers, &RESOURCE_POLICY, 256).as_deref() {
        None | Some("") => outcome::CORP_ABSENT,
        Some("same-origin") => outcome::CORP_SAME_ORIGIN,
        Some("same-site") => outcome::CORP_SAME_SITE,
        Some("cross-origin") => outcome::CORP_CROSS_ORIGIN,
        Some(_) => outcome::CORP_INVALID,
    }
}

pub(super) fn referrer_policy(headers: &HeaderMap) -> Outcome {
    let Some(line) = line(headers, &header::REFERRER_POLICY) else { return outcome::REFERRER_ABSENT };
    // The last policy that a browser knows is the one it follows.
    line.split(',')
        .rev()
        .find_map(|policy| match &*policy.trim().to_lowercase() {
            "no-referrer" | "same-origin" | "strict-origin" | "strict-origin-when-cross-origin" => {
                Some(outcome::REFERRER_PRIVATE)
            }
            "origin" | "origin-when-cross-origin" | "unsafe-url" | "no-referrer-when-downgrade" => {
                Some(outcome::REFERRER_UNSAFE)
            }
            _ => None,
        })
        .unwrap_or(outcome::REFERRER_INVALID)
}

pub(super) fn sharing(preflight: Option<(&HeaderMap, &str)>) -> Outcome {
    let Some((headers, asked)) = preflight else { return outcome::CORS_ABSENT };
    let allowed = line(headers, &header::ACCESS_CONTROL_ALLOW_ORIGIN).filter(|line| !line.is_empty());
    let Some(allowed) = allowed else { return outcome::CORS_ABSENT };
    let credentials = word(headers, &header::ACCESS_CONTROL_ALLOW_CREDENTIALS, usize::MAX);
    if allowed.trim() == "*" {
        outcome::CORS_PUBLIC
    } else if allowed == asked && credentials.as_deref() == Some("true") {
        outcome::CORS_UNIVERSAL
    } else {
        outcome::CORS_RESTRICTED
    }
}

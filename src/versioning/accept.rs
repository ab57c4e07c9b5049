//! Which version the lines of an `Accept` field ask for (RFC 9110 §12.5.1).

use crate::request::ApiVersion;

/// What is read of the field at most; no honest one is as long.
const MAX_BYTES: usize = 8 * 1024;

/// What the field says of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing.
    Nothing,
    /// It prefers this one of those that there are.
    For(ApiVersion),
    /// It asks for none that there is, and accepts nothing else.
    None,
}

/// The field cannot be understood as far as it concerns versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What the lines ask for, where `vendor` is in lower case. Of several versions the one with the greatest
/// weight is taken, among equals the first.
pub(super) fn asked<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    vendor: &str,
    is_served: impl Fn(ApiVersion) -> bool,
) -> Result<Asked, Unreadable> {
    let mut best: Option<(u16, ApiVersion)> = None;
    let (mut names_other, mut accepts_any) = (false, false);
    let mut left = MAX_BYTES;
    for line in lines {
        left = left.checked_sub(line.len()).ok_or(Unreadable)?;
        for range in split(line, b',') {
            let mut parts = split(range, b';');
            let media_type = parts.next().unwrap_or_default().trim_ascii();
            let named = named(media_type, vendor);
            if named == Named::Other {
                // A weight that cannot be read is somebody else's business.
                accepts_any |= is_general(media_type) && weight(parts) != Ok(0);
                continue;
            }
            let weight = weight(parts)?;
            match named {
                Named::Version(version) if weight > 0 && is_served(version) => {
                    if best.is_none_or(|(held, _)| weight > held) {
                        best = Some((weight, version));
                    }
                }
                _ => names_other = true,
            }
        }
    }
    Ok(match best {
        Some((_, version)) => Asked::For(version),
        None if names_other && !accepts_any => Asked::None,
        None => Asked::Nothing,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// Not of this vendor.
    Other,
    /// Of this vendor, with no version that could be one.
    Nothing,
    Version(ApiVersion),
}

fn named(media_type: &[u8], vendor: &str) -> Named {
    let rest = strip(media_type, b"application/vnd.").and_then(|rest| strip(rest, vendor.as_bytes()));
    // `vnd.example` is not the vendor of `vnd.example-two.v1`.
    let Some(name) = rest.and_then(|rest| rest.strip_prefix(b".")) else { return Named::Other };
    version_of(name).map_or(Named::Nothing, Named::Version)
}

/// `v2+json`
fn version_of(name: &[u8]) -> Option<ApiVersion> {
    let (version, suffix) = name.split_at_checked(name.len().checked_sub(b"+json".len())?)?;
    // Media types are compared without regard to case (RFC 9110 §8.3.1); no version is longer.
    let mut lower = [0_u8; 16];
    let lower = lower.get_mut(..version.len())?;
    lower.copy_from_slice(version);
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()?.parse().ok().filter(|_| suffix.eq_ignore_ascii_case(b"+json"))
}

fn strip<'a>(text: &'a [u8], lower: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(lower.len())?;
    start.eq_ignore_ascii_case(lower).then_some(rest)
}

/// What an answer in plain JSON satisfies.
fn is_general(media_type: &[u8]) -> bool {
    [&b"*/*"[..], b"application/*", b"application/json"].iter().any(|name| media_type.eq_ignore_ascii_case(name))
}

/// The weight in thousandths; 1,000 if there is none.
fn weight<'a>(parameters: impl Iterator<Item = &'a [u8]>) -> Result<u16, Unreadable> {
    let mut weight = None;
    for parameter in parameters {
        let parameter = parameter.trim_ascii();
        let Some(value) = strip(parameter, b"q=") else { continue };
        if weight.replace(thousandths(value).ok_or(Unreadable)?).is_some() {
            return Err(Unreadable);
        }
    }
    Ok(weight.unwrap_or(1_000))
}

/// `0`, `1`, `0.5`, `1.000` (RFC 9110 §12.4.2).
fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, digits) = match value {
        [whole] => (whole, &b""[..]),
        [whole, b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        _ => return None,
    };
    let mut parts = 0_u16;
    for place in 0..3 {
        let digit = digits.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        parts = parts.checked_mul(10)?.checked_add(u16::from(digit.wrapping_sub(b'0')))?;
    }
    match (whole, parts) {
        (b'0', parts) => Some(parts),
        (b'1', 0) => Some(1_000),
        _ => None,
    }
}

/// The parts between separators that stand in no quoted string.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        let escape = escaped;
        escaped = quoted && !escape && *byte == b'\\';
        quoted ^= *byte == b'"' && !escape;
        *byte == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Result<Asked, Unreadable> {
        let served = [ApiVersion::number(1), ApiVersion::number(2), ApiVersion::date(2025, 1, 1)];
        asked(lines.iter().map(|line| line.as_bytes()), "example", |version| served.contains(&version))
    }

    const ONE: Result<Asked, Unreadable> = Ok(Asked::For(ApiVersion::number(1)));
    const TWO: Result<Asked, Unreadable> = Ok(Asked::For(ApiVersion::number(2)));

    #[test]
    fn the_version_of_the_vendor_is_found_among_others() {
        assert_eq!(of(&["application/vnd.example.v2+json"]), TWO);
        assert_eq!(of(&["text/html, application/VND.Example.V2+JSON;charset=utf-8 , */*;q=.2"]), TWO);
        assert_eq!(of(&["text/html", "application/vnd.example.v1+json"]), ONE);
        assert_eq!(of(&["application/vnd.example.2025-01-01+json"]), Ok(Asked::For(ApiVersion::date(2025, 1, 1))));
    }

    #[test]
    fn weights_decide_among_several_and_zero_excludes() {
        assert_eq!(of(&["application/vnd.example.v1+json;q=0.5, application/vnd.example.v2+json;q=0.51"]), TWO);
        assert_eq!(of(&["application/vnd.example.v1+json, application/vnd.example.v2+json"]), ONE);
        assert_eq!(of(&["application/vnd.example.v1+json;q=0, application/vnd.example.v2+json;q=0.001"]), TWO);
        assert_eq!(of(&["application/vnd.example.v1+json;q=0.000"]), Ok(Asked::None));
        assert_eq!(of(&["application/vnd.example.v1+json;Q=1.000"]), ONE);
    }

    #[test]
    fn an_unknown_version_is_refused_unless_something_else_will_do() {
        for unknown in ["v9", "v", "1", "", "2025-99-99", "v1.0", "v2+xml"] {
            assert_eq!(of(&[&format!("application/vnd.example.{unknown}+json")]), Ok(Asked::None), "{unknown}");
        }
        assert_eq!(of(&["application/vnd.example.v1"]), Ok(Asked::None));
        assert_eq!(of(&["application/vnd.example.v9+json, application/vnd.example.v1+json;q=0.1"]), ONE);
        for general in ["*/*", "application/*", "application/json", "APPLICATION/JSON; charset=utf-8"] {
            assert_eq!(of(&[&format!("application/vnd.example.v9+json, {general};q=0.1")]), Ok(Asked::Nothing));
            assert_eq!(of(&[&format!("application/vnd.example.v9+json, {general};q=0")]), Ok(Asked::None));
        }
    }

    #[test]
    fn what_is_not_the_vendors_says_nothing() {
        for line in [
            "",
            ",,,",
            "*/*",
            "text/html",
            "application/vnd.examples.v1+json",
            "application/vnd.example-two.v1+json",
            "application/vnd.example",
            "text/vnd.example.v1+json",
            "text/plain;x=\"application/vnd.example.v1+json\"",
            "text/plain;x=\", application/vnd.example.v1+json, \"",
            "text/plain;x=\"\\\", application/vnd.example.v1+json\"",
        ] {
            assert_eq!(of(&[line]), Ok(Asked::Nothing), "{line}");
        }
    }

    #[test]
    fn an_unreadable_weight_of_ours_is_refused() {
        for weight in ["2", "1.001", "0.1234", "-1", "", ".5", "0,5", "1.", "abc", "0.5;q=0.6"] {
            let asked = of(&[&format!("application/vnd.example.v1+json;q={weight}")]);
            let fine = weight == "1." || weight == "0,5";
            assert_eq!(asked.is_err(), !fine, "{weight} {asked:?}");
        }
        assert_eq!(of(&["text/html;q=.5, application/vnd.example.v1+json"]), ONE);
    }

    #[test]
    fn a_field_that_is_too_long_is_refused() {
        assert_eq!(of(&[&"a".repeat(MAX_BYTES), "b"]), Err(Unreadable));
    }

    proptest::proptest! {
        #[test]
        fn no_field_makes_it_panic(
            lines in proptest::collection::vec("(application/vnd\\.example\\.|v1|v2|\\+json|;|,|q=|\"|\\\\|0|\\.|\\PC){0,20}", 0..4),
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let _ = of(&lines);
        }
    }
}

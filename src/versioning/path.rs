//! The version that a path begins with.

use crate::request::ApiVersion;

/// `/api/v2/orders` after `/api`: the version, and what follows it, `/orders`. `None` if the segment there is
/// no version. Paths are compared as they are sent, which is how a router compares them: `%761` is not `v1`.
pub(super) fn version_after<'a>(path: &'a str, prefix: &str) -> Option<(ApiVersion, &'a str)> {
    let rest = path.strip_prefix(prefix)?.strip_prefix('/')?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (segment, rest) = rest.split_at_checked(end)?;
    Some((segment.parse().ok()?, rest))
}

/// The path without its version.
pub(super) fn without_version(prefix: &str, rest: &str, query: Option<&str>) -> String {
    let rest = if prefix.is_empty() && rest.is_empty() { "/" } else { rest };
    match query {
        Some(query) => format!("{prefix}{rest}?{query}"),
        None => format!("{prefix}{rest}"),
    }
}

/// Whether it can stand before a version: empty, or `/` and segments, none of them empty or a version.
pub(super) fn is_prefix(prefix: &str) -> bool {
    if prefix.is_empty() {
        return true;
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let is_segment = |segment: &str| !segment.is_empty() && segment.parse::<ApiVersion>().is_err();
    prefix.bytes().all(is_plain) && prefix.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_segment_in_its_place_is_the_version() {
        let two = ApiVersion::number(2);
        assert_eq!(version_after("/v2/orders", ""), Some((two, "/orders")));
        assert_eq!(version_after("/v2", ""), Some((two, "")));
        assert_eq!(version_after("/v2/", ""), Some((two, "/")));
        assert_eq!(version_after("/api/v2/orders/v1", "/api"), Some((two, "/orders/v1")));
        assert_eq!(version_after("/2025-01-01/a", ""), Some((ApiVersion::date(2025, 1, 1), "/a")));
        for path in ["", "/", "v2/orders", "//v2", "/v2x/orders", "/%762/orders", "/V2/orders", "/orders/v2", "/vv2"] {
            assert_eq!(version_after(path, ""), None, "{path}");
        }
        for path in ["/apiv2/orders", "/api", "/api/orders", "/v2/api/orders", "/api//v2"] {
            assert_eq!(version_after(path, "/api"), None, "{path}");
        }
    }

    #[test]
    fn what_is_left_is_a_path_again() {
        assert_eq!(without_version("", "", None), "/");
        assert_eq!(without_version("", "/orders", Some("a=b")), "/orders?a=b");
        assert_eq!(without_version("/api", "", None), "/api");
        assert_eq!(without_version("/api", "/orders", None), "/api/orders");
    }

    #[test]
    fn prefixes_are_paths() {
        for prefix in ["", "/api", "/api/public"] {
            assert!(is_prefix(prefix), "{prefix}");
        }
        for prefix in ["api", "/", "/api/", "//", "/a b", "/v1", "/a?b", "/{x}"] {
            assert!(!is_prefix(prefix), "{prefix}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_is_its_prefix_its_version_and_the_rest(path in "(/|v1|v2|api|\\PC|%){0,8}") {
            if let Some((version, rest)) = version_after(&path, "/api") {
                proptest::prop_assert_eq!(format!("/api/{version}{rest}"), path);
            }
        }
    }
}

use std::borrow::Cow;

use axum::extract::OriginalUri;
use http::{Method, Request};

use crate::config_error::ConfigIssues;

/// To which requests a filter applies.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) only_paths: Vec<Box<str>>,
    pub(super) except_paths: Vec<Box<str>>,
    pub(super) only_methods: Vec<Method>,
}

impl Scope {
    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        for (field, paths) in [("only_paths", &self.only_paths), ("except_paths", &self.except_paths)] {
            for path in paths {
                if !path.starts_with('/') || normal(path).as_ref() != &**path {
                    let reason = format!("{path:?} is no plain path");
                    issues.add(field, reason, "write it as the router does: /admin, without dots and escapes");
                }
            }
        }
    }

    pub(super) fn covers<B>(&self, request: &Request<B>) -> bool {
        let method = request.method();
        if !self.only_methods.is_empty() && !self.only_methods.iter().any(|only| is_one(only, method)) {
            return false;
        }
        if self.only_paths.is_empty() && self.except_paths.is_empty() {
            return true;
        }
        // A nested router sees the rest of the path only.
        let path = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().path(), |uri| uri.path());
        self.covers_path(path)
    }

    /// In whatever way a path is written, it is the same place to somebody behind us: it is covered if
    /// one reading is, and excepted if both are.
    fn covers_path(&self, path: &str) -> bool {
        let other = normal(path);
        let within = |paths: &[Box<str>], path: &str| paths.iter().any(|prefix| is_within(prefix, path));
        let only = self.only_paths.is_empty() || within(&self.only_paths, path) || within(&self.only_paths, &other);
        only && !(within(&self.except_paths, path) && within(&self.except_paths, &other))
    }
}

/// axum answers HEAD with the handler of GET.
fn is_one(only: &Method, method: &Method) -> bool {
    only == method || (*only == Method::GET && *method == Method::HEAD)
}

/// `/admin` holds `/admin` and `/admin/users`, not `/administrators`.
fn is_within(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path as a lenient server would read it: decoded once, without empty segments and dots.
fn normal(path: &str) -> Cow<'_, str> {
    let is_plain = !path.contains(['%', '\\', ';']) && !path.contains("//") && !path.contains("/.");
    if is_plain {
        return Cow::Borrowed(path);
    }
    let decoded = decoded(path).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or("") {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    Cow::Owned(format!("/{}", segments.join("/")))
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let escaped = match others {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = others.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(only: &[&str], except: &[&str]) -> Scope {
        let boxed = |paths: &[&str]| paths.iter().map(|path| (*path).into()).collect();
        Scope { only_paths: boxed(only), except_paths: boxed(except), only_methods: Vec::new() }
    }

    #[test]
    fn paths_end_at_segments() {
        let admin = scope(&["/admin"], &[]);
        for path in ["/admin", "/admin/", "/admin/users"] {
            assert!(admin.covers_path(path), "{path}");
        }
        for path in ["/", "/administrators", "/users/admin"] {
            assert!(!admin.covers_path(path), "{path}");
        }
        assert!(scope(&["/"], &[]).covers_path("/anything"));
    }

    #[test]
    fn no_other_way_to_write_a_path_leads_around() {
        let admin = scope(&["/admin"], &[]);
        for path in [
            "//admin",
            "/./admin",
            "/x/../admin/users",
            "/%61dmin",
            "/admin;v=1/users",
            "/x\\..\\admin",
            "/%2e/admin",
            "/x/%2E%2e/admin",
            "/admin%2fusers",
        ] {
            assert!(admin.covers_path(path), "{path}");
        }
        let health = scope(&[], &["/health"]);
        assert!(!health.covers_path("/health") && !health.covers_path("/health/db"));
        for path in ["/health/../admin", "/health/%2e%2e/admin", "/x/../health", "/health\\..\\admin"] {
            assert!(health.covers_path(path), "{path}");
        }
    }

    #[test]
    fn methods_are_chosen() {
        let request = |method: &str| Request::builder().method(method).uri("/").body(()).unwrap();
        let scope = Scope { only_methods: vec![Method::GET, Method::DELETE], ..Scope::default() };
        for (method, covered) in [("GET", true), ("HEAD", true), ("DELETE", true), ("POST", false)] {
            assert_eq!(scope.covers(&request(method)), covered, "{method}");
        }
    }

    #[test]
    fn what_is_no_plain_path_is_told() {
        let mut issues = ConfigIssues::new();
        scope(&["admin", "/a//b", "/a/../b", "/ok"], &["/%61"]).check(&mut issues);
        assert_eq!(issues.finish(()).unwrap_err().issues().len(), 4);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(path in "(/|\\.|%|[0-9a-f]|\\PC){0,40}") {
            let _ = scope(&["/a"], &["/b"]).covers_path(&path);
        }
    }
}

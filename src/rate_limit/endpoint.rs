use std::fmt;

use http::Method;

/// A method and a path template, written as axum writes it: `/users/{id}`, `/files/{*rest}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: Box<str>,
}

impl Endpoint {
    pub(super) fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.into() }
    }

    /// Whether a request is one of this endpoint: what [`Places`](super::places::Places) must find, said
    /// simply.
    #[cfg(test)]
    pub(super) fn covers(&self, method: &Method, route: Option<&str>, path: &str) -> bool {
        // axum answers HEAD with the handler of GET: the limit of one is that of both.
        if self.method != *method && !(self.method == Method::GET && *method == Method::HEAD) {
            return false;
        }
        match route {
            Some(route) if !route.contains("{*") => {
                meet(&self.path, route, same) || (*self.path == *path && !self.path.contains('{'))
            }
            _ => meet(&self.path, path, |template, segment| is_parameter(template) || template == segment),
        }
    }

    /// Whether one request could be one of both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let answers_head = |method: &Method| *method == Method::GET || *method == Method::HEAD;
        (self.method == other.method || (answers_head(&self.method) && answers_head(&other.method)))
            && meet(&self.path, &other.path, |a, b| is_parameter(a) || is_parameter(b) || a == b)
    }

    /// How little it says: of two endpoints that cover a request, the one that says more decides.
    pub(super) fn vagueness(&self) -> (usize, usize) {
        let count = |begin: &str| self.path.split('/').filter(|segment| segment.starts_with(begin)).count();
        (count("{*"), count("{"))
    }

    /// What is wrong with the path, if something is.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let path = &*self.path;
        let braced = |segment: &str| segment.contains(['{', '}']);
        let whole = |segment: &str| segment.starts_with('{') && segment.ends_with('}') && segment.len() > 2;
        if !path.starts_with('/') {
            Some(("the path does not begin with a slash", "write it as the router does, as in /orders/{id}"))
        } else if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some(("the path has characters that no path has", "write it percent-encoded"))
        } else if path.split('/').any(|segment| segment.starts_with(':') || segment.starts_with('*')) {
            Some(("a segment begins with ':' or '*'", "write parameters as axum does: {id}, {*rest}"))
        } else if path.split('/').any(|segment| braced(segment) && !whole(segment)) {
            Some(("a parameter is not a whole segment", "write parameters as axum does: {id}, {*rest}"))
        } else {
            None
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

pub(super) fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

#[cfg(test)]
fn same(a: &str, b: &str) -> bool {
    a == b || (is_parameter(a) && is_parameter(b))
}

/// Segment by segment; a catch-all meets everything that is left, if that is something.
fn meet(a: &str, b: &str, alike: impl Fn(&str, &str) -> bool) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a.starts_with("{*") || b.starts_with("{*") => return !a.is_empty() && !b.is_empty(),
            (Some(a), Some(b)) if alike(a, b) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(template: &str, route: Option<&str>, path: &str) -> bool {
        Endpoint::new(Method::GET, template).covers(&Method::GET, route, path)
    }

    #[test]
    fn the_route_decides_where_there_is_one() {
        assert!(covers("/users/{id}", Some("/users/{user}"), "/users/7"));
        assert!(!covers("/users/{id}", Some("/users/me"), "/users/me"));
        assert!(covers("/users/me", Some("/users/{id}"), "/users/me"));
        assert!(!covers("/users/{id}", Some("/users/{id}/orders"), "/users/7/orders"));
    }

    #[test]
    fn else_the_path_decides() {
        assert!(covers("/users/{id}", None, "/users/7") && !covers("/users/{id}", None, "/users/7/orders"));
        assert!(covers("/files/{*rest}", None, "/files/a/b") && !covers("/files/{*rest}", None, "/files/"));
        assert!(covers("/users/{id}", Some("/{*rest}"), "/users/7"));
        assert!(covers("/", None, "/") && !covers("/", None, "/a"));
    }

    #[test]
    fn head_is_get() {
        let get = Endpoint::new(Method::GET, "/");
        assert!(get.covers(&Method::HEAD, None, "/") && !get.covers(&Method::POST, None, "/"));
        assert!(!Endpoint::new(Method::HEAD, "/").covers(&Method::GET, None, "/"));
    }

    #[test]
    fn faults_are_found() {
        for path in ["users", "/users/:id", "/a b", "/é", "/users/x{id}", "/users/{}", "/*"] {
            assert!(Endpoint::new(Method::GET, path).fault().is_some(), "{path}");
        }
        for path in ["/", "/users/{id}", "/files/{*rest}", "/a/b/"] {
            assert_eq!(Endpoint::new(Method::GET, path).fault(), None, "{path}");
        }
    }

    #[test]
    fn overlaps_are_seen() {
        let overlap = |a, b| Endpoint::new(Method::GET, a).overlaps(&Endpoint::new(Method::GET, b));
        assert!(overlap("/users/{id}", "/users/me") && overlap("/{*rest}", "/a/b") && !overlap("/a", "/b"));
        assert!(!overlap("/users/{id}", "/users/{id}/orders"));
        // A HEAD request is one of both.
        assert!(Endpoint::new(Method::GET, "/a").overlaps(&Endpoint::new(Method::HEAD, "/a")));
        assert!(!Endpoint::new(Method::GET, "/a").overlaps(&Endpoint::new(Method::POST, "/a")));
    }
}

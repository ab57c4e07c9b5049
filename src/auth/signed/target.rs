//! Which resource a request is for, as its sender saw it.

use axum::extract::OriginalUri;
use http::{Uri, header};

use crate::auth::Head;

/// The whole target: inside a nested router, the part that the router took away included.
pub(crate) fn uri<'a>(head: &Head<'a>) -> &'a Uri {
    head.extensions.get::<OriginalUri>().map_or(head.uri, |original| &original.0)
}

/// The one authority that the request names: `Host`, or `:authority` of HTTP/2 and of an absolute
/// target. `None` if there is none, or if there are two: one of them is then for somebody else.
pub(in crate::auth) fn authority<'a>(head: &Head<'a>) -> Option<&'a str> {
    let mut lines = head.headers.get_all(header::HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (line, None) => line.map(|line| line.to_str().map(|text| text.trim_matches([' ', '\t']))),
        _ => return None,
    };
    let named = uri(head).authority().or(head.uri.authority()).map(http::uri::Authority::as_str);
    let one = match (host.transpose().ok()?, named) {
        (Some(host), Some(named)) if host.eq_ignore_ascii_case(named) => host,
        (Some(one), None) | (None, Some(one)) => one,
        _ => return None,
    };
    (!one.is_empty() && !one.contains(['@', ',', '/'])).then_some(one)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(target: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        let request = request.body(()).unwrap();
        authority(&Head::of(&request)).map(ToOwned::to_owned)
    }

    #[test]
    fn there_is_one_authority_or_none() {
        assert_eq!(found("/", &["Api.example.com:8443 "]).as_deref(), Some("Api.example.com:8443"));
        assert_eq!(found("https://api.example.com/", &[]).as_deref(), Some("api.example.com"));
        assert_eq!(found("https://api.example.com/", &["API.example.com"]).as_deref(), Some("API.example.com"));
        for (target, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "b"]),
            ("/", &["a", "a"]),
            ("/", &["a,b"]),
            ("/", &["u@a"]),
            ("/", &[""]),
            ("/", &["é"]),
            ("https://a/", &["b"]),
        ] {
            assert_eq!(found(target, hosts), None, "{target} {hosts:?}");
        }
    }
}

//! Names that a browser would never send or never show to a page (Fetch §2.2.2), so that allowing
//! them is a mistake.

/// Request headers that no script can set (Fetch, "forbidden request-header").
const FORBIDDEN_REQUEST: &[&str] = &[
    "accept-charset",
    "accept-encoding",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Response headers that no script can read (Fetch, "forbidden response-header name").
const FORBIDDEN_RESPONSE: &[&str] = &["set-cookie", "set-cookie2"];

/// Methods that a browser writes in upper case, whatever the script wrote (Fetch, "normalize"), and
/// PATCH, which it does not: the usual mistake.
const UPPER_CASE: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What is wrong with a name, and the cure.
pub(super) type Fault = (&'static str, &'static str);

const ANY_METHOD: Fault = ("is a wildcard", "list the methods, or say allow_any_method()");
const ANY_REQUEST_HEADER: Fault = ("is a wildcard", "list the headers, or say allow_any_request_header()");
const ANY_EXPOSED: Fault = ("is a wildcard", "list the headers, or say expose_any()");
const NO_TOKEN: Fault = ("is not a token (RFC 9110 §5.6.2)", "use letters, digits and `-`");
const PROTOCOL: Fault = ("belongs to the CORS protocol itself", "leave it out: the layer handles it");

/// Whether every byte may stand in a method or a field name.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

pub(super) fn check_method(method: &str) -> Result<(), Fault> {
    if method == "*" {
        return Err(ANY_METHOD);
    }
    if !is_token(method.as_bytes()) {
        return Err(("is not a method", "use a method such as GET"));
    }
    let upper = method.to_ascii_uppercase();
    if ["CONNECT", "TRACE", "TRACK"].contains(&upper.as_str()) {
        return Err(("is forbidden to scripts (Fetch §2.2.1)", "leave it out"));
    }
    if UPPER_CASE.contains(&upper.as_str()) && upper != method {
        return Err(("is in lower case, and methods are case-sensitive", "write it in upper case"));
    }
    Ok(())
}

pub(super) fn check_request_header(name: &str) -> Result<(), Fault> {
    let name = checked_name(name, ANY_REQUEST_HEADER)?;
    if name.starts_with("access-control-") {
        return Err(PROTOCOL);
    }
    if FORBIDDEN_REQUEST.contains(&name.as_str()) || name.starts_with("proxy-") || name.starts_with("sec-") {
        return Err(("is forbidden to scripts (Fetch §2.2.2)", "leave it out: the browser never asks for it"));
    }
    Ok(())
}

pub(super) fn check_exposed_header(name: &str) -> Result<(), Fault> {
    let name = checked_name(name, ANY_EXPOSED)?;
    if name.starts_with("access-control-") || name == "origin" {
        return Err(PROTOCOL);
    }
    if FORBIDDEN_RESPONSE.contains(&name.as_str()) {
        return Err(("is never shown to scripts (Fetch §2.2.2)", "leave it out"));
    }
    Ok(())
}

fn checked_name(name: &str, wildcard: Fault) -> Result<String, Fault> {
    match name {
        "*" => Err(wildcard),
        _ if !is_token(name.as_bytes()) => Err(NO_TOKEN),
        // A name that http cannot carry would be lost at start-up, not here.
        _ if name.len() > 256 => Err(("is longer than 256 bytes", "use a shorter name")),
        _ => Ok(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fetch_forbids_is_refused() {
        for method in ["CONNECT", "trace", "Track", "*", "", "GET POST", "get", "patch"] {
            assert!(check_method(method).is_err(), "{method:?}");
        }
        for method in ["GET", "PATCH", "PROPFIND", "purge"] {
            assert!(check_method(method).is_ok(), "{method:?}");
        }
        for name in
            ["Cookie", "HOST", "sec-fetch-site", "Proxy-Authorization", "access-control-request-method", "*", ""]
        {
            assert!(check_request_header(name).is_err(), "{name:?}");
        }
        for name in ["Authorization", "content-type", "X-API-Key", "secret", "user-agent"] {
            assert!(check_request_header(name).is_ok(), "{name:?}");
        }
        for name in ["Set-Cookie", "access-control-allow-origin", "*", "x y", "Origin"] {
            assert!(check_exposed_header(name).is_err(), "{name:?}");
        }
        assert!(check_exposed_header("Retry-After").is_ok());
    }
}

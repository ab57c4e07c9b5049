//! Which bodies are read as what.

use http::{HeaderMap, header};

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`
    Json,
    /// `application/graphql`: the document alone.
    Document,
}

/// The form that the fields tell of. `None` for every other one, for compressed bodies, and where it is
/// told twice: a page of another origin can send forms and plain text without being asked (Fetch §2.2.2),
/// so what looks like JSON in those is none.
pub(super) fn form(headers: &HeaderMap) -> Option<Form> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return None };
    let is_plain = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return None;
    }
    let mut parts = value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let essence = parts.next()?;
    let form = [(&b"application/json"[..], Form::Json), (b"application/graphql", Form::Document)]
        .into_iter()
        .find_map(|(name, form)| essence.eq_ignore_ascii_case(name).then_some(form))?;
    parts.all(is_utf8).then_some(form)
}

/// A parameter other than `charset` means nothing to us; another charset than UTF-8 would be misread.
fn is_utf8(parameter: &[u8]) -> bool {
    let mut sides = parameter.splitn(2, |byte| *byte == b'=');
    let (name, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
    !name.trim_ascii().eq_ignore_ascii_case(b"charset")
        || [&b"utf-8"[..], b"\"utf-8\"", b"utf8"].iter().any(|utf8| value.trim_ascii().eq_ignore_ascii_case(utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&'static str, &str)]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        form(&headers)
    }

    #[test]
    fn only_what_is_meant_is_read() {
        for value in ["application/json", "Application/JSON; Charset=\"UTF-8\"", "application/json;x=y;charset=utf-8"] {
            assert_eq!(of(&[("content-type", value)]), Some(Form::Json), "{value}");
        }
        assert_eq!(
            of(&[("content-type", "application/graphql"), ("content-encoding", "identity")]),
            Some(Form::Document)
        );
        // The seeds' check looked for `application/json` anywhere.
        for value in [
            "",
            "text/plain",
            "text/plain; x=application/json",
            "application/jsonx",
            "application/json-patch+json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=a",
            "application/json; charset=utf-16",
            "application/json, text/plain",
        ] {
            assert_eq!(of(&[("content-type", value)]), None, "{value}");
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("content-type", "application/json"), ("content-type", "application/json")]), None);
        assert_eq!(of(&[("content-type", "application/json"), ("content-encoding", "gzip")]), None);
    }
}

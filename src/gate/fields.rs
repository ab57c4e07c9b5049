//! How fields are put into a response, most of which nobody inside has written.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Writes the field unless there is one of the name, which then stays with all its lines; whether it did.
pub(crate) fn insert_if_absent(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> bool {
    if headers.len() != headers.keys_len() && headers.contains_key(name) {
        return false;
    }
    // No field has a second line, so what is pushed out is all that there was: one search instead of two.
    match headers.insert(name, value) {
        None => true,
        Some(held) => {
            headers.insert(name, held);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, LINK, VARY};

    use super::*;

    #[test]
    fn what_is_there_stays_with_all_its_lines() {
        let value = HeaderValue::from_static;
        let mut headers = HeaderMap::new();
        headers.insert(VARY, value("Origin"));
        let did = [VARY, ACCEPT].map(|name| insert_if_absent(&mut headers, &name, value("ours")));
        assert_eq!(did, [false, true]);
        assert_eq!((&headers[VARY], &headers[ACCEPT]), (&value("Origin"), &value("ours")));
        headers.append(VARY, value("Accept"));
        let did = [VARY, ACCEPT, LINK].map(|name| insert_if_absent(&mut headers, &name, value("later")));
        assert_eq!(did, [false, false, true]);
        assert!(headers.get_all(VARY).iter().eq(["Origin", "Accept"]));
        assert_eq!((&headers[ACCEPT], &headers[LINK], headers.len()), (&value("ours"), &value("later"), 4));
    }
}

use axum::extract::{MatchedPath, OriginalUri};
use http::{Extensions, Uri};

/// The parameter of that name in the matched route's path, percent-decoded: `7` for `/orders/7` on
/// `/orders/{id}`. `None` where no route matched, the route has no such parameter, or what stands
/// there is not UTF-8.
pub(crate) fn path_param(extensions: &Extensions, uri: &Uri, name: &str) -> Option<String> {
    let route = extensions.get::<MatchedPath>()?;
    // Inside a nested router axum has cut the prefix off the URI, but not off the route.
    let uri = extensions.get::<OriginalUri>().map_or(uri, |original| &original.0);
    let (mut template, mut path) = (route.as_str().split('/'), uri.path().split('/'));
    loop {
        let (segment, value) = (template.next()?, path.next()?);
        let parameter = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match parameter.map(|parameter| parameter.strip_prefix('*').ok_or(parameter)) {
            Some(Ok(rest)) if rest == name => {
                let all = path.fold(value.to_owned(), |all, segment| format!("{all}/{segment}"));
                return decoded(&all);
            }
            Some(Err(parameter)) if parameter == name => return decoded(value),
            _ => {}
        }
    }
}

/// As axum decodes it: a percent sign that begins no escape stays as it is.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = match tail {
            [high, low, after @ ..] if *first == b'%' => hex(*high).zip(hex(*low)).map(|nibbles| (nibbles, after)),
            _ => None,
        };
        if let Some(((high, low), after)) = escape {
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

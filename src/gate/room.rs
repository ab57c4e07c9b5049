use http::HeaderMap;

/// What the layers of a whole stack add to a response.
const STACK: usize = 20;

/// Makes room for `own` headers. Who finds none makes it for all that stand further out, too: each
/// growth of the map moves every header in it.
pub(crate) fn make_room(headers: &mut HeaderMap, own: usize) {
    if headers.capacity().saturating_sub(headers.len()) < own {
        headers.reserve(own.max(STACK));
    }
}

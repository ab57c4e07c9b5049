use std::fmt;

use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};

use crate::{
    rejection::{Rejection, RejectionKind},
    request::{RequestContext, path_param},
};

/// What a rule's own functions see of a request: its head, and what the layers outside found out.
///
/// For [`Key::by`](super::Key::by) and [`Exemption::when`](super::Exemption::when).
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    context: &'a RequestContext,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestView<'a> {
    pub(super) fn new<B>(request: &'a Request<B>, context: &'a RequestContext) -> Self {
        Self { context, uri: request.uri(), headers: request.headers(), extensions: request.extensions() }
    }

    /// What is known of the request: the caller, the address, the matched route.
    pub fn context(&self) -> &'a RequestContext {
        self.context
    }

    /// The method.
    pub fn method(&self) -> &'a Method {
        self.context.method()
    }

    /// The address that was asked for. Inside a nested router it lacks the prefix.
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The header fields. Nobody has verified them.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The extensions.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// A parameter of the matched route, percent-decoded: `7` for `/orders/7` on `/orders/{id}`. `None`
    /// where no route matched, the route has no such parameter, or it is not UTF-8.
    pub fn path_param(&self, name: &str) -> Option<String> {
        path_param(self.extensions, self.uri, name)
    }

    /// The one value of a field.
    pub(super) fn single(&self, name: &HeaderName) -> Result<Option<&'a [u8]>, Rejection> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next().map(http::HeaderValue::as_bytes);
        // Whoever reads the first and whoever reads the last would not mean the same.
        if values.next().is_some() { Err(unreadable()) } else { Ok(first) }
    }
}

/// Nothing of the value comes back in the answer.
pub(super) fn unreadable() -> Rejection {
    Rejection::new(RejectionKind::InvalidRequest)
        .with_detail("A header or path parameter that a rate limit goes by is repeated, too long or unreadable.")
}

/// Header fields hold secrets.
impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView").field("context", self.context).finish_non_exhaustive()
    }
}

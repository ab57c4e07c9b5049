use std::{collections::HashMap, fmt};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, Entry as Slot, ORIGIN, VARY,
    },
};

use super::{asked::AllowedHeaders, names::is_token};

const TRUE: HeaderValue = HeaderValue::from_static("true");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const VARY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// What a response may say of CORS. Only this layer says it.
const RESPONSE_HEADERS: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

/// The allowed origins, each with the value that answers it. A lookup costs one keyed hash of the
/// origin, however many there are; patterns would be asked after it.
#[derive(Default)]
pub(super) struct Origins {
    exact: HashMap<Box<[u8]>, HeaderValue>,
    longest: usize,
}

impl Origins {
    /// Adds an origin that [`Origin::parse`](super::origin::Origin::parse) accepts. What is no header
    /// value is not added; such an origin has been refused before.
    pub(super) fn add(&mut self, origin: &str) {
        if let Ok(value) = HeaderValue::from_str(origin) {
            self.longest = self.longest.max(origin.len());
            self.exact.insert(origin.as_bytes().into(), value);
        }
    }

    /// The value for `Access-Control-Allow-Origin`, if this origin is allowed.
    fn admit(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        // A long one is refused unhashed.
        if origin.len() > self.longest {
            return None;
        }
        self.exact.get(origin.as_bytes()).cloned()
    }
}

/// What the builder was told, ready to be asked.
pub(super) struct Policy {
    pub(super) origins: Origins,
    pub(super) credentials: bool,
    pub(super) methods: Box<[HeaderValue]>,
    pub(super) request_headers: AllowedHeaders,
    pub(super) exposed: Option<HeaderValue>,
    pub(super) max_age: HeaderValue,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("origins", &self.origins.exact.len())
            .field("credentials", &self.credentials)
            .field("methods", &self.methods)
            .field("request_headers", &self.request_headers)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// The value for `Access-Control-Allow-Origin` if the request names exactly one origin, and an
    /// allowed one. A repeated header names none.
    pub(super) fn origin_of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        self.origins.admit(only(headers, ORIGIN)?)
    }

    /// The headers that answer a preflight for `method`. If anything is not allowed, it is told
    /// nothing, which is how a browser is told no (Fetch §4.8).
    pub(super) fn preflight(&self, method: &HeaderValue, headers: &HeaderMap) -> Result<HeaderMap, &'static str> {
        let origin = self.origin_of(headers).ok_or("the origin is not allowed")?;
        let method = self.methods.iter().find(|allowed| *allowed == method).ok_or("the method is not allowed")?;
        let asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
        if !self.request_headers.cover(asked.iter().map(HeaderValue::as_bytes)) {
            return Err("a request header is not allowed");
        }
        let mut answer = HeaderMap::with_capacity(8);
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        for line in asked.iter().filter(|line| !line.is_empty()) {
            // Every name in it is allowed, so it can be echoed.
            answer.append(ACCESS_CONTROL_ALLOW_HEADERS, line.clone());
        }
        answer.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        answer.insert(VARY, VARY_PREFLIGHT);
        Ok(answer)
    }

    /// Makes a response readable by `origin`, or by nobody; whatever an inner service said of CORS
    /// is taken out first.
    pub(super) fn decorate(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        // Looked through once: to look for each of the names costs more than all the rest.
        if headers.keys().any(is_response_header) {
            for name in &RESPONSE_HEADERS {
                headers.remove(name);
            }
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            }
            if let Some(exposed) = &self.exposed {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
        }
        match headers.entry(VARY) {
            Slot::Vacant(slot) => {
                slot.insert(VARY_ORIGIN);
            }
            Slot::Occupied(mut slot) if !varies_by_origin(slot.iter()) => slot.append(VARY_ORIGIN),
            Slot::Occupied(_) => {}
        }
    }
}

/// The headers of a preflight's refusal: none that begins with `Access-Control`.
pub(super) fn refused_preflight() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(VARY, VARY_PREFLIGHT);
    headers
}

/// The method that a preflight asks for; `None` if the request is no preflight: those are OPTIONS
/// with `Origin` and one `Access-Control-Request-Method` of one token (Fetch §3.2.2). Any other
/// OPTIONS request is the application's.
pub(super) fn preflight_method<B>(request: &Request<B>) -> Option<&HeaderValue> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(ORIGIN) {
        return None;
    }
    only(request.headers(), ACCESS_CONTROL_REQUEST_METHOD).filter(|method| is_token(method.as_bytes()))
}

fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Every one of [`RESPONSE_HEADERS`], and perhaps some more.
fn is_response_header(name: &HeaderName) -> bool {
    name.as_str().as_bytes().starts_with(b"access-control-")
}

fn varies_by_origin<'a>(lines: impl Iterator<Item = &'a HeaderValue>) -> bool {
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_of_cors_is_overlooked() {
        assert!(RESPONSE_HEADERS.iter().all(is_response_header));
    }
}

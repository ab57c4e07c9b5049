//! The Fetch standard's side of a policy: what it answers to a request.

use std::{fmt, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::{
    asked::AllowedHeaders,
    names::is_token,
    origins::Origins,
    policy::RefusedPreflight,
    settings::Settings,
    source::{Known, OriginRequest, Question, Remembered},
};
use crate::{
    gate::insert_if_absent,
    lint::{Report, Waivers},
    time::Timestamp,
};

const TRUE: HeaderValue = HeaderValue::from_static("true");
const EVERYBODY: HeaderValue = HeaderValue::from_static("*");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const VARY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");

/// What a response may say of CORS. Only this layer says it.
const RESPONSE_HEADERS: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    ALLOW_PRIVATE_NETWORK,
];

/// What the builder was told, ready to be asked.
pub(super) struct Compiled {
    /// No other policy of the process has it.
    pub(super) id: u64,
    pub(super) settings: Settings,
    pub(super) report: Report,
    /// What is allowed, for the audit log.
    pub(super) waivers: Option<Arc<Waivers>>,
    pub(super) origins: Origins,
    pub(super) source: Option<Remembered>,
    pub(super) methods: Box<[HeaderValue]>,
    pub(super) request_headers: AllowedHeaders,
    pub(super) exposed: Option<HeaderValue>,
    pub(super) max_age: HeaderValue,
    pub(super) refused: RefusedPreflight,
}

/// Where the page of a request stands, as far as it is known at once.
pub(super) enum Standing {
    /// Its origin is on the list (or everybody is): what answers it.
    Listed(HeaderValue),
    /// The source has allowed it before.
    Vouched(HeaderValue),
    Refused,
    /// The source is to be asked.
    Ask(Box<Question>),
}

/// Why a preflight is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Origin,
    Method,
    RequestHeader,
}

impl Refusal {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Origin => "the origin is not allowed",
            Self::Method => "the method is not allowed",
            Self::RequestHeader => "a request header is not allowed",
        }
    }
}

impl Compiled {
    /// Where the request's page stands. A repeated header names no origin.
    pub(super) fn standing<B>(&self, request: &Request<B>, now: Timestamp) -> Standing {
        if self.settings.any_origin {
            return Standing::Listed(EVERYBODY);
        }
        let Some(origin) = only(request.headers(), ORIGIN) else { return Standing::Refused };
        if let Some(value) = self.origins.admit(origin) {
            return Standing::Listed(value);
        }
        match &self.source {
            None => Standing::Refused,
            Some(source) => match source.known(OriginRequest::of(request), origin, now) {
                Known::Allowed => Standing::Vouched(origin.clone()),
                Known::Refused => Standing::Refused,
                Known::Ask(question) => Standing::Ask(question),
            },
        }
    }

    /// Whether an origin that was on the list of another policy is on this one's, too.
    pub(super) fn admit(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        self.origins.admit(origin)
    }

    /// What a preflight asks for beside its origin: the method, if all of it is allowed.
    pub(super) fn check_asked(&self, method: &HeaderValue, headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
        let method = self.allowed_method(method).ok_or(Refusal::Method)?;
        let asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
        if self.request_headers.cover(asked.iter().map(HeaderValue::as_bytes)) {
            Ok(method)
        } else {
            Err(Refusal::RequestHeader)
        }
    }

    pub(super) fn allowed_method(&self, method: &HeaderValue) -> Option<HeaderValue> {
        let listed = self.methods.iter().find(|allowed| *allowed == method).cloned();
        listed.or_else(|| (self.settings.any_method && !is_forbidden(method.as_bytes())).then(|| method.clone()))
    }

    /// The headers that answer a preflight all of which is allowed.
    pub(super) fn allow(&self, origin: HeaderValue, method: HeaderValue, asked: &HeaderMap) -> HeaderMap {
        let mut answer = self.begin(origin);
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, method);
        for line in asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter(|line| !line.is_empty()) {
            // Every name in it is allowed, so it can be echoed.
            answer.append(ACCESS_CONTROL_ALLOW_HEADERS, line.clone());
        }
        answer.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if self.settings.private_network && only(asked, REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == "true") {
            answer.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
        answer
    }

    /// The headers that refuse a preflight: none that begins with `Access-Control`, which is how a
    /// browser is told no (Fetch §4.8). Where failures are to be explained, an allowed origin is told as
    /// much as lets its browser name what was wrong; it is refused by that as well.
    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        origin: Option<HeaderValue>,
        method: Option<&HeaderValue>,
    ) -> HeaderMap {
        let Some(origin) = origin.filter(|_| self.settings.explains && refusal != Refusal::Origin) else {
            return headers_of_refusal();
        };
        let mut answer = self.begin(origin);
        if refusal == Refusal::Method {
            let methods = self.methods.iter().filter_map(|method| method.to_str().ok());
            put(&mut answer, ACCESS_CONTROL_ALLOW_METHODS, methods);
        } else {
            answer.extend(method.map(|method| (ACCESS_CONTROL_ALLOW_METHODS, method.clone())));
            let others = self.request_headers.any().then_some("*");
            put(&mut answer, ACCESS_CONTROL_ALLOW_HEADERS, self.request_headers.names().chain(others));
        }
        answer
    }

    fn begin(&self, origin: HeaderValue) -> HeaderMap {
        let mut answer = HeaderMap::with_capacity(8);
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.settings.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        answer.insert(VARY, VARY_PREFLIGHT);
        answer
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
        // Where everybody may read, every response says so, whoever asked: a cache may hand it to anyone.
        let everybody = self.settings.any_origin;
        if let Some(origin) = if everybody { Some(EVERYBODY) } else { origin } {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if self.settings.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            }
            if let Some(exposed) = &self.exposed {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
        }
        if everybody {
            return;
        }
        if !insert_if_absent(headers, &VARY, VARY_ORIGIN) && !varies_by_origin(headers.get_all(VARY).iter()) {
            headers.append(VARY, VARY_ORIGIN);
        }
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsPolicy")
            .field("any_origin", &self.settings.any_origin)
            .field("origins", &self.settings.origins.len())
            .field("source", &self.source)
            .field("credentials", &self.settings.credentials)
            .field("methods", &self.methods)
            .field("request_headers", &self.request_headers)
            .field("exposed", &self.exposed)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

fn headers_of_refusal() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(VARY, VARY_PREFLIGHT);
    headers
}

/// The one field that every answer to a preflight has.
pub(super) const PREFLIGHT_VARY: (HeaderName, HeaderValue) = (VARY, VARY_PREFLIGHT);

/// The method that a preflight asks for; `None` if the request is no preflight: those are OPTIONS
/// with `Origin` and one `Access-Control-Request-Method` of one token (Fetch §3.2.2). Any other
/// OPTIONS request is the application's.
pub(super) fn preflight_method<B>(request: &Request<B>) -> Option<&HeaderValue> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(ORIGIN) {
        return None;
    }
    only(request.headers(), ACCESS_CONTROL_REQUEST_METHOD).filter(|method| is_token(method.as_bytes()))
}

pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// No script can send them (Fetch §2.2.1), so who asks for them is none.
fn is_forbidden(method: &[u8]) -> bool {
    [&b"CONNECT"[..], b"TRACE", b"TRACK"].iter().any(|forbidden| method.eq_ignore_ascii_case(forbidden))
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

fn put<'a>(headers: &mut HeaderMap, name: HeaderName, items: impl Iterator<Item = &'a str>) {
    let items: Vec<&str> = items.collect();
    if let Ok(value) = HeaderValue::try_from(items.join(", "))
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_of_cors_is_overlooked() {
        assert!(RESPONSE_HEADERS.iter().all(is_response_header));
    }
}

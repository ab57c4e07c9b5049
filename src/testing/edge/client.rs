//! Sends the requests of a check.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tower::ServiceExt as _;

/// Longer than a `Stack` gives a handler.
const PATIENCE: Duration = Duration::from_secs(45);
/// A response may stream for as long as it likes; what is judged comes first.
const BODY_PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_BODY: usize = 1 << 20;

/// The name of the service: it is asked over TLS, as clients ask it.
pub(super) const HOST: &str = "api.edge-check.test";

/// What a client sends that pretends to be a proxy. None of it may come back, or be believed.
pub(super) const FORGED: &str = "forged-by-the-edge-check";
const FORGED_HEADERS: [&str; 4] = ["x-user-id", "x-user-scopes", "x-user-tier", "x_user_id"];
/// An id that the client would like the request to have.
pub(super) const CHOSEN_ID: &str = "chosen-by-the-edge-check";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// What was asked, in words.
    what: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    Panicked,
    Late,
}

impl Answer {
    /// Where a finding was made.
    pub(super) fn place(&self) -> String {
        format!("{}: {}", self.what, self.status.as_u16())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The elements of a comma-separated field, over all its lines.
    pub(super) fn list<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|element| !element.is_empty())
    }

    pub(super) fn is_error(&self) -> bool {
        self.status.is_client_error() || self.status.is_server_error()
    }
}

/// A request in the making.
pub(super) struct Ask {
    what: String,
    request: Request<Body>,
}

impl Ask {
    #[expect(clippy::expect_used, reason = "only tests call this, and a wrong path should be told")]
    pub(super) fn new(method: &Method, path: &str) -> Self {
        let request = Request::builder().method(method).uri(format!("https://{HOST}{path}")).header(header::HOST, HOST);
        let mut request = request.body(Body::empty()).expect("the path of a check begins with a slash");
        for name in FORGED_HEADERS {
            request.headers_mut().insert(name, HeaderValue::from_static(FORGED));
        }
        request.headers_mut().insert(REQUEST_ID, HeaderValue::from_static(CHOSEN_ID));
        Self { what: format!("{method} {path}"), request }
    }

    /// A preflight, as browsers send it.
    pub(super) fn preflight(method: &Method, path: &str, origin: &HeaderValue, headers: Option<&HeaderValue>) -> Self {
        let mut ask = Self::new(&Method::OPTIONS, path).origin(origin).called(&format!("preflight of {method} {path}"));
        let fields = ask.request.headers_mut();
        for name in FORGED_HEADERS {
            fields.remove(name);
        }
        fields.remove(REQUEST_ID);
        if let Ok(method) = HeaderValue::from_str(method.as_str()) {
            fields.insert(header::ACCESS_CONTROL_REQUEST_METHOD, method);
        }
        if let Some(headers) = headers {
            fields.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, headers.clone());
        }
        ask
    }

    pub(super) fn called(mut self, what: &str) -> Self {
        what.clone_into(&mut self.what);
        self
    }

    pub(super) fn and(mut self, what: &str) -> Self {
        self.what.push(' ');
        self.what.push_str(what);
        self
    }

    pub(super) fn origin(self, origin: &HeaderValue) -> Self {
        self.header(&header::ORIGIN, origin)
    }

    pub(super) fn header(mut self, name: &HeaderName, value: &HeaderValue) -> Self {
        self.request.headers_mut().insert(name, value.clone());
        self
    }

    pub(super) fn headers(self, headers: &[(HeaderName, HeaderValue)]) -> Self {
        headers.iter().fold(self, |ask, (name, value)| ask.header(name, value))
    }

    /// With a body of which the length is told.
    pub(super) fn announced(mut self, length: usize) -> Self {
        *self.request.body_mut() = Body::from(vec![b' '; length]);
        self.header(&header::CONTENT_LENGTH, &HeaderValue::from(length))
    }

    /// With a body of which the length is not told; the number becomes what was read of it.
    pub(super) fn chunked(mut self, length: usize) -> (Self, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let body = Full::from(vec![b' '; length]).map_frame(move |frame| {
            counter.fetch_add(frame.data_ref().map_or(0, Bytes::len), Relaxed);
            frame
        });
        *self.request.body_mut() = Body::new(body);
        (self, read)
    }
}

/// Whoever asks.
pub(super) struct Client {
    app: Router,
    fixed: Option<IpAddr>,
    last: u8,
    sent: usize,
}

impl Client {
    pub(super) fn new(app: Router, fixed: Option<IpAddr>) -> Self {
        Self { app, fixed, last: 0, sent: 0 }
    }

    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// An address that has asked nothing yet (of RFC 5737's test network): what one request has used
    /// up is not lacking to the next.
    pub(super) fn newcomer(&mut self) -> IpAddr {
        self.last = self.last.wrapping_add(1);
        self.fixed.unwrap_or(Ipv4Addr::new(192, 0, 2, self.last).into())
    }

    pub(super) async fn send(&mut self, peer: IpAddr, ask: Ask) -> Result<Answer, (Lost, String)> {
        let Ask { what, mut request } = ask;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 50_000)));
        self.sent = self.sent.saturating_add(1);
        // In a task, a panic ends with the task.
        let answering = tokio::spawn(self.app.clone().oneshot(request));
        let response = match tokio::time::timeout(PATIENCE, answering).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_)) => return Err((Lost::Panicked, what)),
            Err(_) => return Err((Lost::Late, what)),
        };
        let (parts, body) = response.into_parts();
        let body = match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, LONGEST_BODY)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        Ok(Answer { what, status: parts.status, headers: parts.headers, body })
    }
}

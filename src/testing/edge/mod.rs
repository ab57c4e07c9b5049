//! Asks a router what an attacker, a browser and a lost client would ask it.

mod client;
mod findings;
mod judge;
mod lints;
mod origins;
mod probes;
mod report;

use std::{borrow::Cow, net::IpAddr};

use axum::Router;
use http::{HeaderName, HeaderValue, Method};

pub use self::report::EdgeReport;
use crate::{lint::Lints, store::BoxFuture};

/// Sends a router the requests that show how its layers are stacked, and reports what breaks.
///
/// The order of layers is invisible in the router's type, and most mistakes answer every request of
/// the happy path: a preflight that needs a credential, a 429 that no page can read, a route that was
/// added after the layers. This sends the requests that tell them apart: preflights, calls without a
/// credential, unknown paths and methods, long bodies, forged headers. Await it:
///
/// ```
/// use axum::{Router, routing::get};
/// use http::{HeaderValue, Method};
/// use portcullis::{
///     auth::AuthLayer, backend::memory::MemoryStore, cors::CorsSecurityLayer,
///     headers::SecurityHeadersLayer, stack::Stack, testing::check_edge,
/// };
/// use tower::ServiceBuilder;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let auth = AuthLayer::builder().api_keys(MemoryStore::new()).build()?;
/// let cors = CorsSecurityLayer::builder().allow_origin("https://app.example.com").build()?;
/// let routes = || Router::new().route("/orders", get(|| async { "orders" }));
///
/// let edge = Stack::new().auth(&auth).cors(&cors).security_headers(&SecurityHeadersLayer::api());
/// let report = check_edge(routes().layer(edge))
///     .origin("https://app.example.com")
///     .route(Method::GET, "/orders")
///     .await;
/// report.assert_ok();
///
/// // The same two layers the other way round.
/// let reversed = routes().layer(ServiceBuilder::new().layer(auth).layer(cors));
/// let report =
///     check_edge(reversed).origin("https://app.example.com").route(Method::GET, "/orders").await;
/// let found = |code| report.with_code(code).next().is_some();
/// assert!(found("preflight-needs-credentials") && found("cors-missing"));
/// # Ok(()) }
/// ```
///
/// Each finding has a code, a severity, the request that showed it as its field, and a cure. Requests
/// come from addresses of RFC 5737's test network, one for each, over `https`, and carry no credential
/// but the one of [`credential`](EdgeCheck::credential). They run through the handlers of the routes that are
/// named: give it a router of the tests, not one on production's stores.
///
/// It needs a tokio runtime. Panics of handlers are written to the standard error, as usual.
pub fn check_edge(app: Router) -> EdgeCheck {
    EdgeCheck {
        app,
        origin: None,
        preflight_headers: Vec::new(),
        routes: Vec::new(),
        panicking: None,
        limited: None,
        credential: Vec::new(),
        content_type: HeaderValue::from_static("application/json"),
        body_limit: 10 * 1024 * 1024,
        peer: None,
        lints: Lints::new(),
    }
}

/// What [`check_edge`] is to look at. Await it for the report.
#[derive(Clone, Debug)]
#[must_use = "nothing is asked before it is awaited"]
pub struct EdgeCheck {
    app: Router,
    origin: Option<HeaderValue>,
    preflight_headers: Vec<String>,
    routes: Vec<Route>,
    panicking: Option<Route>,
    limited: Option<(Route, usize)>,
    credential: Vec<(HeaderName, HeaderValue)>,
    content_type: HeaderValue,
    body_limit: usize,
    peer: Option<IpAddr>,
    lints: Lints,
}

#[derive(Clone, Debug)]
struct Route {
    method: Method,
    path: String,
    access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Public,
    Protected,
}

impl EdgeCheck {
    /// An origin that the CORS policy allows. Without one, CORS is not looked at.
    ///
    /// # Panics
    /// If it is no header value.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(value(origin));
        self
    }

    /// The headers that pages send and that need a preflight, such as `authorization`. Default: none.
    pub fn preflight_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.preflight_headers.extend(names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()));
        // As browsers do (Fetch, "CORS-unsafe request-header names").
        self.preflight_headers.sort_unstable();
        self
    }

    /// A route that nobody may use without a credential. The path is one that is asked for, with
    /// values for its parameters.
    pub fn route(self, method: Method, path: &str) -> Self {
        self.with(method, path, Access::Protected)
    }

    /// A route for everybody.
    pub fn public_route(self, method: Method, path: &str) -> Self {
        self.with(method, path, Access::Public)
    }

    fn with(mut self, method: Method, path: &str, access: Access) -> Self {
        self.routes.push(Route { method, path: path.to_owned(), access });
        self
    }

    /// A route whose handler panics: the client should get a 500 that it can read.
    pub fn panicking_route(mut self, method: Method, path: &str) -> Self {
        self.panicking = Some(Route { method, path: path.to_owned(), access: Access::Public });
        self
    }

    /// A route with a limit that refuses one client after so many requests, at the latest. It is
    /// asked that often.
    pub fn limited_route(mut self, method: Method, path: &str, requests: usize) -> Self {
        self.limited = Some((Route { method, path: path.to_owned(), access: Access::Public }, requests));
        self
    }

    /// A header that is a good credential, such as `authorization`.
    ///
    /// # Panics
    /// If it is none that can be sent.
    #[expect(clippy::expect_used, reason = "only tests call this, and a wrong header should be told")]
    pub fn credential(mut self, name: &str, credential: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of a header");
        let mut credential = value(credential);
        credential.set_sensitive(true);
        self.credential.push((name, credential));
        self
    }

    /// The largest body in bytes that the service means to take: one of a byte more is sent to the
    /// first route for POST, PUT or PATCH. Default: 10 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The media type of that body. Default: `application/json`.
    ///
    /// # Panics
    /// If it is no header value.
    pub fn content_type(mut self, media_type: &str) -> Self {
        self.content_type = value(media_type);
        self
    }

    /// The one address that all requests come from: where an allow list lets in few. Limits by address
    /// then meet all requests of the check.
    pub fn peer(mut self, address: IpAddr) -> Self {
        self.peer = Some(address);
        self
    }

    /// Allows a kind of finding, and says why.
    pub fn allow(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.lints = self.lints.allow(code, why);
        self
    }
}

#[expect(clippy::expect_used, reason = "only tests call this, and a wrong value should be told")]
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("the value of a header")
}

impl IntoFuture for EdgeCheck {
    type Output = EdgeReport;
    type IntoFuture = BoxFuture<'static, EdgeReport>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(probes::run(self))
    }
}

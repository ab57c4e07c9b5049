//! A router behind layers, what becomes of a request, and the issuer whose tokens are let in.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit},
    routing::any,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        jwt::{Issuer, JwtVerifier, StaticKeys},
    },
    gate::RequestContextLayer,
    request::TrustedProxies,
    secret::Secret,
    time::{ManualClock, Timestamp},
};
use sha2::Sha256;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// It is always this time, so that what is in force in a corpus stays so.
pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECRET: &str = "a secret of the fuzzer, of 32 bytes at least";

/// How often a door has let somebody in.
pub static LET_IN: AtomicUsize = AtomicUsize::new(0);

pub struct Door {
    runtime: Runtime,
    app: Router,
}

impl Door {
    /// Any path and method, behind this layer.
    pub fn new(layer: impl FnOnce() -> AuthLayer) -> Self {
        Self::around(|| Router::new().fallback(any(|| async { "in" })).layer(layer()))
    }

    /// The router is built within the runtime, which some layers need.
    pub fn around(app: impl FnOnce() -> Router) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let inside = runtime.enter();
        let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).expect("a network");
        let context = RequestContextLayer::new().clock(ManualClock::at(NOW)).trusted_proxies(proxies);
        let app = app().layer(DefaultBodyLimit::disable()).layer(context);
        drop(inside);
        Self { runtime, app }
    }

    /// The status, which is never a 5xx. `None` if the headers cannot be sent at all.
    pub fn knock<'a>(&self, headers: impl IntoIterator<Item = (&'static str, &'a [u8])>) -> Option<StatusCode> {
        Some(self.send(with(Request::get("/a?b=c").body(Body::empty()).expect("a request"), headers)?))
    }

    pub fn send(&self, request: Request<Body>) -> StatusCode {
        let response = self.runtime.block_on(self.app.clone().oneshot(request)).expect("never fails");
        assert!(!response.status().is_server_error(), "{response:?}");
        LET_IN.fetch_add(usize::from(response.status().is_success()), Relaxed);
        response.status()
    }
}

/// The request with these header fields; `None` if they cannot be sent.
pub fn with<'a, B>(
    mut request: Request<B>,
    headers: impl IntoIterator<Item = (&'static str, &'a [u8])>,
) -> Option<Request<B>> {
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?);
    }
    Some(request)
}

/// The request as it comes over a TCP connection from this address.
pub fn from(peer: [u8; 4], mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    request
}

/// The parts of an input: what stands between its 0xFF bytes, which no text has.
pub fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut rest = data.split(|byte| *byte == 0xFF);
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}

/// Accepts what [`sign`] signs.
pub fn verifier() -> JwtVerifier {
    let keys = StaticKeys::new().secret(Secret::new(SECRET));
    Issuer::new("https://id.test").audience("api").keys(keys).build().expect("a verifier")
}

/// A token with this header and these claims, whatever they are.
pub fn sign(header: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", base64url(&mac.finalize().into_bytes()))
}

pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

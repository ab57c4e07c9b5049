//! Where a bearer token may come from beside `Authorization`, each only on request.

mod cookie;
mod websocket;

pub use self::cookie::CookieSource;
pub(super) use self::{
    cookie::pairs as cookie_pairs,
    websocket::{choose as websocket_choose, forget as websocket_forget, token as websocket_token},
};

/// What is read of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// `X-API-Key`.
    pub(super) api_keys: bool,
    /// `Authorization: DPoP`.
    pub(super) dpop: bool,
    /// `Sec-WebSocket-Protocol: bearer, <token>`.
    pub(super) websocket: bool,
    /// `Cookie: <name>=<token>`.
    pub(super) cookie: Option<CookieSource>,
}

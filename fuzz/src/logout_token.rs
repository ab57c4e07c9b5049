//! What an issuer posts to end a session: header and claims that it has signed; then a form as it
//! comes.

use std::sync::LazyLock;

use axum::{Router, body::Body};
use http::{Request, StatusCode};
use portcullis::{auth::logout::BackChannelLogout, backend::memory::MemoryStore, time::ManualClock};

use crate::door::{Door, NOW, parts, sign, verifier};

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::around(|| {
        let logout = BackChannelLogout::builder(verifier(), "orders-app", MemoryStore::new());
        let logout = logout.clock(ManualClock::at(NOW)).build().expect("a route");
        Router::new().route("/logout", logout.route())
    })
});

pub fn run(data: &[u8]) {
    let [header, claims, form] = parts(data);
    // What is right ends a session, once.
    post(format!("logout_token={}", sign(header, claims)).into_bytes());
    let status = post(form.to_vec());
    assert!(status.is_client_error(), "nobody signed that: {status}");
}

fn post(form: Vec<u8>) -> StatusCode {
    let request = Request::post("/logout").header("content-type", "application/x-www-form-urlencoded");
    DOOR.send(request.body(Body::from(form)).expect("a request"))
}

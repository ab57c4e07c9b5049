//! Tokens from elsewhere than `Authorization`.

use super::*;
use crate::auth::CookieSource;

fn handshake(protocols: &[&str], more: &[(&'static str, &str)]) -> Request<Body> {
    let mut headers: Vec<(&'static str, &[u8])> = vec![("upgrade", b"WebSocket"), ("host", b"api.test")];
    headers.extend(protocols.iter().map(|line| ("sec-websocket-protocol", line.as_bytes())));
    headers.extend(more.iter().map(|(name, value)| (*name, value.as_bytes())));
    request("/offered", headers)
}

/// A handler that switches protocols, and says which ones it was offered.
fn sockets(auth: AuthLayerBuilder) -> Router {
    async fn offered(caller: Principal, headers: HeaderMap) -> (StatusCode, [(&'static str, String); 1]) {
        let offered: Vec<_> = headers.get_all("sec-websocket-protocol").iter().map(|l| l.to_str().unwrap()).collect();
        (StatusCode::SWITCHING_PROTOCOLS, [("x-seen", format!("{}|{}", caller.subject(), offered.join("|")))])
    }
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    Router::new()
        .route("/offered", get(offered))
        .layer(tower::ServiceBuilder::new().layer(context).layer(auth.build().unwrap()))
}

#[tokio::test]
async fn a_websocket_handshake_may_carry_the_token_as_sub_protocol() {
    let app = sockets(tokens_only().websocket_protocol());
    for (lines, seen) in [
        (vec!["bearer, good"], "usr_jwt|bearer"),
        (vec!["chat.v2, bearer, good, chat.v1"], "usr_jwt|chat.v2, bearer, chat.v1"),
        (vec!["chat.v2", "bearer,good"], "usr_jwt|chat.v2, bearer"),
        (vec!["bearer", "good"], "usr_jwt|bearer"),
    ] {
        let answer = send(&app, handshake(&lines, &[])).await;
        assert_eq!(answer.status, StatusCode::SWITCHING_PROTOCOLS, "{lines:?} {}", answer.body);
        assert_eq!(answer.headers["x-seen"], seen, "{lines:?}");
        assert_eq!(answer.headers.get_all("sec-websocket-protocol").iter().count(), 1);
        assert_eq!(answer.headers["sec-websocket-protocol"], "bearer");
    }
}

#[tokio::test]
async fn a_sub_protocol_is_read_only_on_request_and_only_in_a_handshake() {
    let unasked = send(&sockets(tokens_only()), handshake(&["bearer, good"], &[])).await;
    assert_eq!(unasked.status, StatusCode::UNAUTHORIZED);
    let app = sockets(tokens_only().websocket_protocol());
    let no_handshake = request("/offered", [("sec-websocket-protocol", b"bearer, good".as_slice())]);
    assert_eq!(send(&app, no_handshake).await.status, StatusCode::UNAUTHORIZED);
    for (lines, status) in [
        (vec!["bearer"], StatusCode::UNAUTHORIZED),
        (vec!["good"], StatusCode::UNAUTHORIZED),
        (vec!["bearer, forged"], StatusCode::UNAUTHORIZED),
        (vec!["bearer, a\"b"], StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(send(&app, handshake(&lines, &[])).await.status, status, "{lines:?}");
    }
    let both = handshake(&["bearer, good"], &[("authorization", "Bearer good")]);
    assert_eq!(send(&app, both).await.status, StatusCode::BAD_REQUEST);
}

fn cookies() -> Router {
    router(tokens_only().cookie(CookieSource::new("__Host-token").unwrap()))
}

fn with(method: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = request("/", headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    *request.method_mut() = method.parse().unwrap();
    request
}

#[tokio::test]
async fn a_cookie_is_read_only_on_request_and_an_authorization_header_wins() {
    let cookie = [("cookie", "a=b; __Host-token=good; c=d")];
    let unasked = send(&router(tokens_only()), with("GET", &cookie)).await;
    assert_eq!(unasked.status, StatusCode::UNAUTHORIZED);
    let app = cookies();
    assert_eq!(send(&app, with("GET", &cookie)).await.body, "usr_jwt jwt");
    let forged = [cookie[0], ("authorization", "Bearer forged")];
    assert_eq!(send(&app, with("GET", &forged)).await.status, StatusCode::UNAUTHORIZED);
    let stale = [("cookie", "__Host-token=expired"), ("authorization", "Bearer good")];
    assert_eq!(send(&app, with("GET", &stale)).await.body, "usr_jwt jwt");
    for (cookie, status) in [
        ("__Host-token=good; __Host-token=good", StatusCode::BAD_REQUEST),
        ("__Host-token=", StatusCode::UNAUTHORIZED),
        ("__host-token=good", StatusCode::UNAUTHORIZED),
        ("x__Host-token=good", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(send(&app, with("GET", &[("cookie", cookie)])).await.status, status, "{cookie}");
    }
}

#[tokio::test]
async fn a_cookie_does_nothing_for_another_sites_page() {
    let app = cookies();
    let refused: [&[(&str, &str)]; 8] = [
        &[("host", "api.test"), ("origin", "http://api.test")],
        &[("host", "api.test")],
        &[("host", "api.test"), ("origin", "https://evil.test")],
        &[("host", "api.test"), ("origin", "null")],
        &[("host", "api.test"), ("origin", "https://api.test.evil.test")],
        &[("host", "api.test"), ("origin", "https://api.test"), ("sec-fetch-site", "cross-site")],
        &[("host", "api.test"), ("sec-fetch-site", "same-site")],
        &[("host", ""), ("origin", "https://")],
    ];
    for headers in refused {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (*name, *value)).chain([("cookie", "__Host-token=good")]).collect();
        let answer = send(&app, with("POST", &headers)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        let handshake: Vec<_> = headers.iter().copied().chain([("upgrade", "websocket")]).collect();
        assert_eq!(send(&app, with("GET", &handshake)).await.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    for headers in [
        [("host", "api.test"), ("origin", "https://api.test")],
        [("host", "api.test"), ("sec-fetch-site", "same-origin")],
    ] {
        let headers: Vec<_> = headers.into_iter().chain([("cookie", "__Host-token=good")]).collect();
        assert_eq!(send(&app, with("POST", &headers)).await.body, "usr_jwt jwt", "{headers:?}");
    }
}

#[test]
fn a_cookie_needs_a_prefix_or_the_word_dangerously() {
    assert!(CookieSource::new("__Secure-t").is_ok() && CookieSource::dangerously_unprefixed("t").is_ok());
    assert_eq!(CookieSource::new("token").unwrap_err().issues().len(), 1);
    assert_eq!(CookieSource::new("to ken").unwrap_err().issues().len(), 2);
    assert!(CookieSource::dangerously_unprefixed("").is_err());
}

fn optional_cookies() -> Router {
    router(tokens_only().optional().cookie(CookieSource::new("__Host-token").unwrap()))
}

/// What cannot be read is not absent: nobody is let in as anonymous with a credential.
#[tokio::test]
async fn odd_bytes_beside_a_cookie_do_not_hide_it() {
    let app = optional_cookies();
    let ask = async |lines: &[&[u8]]| send(&app, request("/", lines.iter().map(|line| ("cookie", *line)))).await;
    for lines in [
        vec!["name=Jos\u{e9}; __Host-token=good".as_bytes()],
        vec![b"__Host-token=good; name=Jos\xe9"],
        vec![b"name=\xff", b"__Host-token=good"],
    ] {
        assert_eq!(ask(&lines).await.body, "usr_jwt jwt", "{lines:?}");
    }
    for lines in [
        vec![b"__Host-token=g\xf6\xf6d".as_slice()],
        vec!["__Host-token=g\u{f6}\u{f6}d".as_bytes()],
        vec![b"name=\xff; __Host-token=\xffgood"],
    ] {
        ask(&lines).await.is(401, "invalid_token");
    }
    for lines in [
        vec![b"__Host-token=good; __Host-token=\xff".as_slice()],
        vec![b"__Host-token=good", b"name=\xff; __Host-token=good"],
    ] {
        ask(&lines).await.is(400, "invalid_request");
    }
    assert_eq!(ask(&[b"name=\xff; x__Host-token=good"]).await.body, "anonymous");
}

#[tokio::test]
async fn odd_bytes_beside_a_sub_protocol_do_not_hide_it() {
    let app = router(tokens_only().optional().websocket_protocol());
    let ask = async |lines: &[&[u8]]| {
        let lines = lines.iter().map(|line| ("sec-websocket-protocol", *line));
        send(&app, request("/", lines.chain([("upgrade", b"websocket".as_slice())]))).await
    };
    for lines in [vec![b"ch\xe4t, bearer, good".as_slice()], vec![b"ch\xe4t", b"bearer, good"]] {
        assert_eq!(ask(&lines).await.body, "usr_jwt jwt", "{lines:?}");
    }
    for lines in [vec![b"bearer, g\xf6\xf6d".as_slice()], vec!["bearer, g\u{f6}\u{f6}d".as_bytes()]] {
        ask(&lines).await.is(401, "invalid_token");
    }
    for lines in [vec![b"bearer, good, bearer, \xff".as_slice()], vec![b"bearer, good", b"\xff, bearer"]] {
        ask(&lines).await.is(400, "invalid_request");
    }
    assert_eq!(ask(&[b"ch\xe4t"]).await.body, "anonymous");
}

//! Several credentials at once, and what a caller says of itself.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Request};

use super::scene::{Attack, NEEDLE, Scene, bearer, get, message, order, proxied, sigv4};

pub(crate) fn attacks(scene: &Scene) -> Vec<Attack> {
    let mut list = Vec::new();
    let token = scene.token().sign();
    let (good, bad) = (format!("Bearer {token}"), format!("Bearer {}", scene.token().tampered().sign()));
    let key = &*scene.api_key;
    for (name, headers) in [
        ("a token and a key", vec![("authorization", &*good), ("x-api-key", key)]),
        ("a bad token and a good key", vec![("authorization", &*bad), ("x-api-key", key)]),
        ("a good token and a bad key", vec![("authorization", &*good), ("x-api-key", "acme_live_x")]),
        ("a token twice", vec![("authorization", &*good), ("authorization", &*good)]),
        ("a bad token, then a good one", vec![("authorization", &*bad), ("authorization", &*good)]),
        ("a good token, then a bad one", vec![("authorization", &*good), ("authorization", &*bad)]),
        ("Basic and a token", vec![("authorization", "Basic dTpw"), ("authorization", &*good)]),
        ("Basic and a key", vec![("authorization", "Basic dTpw"), ("x-api-key", key)]),
        ("an empty header and a key", vec![("authorization", ""), ("x-api-key", key)]),
    ] {
        list.push(Attack::new("two credentials", name, get(&headers)));
    }
    let beside = |mut request: Request<Body>, name: &'static str, value: &str| {
        request.headers_mut().append(name, HeaderValue::try_from(value).unwrap());
        request
    };
    let minute = Duration::from_secs(60);
    for (name, request) in [
        ("SigV4 and a key", beside(sigv4().sign(order()), "x-api-key", key)),
        ("SigV4 and a token", beside(sigv4().sign(order()), "authorization", &good)),
        ("a presigned URL and a token", beside(sigv4().presign(order(), minute), "authorization", &good)),
        ("a presigned URL and a key", beside(sigv4().presign(order(), minute), "x-api-key", key)),
        ("RFC 9421 and a token", beside(message().nonce("c1").sign(order()), "authorization", &good)),
        ("RFC 9421 and a key", beside(message().nonce("c2").sign(order()), "x-api-key", key)),
        ("both kinds of signatures", message().nonce("c3").sign(sigv4().sign(order()).map(|_| "{\"n\":1}"))),
    ] {
        list.push(Attack::new("two credentials", name, request));
    }
    // A certificate comes with the connection: it does not make up for a bad credential.
    for (name, header, value) in [
        ("a bad token", "authorization", &*bad),
        ("an unknown key", "x-api-key", "acme_live_x"),
        ("another scheme", "authorization", "Basic dTpw"),
        ("an empty header", "authorization", ""),
    ] {
        let request = beside(proxied(&scene.certificate), header, value);
        list.push(Attack::new("bad credential, good certificate", name, request));
    }
    let thumbprint = scene.dpop.thumbprint();
    let bound = scene.token().claim("cnf", serde_json::json!({ "x5t#S256": thumbprint })).sign();
    let elsewhere = beside(proxied(&scene.certificate), "authorization", &format!("Bearer {bound}"));
    list.push(Attack::new("bad credential, good certificate", "a token of another certificate", elsewhere));
    list.push(Attack::new("opaque", "an unknown token", bearer(NEEDLE)));
    list.push(Attack::new("opaque", "a long one", bearer(&"a".repeat(9_000))));
    for (name, value) in [
        ("x-user-id", "admin"),
        ("x_user_id", "admin"),
        ("x-user-scopes", "admin:*"),
        ("x-user-tier", "enterprise"),
        ("x-forwarded-user", "admin"),
        ("x-remote-user", "admin"),
        ("x-authenticated-userid", "admin"),
        ("x-webauth-user", "admin"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1;proto=https"),
        ("x-real-ip", "10.0.0.1"),
        ("x-original-url", "/public"),
        ("x-rewrite-url", "/public"),
        ("x-http-method-override", "OPTIONS"),
        ("x-forwarded-host", "localhost"),
        ("authorization", "Basic YWRtaW46YWRtaW4="),
        ("authorization", "Negotiate YIIB"),
        ("authorization", "Digest username=\"admin\""),
        ("proxy-authorization", "Basic YWRtaW46YWRtaW4="),
        ("cookie", "user=admin; role=admin; admin=true"),
    ] {
        list.push(Attack::new("spoofed identity", format!("{name}: {value}"), get(&[(name, value)])));
    }
    for method in ["OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND", "get"] {
        let mut request = get(&[]);
        *request.method_mut() = method.parse().unwrap();
        list.push(Attack::new("no credential", method, request));
    }
    for path in ["/", "//orders", "/orders/", "/orders/..;/admin", "/%2e%2e/admin", "/orders%00", "/health", "*"] {
        let mut request = get(&[]);
        *request.uri_mut() = path.parse().unwrap();
        list.push(Attack::new("no credential", path, request));
    }
    list
}

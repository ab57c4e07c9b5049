//! What users of other layers suffer, by the numbers of the project's notes.

use super::*;

const EVIL: (&str, &[u8]) = ("origin", b"https://evil.example");

#[tokio::test]
async fn pain_u1_every_refusal_is_readable() {
    for (method, path, status) in
        [("GET", "/401", 401), ("GET", "/403", 403), ("GET", "/429", 429), ("GET", "/nowhere", 404), ("POST", "/", 405)]
    {
        let response = ask(method, path, &[ORIGIN]).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["access-control-allow-origin"], APP, "{status}");
    }
}

#[tokio::test]
async fn pain_u2_preflights_are_not_authenticated() {
    for path in ["/401", "/403", "/nowhere"] {
        let response = ask("OPTIONS", path, &[ORIGIN, PUT]).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(response.headers()["access-control-allow-origin"], APP);
    }
}

#[tokio::test]
async fn pain_u3_preflights_eat_no_limit() {
    let cors = builder().build().unwrap();
    let limit = GateLayer::new(Refuser);
    let app = Router::new().layer(ServiceBuilder::new().layer(cors).layer(limit.clone()));
    for _ in 0..50 {
        let request = Request::options("/429")
            .header("origin", APP)
            .header("access-control-request-method", "GET")
            .body(Body::empty())
            .unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::NO_CONTENT);
    }
    assert!(limit.verdicts().rejected.is_empty());
}

#[tokio::test]
async fn pain_u4_retry_after_is_readable() {
    let response = ask("GET", "/429", &[ORIGIN]).await;
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    let exposed: Vec<&str> = exposed.split(", ").collect();
    assert!(response.headers().contains_key("retry-after"));
    for name in ["retry-after", "ratelimit", "ratelimit-policy", "x-ratelimit-reset", "dpop-nonce"] {
        assert!(exposed.contains(&name), "{name}");
    }
    assert!(exposed.is_sorted());
}

#[tokio::test]
async fn pain_u5_vary_iff_the_policy_is_not_everybody() {
    let one = CorsSecurityLayer::builder().allow_origin(APP).build().unwrap();
    let everybody = CorsSecurityLayer::builder().allow_any_origin().build().unwrap();
    for headers in [&[][..], &[ORIGIN], &[EVIL]] {
        assert_eq!(all_of(send(one.clone(), "GET", "/", headers).await.headers(), "vary"), ["Origin"]);
        assert_eq!(all_of(send(everybody.clone(), "GET", "/", headers).await.headers(), "vary"), [""; 0]);
    }
}

#[tokio::test]
async fn pain_u6_look_alikes_do_not_get_in() {
    let cors = CorsSecurityLayer::builder().allow_origins([APP, "https://*.example.org"]).build().unwrap();
    for origin in [
        "https://app.example.com.evil.example",
        "https://evilapp.example.com",
        "https://app-example.com",
        "https://appxexample.com",
        "https://evilexample.org",
        "https://foo..example.org",
        "https://example.org.evil.example",
        "https://evil.example?.example.org",
        "https://evil.example\\.example.org",
        "https://evil.example&.example.org",
        "https://evil.example`.example.org",
        "https://evil.example%0d.example.org",
    ] {
        let response = send(cors.clone(), "GET", "/", &[("origin", origin.as_bytes())]).await;
        assert_eq!(cors_headers(response.headers()), [""; 0], "{origin}");
    }
}

#[test]
fn pain_u7_a_wrong_policy_is_an_error_and_no_panic() {
    let wrong = || CorsSecurityLayer::builder().allow_any_origin().allow_credentials().allow_any_method().expose_any();
    assert_eq!(wrong().build().unwrap_err().issues().len(), 2);
}

#[tokio::test]
async fn pain_u8_a_wrong_order_is_reported() {
    // Inside a gate that refuses, nothing can be done but to say so; see `gate::wiring` and `Stack`.
    let cors = builder().build().unwrap();
    let app = Router::new().layer(ServiceBuilder::new().layer(GateLayer::new(Refuser)).layer(cors));
    let request = Request::get("/401").header("origin", APP).body(Body::empty()).unwrap();
    assert_eq!(cors_headers(app.oneshot(request).await.unwrap().headers()), [""; 0]);
}

#[tokio::test]
async fn pain_u9_options_handlers_run() {
    for headers in [&[][..], &[ORIGIN], &[PUT], &[EVIL]] {
        let response = ask("OPTIONS", "/options", headers).await;
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body, "the handler's own", "{headers:?}");
    }
}

#[tokio::test]
async fn pain_u14_one_allow_origin_only() {
    let response = ask("GET", "/leaky", &[ORIGIN]).await;
    assert_eq!(all_of(response.headers(), "access-control-allow-origin"), [APP]);
    assert_eq!(cors_headers(ask("GET", "/leaky", &[EVIL]).await.headers()), [""; 0]);
}

#[tokio::test]
async fn pain_u18_several_methods_are_none() {
    let several = ("access-control-request-method", &b"GET, DELETE"[..]);
    let response = ask("OPTIONS", "/options", &[ORIGIN, several]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("access-control-allow-methods"));
}

//! A user's service behind all seven layers, with two backends of its own, and a few requests to it.

mod backends;
mod service;

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use portcullis::{
    secret::Secret,
    time::Timestamp,
    webhook::{Provider, WebhookVerifyLayer},
};
use tower::ServiceExt as _;

use self::{
    backends::Records,
    service::{PAGE, Service},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records = Records::default();
    let service = Service::new(records.clone())?;
    let mut sent = callers(&service).await?;
    sent += pages(&service).await?;
    sent += webhooks(&service).await?;

    let counts = service.audit.handle().shutdown().await;
    assert_eq!((counts.written, counts.lost), (sent, 0));
    assert_eq!(records.lines(), sent, "one record for each request, in a sink of our own");
    assert!(!records.contains(&service.api_key), "no record holds the key");
    println!("consumer: {sent} requests answered as expected");
    Ok(())
}

/// Who calls, what they may do, how fast, how much.
async fn callers(service: &Service) -> Result<u64, Box<dyn std::error::Error>> {
    let with_key = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).header("x-api-key", &service.api_key);
        request.body(Body::empty())
    };
    for (expected, method, path) in [
        // Five calls a minute, two of them metered: what the scopes refuse costs no quota.
        (StatusCode::OK, Method::GET, "/orders"),
        (StatusCode::FORBIDDEN, Method::DELETE, "/orders/7"),
        (StatusCode::OK, Method::GET, "/orders"),
        (StatusCode::PAYMENT_REQUIRED, Method::GET, "/orders"),
        (StatusCode::PAYMENT_REQUIRED, Method::GET, "/orders"),
        (StatusCode::TOO_MANY_REQUESTS, Method::GET, "/orders"),
    ] {
        let response = ask(&service.router, with_key(method.clone(), path)?).await?;
        assert_eq!(response.status(), expected, "{method} {path}: {response:?}");
        assert!(response.headers().contains_key("x-request-id") && response.headers().contains_key("ratelimit"));
    }
    // Nobody; a key that is none; a token that no issuer has signed; two credentials at once.
    let key = service.api_key.as_str();
    let cases: [(&[(&str, &str)], StatusCode); 4] = [
        (&[], StatusCode::UNAUTHORIZED),
        (&[("x-api-key", "acme_live_nonsense")], StatusCode::UNAUTHORIZED),
        (&[("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")], StatusCode::UNAUTHORIZED),
        (&[("authorization", "Bearer x"), ("x-api-key", key)], StatusCode::BAD_REQUEST),
    ];
    for (headers, expected) in cases {
        let mut request = Request::get("/orders");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = ask(&service.router, request.body(Body::empty())?).await?;
        assert_eq!(response.status(), expected, "{headers:?}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    Ok(10)
}

/// What a browser's page sees.
async fn pages(service: &Service) -> Result<u64, Box<dyn std::error::Error>> {
    let preflight = Request::options("/orders")
        .header("origin", PAGE)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-api-key");
    let response = ask(&service.router, preflight.body(Body::empty())?).await?;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["access-control-allow-origin"], PAGE);

    let refused = ask(&service.router, Request::get("/orders").header("origin", PAGE).body(Body::empty())?).await?;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["access-control-allow-origin"], PAGE, "the page can read the refusal");

    let stranger = Request::get("/orders").header("origin", "https://evil.example").body(Body::empty())?;
    let response = ask(&service.router, stranger).await?;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert_eq!(response.headers()["vary"], "Origin");
    Ok(3)
}

async fn webhooks(service: &Service) -> Result<u64, Box<dyn std::error::Error>> {
    let body = r#"{"zen":"Speak like a human."}"#;
    let deliver = |headers: HeaderMap| {
        let mut request = Request::post("/webhooks/github").body(Body::from(body))?;
        request.headers_mut().extend(headers);
        Ok::<_, http::Error>(request)
    };
    let sign = |secret: &Secret| Provider::github().sign(secret, "guid-1", Timestamp::EPOCH, body.as_bytes());

    let genuine = ask(&service.router, deliver(sign(&service.hook_secret)?)?).await?;
    assert_eq!(genuine.status(), StatusCode::OK);
    let again = ask(&service.router, deliver(sign(&service.hook_secret)?)?).await?;
    assert_eq!((again.status(), &again.headers()["x-webhook-duplicate"]), (StatusCode::OK, &"1".parse()?));
    let forged = ask(&service.router, deliver(sign(&Secret::new("another secret"))?)?).await?;
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);

    // A provider that does not exist is a mistake of the configuration, with a cure.
    let error = Provider::named("strype").unwrap_err();
    assert!(error.issues()[0].cure.contains("stripe"), "{error}");
    let layer = WebhookVerifyLayer::builder(Provider::stripe(), Secret::new(""), service.store.clone()).build();
    assert!(layer.is_err(), "an empty secret");
    Ok(3)
}

/// The response, read to its end: only then is its record written.
async fn ask(router: &Router, request: Request<Body>) -> Result<Response<()>, axum::Error> {
    let response = router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    axum::body::to_bytes(body, 64 * 1024).await?;
    Ok(Response::from_parts(parts, ()))
}

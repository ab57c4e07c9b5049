use std::sync::atomic::AtomicUsize;

use axum::{Router, body::Body, response::Response, routing::get};
use http::StatusCode;

use super::*;

/// A server that always answers the same; stops when dropped.
struct Server {
    url: String,
    hits: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn answering(status: StatusCode, headers: &'static [(&'static str, &'static str)], body: String) -> Self {
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = hits.clone();
        let answer = move || {
            counted.fetch_add(1, Relaxed);
            let mut response = Response::new(Body::from(body.clone()));
            *response.status_mut() = status;
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            async move { response }
        };
        let app: Router = Router::new().fallback(get(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, hits, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn keys_come_over_http_and_rotate_within_the_request() {
    let issuer = issuer();
    let server = issuer.serve().await.unwrap();
    let verifier = at_url(&server.jwks_url(), &ManualClock::at(NOW));
    let old = issuer.token("a").sign();
    assert_eq!(verdict(&verifier, &old).await, Ok(()));
    assert_eq!(at_once(&verifier, &old), Some(Ok(())), "known keys never wait");
    issuer.rotate();
    let new = issuer.token("a").sign();
    // Not the next request, but this one.
    assert_eq!(verdict(&verifier, &new).await, Ok(()));
    assert_eq!(verdict(&verifier, &old).await, Ok(()));
    assert_eq!(server.requests(), 2);
    let health = verifier.key_set_health();
    assert_eq!((health.keys, health.fetches, health.age), (2, 2, Some(Duration::ZERO)));
    assert!(health.last_error.is_none());
}

#[tokio::test]
async fn a_thousand_unknown_kids_cost_two_fetches() {
    let issuer = issuer();
    let server = issuer.serve().await.unwrap();
    let verifier = at_url(&server.jwks_url(), &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    let good = issuer.token("a").sign();
    let mut attackers = tokio::task::JoinSet::new();
    for i in 0..1_000 {
        let (verifier, token) = (verifier.clone(), issuer.token("a").kid(&format!("random-{i}")).sign());
        attackers.spawn(async move { verdict(&verifier, &token).await });
    }
    while let Some(answer) = attackers.join_next().await {
        assert_eq!(answer.unwrap(), Err(RejectionKind::InvalidToken));
        assert_eq!(at_once(&verifier, &good), Some(Ok(())));
    }
    for i in 0..50 {
        let token = issuer.token("a").kid(&format!("late-{i}")).sign();
        assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::InvalidToken));
    }
    assert!(server.requests() - 1 <= 2, "{} fetches", server.requests() - 1);
}

#[tokio::test]
async fn an_unknown_kid_is_remembered_until_the_next_fetch() {
    let issuer = issuer();
    let server = issuer.serve().await.unwrap();
    let clock = ManualClock::at(NOW);
    let verifier = at_url(&server.jwks_url(), &clock);
    verifier.warm_up().await.unwrap();
    let unknown = issuer.token("a").kid("nobody").sign();
    assert_eq!(at_once(&verifier, &unknown), None);
    assert_eq!(verdict(&verifier, &unknown).await, Err(RejectionKind::InvalidToken));
    assert_eq!(at_once(&verifier, &unknown), Some(Err(RejectionKind::InvalidToken)));
    clock.advance(Duration::from_secs(61));
    assert_eq!(at_once(&verifier, &unknown), None);
}

#[tokio::test]
async fn cold_requests_share_one_fetch() {
    let issuer = issuer();
    let server = issuer.serve().await.unwrap();
    let verifier = at_url(&server.jwks_url(), &ManualClock::at(NOW));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (verifier, token) = (verifier.clone(), issuer.token("a").sign());
        requests.spawn(async move { verdict(&verifier, &token).await });
    }
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.unwrap(), Ok(()));
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn keys_are_fetched_ahead_of_need() {
    let issuer = issuer();
    let server = issuer.serve().await.unwrap();
    let clock = ManualClock::at(NOW);
    let verifier = at_url(&server.jwks_url(), &clock);
    verifier.warm_up().await.unwrap();
    issuer.rotate();
    // The server says max-age=60; four fifths of it are 48 s.
    clock.advance(Duration::from_secs(47));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(server.requests(), 1);
    clock.advance(Duration::from_secs(1));
    while server.requests() < 2 || verifier.key_set_health().keys < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(at_once(&verifier, &issuer.token("a").sign()), Some(Ok(())), "no request had to ask");
}

#[tokio::test]
async fn answers_that_are_no_keys_are_failures() {
    let issuer = issuer();
    let good = issuer.jwks().to_string();
    let huge = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(1_100_000));
    let other = Server::answering(StatusCode::OK, &[], good.clone()).await;
    let location: &'static str = other.url.clone().leak();
    let to_other: &'static [(&str, &str)] = vec![("location", location)].leak();
    let cases = [
        (StatusCode::FOUND, to_other, good.clone(), "status 302"),
        (StatusCode::TEMPORARY_REDIRECT, to_other, good.clone(), "status 307"),
        (StatusCode::INTERNAL_SERVER_ERROR, &[], good.clone(), "status 500"),
        (StatusCode::CREATED, &[], good.clone(), "status 201"),
        (StatusCode::OK, &[], huge, "more than 1 MiB"),
        (StatusCode::OK, &[], "<html>".into(), "did not answer with a JWK set"),
        (StatusCode::OK, &[], String::new(), "did not answer with a JWK set"),
        (StatusCode::OK, &[], r#"{"keys":[{"kty":"AKP","kid":"pq"}]}"#.into(), "no key of the set can be used"),
    ];
    for (status, headers, body, expected) in cases {
        let server = Server::answering(status, headers, body).await;
        let verifier = at_url(&server.url, &ManualClock::at(NOW));
        let error = verifier.warm_up().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error} for {expected}");
        assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Err(RejectionKind::BackendUnavailable));
        assert_eq!(server.hits.load(Relaxed), 1, "and not again before the back-off is over");
    }
    assert_eq!(other.hits.load(Relaxed), 0, "a redirect was followed");
}

#[tokio::test]
async fn foreign_keys_do_not_break_the_set() {
    let issuer = issuer();
    let mut jwks = issuer.jwks();
    let foreign = serde_json::json!([
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-521", "kid": "x", "x": "AAAA", "y": "AAAA"},
        {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AAAA", "e": "AQAB"},
    ]);
    jwks["keys"].as_array_mut().unwrap().extend(foreign.as_array().unwrap().clone());
    let server = Server::answering(StatusCode::OK, &[], jwks.to_string()).await;
    let verifier = at_url(&server.url, &ManualClock::at(NOW));
    assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()));
    let health = verifier.key_set_health();
    assert_eq!((health.keys, health.skipped), (1, 4));
    // A shared secret in a public set is a gift to forgers, not a key.
    let forged = issuer.token("a").without_header("kid").hs256_with_the_public_key().sign();
    assert_eq!(verdict(&verifier, &forged).await, Err(RejectionKind::InvalidToken));
}

#[tokio::test]
async fn nobody_there_when_cold_is_a_503() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks?token=hunter2", listener.local_addr().unwrap());
    drop(listener);
    let verifier = at_url(&url, &ManualClock::at(NOW));
    let rejection = verify_at(&verifier, &issuer().token("a").sign(), NOW).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::BackendUnavailable);
    let shown = format!("{:?} {:?}", rejection.source(), HttpKeySource::new(&url).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(rejection.retry_after_secs(), Some(1));
    assert!(matches!(verifier.key_set_health().last_error, Some(KeySourceError::Unreachable(_))));
    // Garbage is refused for what it is, whoever is down.
    assert_eq!(at_once(&verifier, "a.b.c"), Some(Err(RejectionKind::InvalidToken)));
    assert_eq!(
        at_once(&verifier, &issuer().token("a").unsigned().sign()),
        Some(Err(RejectionKind::UnsupportedAlgorithm))
    );
}

/// Runs itself again in an environment with a proxy that nobody serves, and without CA certificates.
#[tokio::test]
async fn loopback_needs_no_proxy_and_no_certificates() {
    const CHILD: &str = "PORTCULLIS_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let issuer = issuer();
        let server = issuer.serve().await.unwrap();
        let verifier = at_url(&server.jwks_url(), &ManualClock::at(NOW));
        assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()));
        return;
    }
    let name = "auth::jwt::jwks::tests::over_http::loopback_needs_no_proxy_and_no_certificates";
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name]).env(CHILD, "1").kill_on_drop(true);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(variable, "http://127.0.0.1:9");
    }
    child
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

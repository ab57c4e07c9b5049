//! Keys that the issuer's metadata names.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};
use serde_json::{Value, json};

use super::*;

/// Path, status, body.
type Document = (&'static str, u16, Value);

/// An identity provider whose documents the test writes.
#[derive(Clone, Default)]
struct Provider {
    documents: Arc<Mutex<Vec<Document>>>,
    asked: Arc<Mutex<Vec<String>>>,
    keys_asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start() -> (Self, String) {
        let provider = Self::default();
        let app = Router::new()
            .fallback(async |State(provider): State<Self>, request: Request| provider.answer(&request))
            .with_state(provider.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (provider, url)
    }

    fn answer(&self, request: &Request) -> Response {
        let path = request.uri().path().to_owned();
        let documents = self.documents.lock().unwrap();
        let (status, body) = documents
            .iter()
            .find(|(at, ..)| *at == path)
            .map_or((404, String::new()), |(_, status, body)| (*status, body.to_string()));
        if path.starts_with("/keys") {
            self.keys_asked.fetch_add(1, Relaxed);
        }
        self.asked.lock().unwrap().push(path);
        Response::builder().status(status).header("location", "/elsewhere").body(body.into()).unwrap()
    }

    fn put(&self, path: &'static str, status: u16, body: Value) {
        let mut documents = self.documents.lock().unwrap();
        documents.retain(|(at, ..)| *at != path);
        documents.push((path, status, body));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

fn discovering(url: &str, clock: &ManualClock) -> JwtVerifier {
    Issuer::new(url).audience(AUDIENCE).discover().clock(clock.clone()).build().unwrap()
}

#[tokio::test]
async fn keys_are_found_through_the_metadata_rfc8414_3() {
    for (path, place) in [("", OPENID), ("", OAUTH), ("/realms/a", "/realms/a/.well-known/openid-configuration")] {
        let (provider, base) = Provider::start().await;
        let url = format!("{base}{path}");
        let issuer = TestIssuer::new(&url).clock(ManualClock::at(NOW));
        provider.put(place, 200, json!({"issuer": url, "jwks_uri": format!("{base}/keys"), "x": [1]}));
        provider.put("/keys", 200, issuer.jwks());
        let verifier = discovering(&url, &ManualClock::at(NOW));
        verifier.warm_up().await.unwrap();
        assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok(), "{place}");
        let asked = provider.asked();
        assert_eq!(asked.last().map(String::as_str), Some("/keys"));
        assert!(asked.contains(&place.to_owned()), "{asked:?}");
    }
}

#[tokio::test]
async fn a_test_issuer_describes_itself() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = TestIssuer::new(format!("http://{}", listener.local_addr().unwrap())).clock(ManualClock::at(NOW));
    let app = issuer.jwks_router();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let verifier = discovering(issuer.url(), &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok());
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused_rfc8414_3_3() {
    let (provider, url) = Provider::start().await;
    let keys = format!("{url}/keys");
    provider.put("/keys", 200, issuer().jwks());
    for metadata in [
        json!({"issuer": format!("{url}/"), "jwks_uri": keys}),
        json!({"issuer": url.to_uppercase(), "jwks_uri": keys}),
        json!({"issuer": "https://evil.test", "jwks_uri": keys}),
        json!({"issuer": [url], "jwks_uri": keys}),
        json!({"jwks_uri": keys}),
        json!({"issuer": url}),
        json!({"issuer": url, "jwks_uri": 1}),
        json!({"issuer": url, "jwks_uri": "http://keys.example.com/"}),
        json!({"issuer": url, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": url, "jwks_uri": ""}),
        json!([]),
        json!(null),
    ] {
        provider.put(OPENID, 200, metadata.clone());
        // What is there and wrong is not made up for by another document.
        provider.put(OAUTH, 200, json!({"issuer": url, "jwks_uri": keys}));
        let error = discovering(&url, &ManualClock::at(NOW)).warm_up().await.unwrap_err();
        assert!(matches!(error, KeySourceError::Metadata(_)), "{metadata}: {error}");
    }
    assert_eq!(provider.keys_asked.load(Relaxed), 0);
}

#[tokio::test]
async fn redirects_and_failures_are_not_followed_rfc8414_3() {
    let (provider, url) = Provider::start().await;
    for status in [301, 302, 307, 308, 500, 503] {
        provider.put(OPENID, status, json!({}));
        let error = discovering(&url, &ManualClock::at(NOW)).warm_up().await.unwrap_err();
        assert!(matches!(error, KeySourceError::Status(found) if found == status), "{error}");
        assert_eq!(provider.asked(), [OPENID]);
    }
    provider.put(OPENID, 404, json!({}));
    let error = discovering(&url, &ManualClock::at(NOW)).warm_up().await.unwrap_err();
    assert!(matches!(error, KeySourceError::Status(404)), "{error}");
    assert_eq!(provider.asked(), [OPENID, OAUTH]);
}

#[tokio::test]
async fn the_metadata_is_asked_again_when_the_keys_are_gone_or_a_day_has_passed() {
    let (provider, url) = Provider::start().await;
    let clock = ManualClock::at(NOW);
    let keys = |path: &str| json!({"issuer": url, "jwks_uri": format!("{url}{path}")});
    let jwks = issuer().jwks();
    provider.put(OPENID, 200, keys("/keys1"));
    provider.put("/keys1", 200, jwks.clone());
    let source = super::super::discovery::DiscoveredKeys::new(&url, Arc::new(clock.clone())).unwrap();
    source.fetch().await.unwrap();
    assert_eq!(provider.asked(), [OPENID, "/keys1"]);
    source.fetch().await.unwrap();
    assert_eq!(provider.asked(), ["/keys1"], "where the keys are is remembered");
    clock.advance(Duration::from_secs(24 * 3_600 + 1));
    source.fetch().await.unwrap();
    assert_eq!(provider.asked(), [OPENID, "/keys1"], "for a day");
    provider.put(OPENID, 200, keys("/keys2"));
    provider.put("/keys2", 200, jwks);
    provider.put("/keys1", 404, json!({}));
    source.fetch().await.unwrap();
    assert_eq!(provider.asked(), ["/keys1", OPENID, "/keys2"], "or until they are gone");
}

#[tokio::test]
async fn an_issuer_without_a_safe_url_cannot_be_discovered_rfc8414_2() {
    for name in [
        "orders-login",
        "http://id.example.com",
        "https://id.example.com?x=1",
        "https://id.example.com#x",
        "https://user@id.example.com",
        "ftp://127.0.0.1",
        "",
    ] {
        let error = Issuer::new(name).audience("a").discover().build().unwrap_err();
        assert!(error.issues().iter().any(|issue| issue.field == "discover"), "{name}: {error}");
    }
    let both = Issuer::new("https://id.example.com").audience("a").discover().keys(StaticKeys::new()).build();
    assert_eq!(both.unwrap_err().issues()[0].field, "keys");
}

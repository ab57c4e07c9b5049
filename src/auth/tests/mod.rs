mod api_key_leaks;
mod api_key_life;
#[cfg(feature = "password")]
mod api_key_slow;
mod api_keys;
mod combinations;
mod forwarding;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod issuers;
mod metadata;
#[cfg(all(feature = "http-signatures", feature = "mtls", any(feature = "aws-lc", feature = "rust-crypto")))]
mod pairs;
mod rfc6750;
mod sources;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod typed_claims;

use axum::{Router, body::Body, response::Response, routing::get};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{
    AuthLayer, AuthLayerBuilder,
    accepted::Checked,
    api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, ApiKeyRecordBuilder, KeyHasher},
    layer::TokenVerifier,
};
use crate::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    identity::{AuthMethod, Principal, PrincipalParts},
    rejection::{Rejection, RejectionKind},
    store::StoreError,
    time::{ManualClock, Timestamp},
};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Judges tokens by name. What is not in its table is invalid.
#[derive(Debug)]
struct Tokens;

impl TokenVerifier for Tokens {
    fn verify(&self, token: &str, now: Timestamp) -> Checked {
        assert_eq!(now, NOW, "the wall clock of the request");
        let known =
            || Ok(Principal::new(PrincipalParts { subject: "usr_jwt".into(), ..PrincipalParts::default() }).into());
        let result = match token {
            "good" | "slow-good" => known(),
            "expired" => Err(RejectionKind::TokenExpired.into()),
            "forged" | "slow-forged" => Err(RejectionKind::InvalidSignature.into()),
            "none" => Err(RejectionKind::UnsupportedAlgorithm.into()),
            "early" => Err(RejectionKind::TokenNotYetValid.into()),
            "down" | "slow-down" => Err(Rejection::backend(StoreError::TimedOut)),
            _ => Err(RejectionKind::InvalidToken.into()),
        };
        if token.starts_with("slow") {
            return Checked::Wait(Box::pin(async move {
                tokio::task::yield_now().await;
                result
            }));
        }
        Checked::Ready(result)
    }
}

fn tokens_only() -> AuthLayerBuilder {
    AuthLayer::builder().tokens(Tokens)
}

/// Tokens and keys, and one key that holds.
fn both() -> (AuthLayerBuilder, MemoryStore, String) {
    let store = MemoryStore::new();
    let key = issue(&store, ApiKeyRecord::builder("usr_key"));
    (AuthLayer::builder().tokens(Tokens).api_keys(store.clone()), store, key)
}

fn issue(store: &MemoryStore, record: ApiKeyRecordBuilder) -> String {
    let key = ApiKey::issue(&ApiKeyFormat::new("acme", "test").unwrap(), &KeyHasher::ephemeral(), record).unwrap();
    store.insert_api_key(key.record).unwrap();
    String::from_utf8(key.secret.expose().to_vec()).unwrap()
}

/// A handler that says whom it sees.
fn router(auth: AuthLayerBuilder) -> Router {
    async fn whoami(caller: Option<Principal>, headers: HeaderMap) -> String {
        assert!(headers.get_all("authorization").iter().all(HeaderValue::is_sensitive));
        assert!(headers.get_all("x-api-key").iter().all(HeaderValue::is_sensitive));
        caller.map_or("anonymous".into(), |caller| format!("{} {}", caller.subject(), caller.method().as_str()))
    }
    async fn private(caller: Principal) -> String {
        caller.subject().to_owned()
    }
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    Router::new()
        .route("/", get(whoami).post(whoami))
        .route("/private", get(private))
        .layer(tower::ServiceBuilder::new().layer(context).layer(auth.build().unwrap()))
}

async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response: Response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let lines = parts.headers.get_all("www-authenticate").iter();
    Answer {
        status: parts.status,
        challenges: lines.map(|line| line.to_str().unwrap().to_owned()).collect(),
        source: parts.extensions.get::<Rejection>().and_then(|r| r.source().map(ToString::to_string)),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn get_with(app: &Router, headers: &[(&'static str, &str)]) -> Answer {
    send(app, request("/", headers.iter().map(|(name, value)| (*name, value.as_bytes())))).await
}

fn request<'a>(uri: &str, headers: impl IntoIterator<Item = (&'static str, &'a [u8])>) -> Request<Body> {
    let mut request = Request::builder().uri(uri).body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    challenges: Vec<String>,
    source: Option<String>,
    body: String,
}

impl Answer {
    /// The status and the stable code.
    #[track_caller]
    fn is(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["error"], code);
        self
    }

    #[track_caller]
    fn challenged(&self, lines: &[&str]) -> &Self {
        assert_eq!(self.challenges, lines);
        self
    }

    #[track_caller]
    fn sees(&self, caller: &str) -> &Self {
        assert_eq!((self.status.as_u16(), self.body.as_str()), (200, caller));
        self
    }
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let fields = |builder: AuthLayerBuilder| {
        let error = builder.build().unwrap_err();
        error.issues().iter().map(|issue| issue.field.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(fields(AuthLayer::builder()), ["jwt"]);
    assert_eq!(fields(AuthLayer::builder().realm("")), ["jwt", "realm"]);
    for realm in ["a\"b", "a\\b", "a\r\nb", "é", &"a".repeat(129)] {
        assert_eq!(fields(tokens_only().realm(realm)), ["realm"], "{realm}");
    }
    assert!(tokens_only().realm("Orders API (EU)").build().is_ok());
    // The second would silently take the place of the first, whose callers were all refused.
    let twice = tokens_only().tokens(Tokens).api_keys(MemoryStore::new()).api_keys(MemoryStore::new());
    assert_eq!(fields(twice), ["jwt", "api_keys"]);
}

#[tokio::test]
async fn verdicts_are_counted() {
    let (auth, ..) = both();
    let layer = auth.build().unwrap();
    let app = Router::new().route("/", get(|| async { "in" })).layer(layer.clone());
    assert_eq!(send(&app, request("/", [])).await.status, 401);
    assert_eq!(layer.verdicts().rejected(RejectionKind::MissingCredentials), 1);
}

#[tokio::test]
async fn a_slow_verifier_is_waited_for() {
    let app = router(tokens_only());
    get_with(&app, &[("authorization", "Bearer slow-good")]).await.sees("usr_jwt jwt");
    get_with(&app, &[("authorization", "Bearer slow-forged")]).await.is(401, "invalid_signature").challenged(&[
        "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The signature does not verify.\"",
    ]);
}

/// An outage says nothing on the credential, so it carries no challenge.
#[tokio::test]
async fn an_outage_is_503_in_both_modes() {
    for app in [router(tokens_only()), router(tokens_only().optional())] {
        for token in ["Bearer down", "Bearer slow-down"] {
            let answer = get_with(&app, &[("authorization", token)]).await;
            answer.is(503, "backend_unavailable").challenged(&[]);
            assert_eq!(answer.headers["retry-after"], "1");
        }
    }
}

#[tokio::test]
async fn optional_lets_only_absent_credentials_pass() {
    let (auth, _, key) = both();
    let app = router(auth.optional());
    get_with(&app, &[]).await.sees("anonymous");
    get_with(&app, &[("authorization", "Bearer good")]).await.sees("usr_jwt jwt");
    get_with(&app, &[("x-api-key", &key)]).await.sees("usr_key api_key");
    for (name, value, status) in [
        ("authorization", "Bearer expired", 401),
        ("authorization", "Bearer", 400),
        ("authorization", "", 400),
        ("authorization", "Basic dTpw", 401),
        ("authorization", "good", 401),
        ("x-api-key", "", 400),
        ("x-api-key", "abc123", 401),
    ] {
        assert_eq!(get_with(&app, &[(name, value)]).await.status, status, "{name}: {value}");
    }
}

/// The extractor behind the optional layer refuses with the layer's own challenges.
#[tokio::test]
async fn an_anonymous_caller_is_refused_by_the_extractor_with_the_layers_challenges() {
    let (auth, ..) = both();
    let app = router(auth.optional().realm("orders"));
    let answer = send(&app, request("/private", [])).await;
    answer.is(401, "missing_credentials").challenged(&["Bearer realm=\"orders\"", "ApiKey realm=\"orders\""]);
}

/// Without a key store the header is somebody else's.
#[tokio::test]
async fn without_a_key_store_x_api_key_is_not_read() {
    let app = router(tokens_only());
    get_with(&app, &[("x-api-key", "abc")]).await.is(401, "missing_credentials").challenged(&["Bearer realm=\"api\""]);
    get_with(&app, &[("x-api-key", "abc"), ("authorization", "Bearer good")]).await.sees("usr_jwt jwt");
}

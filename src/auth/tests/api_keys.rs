//! API keys from end to end: issue, send, revoke.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::*;
use crate::{
    auth::api_key::{ApiKeyStore, ApiKeyVerifier},
    store::BoxFuture,
};

const REFUSED: &[&str] = &[
    "Bearer realm=\"api\"",
    "ApiKey realm=\"api\", error=\"invalid_token\", error_description=\"The API key is not valid.\"",
];

/// Counts what reaches the store, answers slowly, and fails on request.
#[derive(Clone, Debug, Default)]
struct Remote {
    inner: MemoryStore,
    asked: Arc<AtomicUsize>,
    down: bool,
}

impl ApiKeyStore for Remote {
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.asked.fetch_add(1, SeqCst);
            if self.down {
                Err(StoreError::unavailable("connection refused at db.internal"))
            } else {
                self.inner.find(id, now).await
            }
        })
    }
}

fn keys_only(store: impl ApiKeyStore + 'static) -> Router {
    router(AuthLayer::builder().api_keys(ApiKeyVerifier::new(store, KeyHasher::ephemeral())))
}

#[tokio::test]
async fn a_key_is_accepted_in_its_header_and_as_bearer_token() {
    let (auth, _, key) = both();
    let store = MemoryStore::new();
    let other = issue(&store, ApiKeyRecord::builder("usr_key"));
    for (app, key) in [(router(auth), key), (keys_only(store), other)] {
        get_with(&app, &[("x-api-key", &key)]).await.sees("usr_key api_key");
        get_with(&app, &[("authorization", &format!("Bearer {key}"))]).await.sees("usr_key api_key");
    }
}

#[tokio::test]
async fn the_principal_is_what_the_record_says() {
    let store = MemoryStore::new();
    let expiry = Timestamp::from_secs(1_900_000_000);
    let record = ApiKeyRecord::builder("usr_1").tenant("acme").plan("pro").scopes(["read:*"]).roles(["support"]);
    let key = issue(&store, record.expires_at(expiry));
    let app = Router::new()
        .route(
            "/",
            get(move |caller: Principal| async move {
                assert_eq!((caller.subject(), caller.tenant(), caller.plan()), ("usr_1", Some("acme"), Some("pro")));
                assert_eq!((caller.method(), caller.expires_at()), (AuthMethod::ApiKey, Some(expiry)));
                assert!(caller.scopes().satisfies("read:orders") && !caller.scopes().satisfies("write:orders"));
                assert_eq!(caller.roles().collect::<Vec<_>>(), ["support"]);
                assert_eq!(caller.fingerprint().map(str::len), Some(16));
                caller.credential_id().unwrap().to_owned()
            }),
        )
        .layer(AuthLayer::builder().api_keys(store).build().unwrap());
    let answer = get_with(&app, &[("x-api-key", &key)]).await;
    answer.sees(&key[10..22]);
}

/// One public answer; the reason is in the log, and nothing of the secret with it.
#[tokio::test]
async fn unknown_wrong_revoked_and_expired_look_alike_from_outside() {
    let store = MemoryStore::new();
    let app = keys_only(store.clone());
    let fresh = || issue(&store, ApiKeyRecord::builder("usr_1"));
    let id = |key: &str| key[10..22].to_owned();
    let (revoked, unknown, one, two) = (fresh(), fresh(), fresh(), fresh());
    store.revoke_api_key(&id(&revoked), NOW.saturating_add(std::time::Duration::from_secs(9)));
    store.remove_api_key(&id(&unknown));
    let expired = issue(&store, ApiKeyRecord::builder("usr_1").expires_at(NOW));
    // The id of one key with the secret of the other, and a checksum that fits.
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let crossed = format.compose(&id(&one), &two[23..66]);
    // With this hasher it may be that nothing is wrong but the process.
    let wrong = |id: &str| {
        format!(
            "the secret of API key {id} is wrong, or the key was issued by another process: \
             KeyHasher::ephemeral ends with its own, use KeyHasher::hmac for keys that are kept"
        )
    };
    let mut bodies = Vec::new();
    for (key, reason) in [
        (revoked.as_str(), format!("API key {} is revoked", id(&revoked))),
        (&unknown, format!("no API key has the id {}", id(&unknown))),
        (&expired, format!("API key {} has expired", id(&expired))),
        (&crossed, wrong(&id(&one))),
        ("abc123", "the text does not have the form of an API key".into()),
        (&one.replace("test", "live"), "the API key's checksum is wrong: it was mistyped or cut off".into()),
        (&"a".repeat(101), String::new()),
    ] {
        let answer = get_with(&app, &[("x-api-key", key)]).await;
        answer.is(401, "invalid_api_key").challenged(REFUSED);
        assert_eq!(answer.source.unwrap_or_default(), reason);
        let mut body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        body.as_object_mut().unwrap().remove("request_id");
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    get_with(&app, &[("x-api-key", &one)]).await.sees("usr_1 api_key");
}

/// As bearer token, the bearer challenge says what is wrong.
#[tokio::test]
async fn a_refused_bearer_key_is_answered_on_the_bearer_line() {
    let store = MemoryStore::new();
    let key = issue(&store, ApiKeyRecord::builder("usr_1").revoked_at(NOW));
    let app = keys_only(store);
    for token in [key.as_str(), "eyJ.eyJ.sig"] {
        get_with(&app, &[("authorization", &format!("Bearer {token}"))]).await.is(401, "invalid_api_key").challenged(
            &[
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The API key is not valid.\"",
                "ApiKey realm=\"api\"",
            ],
        );
    }
}

#[tokio::test]
async fn what_cannot_be_a_key_never_reaches_the_store() {
    let store = Remote::default();
    let key = issue(&store.inner, ApiKeyRecord::builder("usr_1"));
    let format = ApiKeyFormat::new("acme", "live").unwrap();
    let verifier = ApiKeyVerifier::builder(store.clone(), KeyHasher::ephemeral()).format(format).build().unwrap();
    let foreign = router(AuthLayer::builder().api_keys(verifier));
    get_with(&foreign, &[("x-api-key", &key)]).await.is(401, "invalid_api_key").challenged(REFUSED);
    let app = keys_only(store.clone());
    for text in ["abc123", &key[..71], &key.to_lowercase(), &format!("{key}0")] {
        get_with(&app, &[("x-api-key", text)]).await.is(401, "invalid_api_key");
    }
    assert_eq!(store.asked.load(SeqCst), 0);
    get_with(&app, &[("x-api-key", &key)]).await.sees("usr_1 api_key");
    assert_eq!(store.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn a_store_that_is_down_is_503_and_names_no_host() {
    let store = Remote { down: true, ..Remote::default() };
    let key = issue(&store.inner, ApiKeyRecord::builder("usr_1"));
    let app = router(AuthLayer::builder().api_keys(ApiKeyVerifier::new(store, KeyHasher::ephemeral())).optional());
    let answer = get_with(&app, &[("x-api-key", &key)]).await;
    answer.is(503, "backend_unavailable").challenged(&[]);
    assert!(!answer.body.contains("db.internal"));
}

/// A store that confuses records (a case-insensitive collation, a bad cache) lets nobody in.
#[tokio::test]
async fn a_record_that_is_not_the_keys_does_not_verify_it() {
    #[derive(Debug)]
    struct Confused(Arc<ApiKeyRecord>);
    impl ApiKeyStore for Confused {
        fn find<'a>(
            &'a self,
            _: &'a str,
            _: Timestamp,
        ) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
            Box::pin(std::future::ready(Ok(Some(Arc::clone(&self.0)))))
        }
    }
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let admin = ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("admin")).unwrap();
    let mine = ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_1")).unwrap();
    let app = keys_only(Confused(Arc::new(admin.record)));
    let key = std::str::from_utf8(mine.secret.expose()).unwrap();
    get_with(&app, &[("x-api-key", key)]).await.is(401, "invalid_api_key");
}

#[tokio::test]
async fn revocation_holds_from_the_next_request_on() {
    let (auth, store, key) = both();
    let app = router(auth);
    get_with(&app, &[("x-api-key", &key)]).await.sees("usr_key api_key");
    assert!(store.revoke_api_key(&key[10..22], NOW));
    get_with(&app, &[("x-api-key", &key)]).await.is(401, "invalid_api_key");
}

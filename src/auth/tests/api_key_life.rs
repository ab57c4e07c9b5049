//! A key's life: from when to when, from where, and what it is told before it ends.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::extract::connect_info::MockConnectInfo;

use super::*;
use crate::{
    auth::api_key::{
        ApiKeyChange, ApiKeyError, ApiKeyRegistry, ApiKeyStore, ApiKeyUse, ApiKeyVerifier, ApiKeys, Changed,
    },
    store::BoxFuture,
};

const DAY: Duration = Duration::from_secs(24 * 3_600);

struct Desk {
    clock: ManualClock,
    keys: ApiKeys,
    app: Router,
}

impl Desk {
    fn new() -> Self {
        let clock = ManualClock::at(NOW);
        let format = ApiKeyFormat::new("acme", "test").unwrap();
        let keys = ApiKeys::new(MemoryStore::new(), format, KeyHasher::ephemeral()).clock(clock.clone());
        let app = app(&keys, &clock);
        Self { clock, keys, app }
    }

    async fn issue(&self, record: ApiKeyRecordBuilder) -> (String, String) {
        let key = self.keys.issue(record).await.unwrap();
        (text(&key), key.record.id().to_owned())
    }

    async fn send(&self, key: &str) -> Answer {
        get_with(&self.app, &[("x-api-key", key)]).await
    }
}

fn app(keys: &ApiKeys, clock: &ManualClock) -> Router {
    let context = RequestContextLayer::new().clock(clock.clone());
    let auth = AuthLayer::builder().api_keys(keys).build().unwrap();
    Router::new().route("/", get(|| async { "in" })).layer(tower::ServiceBuilder::new().layer(context).layer(auth))
}

fn text(key: &ApiKey) -> String {
    String::from_utf8(key.secret.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn a_key_holds_from_its_beginning_until_its_end() {
    let desk = Desk::new();
    let record = ApiKeyRecord::builder("usr_1").not_before(NOW.saturating_add(DAY));
    let (key, id) = desk.issue(record.expires_at(NOW.saturating_add(DAY * 2))).await;
    let early = desk.send(&key).await;
    early.is(401, "invalid_api_key");
    assert_eq!(early.source.as_deref(), Some(&*format!("API key {id} does not hold yet")));
    desk.clock.advance(DAY);
    desk.send(&key).await.sees("in");
    desk.clock.advance(DAY);
    desk.send(&key).await.is(401, "invalid_api_key");
    let backwards = ApiKeyRecord::builder("usr_1").not_before(NOW).expires_at(NOW);
    assert!(matches!(desk.keys.issue(backwards).await, Err(ApiKeyError::Record(_))));
}

#[tokio::test]
async fn a_key_with_networks_is_refused_from_elsewhere_and_from_nowhere() {
    let desk = Desk::new();
    let networks = ["203.0.113.0/24", "2001:db8::/48", "192.0.2.7"];
    let (key, id) = desk.issue(ApiKeyRecord::builder("usr_1").allowed_networks(networks)).await;
    let from = |peer: &str| {
        let peer: SocketAddr = peer.parse().unwrap();
        let app = desk.app.clone().layer(MockConnectInfo(peer));
        let key = key.clone();
        async move { get_with(&app, &[("x-api-key", &key)]).await }
    };
    for peer in ["203.0.113.9:1", "[2001:db8::1]:1", "192.0.2.7:1", "[::ffff:203.0.113.9]:1"] {
        from(peer).await.sees("in");
    }
    for peer in ["203.0.114.9:1", "[2001:db8:1::1]:1", "192.0.2.8:1"] {
        let refused = from(peer).await;
        refused.is(401, "invalid_api_key");
        assert!(refused.source.as_ref().is_some_and(|why| why.contains(&id) && why.contains("may not be used from")));
    }
    // No peer address is known.
    desk.send(&key).await.is(401, "invalid_api_key");
    // Peers are compared in their IPv4 form, and so networks must be.
    let mapped = ApiKeyRecord::builder("usr_1").allowed_networks(["::ffff:198.51.100.0/120"]);
    let (mapped, _) = desk.issue(mapped).await;
    for (peer, status) in [("198.51.100.9:1", 200), ("[::ffff:198.51.100.9]:1", 200), ("198.51.101.9:1", 401)] {
        let app = desk.app.clone().layer(MockConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        assert_eq!(get_with(&app, &[("x-api-key", &mapped)]).await.status, status, "{peer}");
    }
    let wrong = ApiKeyRecord::builder("usr_1").allowed_networks(["203.0.113.0/33", "all", ""]);
    let Err(ApiKeyError::Record(error)) = desk.keys.issue(wrong).await else { panic!("it is refused") };
    assert_eq!(error.issues().len(), 3);
}

/// RFC 9745 §2.1 and RFC 8594 §3, as literal lines.
#[tokio::test]
async fn a_rotated_key_works_until_the_end_of_the_overlap_and_says_so() {
    let desk = Desk::new();
    let record = ApiKeyRecord::builder("usr_1").tenant("acme").plan("pro").scopes(["read:x"]).roles(["support"]);
    let (old, old_id) = desk.issue(record.allowed_networks(["0.0.0.0/0"])).await;
    let new = desk.keys.rotate(&old_id, DAY * 7).await.unwrap();
    assert_eq!((new.record.rotated_from(), new.record.owner()), (Some(&*old_id), "usr_1"));
    assert_eq!((new.record.tenant(), new.record.plan()), (Some("acme"), Some("pro")));
    assert_eq!(new.record.scopes().iter().collect::<Vec<_>>(), ["read:x"]);
    assert_eq!(new.record.roles().collect::<Vec<_>>(), ["support"]);
    assert_eq!(new.record.allowed_networks().collect::<Vec<_>>(), ["0.0.0.0/0"]);

    let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let app = desk.app.clone().layer(MockConnectInfo(peer));
    let told = get_with(&app, &[("x-api-key", &old)]).await;
    assert_eq!(told.status, StatusCode::OK);
    assert_eq!(told.headers["deprecation"], "@1800000000");
    assert_eq!(told.headers["sunset"], "Fri, 22 Jan 2027 08:00:00 GMT");
    let silent = get_with(&app, &[("x-api-key", &text(&new))]).await;
    assert!(!silent.headers.contains_key("deprecation") && !silent.headers.contains_key("sunset"));
    desk.clock.advance(DAY * 7);
    get_with(&app, &[("x-api-key", &old)]).await.is(401, "invalid_api_key");
    get_with(&app, &[("x-api-key", &text(&new))]).await.sees("in");
}

#[tokio::test]
async fn only_a_key_in_force_is_rotated_and_only_once() {
    let desk = Desk::new();
    assert!(matches!(desk.keys.rotate("nobodynobody", DAY).await, Err(ApiKeyError::Unknown)));
    let (_, twice) = desk.issue(ApiKeyRecord::builder("usr_2")).await;
    let (one, other) = tokio::join!(desk.keys.rotate(&twice, DAY), desk.keys.rotate(&twice, DAY));
    assert!(one.is_ok() && matches!(other, Err(ApiKeyError::NotInForce)));
    // Of the two new keys, the one that nobody got is revoked.
    let in_force = |record: &&Arc<ApiKeyRecord>| record.revoked_at().is_none();
    assert_eq!(desk.keys.list("usr_2").await.unwrap().iter().filter(in_force).count(), 2);
    let (_, revoked) = desk.issue(ApiKeyRecord::builder("usr_1")).await;
    assert!(desk.keys.revoke(&revoked, "test").await.unwrap());
    assert!(!desk.keys.revoke(&revoked, "again").await.unwrap());
    assert!(matches!(desk.keys.rotate(&revoked, DAY).await, Err(ApiKeyError::NotInForce)));
    assert_eq!(desk.keys.find(&revoked).await.unwrap().unwrap().revocation_reason(), Some("test"));
    assert!(matches!(desk.keys.revoke("nobodynobody", "test").await, Err(ApiKeyError::Unknown)));
}

#[tokio::test]
async fn an_overlap_never_prolongs_a_key_and_the_new_one_lives_as_long() {
    let desk = Desk::new();
    let (_, id) = desk.issue(ApiKeyRecord::builder("usr_1").expires_at(NOW.saturating_add(DAY * 30))).await;
    desk.clock.advance(DAY * 29);
    let new = desk.keys.rotate(&id, DAY * 7).await.unwrap();
    let old = desk.keys.find(&id).await.unwrap().unwrap();
    assert_eq!(old.expires_at(), Some(NOW.saturating_add(DAY * 30)));
    assert_eq!(old.superseded().unwrap().by(), new.record.id());
    assert_eq!(new.record.expires_at(), Some(NOW.saturating_add(DAY * 59)));
}

#[tokio::test]
async fn a_key_of_ninety_days_is_due() {
    let desk = Desk::new();
    let (key, id) = desk.issue(ApiKeyRecord::builder("usr_1")).await;
    desk.clock.advance(DAY * 89 + Duration::from_micros(86_399_999_999));
    assert!(!desk.send(&key).await.headers.contains_key("x-api-key-rotation-due"));
    desk.clock.advance(Duration::from_micros(1));
    let told = desk.send(&key).await;
    assert_eq!(told.status, StatusCode::OK);
    assert_eq!(told.headers["x-api-key-rotation-due"], "Thu, 15 Apr 2027 08:00:00 GMT");
    // What is being replaced is not due any more.
    desk.keys.rotate(&id, DAY).await.unwrap();
    assert!(!desk.send(&key).await.headers.contains_key("x-api-key-rotation-due"));
}

/// Told to operators once a day, not once a request.
#[tokio::test]
async fn the_log_says_once_a_day_that_a_key_is_due() {
    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let desk = Desk::new();
    let (key, id) = desk.issue(ApiKeyRecord::builder("usr_1")).await;
    desk.clock.advance(DAY * 90);
    for _ in 0..3 {
        desk.send(&key).await.sees("in");
    }
    let due = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap().matches("due for rotation").count();
    assert_eq!(due(), 1);
    desk.clock.advance(DAY);
    desk.send(&key).await.sees("in");
    assert_eq!(due(), 2);
    let all = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(all.contains(&id) && !all.contains(&key[23..]));
}

/// A store that hangs is an outage, and soon.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_503_after_two_seconds() {
    #[derive(Debug)]
    struct Hangs;
    impl ApiKeyStore for Hangs {
        fn find<'a>(
            &'a self,
            _: &'a str,
            _: Timestamp,
        ) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
            Box::pin(std::future::pending())
        }
    }
    let app = router(AuthLayer::builder().api_keys(ApiKeyVerifier::new(Hangs, KeyHasher::ephemeral())));
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let key = ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_1")).unwrap();
    let key = text(&key);
    let within = async |millis| {
        tokio::time::timeout(Duration::from_millis(millis), get_with(&app, &[("x-api-key", &key)])).await.ok()
    };
    assert!(within(1_990).await.is_none());
    let answer = within(2_010).await.unwrap();
    answer.is(503, "backend_unavailable");
    assert_eq!(answer.source.as_deref(), Some("the store did not answer in time"));
}

#[tokio::test]
async fn uses_are_written_in_one_go() {
    let desk = Desk::new();
    let (key, id) = desk.issue(ApiKeyRecord::builder("usr_1")).await;
    let (wrong, unused) = desk.issue(ApiKeyRecord::builder("usr_1")).await;
    for _ in 0..3 {
        desk.clock.advance(Duration::from_secs(1));
        desk.send(&key).await.sees("in");
    }
    // A refused request is no use.
    desk.send(&format!("{}x", &wrong[..wrong.len() - 1])).await.is(401, "invalid_api_key");
    let last = async |id: &str| desk.keys.find(id).await.unwrap().unwrap().last_used_at();
    assert_eq!(last(&id).await, None);
    desk.keys.flush().await.unwrap();
    assert_eq!((last(&id).await, last(&unused).await), (Some(NOW.saturating_add(Duration::from_secs(3))), None));
}

#[tokio::test(start_paused = true)]
async fn the_task_writes_every_minute_and_at_its_end() {
    let desk = Desk::new();
    let (key, id) = desk.issue(ApiKeyRecord::builder("usr_1")).await;
    let task = desk.keys.spawn_flush();
    desk.send(&key).await.sees("in");
    tokio::time::sleep(Duration::from_secs(59)).await;
    let last = async || desk.keys.find(&id).await.unwrap().unwrap().last_used_at();
    assert_eq!(last().await, None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(last().await, Some(NOW));
    desk.clock.advance(DAY);
    desk.send(&key).await.sees("in");
    task.shutdown().await;
    assert_eq!(last().await, Some(NOW.saturating_add(DAY)));
}

/// A rotated pepper, and digests of the time before there was one.
#[tokio::test]
async fn digests_are_made_anew_as_keys_are_used() {
    let store = MemoryStore::new();
    let clock = ManualClock::at(NOW);
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let plain = ApiKeys::new(store.clone(), format.clone(), KeyHasher::sha256());
    let key = plain.issue(ApiKeyRecord::builder("usr_1")).await.unwrap();
    let peppers = crate::secret::SecretSet::new(vec![b'a'; 32].into());
    let keyed = KeyHasher::hmac(peppers.clone()).unwrap();
    let strict = ApiKeys::new(store.clone(), format.clone(), keyed.clone());
    // A digest without the pepper says more about the configuration than about the key.
    get_with(&app(&strict, &clock), &[("x-api-key", &text(&key))]).await.is(503, "backend_unavailable");

    let keys = ApiKeys::new(store, format, keyed.also_accepting(&KeyHasher::sha256())).clock(clock.clone());
    let app = app(&keys, &clock);
    let stored = async || keys.find(key.record.id()).await.unwrap().unwrap().digest().to_string();
    get_with(&app, &[("x-api-key", &text(&key))]).await.sees("in");
    keys.flush().await.unwrap();
    let first = stored().await;
    assert!(first.starts_with("hmac-sha256$v1$"), "{first}");
    peppers.rotate(vec![b'b'; 32].into(), NOW.saturating_add(DAY));
    get_with(&app, &[("x-api-key", &text(&key))]).await.sees("in");
    keys.flush().await.unwrap();
    assert_ne!(stored().await, first);
    // The old pepper is not needed any more, and what is current is not written again.
    clock.advance(DAY * 2);
    let second = stored().await;
    get_with(&app, &[("x-api-key", &text(&key))]).await.sees("in");
    keys.flush().await.unwrap();
    assert_eq!(stored().await, second);
}

#[test]
fn mistakes_of_a_verifier_are_named() {
    let builder = || ApiKeyVerifier::builder(MemoryStore::new(), KeyHasher::sha256());
    let zero = Duration::ZERO;
    let error = builder().patience(zero).rotation_due_after(zero).slow_hash_once_in(zero).build().unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    assert_eq!(fields, ["patience", "rotation_due_after", "slow_hash_once_in"]);
    assert!(builder().slow_hash_once_in(DAY).build().is_err());
    let keys = ApiKeys::new(MemoryStore::new(), ApiKeyFormat::new("a", "b").unwrap(), KeyHasher::sha256());
    assert!(keys.verification(|verifier| verifier.patience(zero)).is_err());
}

/// Makes every change, and says that it did not.
#[derive(Debug)]
struct Late(MemoryStore);

impl ApiKeyStore for Late {
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        self.0.find(id, now)
    }
}

impl ApiKeyRegistry for Late {
    fn insert(&self, record: ApiKeyRecord) -> BoxFuture<'_, Result<bool, StoreError>> {
        ApiKeyRegistry::insert(&self.0, record)
    }

    fn change<'a>(&'a self, id: &'a str, change: &'a ApiKeyChange) -> BoxFuture<'a, Result<Changed, StoreError>> {
        Box::pin(async move {
            let _ = self.0.change(id, change).await;
            Err(StoreError::TimedOut)
        })
    }

    fn list<'a>(
        &'a self,
        owner: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<ApiKeyRecord>>, StoreError>> {
        self.0.list(owner, after, limit)
    }

    fn record_uses<'a>(&'a self, uses: &'a [ApiKeyUse]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.record_uses(uses)
    }
}

/// Else the new key would be revoked, and the old one end with the overlap: the owner had none.
#[tokio::test]
async fn a_rotation_whose_answer_is_lost_is_one_if_it_was_made() {
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let keys = ApiKeys::new(Late(MemoryStore::new()), format, KeyHasher::ephemeral());
    let old = keys.issue(ApiKeyRecord::builder("usr_1")).await.unwrap();
    let new = keys.rotate(old.record.id(), DAY).await.unwrap();
    let find = async |key: &ApiKey| keys.find(key.record.id()).await.unwrap().unwrap();
    assert_eq!(find(&old).await.superseded().unwrap().by(), new.record.id());
    assert_eq!(find(&new).await.revoked_at(), None);
}

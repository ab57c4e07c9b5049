//! Slow hashes: what they cost an attacker's victim, and what they do not.

use std::{net::SocketAddr, time::Duration};

use axum::extract::connect_info::MockConnectInfo;

use super::*;
use crate::{
    auth::api_key::{ApiKeyRegistry as _, ApiKeyVerifier, ApiKeys},
    secret::{Secret, SecretSet},
};

struct Desk {
    clock: ManualClock,
    store: MemoryStore,
    keys: ApiKeys,
    app: Router,
}

fn desk(hasher: KeyHasher) -> Desk {
    let (clock, store) = (ManualClock::at(NOW), MemoryStore::new());
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let keys = ApiKeys::new(store.clone(), format, hasher).clock(clock.clone());
    let context = RequestContextLayer::new().clock(clock.clone());
    let auth = AuthLayer::builder().api_keys(&keys).build().unwrap();
    let app = Router::new().route("/", get(|| async { "in" }));
    let app = app.layer(tower::ServiceBuilder::new().layer(context).layer(auth));
    Desk { clock, store, keys, app }
}

impl Desk {
    async fn issue(&self) -> (String, String) {
        let key = self.keys.issue(ApiKeyRecord::builder("usr_1")).await.unwrap();
        (String::from_utf8(key.secret.expose().to_vec()).unwrap(), key.record.id().to_owned())
    }

    async fn send(&self, key: &str) -> Answer {
        get_with(&self.app, &[("x-api-key", key)]).await
    }

    async fn send_from(&self, key: &str, peer: SocketAddr) -> Answer {
        get_with(&self.app.clone().layer(MockConnectInfo(peer)), &[("x-api-key", key)]).await
    }

    fn hashes(&self) -> u64 {
        self.keys.verifier().slow_hashes()
    }
}

/// A key of the right form with another secret, as many as are wanted.
fn wrong(id: &str, number: usize) -> String {
    ApiKeyFormat::new("acme", "test").unwrap().compose(id, &format!("{number:043}"))
}

#[tokio::test]
async fn ten_thousand_wrong_keys_cause_no_more_hashes_than_the_budget() {
    let desk = desk(KeyHasher::cheap_argon2id());
    let (key, id) = desk.issue().await;
    desk.send(&key).await.sees("in");
    let mut statuses = std::collections::BTreeMap::new();
    for number in 0..10_000 {
        *statuses.entry(desk.send(&wrong(&id, number)).await.status.as_u16()).or_insert(0) += 1;
        // The owner of the key that is guessed at is not disturbed.
        if number % 1_000 == 0 {
            desk.send(&key).await.sees("in");
        }
    }
    // Ten for an id, one of which the right key took.
    assert_eq!((desk.hashes(), statuses), (10, [(401, 9), (429, 9_991)].into()));
    let refused = desk.send(&wrong(&id, 1)).await;
    refused.is(429, "rate_limit_exceeded");
    assert!(refused.headers.contains_key("retry-after"));
    desk.clock.advance(Duration::from_secs(6));
    desk.send(&wrong(&id, 1)).await.is(401, "invalid_api_key");
}

/// Ids that nobody has cost as much as ids that somebody has, and no more than the network's budget.
#[tokio::test]
async fn one_network_that_changes_ids_is_held_to_its_budget() {
    let desk = desk(KeyHasher::cheap_argon2id());
    let (key, _) = desk.issue().await;
    let peer = "203.0.113.1:1".parse().unwrap();
    let mut statuses = std::collections::BTreeMap::new();
    for number in 0..1_000 {
        let answer = desk.send_from(&wrong(&format!("{number:012}"), number), peer).await;
        *statuses.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!((desk.hashes(), statuses), (30, [(401, 30), (429, 970)].into()));
    // Another network is another budget.
    desk.send_from(&key, "198.51.100.1:1".parse().unwrap()).await.sees("in");
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_not_hashed() {
    let desk = desk(KeyHasher::cheap_argon2id());
    let (revoked, id) = desk.issue().await;
    desk.keys.revoke(&id, "test").await.unwrap();
    let expired = desk.keys.issue(ApiKeyRecord::builder("usr_1").expires_at(NOW)).await.unwrap();
    let elsewhere = desk.keys.issue(ApiKeyRecord::builder("usr_1").allowed_networks(["192.0.2.0/24"])).await.unwrap();
    let foreign = ApiKeyFormat::new("acme", "live").unwrap().compose("0123456789Ab", &"x".repeat(43));
    for key in [
        revoked.as_bytes(),
        expired.secret.expose(),
        elsewhere.secret.expose(),
        foreign.as_bytes(),
        &revoked.as_bytes()[1..],
    ] {
        desk.send(std::str::from_utf8(key).unwrap()).await.is(401, "invalid_api_key");
    }
    assert_eq!(desk.hashes(), 0);
}

#[tokio::test]
async fn a_right_key_is_hashed_once_in_five_minutes_and_revoked_at_once() {
    let desk = desk(KeyHasher::cheap_argon2id());
    let (key, id) = desk.issue().await;
    for _ in 0..100 {
        desk.send(&key).await.sees("in");
    }
    assert_eq!(desk.hashes(), 1);
    // What is remembered is this key, and not its id.
    desk.send(&wrong(&id, 1)).await.is(401, "invalid_api_key");
    assert_eq!(desk.hashes(), 2);
    desk.clock.advance(Duration::from_secs(300));
    desk.send(&key).await.sees("in");
    assert_eq!(desk.hashes(), 3);
    // Through another handle, as another process would do it.
    let change = crate::auth::api_key::ApiKeyChange::Revoke { at: NOW, reason: "test".into() };
    desk.store.change(&id, &change).await.unwrap();
    desk.send(&key).await.is(401, "invalid_api_key");
    assert_eq!(desk.hashes(), 3);
}

/// Many requests with one key at once are one hash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_one_right_key_is_let_in() {
    let desk = desk(KeyHasher::cheap_argon2id());
    let (key, _) = desk.issue().await;
    let sent: Vec<_> = (0..20)
        .map(|_| {
            let (app, key) = (desk.app.clone(), key.clone());
            tokio::spawn(async move { get_with(&app, &[("x-api-key", &key)]).await.status.as_u16() })
        })
        .collect();
    for answer in sent {
        assert_eq!(answer.await.unwrap(), 200);
    }
    let cores = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    assert!(desk.hashes() <= cores, "{}", desk.hashes());
}

/// A guess at a hybrid key ends at the HMAC.
#[tokio::test]
async fn nobody_who_guesses_at_a_hybrid_key_causes_a_hash() {
    let desk = desk(KeyHasher::cheap_hybrid(SecretSet::new(Secret::new(vec![b'a'; 32]))));
    let (key, id) = desk.issue().await;
    for number in 0..1_000 {
        desk.send(&wrong(&id, number)).await.is(401, "invalid_api_key");
        desk.send(&wrong("nobodynobody", number)).await.is(401, "invalid_api_key");
    }
    assert_eq!(desk.hashes(), 0);
    desk.send(&key).await.sees("in");
    desk.send(&key).await.sees("in");
    assert_eq!(desk.hashes(), 1);
}

/// From a plain digest to a slow one, as the key is used.
#[tokio::test]
async fn a_fast_digest_is_made_slow() {
    let before = desk(KeyHasher::sha256());
    let (key, id) = before.issue().await;
    let hasher = KeyHasher::cheap_argon2id().also_accepting(&KeyHasher::sha256());
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let keys = ApiKeys::new(before.store.clone(), format, hasher);
    let app = router(AuthLayer::builder().api_keys(&keys));
    for _ in 0..2 {
        get_with(&app, &[("x-api-key", &key)]).await.sees("usr_1 api_key");
        keys.flush().await.unwrap();
        assert!(keys.find(&id).await.unwrap().unwrap().digest().to_string().starts_with("$argon2id$"));
    }
}

/// A stored string that asks for gigabytes is corrupt data, not an outage of the machine.
#[tokio::test]
async fn a_planted_string_is_not_computed() {
    let store = MemoryStore::new();
    let digest = "$argon2id$v=19$m=4194304,t=10,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let record = ApiKeyRecord::builder("usr_1").build("0123456789Ab", "test", digest.parse().unwrap()).unwrap();
    store.insert_api_key(record).unwrap();
    let app = router(AuthLayer::builder().api_keys(ApiKeyVerifier::new(store, KeyHasher::argon2id())));
    get_with(&app, &[("x-api-key", &wrong("0123456789Ab", 1))]).await.is(503, "backend_unavailable");
}

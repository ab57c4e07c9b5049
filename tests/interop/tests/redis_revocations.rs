//! [`RevocationStore`] on a real Redis server, alone and under [`AuthLayer`].

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        revocation::{Revocation, RevocationKey, RevocationQuery, RevocationStore},
    },
    backend::redis::RedisStore,
    conformance::revocations,
    identity::Principal,
    store::StoreError,
    testing::TestIssuer,
    time::{Clock as _, SystemClock, Timestamp},
};
use portcullis_interop::redis::Redis;
use tower::ServiceExt as _;

fn store(redis: &Redis) -> RedisStore {
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

fn now() -> Timestamp {
    SystemClock::new().now().wall
}

macro_rules! laws {
    ($($law:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $law() {
            let redis = Redis::start();
            revocations::$law(&store(&redis), now()).await;
        }
    )*};
}

laws! {
    what_is_not_revoked_is_not_found
    a_revocation_is_seen_at_once
    a_revocation_hits_nothing_else
    a_revocation_ends_at_its_time
    a_revocation_may_have_no_end
    an_epoch_hits_what_was_issued_before
    a_revocation_is_never_weakened
    to_repeat_a_revocation_changes_nothing
    every_name_of_a_credential_is_looked_for
}

/// Also where the clocks of the machines and of the server are years apart.
#[tokio::test(flavor = "multi_thread")]
async fn the_callers_clock_decides() {
    let redis = Redis::start();
    for now in [Timestamp::from_secs(1), now(), Timestamp::from_secs(9_000_000_000)] {
        revocations::a_revocation_ends_at_its_time(&store(&redis), now).await;
        revocations::a_revocation_is_never_weakened(&store(&redis), now).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_cleared_away_unless_they_are_for_ever() {
    let redis = Redis::start();
    let (store, now) = (store(&redis), now());
    let minute = now.saturating_add(Duration::from_secs(60));
    store.revoke(Revocation::api_key("short", minute), now).await.unwrap();
    store.revoke(Revocation::api_key("ever", Timestamp::MAX), now).await.unwrap();
    // Neither is made shorter by a later one.
    store.revoke(Revocation::api_key("ever", minute), now).await.unwrap();
    let left = |id: &str| {
        let answer = redis.command(&format!("PTTL portcullis:revoked:{}", RevocationKey::api_key(id)));
        answer.lines().next().unwrap()[1..].trim().parse::<i64>().unwrap()
    };
    assert!((3_600_000..=3_660_000).contains(&left("short")), "{}", left("short"));
    assert_eq!(left("ever"), -1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_or_full_or_corrupt_is_an_error() {
    let mut redis = Redis::start();
    let (store, now) = (store(&redis), now());
    let revocation = Revocation::api_key("id", now.saturating_add(Duration::from_secs(60)));
    let query = RevocationQuery::key(revocation.key, None);
    redis.command("CONFIG SET maxmemory 1");
    assert!(matches!(store.revoke(revocation, now).await, Err(StoreError::Full)));
    assert!(!store.is_revoked(query, now).await.unwrap(), "reading goes on");
    redis.command("CONFIG SET maxmemory 0");
    redis.command(&format!("SET portcullis:revoked:{} nonsense", revocation.key));
    assert!(matches!(store.is_revoked(query, now).await, Err(StoreError::Corrupt(_))));
    redis.kill();
    assert!(matches!(store.is_revoked(query, now).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.revoke(revocation, now).await, Err(StoreError::Unavailable(_))));
}

fn app(issuer: &TestIssuer, redis: &Redis) -> Router {
    let auth = AuthLayer::builder().jwt(issuer.verifier()).revocations(store(redis)).build().unwrap();
    Router::new().route("/", get(|caller: Principal| async move { caller.subject().to_owned() })).layer(auth)
}

async fn call(app: &Router, token: &str) -> StatusCode {
    let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap().status()
}

/// Revoked through one machine, a token that another has accepted (and cached) a moment ago is
/// refused there with the next request; and when nobody can tell, nobody is let in.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_here_is_refused_everywhere_at_once() {
    let mut redis = Redis::start();
    let issuer = TestIssuer::new("https://id.example.com");
    let apps = [app(&issuer, &redis), app(&issuer, &redis), app(&issuer, &redis)];
    let token = issuer.token("usr_1").claim("jti", "jti-1").sign();
    let other = issuer.token("usr_2").claim("jti", "jti-2").sign();
    for app in &apps {
        assert_eq!(call(app, &token).await, StatusCode::OK);
    }
    let until = now().saturating_add(Duration::from_secs(900));
    store(&redis).revoke(Revocation::token("https://id.example.com", "jti-1", until), now()).await.unwrap();
    for app in &apps {
        assert_eq!(call(app, &token).await, StatusCode::UNAUTHORIZED);
        assert_eq!(call(app, &other).await, StatusCode::OK);
    }
    redis.kill();
    for app in &apps {
        assert_eq!(call(app, &other).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}

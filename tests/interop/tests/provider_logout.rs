//! OIDC back-channel logout: a real identity provider tells us that a session has ended.

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        jwt::{Issuer, JwtVerifier},
        logout::BackChannelLogout,
    },
    backend::redis::RedisStore,
};
use portcullis_interop::{
    provider::{JWT, Provider},
    redis::Redis,
};
use tower::ServiceExt as _;

fn store(redis: &Redis) -> RedisStore {
    RedisStore::builder(redis.url()).build().unwrap()
}

fn app(verifier: &JwtVerifier, redis: &Redis) -> Router {
    let auth = AuthLayer::builder().jwt(verifier.clone()).revocations(store(redis)).build().unwrap();
    let logout = BackChannelLogout::builder(verifier.clone(), "web", store(redis)).build().unwrap();
    Router::new().route("/", get(|| async { "in" })).layer(auth).route("/logout", logout.route())
}

async fn call(app: &Router, token: &str) -> StatusCode {
    let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap().status()
}

/// The provider posts to one machine; the other refuses, too, what it accepted a moment ago.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_out_by_the_provider_is_out_everywhere() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let issuer = Issuer::new(provider.issuer()).audience(JWT).jwks_url(provider.jwks_url());
    let verifier = issuer.build().unwrap();
    let (here, there) = (app(&verifier, &redis), app(&verifier, &redis));

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let uri = format!("http://{}/logout", listener.local_addr().unwrap());
    let serving = here.clone();
    let server = tokio::spawn(async move { axum::serve(listener, serving).await });

    let ended = provider.user_token("alice", "session-1").await;
    let another_session = provider.user_token("alice", "session-2").await;
    let another_user = provider.user_token("bob", "session-3").await;
    for token in [&ended, &another_session, &another_user] {
        assert_eq!((call(&here, token).await, call(&there, token).await), (StatusCode::OK, StatusCode::OK));
    }
    // Panics unless the route answers 200.
    provider.logout("alice", "session-1", &uri).await;
    for app in [&here, &there] {
        assert_eq!(call(app, &ended).await, StatusCode::UNAUTHORIZED);
        assert_eq!(call(app, &another_session).await, StatusCode::OK);
        assert_eq!(call(app, &another_user).await, StatusCode::OK);
    }
    server.abort();
}

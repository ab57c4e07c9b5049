//! Opaque tokens of a real identity provider (RFC 7662), and keys that it takes back.

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        introspection::{Introspection, IntrospectionClient},
        jwt::Issuer,
    },
    authz::ScopeLayer,
    identity::{AuthMethod, Principal},
    secret::Secret,
};
use portcullis_interop::provider::{Ask, JWT, OPAQUE, Provider};
use tower::{ServiceBuilder, ServiceExt as _};

fn asking(provider: &Provider) -> Introspection {
    let client = IntrospectionClient::basic("api", Secret::new(Provider::secret("api")));
    Introspection::new(provider.issuer(), provider.url("/token/introspection"), client).audience(OPAQUE)
}

fn app(introspection: Introspection) -> Router {
    let auth = AuthLayer::builder().opaque_tokens(introspection.build().unwrap()).build().unwrap();
    let layers = ServiceBuilder::new().layer(auth).layer(ScopeLayer::all(["read:orders"]).unwrap());
    let whoami = |caller: Principal| async move {
        assert_eq!(caller.method(), AuthMethod::OpaqueToken);
        caller.client().unwrap_or_default().to_owned()
    };
    Router::new().route("/orders", get(whoami)).layer(layers)
}

async fn call(app: &Router, token: &str) -> (StatusCode, String) {
    let request = Request::get("/orders").header("authorization", format!("Bearer {token}"));
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn opaque(provider: &Provider, scope: &str) -> String {
    provider.token(&Ask { resource: OPAQUE, scope, ..Ask::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn opaque_tokens_are_what_the_provider_says_rfc7662() {
    let provider = Provider::start();
    let app = app(asking(&provider));
    let token = opaque(&provider, "read:orders").await;
    assert!(!token.contains('.'), "it says nothing by itself");
    assert_eq!(call(&app, &token).await, (StatusCode::OK, "machine".to_owned()));
    let other = opaque(&provider, "write:orders").await;
    assert_eq!(call(&app, &other).await.0, StatusCode::FORBIDDEN, "the scope is the provider's word");
    assert_eq!(call(&app, "an-invented-token").await.0, StatusCode::UNAUTHORIZED);
    // A JWT is not introspected there: 400, so nobody knows. That is the token's own trouble.
    let jwt = provider.token(&Ask::default()).await;
    assert_eq!(call(&app, &jwt).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let next = opaque(&provider, "read:orders").await;
    assert_eq!(call(&app, &next).await.0, StatusCode::OK);
}

/// An answer that is held is the whole price of the cache: without it a revocation holds at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_opaque_token_ends_when_its_answer_does() {
    let provider = Provider::start();
    let (cached, uncached) = (app(asking(&provider)), app(asking(&provider).without_cache()));
    let token = opaque(&provider, "read:orders").await;
    for app in [&cached, &uncached] {
        assert_eq!(call(app, &token).await.0, StatusCode::OK);
    }
    provider.revoke("machine", &token).await;
    assert_eq!(call(&uncached, &token).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&cached, &token).await.0, StatusCode::OK, "for at most 60 s");
}

/// Another service's credentials, or none that hold: nobody knows, so nobody is refused for it.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_or_cannot_says_503() {
    let provider = Provider::start();
    let token = opaque(&provider, "read:orders").await;
    let client = IntrospectionClient::basic("api", Secret::new("not its secret, but as long as one"));
    let wrong = Introspection::new(provider.issuer(), provider.url("/token/introspection"), client).audience(OPAQUE);
    assert_eq!(call(&app(wrong), &token).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let gone = app(asking(&provider));
    drop(provider);
    assert_eq!(call(&gone, &token).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// A key that is taken out of the set takes its tokens with it, remembered ones too, as soon as the
/// set is fetched again.
#[tokio::test(flavor = "multi_thread")]
async fn a_retired_key_takes_its_tokens_with_it() {
    let provider = Provider::start();
    let tokens = Issuer::new(provider.issuer()).audience(JWT).jwks_url(provider.jwks_url()).build().unwrap();
    let app = Router::new()
        .route("/orders", get(|caller: Principal| async move { caller.subject().to_owned() }))
        .layer(AuthLayer::builder().jwt(tokens).build().unwrap());
    let old = provider.token(&Ask::default()).await;
    assert_eq!(call(&app, &old).await.0, StatusCode::OK);
    provider.rotate().await;
    provider.retire().await;
    // The new key is unknown, so the set is fetched; the old one is no longer in it.
    let new = provider.token(&Ask::default()).await;
    assert_eq!(call(&app, &new).await.0, StatusCode::OK);
    assert_eq!(call(&app, &old).await.0, StatusCode::UNAUTHORIZED);
}

//! Access tokens of a real identity provider, verified with the keys that it publishes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        jwt::{Algorithm, Issuer, Profile},
    },
    identity::Principal,
};
use portcullis_interop::provider::{Ask, JWT, OPAQUE, Provider};
use tower::ServiceExt as _;

const ALGORITHMS: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

fn app(provider: &Provider, audience: &str) -> Router {
    app_of(Issuer::new(provider.issuer()).audience(audience).algorithms(ALGORITHMS).jwks_url(provider.jwks_url()))
}

fn app_of(issuer: Issuer) -> Router {
    let jwt = issuer.build().unwrap();
    Router::new().route("/", get(tell)).layer(AuthLayer::builder().jwt(jwt).build().unwrap())
}

/// Who the caller is taken for.
async fn tell(caller: Principal) -> String {
    let scopes: Vec<String> = caller.scopes().iter().collect();
    format!("{} {} {}", caller.subject(), caller.client().unwrap_or("-"), scopes.join(","))
}

async fn call(app: &Router, token: &str) -> (StatusCode, String) {
    let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn jwts_of_each_algorithm_are_accepted() {
    let provider = Provider::start();
    for algorithm in ["", "/PS256", "/ES256", "/EdDSA"] {
        let resource = format!("{JWT}{algorithm}");
        let app = app(&provider, &resource);
        let ask = Ask { resource: &resource, scope: "read:orders write:orders", ..Ask::default() };
        let (status, told) = call(&app, &provider.token(&ask).await).await;
        assert_eq!((status, told.as_str()), (StatusCode::OK, "machine machine read:orders,write:orders"), "{resource}");
        let user = provider.user_token("alice", "session-1").await;
        let expected = if algorithm.is_empty() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(call(&app, &user).await.0, expected, "a user's token is for {JWT}");
    }
}

/// The provider's document says where its keys are; its tokens are what RFC 9068 demands.
#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_discovered_and_its_tokens_follow_rfc9068() {
    let provider = Provider::start();
    let issuer = Issuer::new(provider.issuer()).audience(JWT).profile(Profile::Rfc9068).discover();
    let app = app_of(issuer);
    assert_eq!(call(&app, &provider.token(&Ask::default()).await).await.0, StatusCode::OK);
    assert_eq!(
        call(&app, &provider.user_token("alice", "session-1").await).await.1,
        "alice web read:orders,write:orders"
    );
    // A document that speaks for somebody else (RFC 8414 §3.3).
    let elsewhere = Issuer::new(provider.issuer().replace("127.0.0.1", "localhost")).audience(JWT).discover();
    let status = call(&app_of(elsewhere), &provider.token(&Ask::default()).await).await.0;
    assert!(status == StatusCode::UNAUTHORIZED || status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
}

/// RFC 9396: what the token is for, in detail, arrives as the provider wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn authorization_details_arrive_rfc9396() {
    let provider = Provider::start();
    let details = serde_json::json!([{
        "type": "payment_initiation",
        "actions": ["initiate"],
        "instructedAmount": { "currency": "EUR", "amount": "123.50" },
        "creditorAccount": { "iban": "DE02100100109307118603" },
    }]);
    let tell = |caller: Principal| async move { axum::Json(caller.claims::<serde_json::Value>().unwrap()) };
    let issuer = Issuer::new(provider.issuer()).audience(JWT).jwks_url(provider.jwks_url());
    let layer = AuthLayer::builder().jwt(issuer.build().unwrap()).build().unwrap();
    let app = Router::new().route("/", get(tell)).layer(layer);
    let token = provider.token(&Ask { details: Some(details.clone()), ..Ask::default() }).await;
    let (status, claims) = call(&app, &token).await;
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    assert_eq!((status, &claims["authorization_details"]), (StatusCode::OK, &details));
    assert_eq!(claims["tenant"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_for_others_and_opaque_ones_are_refused() {
    let provider = Provider::start();
    let app = app(&provider, JWT);
    for resource in ["https://api.example.com/ES256", OPAQUE] {
        let token = provider.token(&Ask { resource, ..Ask::default() }).await;
        assert_eq!(call(&app, &token).await.0, StatusCode::UNAUTHORIZED, "{resource}");
    }
    // Another provider with other keys, which says it is this one.
    let other = Provider::start();
    let token = other.token(&Ask::default()).await;
    assert_eq!(call(&app, &token).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&app, &provider.token(&Ask::default()).await).await.0, StatusCode::OK);
}

/// RFC 8705 §3: a token that is bound to a certificate is no bearer token.
#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_alone_is_refused_rfc8705() {
    let provider = Provider::start();
    let app = app(&provider, JWT);
    let certificate = rcgen::generate_simple_self_signed(["client.example.com".to_owned()]).unwrap().cert.pem();
    let ask = Ask { client: "mtls", certificate: Some(&certificate), ..Ask::default() };
    let (status, body) = call(&app, &provider.token(&ask).await).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
}

/// Eight callers fetch tokens and use them, new ones and old ones, while the provider takes new keys
/// into use twice. Nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_under_load_without_a_failure() {
    const CALLERS: usize = 8;
    const ROUNDS: usize = 40;

    let provider = Arc::new(Provider::start());
    let app = app(&provider, JWT);
    let (calls, failures) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (provider, app) = (Arc::clone(&provider), app.clone());
        let (calls, failures) = (Arc::clone(&calls), Arc::clone(&failures));
        callers.spawn(async move {
            let mut tokens = Vec::new();
            for _ in 0..ROUNDS {
                tokens.push(provider.token(&Ask::default()).await);
                // The newest, whose key may be unknown yet, and the oldest, whose key signs no more.
                for token in [tokens.last(), tokens.first()].into_iter().flatten() {
                    let (status, body) = call(&app, token).await;
                    calls.fetch_add(1, Relaxed);
                    if status != StatusCode::OK {
                        eprintln!("{status}: {body}");
                        failures.fetch_add(1, Relaxed);
                    }
                }
            }
        });
    }
    for rotation in 1..=2 {
        while calls.load(Relaxed) < rotation * CALLERS * ROUNDS * 2 / 3 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        assert_eq!(provider.rotate().await.len(), ALGORITHMS.len() * (rotation + 1), "the old keys stay");
    }
    callers.join_all().await;
    assert_eq!((calls.load(Relaxed), failures.load(Relaxed)), (CALLERS * ROUNDS * 2, 0));
    let late = provider.token(&Ask::default()).await;
    assert_eq!(call(&app, &late).await.0, StatusCode::OK);
}

/// The provider is gone: who has a token whose key is known goes on.
#[tokio::test(flavor = "multi_thread")]
async fn known_keys_outlive_the_provider() {
    let provider = Provider::start();
    let app = app(&provider, JWT);
    let token = provider.token(&Ask::default()).await;
    assert_eq!(call(&app, &token).await.0, StatusCode::OK);
    drop(provider);
    for _ in 0..20 {
        assert_eq!(call(&app, &token).await.0, StatusCode::OK);
    }
}

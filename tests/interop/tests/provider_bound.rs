//! Tokens that a real identity provider has bound to a key (RFC 9449) or to a certificate (RFC 8705).

use std::sync::Arc;

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        dpop::{Dpop, DpopNonces},
        jwt::{Algorithm, Issuer, JwtVerifier},
    },
    backend::redis::RedisStore,
    identity::Principal,
    request::PeerCertificate,
};
use portcullis_interop::{
    dpop::Client,
    provider::{Ask, JWT, Provider},
    redis::Redis,
};
use tower::ServiceExt as _;

const ORIGIN: &str = "https://api.example.com";
const URL: &str = "https://api.example.com/orders";

fn verifier(provider: &Provider) -> JwtVerifier {
    let algorithms = [Algorithm::Rs256, Algorithm::Es256];
    let issuer = Issuer::new(provider.issuer()).audience(JWT).algorithms(algorithms);
    issuer.jwks_url(provider.jwks_url()).build().unwrap()
}

fn app(auth: AuthLayer) -> Router {
    Router::new().route("/orders", get(|caller: Principal| async move { caller.subject().to_owned() })).layer(auth)
}

fn with_dpop(provider: &Provider, redis: &Redis) -> Router {
    let store = RedisStore::builder(redis.url()).build().unwrap();
    app(AuthLayer::builder().jwt(verifier(provider)).dpop(Dpop::new(ORIGIN, store)).build().unwrap())
}

async fn call(app: &Router, scheme: &str, token: &str, proof: Option<&str>) -> (StatusCode, http::HeaderMap) {
    let mut request = Request::get("/orders").header("authorization", format!("{scheme} {token}"));
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    (response.status(), response.headers().clone())
}

/// A token of the provider that is bound to the client's key, as the provider says.
async fn bound_token(provider: &Provider, client: &Client) -> String {
    let proof = client.proof("POST", &provider.url("/token"), None, None);
    let said = provider.ask(&Ask { client: "dpop", proof: Some(&proof), ..Ask::default() }).await;
    assert_eq!((said.status, said.body["token_type"].as_str()), (200, Some("DPoP")), "{}", said.body);
    said.body["access_token"].as_str().unwrap().to_owned()
}

/// The client is jose, the issuer is oidc-provider; two machines share the memory of proofs on Redis.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_bound_to_a_key_needs_its_proof_rfc9449() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let (app, other_machine) = (with_dpop(&provider, &redis), with_dpop(&provider, &redis));
    for algorithm in ["ES256", "EdDSA"] {
        let client = Client::new(algorithm);
        let token = bound_token(&provider, &client).await;
        let proof = client.proof("GET", URL, Some(&token), None);
        assert_eq!(call(&app, "DPoP", &token, Some(&proof)).await.0, StatusCode::OK, "{algorithm}");
        for app in [&app, &other_machine] {
            assert_eq!(call(app, "DPoP", &token, Some(&proof)).await.0, StatusCode::UNAUTHORIZED, "the proof was used");
        }
        let fresh = client.proof("GET", URL, Some(&token), None);
        assert_eq!(call(&app, "Bearer", &token, Some(&fresh)).await.0, StatusCode::UNAUTHORIZED, "no bearer token");
        assert_eq!(call(&app, "DPoP", &token, None).await.0, StatusCode::UNAUTHORIZED, "no proof");
        for wrong in [
            client.proof("POST", URL, Some(&token), None),
            client.proof("GET", "https://api.example.com/other", Some(&token), None),
            client.proof("GET", URL, Some("another token"), None),
            Client::new(algorithm).proof("GET", URL, Some(&token), None),
        ] {
            assert_eq!(call(&app, "DPoP", &token, Some(&wrong)).await.0, StatusCode::UNAUTHORIZED, "{wrong}");
        }
    }
    // A token that is bound to nothing gains nothing by a proof (RFC 9449 §7.1).
    let (unbound, client) = (provider.token(&Ask::default()).await, Client::new("ES256"));
    let proof = client.proof("GET", URL, Some(&unbound), None);
    assert_eq!(call(&app, "DPoP", &unbound, Some(&proof)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&app, "Bearer", &unbound, None).await.0, StatusCode::OK);
}

/// RFC 9449 §9: the first answer hands out a nonce, and the client comes again with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_handed_out_and_then_demanded_rfc9449_9() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let store = RedisStore::builder(redis.url()).build().unwrap();
    let dpop = Dpop::new(ORIGIN, store).nonces(DpopNonces::new());
    let app = app(AuthLayer::builder().jwt(verifier(&provider)).dpop(dpop).build().unwrap());
    let client = Client::new("ES256");
    let token = bound_token(&provider, &client).await;
    let (status, headers) = call(&app, "DPoP", &token, Some(&client.proof("GET", URL, Some(&token), None))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let mut challenges = headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap());
    assert!(challenges.any(|challenge| challenge.contains("error=\"use_dpop_nonce\"")), "{headers:?}");
    let nonce = headers["dpop-nonce"].to_str().unwrap();
    let proof = client.proof("GET", URL, Some(&token), Some(nonce));
    assert_eq!(call(&app, "DPoP", &token, Some(&proof)).await.0, StatusCode::OK);
}

/// While Redis is gone nobody knows whether a proof was used: neither yes nor no.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_memory_of_proofs_nobody_is_let_in() {
    let (provider, mut redis) = (Provider::start(), Redis::start());
    let app = with_dpop(&provider, &redis);
    let client = Client::new("ES256");
    let token = bound_token(&provider, &client).await;
    redis.kill();
    let proof = client.proof("GET", URL, Some(&token), None);
    assert_eq!(call(&app, "DPoP", &token, Some(&proof)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    redis.restart();
    assert_eq!(call(&app, "DPoP", &token, Some(&proof)).await.0, StatusCode::OK);
}

/// The provider computes the thumbprint of the certificate in its way, we in ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_bound_to_a_certificate_needs_it_rfc8705() {
    let provider = Provider::start();
    let app = app(AuthLayer::builder().jwt(verifier(&provider)).build().unwrap());
    let (own, other) = (certificate("client.example.com"), certificate("thief.example.com"));
    let pem = own.pem();
    let token = provider.token(&Ask { client: "mtls", certificate: Some(&pem), ..Ask::default() }).await;
    let call = async |shown: Option<&rcgen::Certificate>| {
        let mut request = Request::get("/orders").header("authorization", format!("Bearer {token}"));
        if let Some(shown) = shown {
            request = request.extension(PeerCertificate::from_der(shown.der().to_vec()));
        }
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    };
    assert_eq!(call(Some(&own)).await, StatusCode::OK);
    assert_eq!(call(Some(&other)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(None).await, StatusCode::UNAUTHORIZED);
}

fn certificate(name: &str) -> Arc<rcgen::Certificate> {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.into()
}

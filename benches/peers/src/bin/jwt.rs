//! One token, in one run: portcullis at first sight and seen again, jsonwebtoken's own `decode`,
//! jwt-authorizer's check, and the bare verification by aws-lc-rs.
//!
//! portcullis is asked through its layer; what the same request costs behind an empty gate is taken
//! off. Times are thread CPU time, the least of all rounds; read the ratios.
//!
//! `cargo run --release --bin jwt [-- ROUNDS ITERATIONS]`

use std::{collections::HashSet, convert::Infallible, hint::black_box};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Request, header::AUTHORIZATION};
use jsonwebtoken::{DecodingKey, Validation, jwk::Jwk};
use portcullis::{
    auth::{
        AuthLayer,
        jwt::{Algorithm, JwtVerifier},
    },
    gate::ProblemLayer,
    testing::TestIssuer,
};
use portcullis_peers::{Counting, Row, Suite};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt as _};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// What an application would read: every claim that the token has.
#[derive(Clone, Debug, Deserialize)]
#[allow(dead_code)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    scope: String,
    roles: Vec<String>,
    subscription_tier: String,
}

/// A service behind nothing but the layer that is measured.
fn asked<S>(layer: impl Layer<Answer, Service = S>, token: &str, status: u16) -> impl FnMut(u64) + 'static
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + 'static,
{
    let service = layer.layer(Answer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a header value");
    move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                let mut request = Request::new(Body::empty());
                request.headers_mut().insert(AUTHORIZATION, value.clone());
                let response = service.clone().oneshot(request).await.expect("a response");
                assert_eq!(response.status(), status);
                black_box(response);
            }
        });
    }
}

#[derive(Clone)]
struct Answer;

impl Service<Request<Body>> for Answer {
    type Response = Response;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

fn layer(verifier: JwtVerifier) -> AuthLayer {
    AuthLayer::builder().jwt(verifier).build().expect("a layer")
}

fn jsonwebtoken_key(issuer: &TestIssuer) -> DecodingKey {
    let jwk: Jwk = serde_json::from_value(issuer.jwks()["keys"][0].clone()).expect("a JWK");
    DecodingKey::from_jwk(&jwk).expect("a key")
}

fn validation(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    validation.required_spec_claims = HashSet::from(["exp", "iss", "aud"].map(String::from));
    validation
}

/// The parsed key of aws-lc-rs, out of the JWK.
fn parsed(issuer: &TestIssuer) -> ParsedPublicKey {
    let jwks = issuer.jwks();
    let member =
        |name: &str| URL_SAFE_NO_PAD.decode(jwks["keys"][0][name].as_str().expect("a member")).expect("base64");
    match jwks["keys"][0]["kty"].as_str() {
        Some("RSA") => RsaPublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .expect("a key"),
        Some("EC") => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).expect("a key")
        }
        _ => ParsedPublicKey::new(&ED25519, member("x")).expect("a key"),
    }
}

/// jwt-authorizer's check without the service around it.
fn authorizer(issuer: &TestIssuer, token: String) -> impl FnMut(u64) + 'static {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let validation = jwt_authorizer::Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]).nbf(true);
    let jwks = issuer.jwks().to_string();
    let builder = jwt_authorizer::JwtAuthorizer::<Claims>::from_jwks_text(&jwks).validation(validation);
    let authorizer: jwt_authorizer::Authorizer<Claims> = runtime.block_on(builder.build()).expect("an authorizer");
    move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                black_box(authorizer.check_auth(&token).await.expect("a good token"));
            }
        });
    }
}

struct Kind {
    name: &'static str,
    ours: Algorithm,
    theirs: jsonwebtoken::Algorithm,
    /// First sight over jsonwebtoken's time, at most.
    target: f64,
}

fn measure(kind: &Kind, rounds: usize, iterations: u64) {
    let issuer = TestIssuer::with_algorithm(ISSUER, kind.ours).audience(AUDIENCE);
    let token = issuer
        .token("auth0|user_1234567890abcdef")
        .claim("nbf", 1_700_000_000)
        .claim("jti", "3f0e4c52-9a5d-4b2e-8a65-0c2b3c4d5e6f")
        .scopes(["read:orders", "write:orders", "read:users", "profile", "email"])
        .roles(["user", "editor"])
        .plan("pro")
        .sign();
    let key = jsonwebtoken_key(&issuer);
    let validation = validation(kind.theirs);
    let mut suite = Suite::default();
    {
        let token = token.clone();
        suite.case("jsonwebtoken `decode`, prebuilt key", move |count| {
            for _ in 0..count {
                black_box(jsonwebtoken::decode::<Claims>(&token, &key, &validation).expect("a good token"));
            }
        });
    }
    suite.case("jwt-authorizer `check_auth`", authorizer(&issuer, token.clone()));
    {
        let key = parsed(&issuer);
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let (signed, signature) = (signed.to_owned(), URL_SAFE_NO_PAD.decode(signature).expect("base64"));
        suite.case("bare aws-lc-rs, parsed key", move |count| {
            for _ in 0..count {
                key.verify_sig(signed.as_bytes(), &signature).expect("a good signature");
            }
        });
    }
    suite.case("an empty gate", asked(ProblemLayer::new(), &token, 200));
    let forgetful = issuer.issuer().without_token_cache().build().expect("a verifier");
    suite.case("portcullis, first sight", asked(layer(forgetful), &token, 200));
    suite.case("portcullis, seen again", asked(layer(issuer.verifier()), &token, 200));
    let garbage = format!("{}.e30.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), "A".repeat(86));
    suite.case("portcullis, garbage", asked(layer(issuer.verifier()), &garbage, 401));
    println!("\n{} ({} bytes), {rounds} rounds of {iterations}, rotated", kind.name, token.len());
    print(&suite.run(rounds, iterations), kind.target);
}

fn print(rows: &[Row], target: f64) {
    let of = |name: &str| rows.iter().find(|row| row.name == name).expect("a case");
    let (base, empty) = (rows[0].ns, of("an empty gate"));
    println!("| case | µs | × jsonwebtoken | allocations |\n|---|---:|---:|---:|");
    for row in rows {
        let net = row.name.starts_with("portcullis");
        let (ns, allocations) =
            if net { (row.ns - empty.ns, row.allocations - empty.allocations) } else { (row.ns, row.allocations) };
        println!("| {} | {:.3} | {:.3} | {:.1} |", row.name, ns / 1000.0, ns / base, allocations);
    }
    println!("wanted: first sight at most {target} ×");
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let rounds = usize::try_from(arguments.next().unwrap_or(60)).expect("rounds");
    let iterations = arguments.next().unwrap_or(500);
    for kind in [
        Kind { name: "RS256", ours: Algorithm::Rs256, theirs: jsonwebtoken::Algorithm::RS256, target: 0.82 },
        Kind { name: "ES256", ours: Algorithm::Es256, theirs: jsonwebtoken::Algorithm::ES256, target: 0.95 },
        Kind { name: "EdDSA", ours: Algorithm::EdDsa, theirs: jsonwebtoken::Algorithm::EdDSA, target: 1.02 },
    ] {
        measure(&kind, rounds, iterations);
    }
}

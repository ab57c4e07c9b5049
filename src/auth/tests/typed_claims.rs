//! Claims in a type of the application, checked by the layer or by the handler.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Deserializer};

use super::*;
use crate::{identity::Claims, testing::TestIssuer};

/// How often claims were read into [`Counted`] in this test's thread.
static READ: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize)]
struct Counted {
    #[serde(deserialize_with = "counted")]
    department: String,
}

fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    READ.fetch_add(1, Relaxed);
    String::deserialize(deserializer)
}

#[derive(Deserialize)]
struct Employee {
    department: String,
}

fn issuer() -> TestIssuer {
    TestIssuer::new("https://issuer.test").clock(ManualClock::at(NOW))
}

fn app(auth: AuthLayerBuilder) -> Router {
    async fn twice(one: Claims<Counted>, two: Claims<Counted>, other: Claims<Employee>) -> String {
        assert!(std::ptr::eq(&raw const *one, &raw const *two));
        assert_eq!(one.department, other.department);
        assert!(!format!("{one:?}").contains("legal"));
        two.into_inner().department.clone()
    }
    async fn maybe(claims: Option<Claims<Employee>>) -> String {
        claims.map_or("anonymous".into(), |claims| claims.department.clone())
    }
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    Router::new()
        .route("/", get(twice))
        .route("/maybe", get(maybe))
        .route("/free", get(|| async { "free" }))
        .layer(tower::ServiceBuilder::new().layer(context).layer(auth.build().unwrap()))
}

async fn ask(app: &Router, uri: &str, token: &str) -> Answer {
    send(app, request(uri, [("authorization", format!("Bearer {token}").as_bytes())])).await
}

#[tokio::test]
async fn claims_are_read_once_for_each_request_and_type() {
    let issuer = issuer();
    let app = app(AuthLayer::builder().jwt(issuer.verifier()).typed_claims::<Counted>());
    let token = issuer.token("usr_1").claim("department", "legal").sign();
    let before = READ.load(Relaxed);
    assert_eq!(ask(&app, "/", &token).await.body, "legal");
    assert_eq!(READ.load(Relaxed) - before, 1, "the layer, and two extractors");
}

#[tokio::test]
async fn the_wrong_shape_is_an_invalid_token_rfc6750_3_1() {
    let issuer = issuer();
    let lax = app(AuthLayer::builder().jwt(issuer.verifier()).optional());
    let strict = app(AuthLayer::builder().jwt(issuer.verifier()).optional().typed_claims::<Employee>());
    for token in [issuer.token("usr_1").sign(), issuer.token("usr_1").claim("department", 7).sign()] {
        for (app, uri, status) in [
            (&lax, "/", 401),
            (&lax, "/maybe", 401),
            (&lax, "/free", 200),
            (&strict, "/", 401),
            (&strict, "/maybe", 401),
            (&strict, "/free", 401),
        ] {
            let answer = ask(app, uri, &token).await;
            assert_eq!(answer.status, status, "{uri}");
            if status == 401 {
                assert!(answer.challenges[0].starts_with("Bearer realm=\"api\", error=\"invalid_token\""));
                assert!(answer.body.contains("invalid_token") && !answer.body.contains("department"));
            }
        }
    }
    // Who sends nothing has no shape.
    assert_eq!(send(&lax, request("/maybe", [])).await.body, "anonymous");
    assert_eq!(send(&strict, request("/maybe", [])).await.body, "anonymous");
    let nobody = send(&lax, request("/", [])).await;
    assert_eq!((nobody.status.as_u16(), nobody.challenges[0].as_str()), (401, "Bearer realm=\"api\""));
}

#[tokio::test]
async fn an_api_key_has_no_claims_to_check() {
    let (builder, _, key) = both();
    let app = app(builder.typed_claims::<Employee>());
    let with_key = |uri: &str| request(uri, [("x-api-key", key.as_bytes())]);
    assert_eq!(send(&app, with_key("/free")).await.status, 200);
    assert_eq!(send(&app, with_key("/maybe")).await.status, 401);
}

#[tokio::test]
async fn without_the_layer_it_is_a_wiring_error() {
    let handler = get(|_: Claims<Employee>| async {});
    let bare: Router = Router::new().route("/", handler.clone());
    assert_eq!(send(&bare, request("/", [])).await.status, 500);
    let context: Router =
        Router::new().route("/", handler).layer(tower::ServiceBuilder::new().layer(RequestContextLayer::new()));
    assert_eq!(send(&context, request("/", [])).await.status, 500);
}

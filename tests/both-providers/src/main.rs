//! Tokens of every algorithm, through a build that holds both signature providers.

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{AuthLayer, jwt::Algorithm},
    identity::Principal,
    testing::TestIssuer,
};
use tower::{ServiceBuilder, ServiceExt as _};

async fn me(caller: Principal) -> String {
    caller.subject().to_owned()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let other = TestIssuer::new("https://issuer.test");
    let mut answered = 0;
    for algorithm in Algorithm::ALL {
        let issuer = TestIssuer::with_algorithm("https://issuer.test", *algorithm);
        let auth = AuthLayer::builder().jwt(issuer.verifier()).build()?;
        let app = Router::new().route("/me", get(me)).layer(ServiceBuilder::new().layer(auth));
        let token = || issuer.token("usr_1");
        for (what, token, expected) in [
            ("genuine", token().sign(), StatusCode::OK),
            ("tampered", token().tampered().sign(), StatusCode::UNAUTHORIZED),
            ("alg: none", token().unsigned().sign(), StatusCode::UNAUTHORIZED),
            ("expired", token().expired().sign(), StatusCode::UNAUTHORIZED),
            ("another's key", token().signed_by(&other).sign(), StatusCode::UNAUTHORIZED),
        ] {
            let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
            let response = app.clone().oneshot(request.body(Body::empty())?).await?;
            assert_eq!(response.status(), expected, "{algorithm}, {what}");
            answered += 1;
        }
    }
    println!("both-providers: {answered} tokens judged as expected");
    Ok(())
}

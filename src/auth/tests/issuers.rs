//! Several issuers at one layer.

use super::*;
use crate::testing::TestIssuer;

fn issuer(url: &str) -> TestIssuer {
    TestIssuer::new(url).clock(ManualClock::at(NOW))
}

async fn answer(app: &Router, token: &str) -> Answer {
    get_with(app, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn each_token_is_shown_to_its_issuer_only_rfc8725_3_8() {
    let issuers = [issuer("https://a.test"), issuer("https://b.test"), issuer("https://c.test")];
    let builder = issuers.iter().fold(AuthLayer::builder(), |builder, issuer| builder.jwt(issuer.verifier()));
    let app = router(builder);
    for (one, next) in issuers.iter().zip(issuers.iter().cycle().skip(1)) {
        assert_eq!(answer(&app, &one.token("usr_1").sign()).await.body, "usr_1 jwt");
        // A key that is trusted for one issuer says nothing for another.
        let refused = answer(&app, &one.token("usr_1").signed_by(next).sign()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let claimed = one.token("usr_1").claim("iss", next.url()).sign();
        assert_eq!(answer(&app, &claimed).await.source.as_deref(), Some("no key has the header's kid"));
    }
}

#[tokio::test]
async fn an_unknown_issuer_is_an_invalid_token() {
    let (one, other) = (issuer("https://a.test"), issuer("https://b.test"));
    let app = router(AuthLayer::builder().jwt(one.verifier()).jwt(other.verifier()));
    let stranger = issuer("https://evil.test");
    for token in [
        stranger.token("usr_1").sign(),
        one.token("usr_1").claim("iss", "https://evil.test").sign(),
        one.token("usr_1").claim("iss", "https://a.test/").sign(),
        one.token("usr_1").claim("iss", "HTTPS://a.test").sign(),
        one.token("usr_1").claim("iss", serde_json::json!(["https://a.test"])).sign(),
        one.token("usr_1").without("iss").sign(),
        one.sign_text("{}", "[]"),
        one.sign_text("{}", "{\"iss\":"),
        "a.b.c".to_owned(),
        "a.!.c".to_owned(),
        "a.b".to_owned(),
    ] {
        let answer = answer(&app, &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
        assert!(answer.challenges[0].contains("error=\"invalid_token\""));
    }
}

/// The first `iss` chooses the verifier, which then sees that there are two.
#[tokio::test]
async fn a_second_iss_hides_nothing_rfc7519_4() {
    let (one, other) = (issuer("https://a.test"), issuer("https://b.test"));
    let app = router(AuthLayer::builder().jwt(one.verifier()).jwt(other.verifier()));
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, one.current_kid());
    let claims = |iss: &str| {
        let exp = NOW.as_secs() + 60;
        format!(r#"{{{iss},"sub":"usr_1","aud":"https://api.test","exp":{exp}}}"#)
    };
    let good = one.sign_text(&header, &claims(r#""iss":"https:\/\/a.test""#));
    assert_eq!(answer(&app, &good).await.body, "usr_1 jwt");
    for iss in [
        r#""iss":"https://a.test","iss":"https://a.test""#,
        r#""iss":"https://a.test","iss":"https://b.test""#,
        r#""iss":"https://b.test","iss":"https://a.test""#,
        r#""\u0069ss":"https://a.test","iss":"https://b.test""#,
    ] {
        let answer = answer(&app, &one.sign_text(&header, &claims(iss))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{iss}");
    }
}

#[test]
fn two_verifiers_of_one_issuer_are_a_mistake() {
    let (one, same, other) = (issuer("https://a.test"), issuer("https://a.test"), issuer("https://b.test"));
    for order in [[&one, &same, &other], [&one, &other, &same], [&other, &one, &same]] {
        let builder = order.iter().fold(AuthLayer::builder(), |builder, issuer| builder.jwt(issuer.verifier()));
        let error = builder.build().unwrap_err();
        assert_eq!(error.issues().iter().map(|issue| &*issue.field).collect::<Vec<_>>(), ["jwt"]);
    }
}

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::{HeaderMap, Request, StatusCode};
use proptest::prelude::*;
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    authz::{Requirement, ScopeLayer},
    gate::RequestContextLayer,
    identity::Principal,
    rejection::RejectionKind,
    testing::{ManualClock, PrincipalBuilder, anonymous, principal, with_principal},
    time::Timestamp,
};

const NOW: u64 = 1_700_000_000;

async fn ask(layer: StepUpLayer, caller: Principal) -> (StatusCode, HeaderMap, Value) {
    let clock = ManualClock::at(Timestamp::from_secs(NOW));
    let stack =
        ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock)).layer(with_principal(caller)).layer(layer);
    let app: Router = Router::new().route("/", get(|| async {})).layer(stack);
    let (parts, body) = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

async fn status(step_up: StepUp, caller: PrincipalBuilder) -> u16 {
    ask(StepUpLayer::new(step_up).unwrap(), caller.build()).await.0.as_u16()
}

fn at(secs: u64) -> PrincipalBuilder {
    principal("usr_1").auth_time(Timestamp::from_secs(secs))
}

#[tokio::test]
async fn section_3_rfc9470_the_challenge_names_acr_values_and_max_age() {
    let step_up = StepUp::new().acr_values(["urn:gold", "urn:platinum"]).max_age(Duration::from_secs(5));
    let (status, headers, body) =
        ask(StepUpLayer::new(step_up).unwrap(), principal("usr_1").acr("urn:silver").build()).await;
    assert_eq!(status, 401);
    assert_eq!(
        headers["www-authenticate"],
        "Bearer error=\"insufficient_user_authentication\", \
         error_description=\"A stronger or more recent authentication is required.\", \
         acr_values=\"urn:gold urn:platinum\", max_age=\"5\"",
    );
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(body["error"], "insufficient_user_authentication");
    assert_eq!(body["acr_values"], serde_json::json!(["urn:gold", "urn:platinum"]));
    assert_eq!(body["max_age"], 5);
}

#[tokio::test]
async fn one_acr_of_several_and_every_amr_rfc9470_3() {
    let acr = || StepUp::new().acr_values(["gold", "platinum"]);
    for (held, expected) in [("gold", 200), ("platinum", 200), ("silver", 401), ("GOLD", 401), ("gold platinum", 401)] {
        assert_eq!(status(acr(), principal("usr_1").acr(held)).await, expected, "{held}");
    }
    assert_eq!(status(acr(), principal("usr_1")).await, 401);
    let amr = || StepUp::new().amr(["pwd", "otp"]);
    assert_eq!(status(amr(), principal("usr_1").amr(["otp", "x", "pwd"])).await, 200);
    for held in [&["pwd"][..], &["otp"], &[], &["pwd otp"], &["PWD", "OTP"]] {
        assert_eq!(status(amr(), principal("usr_1").amr(held.iter().copied())).await, 401, "{held:?}");
    }
    // All that is set must hold.
    let both = || StepUp::new().acr_values(["gold"]).amr(["mfa"]);
    assert_eq!(status(both(), principal("usr_1").acr("gold")).await, 401);
    assert_eq!(status(both(), principal("usr_1").acr("gold").amr(["mfa"])).await, 200);
}

#[tokio::test]
async fn an_authentication_grows_old_to_the_second_rfc9470_3() {
    let fresh = || StepUp::new().max_age(Duration::from_secs(300));
    for (auth_time, expected) in [
        (NOW, 200),
        (NOW - 300, 200),
        (NOW - 301, 401),
        (0, 401),
        // The issuer's clock is ahead a little, or nonsense.
        (NOW + 60, 200),
        (NOW + 61, 401),
        (u64::MAX / 2_000_000, 401),
    ] {
        assert_eq!(status(fresh(), at(auth_time)).await, expected, "{auth_time}");
    }
    assert_eq!(status(fresh(), principal("usr_1")).await, 401, "who does not say when is too old");
    assert_eq!(status(StepUp::new().max_age(Duration::MAX), at(0)).await, 200);
}

#[tokio::test]
async fn in_a_requirement_what_cannot_be_cured_comes_first() {
    let requirement = Requirement::all(["refund:orders"]).any_role(["clerk"]).step_up(StepUp::new().amr(["mfa"]));
    let scope = ScopeLayer::builder(requirement).build().unwrap();
    for (caller, expected) in [
        (principal("u").scopes(["refund:orders"]).roles(["clerk"]).amr(["mfa"]), None),
        (principal("u").scopes(["refund:orders"]).roles(["clerk"]), Some(RejectionKind::StepUpRequired)),
        (principal("u").scopes(["refund:orders"]), Some(RejectionKind::Forbidden)),
        (principal("u").roles(["clerk"]), Some(RejectionKind::InsufficientScope)),
    ] {
        let app: Router = Router::new()
            .route("/", get(|| async {}))
            .layer(ServiceBuilder::new().layer(with_principal(caller.build())).layer(scope.clone()));
        let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        let kind = response.extensions().get::<crate::rejection::Rejection>().map(crate::rejection::Rejection::kind);
        assert_eq!(kind, expected);
        assert_eq!(response.status(), expected.map_or(StatusCode::OK, RejectionKind::status));
    }
}

#[tokio::test]
async fn nobody_and_no_auth_layer_are_told_apart() {
    let layer = || StepUpLayer::new(StepUp::new().amr(["mfa"])).unwrap();
    let get = || Request::get("/").body(Body::empty()).unwrap();
    let app = || Router::new().route("/", axum::routing::get(|| async {}));
    let nobody: Router = app().layer(ServiceBuilder::new().layer(anonymous()).layer(layer()));
    let response = nobody.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(!response.headers()["www-authenticate"].to_str().unwrap().contains("error"));
    let alone: Router = app().layer(layer());
    assert_eq!(alone.oneshot(get()).await.unwrap().status(), 500);
}

#[test]
fn every_mistake_is_named() {
    assert_eq!(StepUpLayer::new(StepUp::new()).unwrap_err().issues().len(), 1);
    let wrong = StepUp::new().acr_values(["a b", "", "a\"b", "ok"]).amr(["é"]).max_age(Duration::from_millis(999));
    assert_eq!(StepUpLayer::new(wrong).unwrap_err().issues().len(), 5);
}

proptest! {
    /// Any value is a mistake of the configuration, or a challenge that is one header field.
    #[test]
    fn any_value_is_a_challenge_or_a_config_error(value in "\\PC{0,12}") {
        if let Ok(layer) = StepUpLayer::new(StepUp::new().acr_values([value.clone()])) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (status, headers, _) = runtime.block_on(ask(layer, principal("usr_1").build()));
            prop_assert_eq!(status, 401);
            let line = headers["www-authenticate"].to_str().unwrap();
            let expected = format!("acr_values=\"{value}\"");
            prop_assert!(line.ends_with(&expected), "{}", line);
        }
    }
}

//! The claim `authorization_details` of a token that was signed: read by the layers, and compared
//! with what a route wants.

use std::sync::LazyLock;

use axum::{Router, routing::get};
use portcullis::{
    auth::AuthLayer,
    authz::rar::{Amount, RarLayer, RarRequirement},
};

use crate::door::{Door, sign, verifier};

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::around(|| {
        let wanted = RarRequirement::of_type("payment_initiation")
            .actions(["create"])
            .amount("instructedAmount", Amount::parse("EUR", "123.50").expect("an amount"))
            .equals("creditorAccount", "DE02120300000000202051");
        let layer = RarLayer::new(wanted).expect("a requirement");
        let auth = AuthLayer::builder().jwt(verifier()).build().expect("a layer");
        Router::new().route("/a", get(|| async { "in" })).layer(layer).layer(auth)
    })
});

pub fn run(data: &[u8]) {
    let before = br#"{"iss":"https://id.test","aud":"api","sub":"usr_1","iat":1800000000,"exp":1800000600,"authorization_details":"#;
    let token = sign(br#"{"alg":"HS256"}"#, &[before, data, b"}"].concat());
    let Some(status) = DOOR.knock([("authorization", format!("Bearer {token}").as_bytes())]) else { return };
    let names = |text: &str| data.windows(text.len()).any(|window| window == text.as_bytes());
    // JSON may write any letter as an escape.
    if status.is_success() && !data.contains(&b'\\') {
        let all =
            ["payment_initiation", "create", "instructedAmount", "EUR", "creditorAccount", "DE02120300000000202051"];
        assert!(all.into_iter().all(names), "that grants no payment");
    }
}

//! What callers are let do, beyond scopes.

use std::time::Duration;

use axum::{Router, routing};
use http::request::Parts;
use portcullis::{
    authz::{
        PolicyLayer, PolicySet, RarLayer, RarRequirement, Requirement, RoleLayer, RoleMap, ScopeLayer, StepUp,
        StepUpLayer,
        policy::{Effect, Question, policy},
    },
    gate::RequestContextLayer,
    testing::{ManualClock, PrincipalBuilder, principal, with_principal},
    time::Timestamp,
};
use serde_json::json;
use tower::ServiceBuilder;

use super::{Observed, get, greatest, status};

const SCOPES: &str = "Scopes";
const NOW: u64 = 1_700_000_000;

/// What a route behind the layer answers this caller.
macro_rules! answer {
    ($layer:expr, $caller:expr) => {{
        let caller: PrincipalBuilder = $caller;
        let stack = ServiceBuilder::new()
            .layer(RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(NOW))))
            .layer(with_principal(caller.build()))
            .layer($layer);
        status(&Router::new().route("/", routing::get(|| async {})).layer(stack), get("/", &[])).await
    }};
}

pub(crate) async fn look(seen: &mut Observed) {
    let roles = RoleMap::builder().role("admin", ["read:*"]).role("clerk", ["read:x"]).build().unwrap();
    let clerk = RoleLayer::builder().any(["clerk"]).roles(roles).build().unwrap();
    let heir = answer!(clerk, principal("usr_1").roles(["admin"])) != 403;
    seen.see(SCOPES, "who inherits which role", if heir { "somebody" } else { "nobody" });

    let odd = ScopeLayer::builder(Requirement::all(["raed:ordres"])).build();
    seen.see(SCOPES, "which scopes there are", if odd.is_ok() { "any" } else { "some" });

    let fresh = StepUpLayer::new(StepUp::new().max_age(Duration::from_secs(1))).unwrap();
    let ahead = greatest(0..=3_600, async |secs| {
        answer!(fresh.clone(), principal("usr_1").auth_time(Timestamp::from_secs(NOW + secs))) == 200
    });
    seen.see(SCOPES, "an `auth_time` in the future", format!("{} s", ahead.await));

    let rar = RarLayer::new(RarRequirement::of_type("t")).unwrap();
    let caller = |detail| principal("usr_1").claim("authorization_details", json!([detail]));
    assert_eq!(answer!(rar.clone(), caller(json!({"type": "t"}))), 200);
    let narrowed = answer!(rar, caller(json!({"type": "t", "purpose": "audit"})));
    seen.see(SCOPES, "a member of an authorization detail that the route does not speak of", narrowed.to_string());

    let silent = policy("silent", |_: &Question<'_, Parts>| Effect::Abstain);
    let layer = PolicyLayer::new("read", PolicySet::builder().policy(silent).build().unwrap()).unwrap();
    let abstained = answer!(layer, principal("usr_1"));
    seen.see(SCOPES, "what policies decide if all abstain", abstained.to_string());
}

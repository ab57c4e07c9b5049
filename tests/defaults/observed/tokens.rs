//! What an `Issuer` accepts.

use std::time::Duration;

use axum::{Router, routing};
use portcullis::{
    auth::{
        AuthLayer,
        jwt::{Algorithm, ClaimNames, Issuer, Profile, PublicKey, StaticKeys},
    },
    gate::RequestContextLayer,
    secret::Secret,
    testing::{TestIssuer, TestToken},
    time::{ManualClock, Timestamp},
};
use tower::ServiceBuilder;

use super::{Observed, bytes, codes, get, greatest, status};

const TOKENS: &str = "Tokens";
const NOW: Timestamp = Timestamp::from_secs(1_795_248_300);

pub(super) async fn look(seen: &mut Observed) {
    times(seen).await;
    contents(seen).await;
    names(seen);
    seen.see(TOKENS, "profile", format!("`{:?}`", Profile::default()));
    seen.see(TOKENS, "algorithm of an RSA key without `alg`", {
        let key = PublicKey::Rsa { modulus: &[], exponent: &[] };
        key.algorithms()[0].as_str()
    });
    let names = async |count: u64| {
        let roles = (0..count).map(|number| format!("r{number}"));
        let none: [&str; 0] = [];
        let names = ClaimNames::default().scope(none).tenant(none).plan(none).client(none).email(none).roles(roles);
        issuer().issuer().claim_names(names).build().is_ok()
    };
    seen.see(TOKENS, "names of claims that are looked for", format!("at most {}", greatest(0..=200, names).await));
    seen.see(TOKENS, "algorithms", {
        let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        format!("those of the keys: {}", names.join(", "))
    });
    let secret = async |length: u64| {
        let keys = StaticKeys::new().secret(Secret::new("x".repeat(usize::try_from(length).unwrap())));
        Issuer::new("i").audience("a").keys(keys).build().is_err()
    };
    seen.see(TOKENS, "shortest HS256 secret", bytes(greatest(0..=256, secret).await + 1));
}

/// An issuer, and a service that stands at `now`.
fn service(issuer: &TestIssuer, now: Timestamp) -> Router {
    let auth = AuthLayer::builder().jwt(issuer.verifier()).build().unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(now));
    Router::new().route("/", routing::get(|| async {})).layer(ServiceBuilder::new().layer(context).layer(auth))
}

fn issuer() -> TestIssuer {
    TestIssuer::new("https://issuer.test").clock(ManualClock::at(NOW))
}

async fn accepts(app: &Router, token: TestToken) -> bool {
    let bearer = format!("Bearer {}", token.sign());
    status(app, get("/", &[("authorization", &bearer)])).await == 200
}

async fn times(seen: &mut Observed) {
    let issuer = issuer();
    let lives = Duration::from_secs(100);
    let late = async |secs: u64| {
        let app = service(&issuer, NOW.saturating_add(lives).saturating_add(Duration::from_secs(secs)));
        accepts(&app, issuer.token("usr_1").expires_in(lives)).await
    };
    // `exp` is the first moment at which a token no longer holds (RFC 7519 §4.1.4).
    seen.see(TOKENS, "leeway", format!("{} s", greatest(0..=600, late).await + 1));
    let app = service(&issuer, NOW);
    let lives = async |secs: u64| accepts(&app, issuer.token("usr_1").expires_in(Duration::from_secs(secs))).await;
    seen.see(TOKENS, "longest life of a token", format!("{} s", greatest(1..=100_000, lives).await));
    let allowed = async |secs: u64| issuer.issuer().leeway(Duration::from_secs(secs)).build().is_ok();
    seen.see(TOKENS, "longest leeway", format!("{} s", greatest(0..=600, allowed).await));
}

async fn contents(seen: &mut Observed) {
    let issuer = issuer();
    let app = service(&issuer, NOW);
    let token = || issuer.token("usr_1");
    let mut mandatory = Vec::new();
    for claim in ["iss", "aud", "exp", "sub", "iat", "nbf", "jti", "client_id", "scope"] {
        if !accepts(&app, token().without(claim)).await {
            mandatory.push(claim);
        }
    }
    seen.see(TOKENS, "mandatory claims", codes(mandatory));
    let mut types = Vec::new();
    for typ in ["at+jwt", "JWT", "dpop+jwt", "logout+jwt", "secevent+jwt", "x"] {
        if accepts(&app, token().typ(typ)).await {
            types.push(typ);
        }
    }
    let none = accepts(&app, token().without_header("typ")).await;
    seen.see(TOKENS, "`typ`", format!("{}{}", codes(types), if none { ", or none" } else { "" }));
    let bound = accepts(&app, token().claim("cnf", serde_json::json!({ "jkt": "x" }))).await;
    seen.see(TOKENS, "tokens bound to a key (`cnf`)", if bound { "accepted" } else { "refused" });
}

fn names(seen: &mut Observed) {
    let names = format!("{:?}", ClaimNames::default());
    let of = |field: &str| {
        let (_, rest) = names.split_once(&format!("{field}: [")).unwrap();
        let (list, _) = rest.split_once(']').unwrap();
        list.replace("\", \"", "`, then `").replace('"', "`")
    };
    for (setting, field) in [
        ("scope claims", "scope"),
        ("roles claim", "roles"),
        ("tenant claim", "tenant"),
        ("plan claim", "plan"),
        ("client claims", "client"),
    ] {
        seen.see(TOKENS, setting, of(field));
    }
}

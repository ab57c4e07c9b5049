//! Authentication, API keys and scopes.

use axum::{Router, routing};
use http::Method;
use portcullis::{
    auth::{
        AuthLayer, AuthLayerBuilder,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
    },
    authz::{Requirement, ScopeLayer},
    backend::memory::MemoryStore,
    identity::Scopes,
    testing::{TestIssuer, principal, with_principal},
    time::Timestamp,
};

use super::{Observed, ask, bytes, codes, get, greatest, status};

const AUTH: &str = "Authentication";
const KEYS: &str = "API keys";
const SCOPES: &str = "Scopes";

pub(super) async fn look(seen: &mut Observed) {
    credentials(seen).await;
    api_keys(seen).await;
    scopes(seen).await;
}

fn app(auth: AuthLayerBuilder) -> Router {
    Router::new().route("/", routing::get(|| async {})).layer(auth.build().unwrap())
}

async fn credentials(seen: &mut Observed) {
    let issuer = TestIssuer::new("https://issuer.test");
    let (store, key) = issued("acme");
    let auth = || AuthLayer::builder().jwt(issuer.verifier()).api_keys(store.clone());
    let (required, optional) = (app(auth()), app(auth().optional()));
    let bearer = format!("Bearer {}", issuer.token("usr_1").sign());

    let (nobody, headers, _) = ask(&required, get("/", &[])).await;
    seen.see(AUTH, "no credential", nobody.as_str());
    let challenge = headers["www-authenticate"].to_str().unwrap();
    seen.see(AUTH, "realm", codes([challenge.trim_start_matches("Bearer realm=").trim_matches('"')]));
    let wrong = get("/", &[("x-api-key", "wrong")]);
    assert_eq!(status(&optional, get("/", &[])).await, 200);
    let refused = status(&optional, wrong).await;
    seen.see(AUTH, "a credential that does not hold", format!("{refused}, also with `optional`"));
    let both = get("/", &[("x-api-key", &key), ("authorization", &bearer)]);
    seen.see(AUTH, "two credentials", status(&required, both).await.to_string());

    let mut read = Vec::new();
    let token = bearer.trim_start_matches("Bearer ");
    for (place, request) in [
        ("Authorization: Bearer", get("/", &[("authorization", &bearer)])),
        ("Authorization: Basic", get("/", &[("authorization", &bearer.replace("Bearer", "Basic"))])),
        ("X-API-Key", get("/", &[("x-api-key", &key)])),
        ("query", get(&format!("/?access_token={token}&api_key={key}&token={token}"), &[])),
        ("Cookie", get("/", &[("cookie", &format!("token={token}; api_key={key}"))])),
    ] {
        if status(&required, request).await == 200 {
            read.push(place);
        }
    }
    seen.see(AUTH, "where credentials are read", codes(read));
}

/// A store with one key of a brand, and the key.
fn issued(brand: &str) -> (MemoryStore, String) {
    let format = ApiKeyFormat::new(brand, "live").unwrap();
    let key = ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_1")).unwrap();
    let store = MemoryStore::new();
    store.insert_api_key(key.record).unwrap();
    (store, String::from_utf8(key.secret.expose().to_vec()).unwrap())
}

async fn api_keys(seen: &mut Observed) {
    let mut accepted = 0;
    for brand in ["acme", "other"] {
        let (store, key) = issued(brand);
        let app = app(AuthLayer::builder().api_keys(store));
        accepted += u8::from(status(&app, get("/", &[("x-api-key", &key)])).await == 200);
    }
    let every = if accepted == 2 { "every one that has a record" } else { "some" };
    seen.see(KEYS, "brands and environments", every);
    let format = ApiKeyFormat::new("acme", "live").unwrap();
    let key = ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_1")).unwrap();
    seen.see(KEYS, "expiry", key.record.expires_at().map_or("never".into(), Timestamp::to_rfc3339));
    seen.see(KEYS, "scopes of a key", if key.record.scopes().is_empty() { "none" } else { "some" });
    // acme_live_, twelve of the id, _, the secret, six of the checksum.
    let secret = key.secret.expose().len() - "acme_live_".len() - 12 - 1 - 6;
    seen.see(KEYS, "secret part", format!("{secret} characters"));
}

async fn scopes(seen: &mut Observed) {
    let router = || Router::new().route("/", routing::get(|| async {})).route("/new", routing::get(|| async {}));
    let table = ScopeLayer::table().route(Method::GET, "/", Requirement::all(["read:x"])).build().unwrap();
    let caller = principal("usr_1").scopes(["read:x"]).build();
    let app = router().layer(table).layer(with_principal(caller));
    assert_eq!(status(&app, get("/", &[])).await, 200);
    seen.see(SCOPES, "a route without a row in a table", status(&app, get("/new", &[])).await.to_string());

    let admin = principal("usr_1").roles(["admin", "read:x"]).build();
    let app = router().layer(ScopeLayer::all(["read:x"]).unwrap()).layer(with_principal(admin));
    let nothing = status(&app, get("/", &[])).await == 403;
    seen.see(SCOPES, "what roles stand for", if nothing { "nothing" } else { "something" });

    let star = Scopes::from_token(["read:*"]).unwrap();
    let letter = !star.satisfies("read:x") && star.iter().eq(["read:*"]);
    seen.see(SCOPES, "`*` in a token", if letter { "a letter like any other" } else { "a wildcard" });

    let many = async |count: u64| {
        let scopes: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        Scopes::from_token(scopes.iter().map(String::as_str)).is_ok()
    };
    let long = async |length: u64| Scopes::from_token(["x".repeat(usize::try_from(length).unwrap()).as_str()]).is_ok();
    let (most, longest) = (greatest(1..=10_000, many).await, greatest(1..=100_000, long).await);
    seen.see(SCOPES, "most scopes of a credential", format!("{most}, {}", bytes(longest)));
}

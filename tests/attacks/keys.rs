//! Attacks on API keys.

use portcullis::{
    auth::api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeys},
    backend::memory::MemoryStore,
    time::{ManualClock, Timestamp},
};

use super::scene::{Attack, NEEDLE, NOW, Scene, bearer, from, get, hasher, issue};

pub(crate) async fn attacks(scene: &Scene) -> Vec<Attack> {
    let mut list = Vec::new();
    let mut both = |name: &str, key: &str| {
        list.push(Attack::new("API key", name, get(&[("x-api-key", key)])));
        list.push(Attack::new("API key as token", name, bearer(key)));
    };
    let elsewhere = |environment: &str| {
        let format = ApiKeyFormat::new("acme", environment).unwrap();
        ApiKeys::new(MemoryStore::new(), format, hasher()).clock(ManualClock::at(NOW))
    };
    both("well-formed, of another store", &issue(&elsewhere("live"), ApiKeyRecord::builder("u")).await);
    both("of another environment", &issue(&elsewhere("test"), ApiKeyRecord::builder("u")).await);
    let ahead = |seconds: i64| Timestamp::from_secs(NOW.as_secs().saturating_add_signed(seconds));
    let late = ApiKeyRecord::builder("u").created_at(ahead(-100)).expires_at(ahead(-1));
    both("expired", &issue(&scene.keys, late).await);
    both("not in force yet", &issue(&scene.keys, ApiKeyRecord::builder("u").not_before(ahead(1))).await);
    let networks = ApiKeyRecord::builder("u").allowed_networks(["198.51.100.0/24"]);
    both("from an address that is not allowed", &issue(&scene.keys, networks).await);
    let revoked = issue(&scene.keys, ApiKeyRecord::builder("u")).await;
    scene.keys.revoke(revoked.split('_').nth(2).unwrap(), "stolen").await.unwrap();
    both("revoked", &revoked);
    let key = &*scene.api_key;
    let id = key.split('_').nth(2).unwrap();
    let other = issue(&scene.keys, ApiKeyRecord::builder("u")).await;
    for (name, key) in [
        ("another letter in the middle", key.replacen(&key[30..31], if &key[30..31] == "A" { "B" } else { "A" }, 1)),
        ("one letter less", key[..key.len() - 1].to_owned()),
        ("one letter more", format!("{key}0")),
        ("in capitals", key.to_uppercase()),
        ("our id, another's secret", format!("acme_live_{id}_{}", other.split('_').nth(3).unwrap())),
        ("the id alone", id.to_owned()),
        ("without a secret", format!("acme_live_{id}_")),
        ("zeros for a secret", format!("acme_live_{id}_{}", "0".repeat(49))),
        ("SQL", "acme_live_' OR '1'='1".replace(' ', "+")),
        ("a wildcard", "acme_live_*".to_owned()),
        ("a path", "acme_live_../../etc/passwd".to_owned()),
        ("another brand", key.replacen("acme", "emca", 1)),
        ("percent-encoded", key.replace('_', "%5F")),
        ("long", format!("acme_live_{}", "A".repeat(10_000))),
        ("a needle", NEEDLE.to_owned()),
    ] {
        both(name, &key);
    }
    places(scene, &mut list);
    list
}

fn places(scene: &Scene, list: &mut Vec<Attack>) {
    let key = &*scene.api_key;
    for (name, value) in [
        ("empty", String::new()),
        ("null", "null".into()),
        ("two words", format!("{key} {key}")),
        ("two in one line", format!("{key},{key}")),
        ("with a scheme", format!("Bearer {key}")),
        ("not ASCII", "clé".into()),
        ("quoted", format!("\"{key}\"")),
    ] {
        list.push(Attack::new("API key's header", name, get(&[("x-api-key", &value)])));
    }
    list.push(Attack::new("API key's header", "twice", get(&[("x-api-key", key), ("x-api-key", key)])));
    for name in ["api_key", "apikey", "x-api-key", "key"] {
        let mut request = get(&[]);
        *request.uri_mut() = format!("/orders?{name}={key}").parse().unwrap();
        list.push(Attack::new("where nobody looks", format!("a key in the query: {name}"), request));
    }
    for (name, value) in
        [("cookie", format!("api_key={key}")), ("api-key", key.to_owned()), ("x_api_key", key.to_owned())]
    {
        list.push(Attack::new("where nobody looks", format!("a key in {name}"), get(&[(name, &value)])));
    }
    // Who comes from an address that is not allowed may claim another one.
    let claimed = from(get(&[("x-forwarded-for", "198.51.100.1"), ("x-api-key", "acme_live_nothing")]), [192, 0, 2, 1]);
    list.push(Attack::new("API key's header", "with a claimed address", claimed));
}

//! Attacks on proofs of possession (RFC 9449), and with the tokens that need them.

use std::time::Duration;

use portcullis::testing::{TestDpopKey, TestDpopProof};
use serde_json::json;

use super::scene::{Attack, NEEDLE, NOW, Scene, get};

pub(crate) fn attacks(scene: &Scene) -> Vec<Attack> {
    let token = scene.bound();
    let authorization = format!("DPoP {token}");
    let mut list = Vec::new();
    let mut with = |class: &'static str, name: &str, proof: String| {
        list.push(Attack::new(class, name, get(&[("authorization", &authorization), ("dpop", &proof)])));
    };
    let good = || scene.proof(&token);
    let thief = TestDpopKey::generate().at(NOW);
    let changed: [(&'static str, &str, TestDpopProof); 32] = [
        ("proof: claims", "another method", good().claim("htm", "POST")),
        ("proof: claims", "the method in small letters", good().claim("htm", "get")),
        ("proof: claims", "another path", good().claim("htu", "https://api.test/accounts")),
        ("proof: claims", "another host", good().claim("htu", "https://attacker.test/orders")),
        ("proof: claims", "a host with a user", good().claim("htu", "https://api.test@attacker.test/orders")),
        ("proof: claims", "plain http", good().claim("htu", "http://api.test/orders")),
        ("proof: claims", "a relative target", good().claim("htu", "/orders")),
        ("proof: claims", "a needle", good().claim("htu", NEEDLE)),
        ("proof: claims", "no target", good().without("htu")),
        ("proof: claims", "no method", good().without("htm")),
        ("proof: claims", "no id", good().without("jti")),
        ("proof: claims", "an empty id", good().claim("jti", "")),
        ("proof: claims", "no date", good().without("iat")),
        ("proof: claims", "no token", good().without("ath")),
        ("proof: claims", "another token", scene.proof("another.token")),
        ("proof: claims", "the token itself", good().claim("ath", token.clone())),
        ("proof: time", "old", good().aged(Duration::from_secs(3_600))),
        ("proof: time", "of tomorrow", good().claim("iat", NOW.as_secs() + 86_400)),
        ("proof: time", "of no time", good().claim("iat", 1e300)),
        ("proof: key", "a thief's", thief.proof("GET", "https://api.test/orders", &token)),
        ("proof: key", "signed by a thief", good().signed_by(&thief)),
        ("proof: key", "the thief's jwk", good().header("jwk", thief.jwk())),
        ("proof: key", "none", good().without_header("jwk")),
        ("proof: key", "a private one", good().header("jwk", with_member(scene, "d", "AAAA"))),
        ("proof: key", "a secret", good().header("jwk", json!({"kty": "oct", "k": "AAAA"}))),
        ("proof: key", "by URL", good().without_header("jwk").header("jku", "https://attacker.test/jwks")),
        ("proof: algorithm", "none", good().header("alg", "none")),
        ("proof: algorithm", "HS256", good().header("alg", "HS256")),
        ("proof: algorithm", "RS256", good().header("alg", "RS256")),
        ("proof: type", "JWT", good().header("typ", "JWT")),
        ("proof: type", "an access token's", good().header("typ", "at+jwt")),
        ("proof: type", "crit", good().header("crit", json!(["b64"]))),
    ];
    for (class, name, proof) in changed {
        with(class, name, proof.sign());
    }
    let proof = good().sign();
    let (signed, _) = proof.rsplit_once('.').unwrap();
    for (name, proof) in [
        ("nothing", String::new()),
        ("the token", token.clone()),
        ("no signature", format!("{signed}.")),
        ("zeros for a signature", format!("{signed}.{}", "A".repeat(86))),
        ("two in one line", format!("{}, {}", good().sign(), good().sign())),
        ("long", "a.".repeat(6_000)),
        ("not ASCII", "clé.clé.clé".into()),
    ] {
        with("proof: form", name, proof);
    }
    schemes(scene, &token, &mut list);
    list
}

fn schemes(scene: &Scene, token: &str, list: &mut Vec<Attack>) {
    let proof = || scene.proof(token).sign();
    let dpop = format!("DPoP {token}");
    let send = |authorization: &str, proofs: &[String]| {
        let mut headers = vec![("authorization", authorization)];
        headers.extend(proofs.iter().map(|proof| ("dpop", proof.as_str())));
        get(&headers)
    };
    let bearer = format!("Bearer {token}");
    list.push(Attack::new("bound as bearer", "with its proof", send(&bearer, &[proof()])));
    list.push(Attack::new("bound as bearer", "without", send(&bearer, &[])));
    list.push(Attack::new("proof: form", "none", send(&dpop, &[])));
    list.push(Attack::new("proof: form", "two headers", send(&dpop, &[proof(), proof()])));
    list.push(Attack::new("proof: form", "a proof without a token", get(&[("dpop", &proof())])));
    let free = scene.token().sign();
    let proof_of_free = scene.proof(&free).sign();
    list.push(Attack::new(
        "unbound under DPoP",
        "a token of nobody's key",
        send(&format!("DPoP {free}"), &[proof_of_free]),
    ));
    let key = format!("DPoP {}", scene.api_key);
    list.push(Attack::new("unbound under DPoP", "an API key", send(&key, &[scene.proof(&scene.api_key).sign()])));
    let used = proof();
    let mut replay = Attack::new("replay", "a proof again", send(&dpop, std::slice::from_ref(&used)));
    replay.before.push(send(&dpop, &[used]));
    list.push(replay);
    let once = || scene.proof(token).claim("jti", "once and for all");
    let mut replay = Attack::new("replay", "its id in another proof", send(&dpop, &[once().claim("x", 1).sign()]));
    replay.before.push(send(&dpop, &[once().sign()]));
    list.push(replay);
}

fn with_member(scene: &Scene, name: &str, value: &str) -> serde_json::Value {
    let mut jwk = scene.dpop.jwk();
    jwk[name] = value.into();
    jwk
}

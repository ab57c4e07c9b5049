//! Attacks on JWTs (RFC 8725 and its kin), against an issuer with RSA keys and one with a curve's.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis::{
    auth::jwt::Algorithm,
    testing::{TestDpopKey, TestIssuer, TestToken},
};
use serde_json::{Value, json};

use super::scene::{AUDIENCE, Attack, NEEDLE, NOW, Scene, bearer, get};

pub(crate) fn attacks(scene: &Scene) -> Vec<Attack> {
    let mut list = Vec::new();
    for (issuer, algorithm) in scene.issuers.iter().zip([Algorithm::Rs256, Algorithm::Es256]) {
        let forger = TestIssuer::with_algorithm(issuer.url(), algorithm).clock(portcullis::time::ManualClock::at(NOW));
        algorithms(&mut list, issuer, algorithm);
        keys(&mut list, issuer, &forger);
        claims(&mut list, issuer);
        kinds(&mut list, issuer);
        forms(&mut list, issuer);
        signatures(&mut list, issuer);
    }
    let [rs, es] = &scene.issuers;
    push(&mut list, "another issuer's key", "RS for ES", rs.token("u").claim("iss", es.url()));
    push(&mut list, "another issuer's key", "ES for RS", es.token("u").claim("iss", rs.url()));
    push(&mut list, "revoked", "by jti", rs.token("u").claim("jti", "revoked"));
    places(&mut list, &es.token("u").sign());
    list
}

fn push(list: &mut Vec<Attack>, class: &'static str, name: impl Into<String>, token: TestToken) {
    raw(list, class, name, &token.sign());
}

fn raw(list: &mut Vec<Attack>, class: &'static str, name: impl Into<String>, token: &str) {
    list.push(Attack::new(class, name, bearer(token)));
}

fn algorithms(list: &mut Vec<Attack>, issuer: &TestIssuer, algorithm: Algorithm) {
    let good = || issuer.token("u");
    push(list, "alg none", "none", good().unsigned());
    for name in ["None", "NONE", "nOnE", "none ", "", "null"] {
        push(list, "alg none", format!("{name:?} with a signature"), good().algorithm(name));
        push(list, "alg none", format!("{name:?} without"), good().unsigned().algorithm(name));
    }
    push(list, "alg confusion", "HS256 with the public key", good().hs256_with_the_public_key());
    for other in ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS256", "rs256", "RSA1_5", NEEDLE] {
        if other != algorithm.as_str() {
            push(list, "alg confusion", other, good().algorithm(other));
        }
    }
    for wrong in [json!(null), json!(1), json!(["ES256"]), json!({})] {
        push(list, "alg confusion", wrong.to_string(), good().header("alg", wrong.clone()));
    }
}

fn keys(list: &mut Vec<Attack>, issuer: &TestIssuer, forger: &TestIssuer) {
    let fake = || issuer.token("u").signed_by(forger);
    push(list, "another key", "under our kid", fake());
    push(list, "another key", "under its own kid", fake().kid(&forger.current_kid()));
    push(list, "another key", "without kid", fake().without_header("kid"));
    let jwk = forger.jwks()["keys"][0].clone();
    push(list, "the sender's key", "jwk", fake().header("jwk", jwk.clone()));
    push(list, "the sender's key", "jwk and its kid", fake().kid(&forger.current_kid()).header("jwk", jwk));
    for name in ["jku", "x5u"] {
        push(list, "the sender's key", name, fake().header(name, "https://attacker.test/keys.json"));
        push(list, "the sender's key", format!("{name} of a file"), fake().header(name, "file:///etc/passwd"));
    }
    push(list, "the sender's key", "x5c", fake().header("x5c", json!(["MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6"])));
    let long = "k".repeat(5_000);
    for kid in [
        "../../../../../../dev/null",
        "/dev/null",
        "' OR '1'='1' -- ",
        "x' UNION SELECT 'aaa",
        "|| sleep 10 #",
        "$(reboot)",
        "key\u{0}",
        "",
        "*",
        "https://attacker.test/key",
        &long,
    ] {
        push(list, "kid", kid.chars().take(40).collect::<String>(), fake().kid(kid));
    }
    for kid in [json!(null), json!(0), json!(["a"]), json!({"$ne": null})] {
        push(list, "kid", kid.to_string(), fake().header("kid", kid.clone()));
    }
}

fn claims(list: &mut Vec<Attack>, issuer: &TestIssuer) {
    let good = || issuer.token("u");
    let day = Duration::from_secs(86_400);
    push(list, "time", "expired", good().expired());
    push(list, "time", "not before tomorrow", good().not_before_in(day));
    push(list, "time", "no exp", good().without("exp"));
    push(list, "time", "a life of a day", good().expires_in(day));
    push(
        list,
        "time",
        "issued tomorrow",
        good().claim("iat", NOW.as_secs() + 86_400).expires_in(day + Duration::from_secs(60)),
    );
    for exp in [json!("1800000600"), json!(null), json!(1e300), json!(-1), json!([1_800_000_600]), json!(true)] {
        push(list, "time", format!("exp {exp}"), good().claim("exp", exp.clone()));
    }
    push(list, "audience", "another", good().audience("https://other.test"));
    push(list, "audience", "none", good().without("aud"));
    let longer = format!("{AUDIENCE}.attacker.test");
    for aud in [
        json!(null),
        json!(7),
        json!({}),
        json!([]),
        json!([1]),
        json!([AUDIENCE, 1]),
        json!(""),
        json!("*"),
        json!(longer),
        json!(format!("{AUDIENCE}/")),
        json!(AUDIENCE.to_uppercase()),
        json!([[AUDIENCE]]),
    ] {
        push(list, "audience", aud.to_string(), good().claim("aud", aud.clone()));
    }
    push(list, "issuer", "none", good().without("iss"));
    for iss in [
        json!("https://attacker.test"),
        json!(format!("{}/", issuer.url())),
        json!(issuer.url().to_uppercase()),
        json!([issuer.url()]),
        json!([issuer.url(), "https://attacker.test"]),
        json!(null),
        json!(1),
        json!(""),
        json!(NEEDLE),
    ] {
        push(list, "issuer", iss.to_string(), good().claim("iss", iss.clone()));
    }
    push(list, "subject", "none", good().without("sub"));
    for sub in [json!(null), json!(1), json!(["admin"]), json!({})] {
        push(list, "subject", sub.to_string(), good().claim("sub", sub.clone()));
    }
    push(list, "changed after signing", "the subject", good().tampered());
    let thumbprint = TestDpopKey::generate().thumbprint();
    for cnf in [
        json!({"jkt": thumbprint}),
        json!({"x5t#S256": thumbprint}),
        json!({"kid": "k"}),
        json!({"jwk": {}}),
        json!({}),
        json!(null),
        json!("x"),
        json!([]),
    ] {
        push(list, "bound as bearer", cnf.to_string(), good().claim("cnf", cnf.clone()));
    }
    for (name, value) in [("scope", json!(7)), ("scope", json!("x".repeat(10_000))), ("scope", json!({"a": 1}))] {
        push(list, "claims", name, good().claim(name, value));
    }
}

fn kinds(list: &mut Vec<Attack>, issuer: &TestIssuer) {
    let good = || issuer.token("u");
    for typ in
        ["dpop+jwt", "logout+jwt", "secevent+jwt", "id_token+jwt", "JWE", "at+jwt+x", "token-introspection+jwt", ""]
    {
        push(list, "another kind of JWT", format!("typ {typ:?}"), good().typ(typ));
    }
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for (claim, value) in
        [("at_hash", json!("x")), ("c_hash", json!("x")), ("events", event), ("token_use", json!("id"))]
    {
        push(list, "another kind of JWT", claim, good().typ("JWT").claim(claim, value));
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"])] {
        push(list, "another kind of JWT", format!("typ {typ}"), good().header("typ", typ.clone()));
    }
    for (name, value) in [
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([NEEDLE])),
        ("crit", json!("exp")),
        ("crit", json!(null)),
    ] {
        push(list, "crit", value.to_string(), good().header(name, value.clone()).header("b64", false));
    }
    let inner = good().sign();
    let header = format!(r#"{{"alg":"{}","kid":"{}","cty":"JWT"}}"#, algorithm_of(&inner), issuer.current_kid());
    raw(list, "nested", "a token in a token", &issuer.sign_text(&header, &inner));
    raw(list, "nested", "as a JSON string", &issuer.sign_text(&header, &format!("{inner:?}")));
    let jwe = text(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    raw(list, "nested", "a JWE", &format!("{jwe}.AAAA.AAAA.AAAA.AAAA"));
    raw(list, "nested", "a JWE with our token as content", &format!("{jwe}..AAAA.{}.AAAA", text(&inner)));
}

/// Texts that our own key has signed, so that only the reader can see what is wrong.
fn forms(list: &mut Vec<Attack>, issuer: &TestIssuer) {
    let good = issuer.token("u").sign();
    let alg = algorithm_of(&good);
    let kid = issuer.current_kid();
    let header = format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}"#);
    let body = format!(r#""iss":"{}","aud":"{AUDIENCE}","sub":"u","iat":1800000000,"exp":1800000600"#, issuer.url());
    let signed = |header: &str, claims: &str| issuer.sign_text(header, claims);
    for (name, header) in [
        ("alg", format!(r#"{{"alg":"none","alg":"{alg}","kid":"{kid}"}}"#)),
        ("alg, escaped", format!(r#"{{"al\u0067":"none","alg":"{alg}","kid":"{kid}"}}"#)),
        ("kid", format!(r#"{{"alg":"{alg}","kid":"x","kid":"{kid}"}}"#)),
        ("of no meaning", format!(r#"{{"alg":"{alg}","kid":"{kid}","x":1,"x":2}}"#)),
    ] {
        raw(list, "duplicate members", format!("header: {name}"), &signed(&header, &format!("{{{body}}}")));
    }
    for (name, claims) in [
        ("sub", format!(r#"{{{body},"sub":"admin"}}"#)),
        ("sub, escaped", format!(r#"{{{body},"s\u0075b":"admin"}}"#)),
        ("aud", format!(r#"{{"aud":"x",{body}}}"#)),
        ("exp", format!(r#"{{{body},"exp":9999999999}}"#)),
        ("deep", format!(r#"{{{body},"a":[{{"b":1,"b":2}}]}}"#)),
    ] {
        raw(list, "duplicate members", name, &signed(&header, &claims));
    }
    let deep = |open: &str, close: &str| format!(r#"{{{body},"x":{}1{}}}"#, open.repeat(700), close.repeat(700));
    for (name, claims) in [
        ("nested arrays", deep("[", "]")),
        ("nested objects", deep("{\"a\":", "}")),
        ("cut off", format!("{{{body}")),
        ("two objects", format!("{{{body}}}{{}}")),
        ("an array", format!("[{{{body}}}]")),
        ("a string", "\"x\"".into()),
        ("nothing", String::new()),
        ("a comment", format!("{{/**/{body}}}")),
        ("a mark before it", format!("\u{feff}{{{body}}}")),
        ("a comma too many", format!("{{{body},}}")),
        ("NaN", format!(r#"{{{body},"nbf":NaN}}"#)),
    ] {
        raw(list, "JSON", name, &signed(&header, &claims));
    }
    raw(list, "JSON", "no header", &signed("", &format!("{{{body}}}")));
    raw(list, "JSON", "a header that is none", &signed("[]", &format!("{{{body}}}")));
    let parts: Vec<&str> = good.split('.').collect();
    let (head, claims, signature) = (parts[0], parts[1], parts[2]);
    let huge = signed(&header, &format!(r#"{{{body},"x":"{}"}}"#, "y".repeat(9_000)));
    for (name, token) in [
        ("huge", huge),
        ("two parts", format!("{head}.{claims}")),
        ("four parts", format!("{good}.{signature}")),
        ("an empty part", format!("{head}..{signature}")),
        ("padding", format!("{good}==")),
        ("padding within", format!("{head}=.{claims}.{signature}")),
        ("a blank after it", format!("{head}.{claims} .{signature}")),
        ("percent-encoded", good.replace('.', "%2E")),
        ("quoted", format!("\"{good}\"")),
        ("two of them", format!("{good}, {good}")),
        ("dots", "..".into()),
        ("one dot", ".".into()),
        ("standard base64", format!("{head}.{claims}.{}+/", &signature[..signature.len() - 2])),
        ("bits left over", format!("{head}.{claims}.{}", with_other_bits(signature))),
        ("cut off", good[..good.len() - 1].to_owned()),
        ("NUL", format!("{head}.{claims}.{signature}\u{0}").replace('\u{0}', "%00")),
    ] {
        raw(list, "form", name, &token);
    }
}

fn signatures(list: &mut Vec<Attack>, issuer: &TestIssuer) {
    let good = issuer.token("u").sign();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let length = Base64UrlUnpadded::decode_vec(signature).unwrap().len();
    let mut order = vec![0_u8; length];
    order[length - 1] = 1;
    for (name, bytes) in [
        ("nothing", vec![]),
        ("r = s = 0 (psychic)", vec![0; length]),
        ("all ones", vec![0xFF; length]),
        ("one", order),
        ("one byte", vec![0]),
        ("too long", vec![1; length + 1]),
        ("twice as long", vec![1; length * 2]),
        ("DER", [&[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00][..]].concat()),
        ("of the other tokens' length", vec![1; if length == 64 { 256 } else { 64 }]),
    ] {
        raw(list, "signature", name, &format!("{signed}.{}", Base64UrlUnpadded::encode_string(&bytes)));
    }
    let other = issuer.token("somebody else").sign();
    let (_, foreign) = other.rsplit_once('.').unwrap();
    raw(list, "signature", "of another token", &format!("{signed}.{foreign}"));
}

fn places(list: &mut Vec<Attack>, token: &str) {
    let place = "where nobody looks";
    let query = |name: &str| {
        let mut request = get(&[]);
        *request.uri_mut() = format!("/orders?{name}={token}").parse().unwrap();
        request
    };
    for name in ["access_token", "token", "authorization", "jwt", "bearer"] {
        list.push(Attack::new(place, format!("query {name}"), query(name)));
    }
    let headers: [(&str, String); 9] = [
        ("cookie", format!("access_token={token}")),
        ("cookie", format!("token={token}; session={token}")),
        ("x-access-token", token.to_owned()),
        ("x-auth-token", token.to_owned()),
        ("proxy-authorization", format!("Bearer {token}")),
        ("x-authorization", format!("Bearer {token}")),
        ("x-forwarded-authorization", format!("Bearer {token}")),
        ("sec-websocket-protocol", format!("bearer, {token}")),
        ("x-original-authorization", format!("Bearer {token}")),
    ];
    for (name, value) in headers {
        list.push(Attack::new(place, name, get(&[(name, &value)])));
    }
    for value in [
        format!("Bearer\t{token}"),
        format!("Bearer{token}"),
        format!("Bearer:{token}"),
        format!("Token {token}"),
        format!("JWT {token}"),
        format!("Basic {token}"),
        token.to_owned(),
        format!("Bearer token=\"{token}\""),
        format!("Bearer {token} {token}"),
        format!("Bearer, Bearer {token}"),
        format!("Basic dTpw, Bearer {token}"),
        "Bearer".to_owned(),
        "Bearer null".to_owned(),
        "Bearer undefined".to_owned(),
        String::new(),
    ] {
        let name: String = value.chars().take(24).collect();
        list.push(Attack::new("scheme", name, get(&[("authorization", &value)])));
    }
}

fn algorithm_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(header).unwrap()).unwrap();
    header["alg"].as_str().unwrap().to_owned()
}

fn text(text: &str) -> String {
    Base64UrlUnpadded::encode_string(text.as_bytes())
}

/// The same bytes, with other bits behind the last of them: a lax reader sees no difference.
fn with_other_bits(signature: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (most, last) = signature.split_at(signature.len() - 1);
    let value = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    format!("{most}{}", char::from(ALPHABET[value ^ 1]))
}

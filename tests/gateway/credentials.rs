//! Who is let in, and what those who are not are told.

use http::Request;
use portcullis::testing::TestIssuer;

use crate::desk::{Desk, bearer, with};

const API_KEY_LINE: &str = "ApiKey realm=\"orders\"";

#[tokio::test]
async fn good_credentials() {
    let desk = Desk::new().await;
    for name in ["TOKEN_READ", "TOKEN_WRITE", "TOKEN_ADMIN"] {
        let answer = desk.get_with("/api/orders", desk.bearer(name)).await;
        assert_eq!((answer.status, answer.body), (200, serde_json::json!([])), "{name}");
        assert_eq!(answer.headers["x-ratelimit-limit"], "300");
        assert!(answer.headers.contains_key("ratelimit") && answer.headers.contains_key("ratelimit-policy"));
    }
    assert_eq!(desk.get_with("/api/orders", desk.api_key()).await.status, 200);
    let lower_case = format!("bearer {}", desk.value("TOKEN_READ"));
    assert_eq!(desk.get_with("/api/orders", ("authorization", lower_case)).await.status, 200);
    desk.finish(0).await;
}

#[tokio::test]
async fn no_credential_gets_challenges_without_an_error() {
    let desk = Desk::new().await;
    for path in ["/api/orders", "/api/orders/ord_1", "/quota/demo", "/demo/slow", "/demo/panic"] {
        let answer = desk.get(path).await;
        assert_eq!(answer.refusal(), (401, "missing_credentials"), "{path}");
        assert_eq!(answer.challenges(), ["Bearer realm=\"orders\"", API_KEY_LINE]);
    }
    let other_scheme = desk.get_with("/api/orders", ("authorization", "Basic ZGVtbzpkZW1v")).await;
    assert_eq!(other_scheme.refusal(), (401, "missing_credentials"));
    assert_eq!(other_scheme.challenges(), ["Bearer realm=\"orders\"", API_KEY_LINE]);
    let head = desk.send(Request::head("/api/orders"), "").await;
    assert_eq!((head.status, &head.body), (401, &"".into()));
    desk.finish(0).await;
}

/// Each with a code of its own, and RFC 6750's `invalid_token` on the line of the scheme used.
#[tokio::test]
async fn bad_tokens() {
    let desk = Desk::new().await;
    let token = || desk.issuer.token("usr_read").scopes(["read:orders"]);
    let stranger = TestIssuer::new(desk.issuer.url()).audience("orders");
    let hour = std::time::Duration::from_secs(3600);
    let cases = [
        ("expired", desk.value("TOKEN_EXPIRED").to_owned(), "token_expired"),
        ("not yet valid", token().not_before_in(hour).sign(), "token_not_yet_valid"),
        ("tampered", token().tampered().sign(), "invalid_signature"),
        ("another key under our kid", token().signed_by(&stranger).sign(), "invalid_signature"),
        ("another key", stranger.token("usr_read").sign(), "invalid_token"),
        ("alg none", token().unsigned().sign(), "unsupported_algorithm"),
        ("public key as secret", token().hs256_with_the_public_key().sign(), "unsupported_algorithm"),
        ("wrong audience", token().audience("invoices").sign(), "invalid_token"),
        ("wrong issuer", token().claim("iss", "https://issuer.example").sign(), "invalid_token"),
        ("no subject", token().without("sub").sign(), "invalid_token"),
        ("no expiry", token().without("exp").sign(), "invalid_token"),
        ("an ID token", token().typ("ID+JWT").sign(), "invalid_token"),
        ("garbage", "garbage".into(), "invalid_token"),
        ("too long", "a".repeat(9_000), "invalid_token"),
    ];
    for (name, token, code) in cases {
        let answer = desk.get_with("/api/orders", bearer(&token)).await;
        assert_eq!(answer.refusal(), (401, code), "{name}");
        let [bearer, api_key] = answer.challenges()[..] else { panic!("{name}: {:?}", answer.challenges()) };
        assert!(bearer.starts_with("Bearer realm=\"orders\", error=\"invalid_token\", error_description=\""), "{name}");
        assert_eq!(api_key, API_KEY_LINE, "{name}");
        assert!(!answer.body.to_string().contains(&token), "{name}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn a_bad_api_key() {
    let desk = Desk::new().await;
    let key = desk.value("API_KEY");
    let other = format!("{}{}", &key[..key.len() - 1], if key.ends_with('0') { '1' } else { '0' });
    for bad in ["nope", &other, &key[..key.len() - 1], &key.to_ascii_uppercase(), &"k".repeat(9_000)] {
        let answer = desk.get_with("/api/orders", ("x-api-key", bad)).await;
        assert_eq!(answer.refusal(), (401, "invalid_api_key"), "{bad}");
        let [bearer, api_key] = answer.challenges()[..] else { panic!("{:?}", answer.challenges()) };
        assert_eq!(bearer, "Bearer realm=\"orders\"");
        assert!(api_key.starts_with("ApiKey realm=\"orders\", error="), "{api_key}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn two_credentials_or_one_twice() {
    let desk = Desk::new().await;
    let (token, other) = (desk.bearer("TOKEN_READ"), desk.bearer("TOKEN_WRITE"));
    let (token, other, key) = ((token.0, &*token.1), (other.0, &*other.1), desk.api_key());
    let two_in_one = ("authorization", &*format!("{}, {}", token.1, other.1));
    let sets: [&[_]; 6] =
        [&[token, key], &[token, token], &[token, other], &[key, key], &[key, ("x-api-key", "nope")], &[two_in_one]];
    for headers in sets {
        let answer = desk.send(with(Request::get("/api/orders"), headers), "").await;
        assert_eq!(answer.refusal(), (400, "invalid_request"));
        assert!(answer.challenges()[0].contains("error=\"invalid_request\""), "{:?}", answer.challenges());
    }
    desk.finish(0).await;
}

/// An API key may come as a bearer token, a token never as an API key; and what is not a key is not
/// taken for nothing.
#[tokio::test]
async fn a_credential_in_the_place_of_the_other() {
    let desk = Desk::new().await;
    let answer = desk.get_with("/api/orders", bearer(desk.value("API_KEY"))).await;
    assert_eq!(answer.status, 200);
    let answer = desk.get_with("/api/orders", ("x-api-key", desk.value("TOKEN_READ"))).await;
    assert_eq!(answer.refusal(), (401, "invalid_api_key"));
    desk.finish(0).await;
}

#[tokio::test]
async fn a_credential_in_the_url_is_neither_read_nor_written() {
    let desk = Desk::new().await;
    let token = desk.value("TOKEN_READ");
    for (name, value) in [
        ("access_token", token),
        ("token", token),
        ("api_key", desk.value("API_KEY")),
        ("authorization", &format!("Bearer%20{token}")),
        ("jwt", token),
        ("q", token),
    ] {
        let answer = desk.get(&format!("/api/orders?page=2&{name}={value}&sort=asc")).await;
        assert_eq!(answer.refusal(), (401, "missing_credentials"), "{name}");
        assert!(answer.challenges().iter().all(|line| !line.contains("error=")));
    }
    desk.hide("Zm9yZ290dGVuLXBhc3N3b3Jk");
    assert_eq!(desk.get("/health?password=Zm9yZ290dGVuLXBhc3N3b3Jk").await.status, 200);
    // Also as the name of something: the handler notes the resource that was asked for.
    let path = format!("/api/orders/{token}");
    assert_eq!(desk.get_with(&path, desk.bearer("TOKEN_READ")).await.status, 404);
    let agent = ("user-agent", &*format!("curl {token}"));
    let referer = ("referer", &*format!("https://app.example.com/?t={token}"));
    assert_eq!(desk.send(with(Request::get("/health"), &[agent, referer]), "").await.status, 200);
    desk.finish(0).await;
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let desk = Desk::new().await;
    for (request, name, missing) in [
        (Request::post("/api/orders"), "TOKEN_READ", "write:orders"),
        (Request::delete("/api/orders/ord_1"), "TOKEN_WRITE", "admin:orders"),
    ] {
        let (header, value) = desk.bearer(name);
        let answer = desk.send(request.header(header, value), "").await;
        assert_eq!(answer.refusal(), (403, "insufficient_scope"));
        assert_eq!(answer.body["missing_scopes"], serde_json::json!([missing]));
        let line = format!("Bearer realm=\"orders\", error=\"insufficient_scope\", scope=\"{missing}\"");
        assert_eq!(answer.challenges(), [line]);
    }
    let (header, key) = desk.api_key();
    let answer = desk.send(Request::post("/api/orders").header(header, key), "").await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope"));
    let none = desk.issuer.token("usr_none").sign();
    let answer = desk.get_with("/api/orders", bearer(&none)).await;
    assert_eq!(answer.body["missing_scopes"], serde_json::json!(["read:orders"]));
    desk.finish(0).await;
}

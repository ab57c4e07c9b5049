//! RFC 6750, one test for each thing that a resource server must do.

use super::*;

const BARE: &[&str] = &["Bearer realm=\"api\"", "ApiKey realm=\"api\""];
const BAD_REQUEST: &[&str] = &[
    "Bearer realm=\"api\", error=\"invalid_request\", error_description=\"The request is malformed.\"",
    "ApiKey realm=\"api\"",
];

#[tokio::test]
async fn section_2_1_rfc6750_the_header_is_accepted_in_any_case_of_the_scheme() {
    let app = router(tokens_only());
    for value in ["Bearer good", "bearer good", "BEARER good", "bEaReR   good"] {
        get_with(&app, &[("authorization", value)]).await.sees("usr_jwt jwt");
    }
}

#[tokio::test]
async fn section_2_rfc6750_more_than_one_method_is_invalid_request() {
    let (auth, _, key) = both();
    let app = router(auth);
    for authorization in ["Bearer good", "Bearer expired", "Basic dTpw", &format!("Bearer {key}")] {
        let answer = get_with(&app, &[("authorization", authorization), ("x-api-key", &key)]).await;
        answer.is(400, "invalid_request").challenged(BAD_REQUEST);
    }
}

#[tokio::test]
async fn section_3_1_rfc6750_a_repeated_credential_is_invalid_request() {
    let (auth, _, key) = both();
    let app = router(auth);
    let joined = format!("{key}, {key}");
    for headers in [
        &[("authorization", "Bearer good"), ("authorization", "Bearer good")][..],
        &[("authorization", "Bearer good"), ("authorization", "Basic dTpw")],
        &[("authorization", "Bearer good, Bearer good")],
        &[("authorization", "Bearer good,good")],
        &[("x-api-key", &key), ("x-api-key", &key)],
        &[("x-api-key", &joined)],
    ] {
        get_with(&app, headers).await.is(400, "invalid_request").challenged(BAD_REQUEST);
    }
}

#[tokio::test]
async fn section_3_1_rfc6750_a_malformed_request_is_invalid_request() {
    let (auth, ..) = both();
    let app = router(auth);
    let headers: [(&'static str, &[u8]); 9] = [
        ("authorization", b""),
        ("authorization", b"Bearer"),
        ("authorization", b"Bearer "),
        ("authorization", b"Bearer good more"),
        ("authorization", b"Bearer \xc3\xa9"),
        ("authorization", b"Bearer\tgood"),
        ("x-api-key", b""),
        ("x-api-key", b"two words"),
        ("x-api-key", b"\xff\xfe"),
    ];
    for header in headers {
        let answer = send(&app, request("/", [header])).await;
        answer.is(400, "invalid_request").challenged(BAD_REQUEST);
    }
}

#[tokio::test]
async fn section_3_1_rfc6750_a_bad_token_is_invalid_token() {
    let app = router(both().0);
    let long = "a".repeat(8_193);
    for (token, code, description) in [
        ("expired", "token_expired", "The access token has expired."),
        ("forged", "invalid_signature", "The signature does not verify."),
        ("none", "unsupported_algorithm", "The signature algorithm is not accepted."),
        ("early", "token_not_yet_valid", "The access token is not valid yet."),
        ("unknown", "invalid_token", "The access token is malformed, or not meant for this service."),
        ("a\"b", "invalid_token", "The access token is malformed, or not meant for this service."),
        (&long, "invalid_token", "The access token is malformed, or not meant for this service."),
    ] {
        let line = format!("Bearer realm=\"api\", error=\"invalid_token\", error_description=\"{description}\"");
        let answer = get_with(&app, &[("authorization", &format!("Bearer {token}"))]).await;
        answer.is(401, code).challenged(&[&line, "ApiKey realm=\"api\""]);
    }
}

#[tokio::test]
async fn section_3_1_rfc6750_no_credential_and_unknown_schemes_get_no_error_code() {
    let app = router(both().0);
    get_with(&app, &[]).await.is(401, "missing_credentials").challenged(BARE);
    for value in ["Basic dTpw", "Digest a=\"b\", c=\"d\"", "DPoP good", "good", "eyJ.eyJ.sig"] {
        get_with(&app, &[("authorization", value)]).await.is(401, "missing_credentials").challenged(BARE);
    }
}

#[tokio::test]
async fn section_2_3_rfc6750_and_fapi2_a_token_in_the_url_is_never_read() {
    let (auth, _, key) = both();
    let app = router(auth);
    for name in ["access_token=good", "token=good", &format!("api_key={key}"), &format!("x-api-key={key}")] {
        let answer = send(&app, request(&format!("/?{name}"), [])).await;
        answer.is(401, "missing_credentials").challenged(BARE);
        assert!(!answer.body.contains(&key) && answer.source.is_none());
    }
    // Nor does it count as a second one.
    let answer = send(&app, request("/?access_token=good", [("authorization", &b"Bearer good"[..])])).await;
    answer.sees("usr_jwt jwt");
}

#[tokio::test]
async fn section_2_2_rfc6750_a_token_in_the_form_is_never_read() {
    let app = router(tokens_only());
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("access_token=good"))
        .unwrap();
    send(&app, request).await.is(401, "missing_credentials");
}

#[tokio::test]
async fn section_3_rfc6750_no_attribute_comes_twice_and_nothing_sent_is_repeated() {
    let app = router(both().0);
    for value in ["Bearer sentinel", "Bearer sentinel x", "sentinel", "Bearer \"sentinel\""] {
        let answer = get_with(&app, &[("authorization", value)]).await;
        for line in &answer.challenges {
            for attribute in ["realm=", "error=", "error_description=", "scope="] {
                assert!(line.matches(&format!(" {attribute}")).count() <= 1, "{line}");
            }
        }
        assert!(!answer.body.contains("sentinel") && !format!("{:?}", answer.headers).contains("sentinel"));
    }
}

/// RFC 6750 §5.3 and RFC 9111: a refusal is not for caches.
#[tokio::test]
async fn section_5_3_rfc6750_a_refusal_is_not_stored() {
    let app = router(tokens_only());
    for headers in [&[][..], &[("authorization", "Bearer expired")], &[("authorization", "Bearer")]] {
        assert_eq!(get_with(&app, headers).await.headers["cache-control"], "no-store");
    }
}

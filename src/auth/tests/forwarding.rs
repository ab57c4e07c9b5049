//! What the handler, or a service behind it, is told.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    auth::{CookieSource, ForwardedIdentity, IdentityError, IdentityHeaders},
    secret::{Secret, SecretSet},
};

/// A handler that answers with the headers that it sees.
fn echo(auth: AuthLayerBuilder) -> Router {
    async fn seen(headers: HeaderMap) -> HeaderMap {
        let kept = |name: &str| name.starts_with("x-") || name == "authorization" || name == "cookie";
        let pairs = headers.iter().filter(|(name, _)| kept(name.as_str()));
        pairs
            .map(|(name, value)| (http::HeaderName::try_from(format!("seen-{name}")).unwrap(), value.clone()))
            .collect()
    }
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    Router::new().route("/", get(seen)).layer(tower::ServiceBuilder::new().layer(context).layer(auth.build().unwrap()))
}

fn key_of(record: ApiKeyRecordBuilder) -> (AuthLayerBuilder, String) {
    let store = MemoryStore::new();
    let key = issue(&store, record);
    (AuthLayer::builder().api_keys(store), key)
}

fn secrets() -> SecretSet {
    SecretSet::new(Secret::new("between two services of one owner"))
}

const SPOOFED: [(&str, &str); 8] = [
    ("x-user-id", "admin"),
    ("x_user_id", "admin"),
    ("x-user_id", "admin"),
    ("X-User-Scopes", "admin:all"),
    ("x_user_scopes", "admin:all"),
    ("x-user-tier", "enterprise"),
    ("x_user-tier", "enterprise"),
    ("x-user-signature", "t=1,id=1,v1=00"),
];

#[tokio::test]
async fn seed_bug_4_callers_cannot_speak_for_themselves_anonymous_or_not() {
    let (auth, key) = key_of(ApiKeyRecord::builder("usr_1"));
    let app = echo(auth.optional());
    for credential in [None, Some(("x-api-key", key.as_str()))] {
        let headers: Vec<_> = SPOOFED.into_iter().chain([("x-user-agent", "a")]).chain(credential).collect();
        let answer = get_with(&app, &headers).await;
        assert_eq!(answer.status, StatusCode::OK);
        for (name, _) in SPOOFED {
            assert!(!answer.headers.contains_key(format!("seen-{}", name.to_lowercase())), "{name}");
        }
        assert!(answer.headers.contains_key("seen-x-user-agent"), "only ours are removed");
    }
}

/// Vouches for a subject that no header can hold as it is.
#[derive(Debug)]
struct Odd;

impl TokenVerifier for Odd {
    fn verify(&self, _: &str, _: Timestamp) -> Checked {
        let parts = PrincipalParts { subject: "usr 1%\r\nx: y\u{e9}".into(), ..PrincipalParts::default() };
        Checked::Ready(Ok(Principal::new(parts).into()))
    }
}

#[tokio::test]
async fn seed_bug_4_the_verified_caller_is_written_and_the_absent_is_not() {
    let record = ApiKeyRecord::builder("usr_1").scopes(["read:orders", "write:*"]).plan("pro");
    let (auth, key) = key_of(record);
    let app = echo(auth.identity_headers(IdentityHeaders::new()).optional());
    let answer = get_with(&app, &[("x-api-key", &key), ("x-user-id", "admin")]).await;
    assert_eq!(answer.headers["seen-x-user-id"], "usr_1");
    assert_eq!(answer.headers["seen-x-user-scopes"], "read:orders write:*");
    assert_eq!(answer.headers["seen-x-user-tier"], "pro");
    assert!(!answer.headers.contains_key("seen-x-user-signature"));
    assert!(answer.headers.contains_key("seen-x-api-key"), "credentials stay unless asked");

    let app = echo(AuthLayer::builder().tokens(Odd).identity_headers(IdentityHeaders::new()).optional());
    let answer = get_with(&app, &[("authorization", "Bearer a")]).await;
    assert_eq!(answer.headers["seen-x-user-id"], "usr%201%25%0D%0Ax:%20y%C3%A9");
    assert!(!answer.headers.contains_key("seen-x-user-scopes") && !answer.headers.contains_key("seen-x-user-tier"));
    let anonymous = get_with(&app, &[("x-user-id", "admin")]).await;
    assert!(!anonymous.headers.contains_key("seen-x-user-id"));
}

#[tokio::test]
async fn credentials_are_removed_on_request() {
    let cookie = CookieSource::new("__Host-token").unwrap();
    let (auth, key) = key_of(ApiKeyRecord::builder("usr_1"));
    let app = echo(auth.tokens(Tokens).cookie(cookie).remove_credentials());
    for credential in [("x-api-key", key.as_str()), ("authorization", "Bearer good")] {
        let answer = get_with(&app, &[credential, ("cookie", "a=b; __Host-token=good; c=d")]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.headers.contains_key("seen-authorization") && !answer.headers.contains_key("seen-x-api-key"));
        assert_eq!(answer.headers["seen-cookie"], "a=b; c=d");
    }
    let answer = get_with(&app, &[("cookie", "__Host-token=good")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key("seen-cookie"));
    // Cookies of others stay as they are, whatever is in them.
    let answer = get_with(&app, &[("cookie", "a=\u{e9}; __Host-token=good; c=d")]).await;
    assert_eq!(answer.headers["seen-cookie"].as_bytes(), "a=\u{e9}; c=d".as_bytes());
}

async fn signed() -> HeaderMap {
    let (auth, key) = key_of(ApiKeyRecord::builder("usr_1 %é").scopes(["read:orders"]));
    let app = echo(auth.identity_headers(IdentityHeaders::new().signed(secrets())));
    let answer = get_with(&app, &[("x-api-key", &key)]).await;
    let seen = answer.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix("seen-")?.parse::<http::HeaderName>().unwrap(), value.clone()))
    });
    seen.collect()
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_signature_holds_for_these_values_this_secret_and_this_minute() {
    let headers = signed().await;
    let verify = |headers: &HeaderMap, at| ForwardedIdentity::verify(headers, &secrets(), at, MINUTE);
    let caller = verify(&headers, NOW).unwrap();
    assert_eq!((caller.subject(), caller.tier()), (Some("usr_1 %é"), None));
    assert_eq!(caller.scopes().collect::<Vec<_>>(), ["read:orders"]);
    assert!(verify(&headers, NOW.saturating_add(MINUTE)).is_ok());
    let late = NOW.saturating_add(Duration::from_secs(61));
    assert_eq!(verify(&headers, late), Err(IdentityError::Stale));
    assert_eq!(verify(&headers, Timestamp::from_secs(NOW.as_secs() - 6)), Err(IdentityError::Stale));
    let other = SecretSet::new(Secret::new("somebody else's secret, as long"));
    assert_eq!(ForwardedIdentity::verify(&headers, &other, NOW, MINUTE), Err(IdentityError::Signature));
    for (name, value) in
        [("x-user-id", "admin"), ("x-user-scopes", "admin:all"), ("x-user-tier", "pro"), ("x-user-tier", "")]
    {
        let mut changed = headers.clone();
        changed.insert(name, HeaderValue::from_static(value));
        assert_eq!(verify(&changed, NOW), Err(IdentityError::Signature), "{name}");
    }
    let mut missing = headers.clone();
    missing.remove("x-user-scopes");
    assert_eq!(verify(&missing, NOW), Err(IdentityError::Signature));
    let mut twice = headers.clone();
    twice.append("x-user-id", HeaderValue::from_static("admin"));
    assert_eq!(verify(&twice, NOW), Err(IdentityError::Malformed));
    assert_eq!(verify(&HeaderMap::new(), NOW), Err(IdentityError::Malformed));
}

proptest! {
    #[test]
    fn no_header_panics_or_is_believed(text in "[ -~]{0,200}") {
        let mut headers = HeaderMap::new();
        headers.insert("x-user-id", HeaderValue::from_static("admin"));
        headers.insert("x-user-signature", HeaderValue::try_from(text).unwrap());
        prop_assert!(ForwardedIdentity::verify(&headers, &secrets(), NOW, MINUTE).is_err());
    }
}

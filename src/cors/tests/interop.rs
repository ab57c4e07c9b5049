//! Beside tower-http's layer, made of the same policy: alike where they can be, and the differences.

use tower_http::cors::CorsLayer;

use super::*;
use crate::cors::TowerHttpGap;

const ORIGINS: [&str; 6] = [
    APP,
    "https://*.example.org",
    "http://localhost:*",
    "https://b.example:8443",
    "https://*.c.example:*",
    "https://d.example",
];
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PURGE"];
const NAMES: [&str; 3] = ["authorization", "content-type", "x-api-key"];
const ASKED: [&str; 12] = [
    APP,
    "https://a.example.org",
    "https://example.org",
    "https://a..example.org",
    "http://localhost:5173",
    "http://localhost",
    "https://b.example:8443",
    "https://b.example",
    "https://x.c.example:1",
    "https://d.example",
    "null",
    "https://evil.example",
];

fn pair(policy: &CorsPolicy) -> (Router, Router) {
    let inner = || Router::new().fallback(|| async { "inner" });
    let theirs = CorsLayer::try_from(policy).unwrap();
    (inner().layer(CorsSecurityLayer::new(policy.clone())), inner().layer(theirs))
}

async fn response(app: &Router, method: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// What a browser goes by in the response to an actual request.
fn told(response: &Response) -> [Vec<String>; 3] {
    let list = |name: &str| all_of(response.headers(), name).join(",");
    let mut exposed: Vec<String> =
        list("access-control-expose-headers").split(',').map(|name| name.trim().to_owned()).collect();
    exposed.sort();
    let readable = response.headers().contains_key("access-control-allow-origin");
    let credentials = all_of(response.headers(), "access-control-allow-credentials");
    // Without an origin, the other two mean nothing; tower-http sends them all the same.
    if readable {
        [all_of(response.headers(), "access-control-allow-origin"), credentials, exposed]
    } else {
        [vec![], vec![], vec![]]
    }
}

/// Whether a browser sends the request after this preflight (Fetch §4.8).
fn may_send(response: &Response, origin: &str, method: &str, names: &str, credentials: bool) -> bool {
    let list = |name: &str| -> Vec<String> {
        all_of(response.headers(), name).join(",").split(',').map(|item| item.trim().to_owned()).collect()
    };
    let origins = all_of(response.headers(), "access-control-allow-origin");
    let readable = origins == [origin] || (origins == ["*"] && !credentials);
    let trusted = !credentials || all_of(response.headers(), "access-control-allow-credentials") == ["true"];
    let (allowed_methods, allowed) = (list("access-control-allow-methods"), list("access-control-allow-headers"));
    let wildcard = |list: &[String]| !credentials && list.iter().any(|item| item == "*");
    let method = METHODS[..3].contains(&method)
        || allowed_methods.iter().any(|item| item == method)
        || wildcard(&allowed_methods);
    let may_have = |name: &str| {
        allowed.iter().any(|item| item.eq_ignore_ascii_case(name)) || (name != "authorization" && wildcard(&allowed))
    };
    let names = names.split(',').filter(|name| !name.is_empty()).all(may_have);
    response.status().is_success() && readable && trusted && method && names
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn alike_on_the_common_subset(
        origins in proptest::sample::subsequence(ORIGINS.to_vec(), 1..=ORIGINS.len()),
        methods in proptest::sample::subsequence(METHODS[3..].to_vec(), 0..=3),
        names in proptest::sample::subsequence(NAMES.to_vec(), 0..=3),
        credentials: bool,
        everybody: bool,
        any_method: bool,
        any_header: bool,
        asked_origin in proptest::sample::select(ASKED.to_vec()),
        asked_method in proptest::sample::select(METHODS.to_vec()),
        asked_names in proptest::sample::select(vec!["", "authorization", "content-type,x-api-key", "x-other"]),
    ) {
        let mut policy = CorsPolicy::builder().methods(METHODS[..3].iter().chain(&methods)).request_headers(names);
        policy = if everybody { policy.allow_any_origin() } else { policy.allow_origins(origins) };
        policy = if credentials && !everybody { policy.allow_credentials() } else { policy };
        policy = if any_method && !credentials { policy.allow_any_method() } else { policy };
        policy = if any_header && !credentials { policy.allow_any_request_header() } else { policy };
        let (ours, theirs) = pair(&policy.build().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let both = |method: &str, headers: &[(&str, &str)]| {
            runtime.block_on(async { (response(&ours, method, headers).await, response(&theirs, method, headers).await) })
        };
        let (our, their) = both("GET", &[("origin", asked_origin)]);
        proptest::prop_assert_eq!(told(&our), told(&their));
        let (our, their) = both("OPTIONS", &[
            ("origin", asked_origin),
            ("access-control-request-method", asked_method),
            ("access-control-request-headers", asked_names),
        ]);
        for with_credentials in [false, true] {
            proptest::prop_assert_eq!(
                may_send(&our, asked_origin, asked_method, asked_names, with_credentials),
                may_send(&their, asked_origin, asked_method, asked_names, with_credentials)
            );
        }
    }
}

#[tokio::test]
async fn what_differs() {
    let policy = builder().build().unwrap().handle().policy().unwrap();
    let (ours, theirs) = pair(&policy);
    let evil = [("origin", "https://evil.example"), ("access-control-request-method", "PUT")];

    // Every OPTIONS request is a preflight to it.
    let (our, their) = (response(&ours, "OPTIONS", &[]).await, response(&theirs, "OPTIONS", &[]).await);
    let body = async |response: Response| axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!((body(our).await, body(their).await), ("inner".into(), "".into()));

    // It tells refused origins what is allowed.
    let (our, their) = (response(&ours, "OPTIONS", &evil).await, response(&theirs, "OPTIONS", &evil).await);
    assert_eq!(cors_headers(our.headers()), [""; 0]);
    assert!(their.headers().contains_key("access-control-allow-methods"));
    assert_eq!((our.status().as_u16(), their.status().as_u16()), (204, 200));

    // It lists all methods, and does not decide.
    let patch = [("origin", APP), ("access-control-request-method", "PATCH")];
    let (our, their) = (response(&ours, "OPTIONS", &patch).await, response(&theirs, "OPTIONS", &patch).await);
    assert_eq!(cors_headers(our.headers()), [""; 0]);
    assert_eq!(their.headers()["access-control-allow-origin"], APP);

    // A safelisted method that is not listed is refused by us, and let through by every browser.
    let post = [("origin", APP), ("access-control-request-method", "POST")];
    let (our, their) = (response(&ours, "OPTIONS", &post).await, response(&theirs, "OPTIONS", &post).await);
    assert!(!may_send(&our, APP, "POST", "", false) && may_send(&their, APP, "POST", "", false));

    // Of several origins, it takes the first.
    let two = [("origin", APP), ("origin", "https://evil.example")];
    let (our, their) = (response(&ours, "GET", &two).await, response(&theirs, "GET", &two).await);
    assert_eq!(
        (cors_headers(our.headers()).len(), all_of(their.headers(), "access-control-allow-origin")),
        (0, vec![APP.into()])
    );

    // What a handler says reaches refused origins.
    let leaky = || {
        Router::new()
            .fallback(|| async { [("access-control-allow-origin", "*"), ("access-control-allow-credentials", "true")] })
    };
    let theirs = leaky().layer(CorsLayer::try_from(&policy).unwrap());
    let ours = leaky().layer(CorsSecurityLayer::new(policy));
    let evil = [("origin", "https://evil.example")];
    assert_eq!(cors_headers(response(&ours, "GET", &evil).await.headers()), [""; 0]);
    assert_eq!(all_of(response(&theirs, "GET", &evil).await.headers(), "access-control-allow-origin"), ["*"]);
}

#[tokio::test]
async fn a_single_origin_is_never_sent_to_others() {
    let policy = CorsPolicy::builder().allow_origin(APP).build().unwrap();
    let (_, theirs) = pair(&policy);
    let response = response(&theirs, "GET", &[("origin", "https://evil.example")]).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert_eq!(response.headers()["vary"], "origin");
}

#[test]
fn what_it_would_do_unsafely_is_refused() {
    use TowerHttpGap as Gap;
    let base = || CorsPolicy::builder().allow_origin(APP);
    for (builder, gaps) in [
        (base().explain_failures(), vec![Gap::ExplainFailures]),
        (base().refused_preflight(RefusedPreflight::Forbidden), vec![Gap::RefusedPreflight]),
        (base().legacy_private_network(), vec![Gap::PrivateNetwork]),
        (base().allow_credentials().allow_any_method(), vec![Gap::AnyMethodWithCredentials]),
        (base().allow_credentials().allow_any_request_header(), vec![Gap::AnyRequestHeaderWithCredentials]),
        (
            base()
                .allow_credentials()
                .expose_any()
                .allow_lint("wildcard-expose-with-credentials", "a test")
                .explain_failures(),
            vec![Gap::ExplainFailures, Gap::AnyExposedWithCredentials],
        ),
    ] {
        let error = CorsLayer::try_from(&builder.build().unwrap()).unwrap_err();
        assert_eq!(error.gaps(), gaps);
        assert!(error.to_string().contains(gaps[0].reason()));
    }
}

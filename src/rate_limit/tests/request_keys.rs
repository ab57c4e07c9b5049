//! Keys that are taken from the request itself, and who is exempt.

use http::HeaderName;
use proptest::prelude::*;

use super::*;

const TENANT: HeaderName = HeaderName::from_static("x-tenant");

fn with(name: &str, values: &[&[u8]], path: &str) -> Request<Body> {
    let mut request = request(Method::GET, path, None, "203.0.113.7");
    for value in values {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, http::HeaderValue::from_bytes(value).unwrap());
    }
    request
}

#[tokio::test]
async fn a_header_selects_a_bucket_and_to_leave_it_out_is_no_way_around() {
    let app = App::of(Rule::new("r", Key::dangerously_header(TENANT), Rate::per_minute(1)));
    let ask = |values: &'static [&'static [u8]]| app.status(with("x-tenant", values, "/"));
    assert_eq!((ask(&[b"a"]).await, ask(&[b"a"]).await, ask(&[b"b"]).await), (200, 429, 200));
    assert_eq!((ask(&[]).await, ask(&[]).await, ask(&[b""]).await), (200, 429, 429));
    assert_eq!((ask(&[b"\xff"]).await, ask(&[b"\xff"]).await), (200, 429));
    // Which of two is meant nobody can say.
    assert_eq!((ask(&[b"c", b"d"]).await, ask(&[b"c", b"c"]).await), (400, 400));
    let long: &'static [u8] = Box::leak(vec![b'x'; 257].into_boxed_slice());
    let refused = app.send(with("x-tenant", &[long], "/")).await;
    assert_eq!(refused.status(), 400);
    assert!(!json(refused).await.to_string().contains("xxxx"));
    assert_eq!(app.status(with("x-tenant", &[&long[1..]], "/")).await, 200);
}

#[tokio::test]
async fn a_path_parameter_is_what_the_handler_sees() {
    let app = App::of(Rule::new("r", Key::path_param("user"), Rate::per_minute(1)));
    let ask = |path: &'static str| app.status(with("x", &[], path));
    assert_eq!((ask("/users/anna").await, ask("/users/ann%61").await), (200, 429), "one value, written in two ways");
    assert_eq!(ask("/users/otto").await, 200);
    // Other routes have no such parameter.
    assert_eq!((ask("/orders").await, ask("/orders").await, ask("/users/me").await), (200, 200, 200));
    let long: &'static str = Box::leak(format!("/users/{}", "x".repeat(257)).into_boxed_str());
    assert_eq!(ask(long).await, 400);
}

#[tokio::test]
async fn a_function_selects_a_bucket_or_none() {
    let app = App::of(Rule::new(
        "r",
        Key::by(|view| view.uri().query().map(str::to_owned)).and(Key::ip()),
        Rate::per_minute(1),
    ));
    let ask = |path: &'static str| app.status(with("x", &[], path));
    assert_eq!((ask("/?a").await, ask("/?a").await, ask("/?b").await), (200, 429, 200));
    assert_eq!((ask("/").await, ask("/").await), (200, 200));
}

#[tokio::test]
async fn routes_and_prefixes_select_buckets() {
    let app = App::of(Rule::new("r", Key::ip_prefix(24, 48).and(Key::route()), Rate::per_minute(1)));
    let ask = |method, path, ip| app.status(request(method, path, None, ip));
    assert_eq!(ask(Method::GET, "/orders", "203.0.113.7").await, 200);
    assert_eq!(ask(Method::POST, "/orders", "203.0.113.200").await, 429, "the method does not count, nor the host");
    assert_eq!(ask(Method::GET, "/search", "203.0.113.7").await, 200);
    assert_eq!(ask(Method::GET, "/orders", "203.0.114.7").await, 200);
    assert_eq!(ask(Method::GET, "/orders", "2001:db8:0:1::1").await, 200);
    assert_eq!(ask(Method::GET, "/orders", "2001:db8:0:2::1").await, 429);
    assert_eq!(ask(Method::GET, "/orders", "2001:db8:1:1::1").await, 200);
}

/// The hash of an address is remembered for the request: a prefix of it is another part.
#[tokio::test]
async fn an_address_and_its_prefix_stand_side_by_side() {
    let app = App::new([layer([
        Rule::new("host", Key::ip().and(Key::endpoint()), Rate::per_minute(100)),
        Rule::new("net", Key::ip_prefix(24, 48).and(Key::route()), Rate::per_minute(3)),
    ])]);
    for (host, status) in [(1, 200), (2, 200), (3, 200), (4, 429)] {
        assert_eq!(app.status(request(Method::GET, "/", None, &format!("203.0.113.{host}"))).await, status);
    }
}

#[tokio::test]
async fn the_exempt_are_neither_charged_nor_told() {
    let rule = Rule::new("r", Key::global(), Rate::per_minute(1))
        .exempt(Exemption::network("198.51.100.0/24"))
        .exempt(Exemption::network("::ffff:192.0.2.0/120"))
        .exempt(Exemption::api_key("k-free"))
        .exempt(Exemption::principal("https://issuer.example", "monitor"))
        .exempt(Exemption::credential("https://issuer.example", "t-free"))
        .exempt(Exemption::endpoint(Method::GET, "/search"))
        .exempt(Exemption::when(|view| view.uri().query() == Some("probe")));
    let app = App::of(rule);
    let ask = |path: &'static str, caller: Option<&'static str>, ip: &'static str| {
        app.send(request(Method::GET, path, caller, ip))
    };
    let mut spent = false;
    for (path, caller, ip, exempt) in [
        ("/", None, "198.51.100.9", true),
        ("/", None, "192.0.2.9", true),
        ("/", Some("key,k-free,u"), "203.0.113.7", true),
        ("/", Some("jwt,t,monitor"), "203.0.113.7", true),
        ("/", Some("jwt,t-free,u"), "203.0.113.7", true),
        ("/search", None, "203.0.113.7", true),
        ("/?probe", None, "203.0.113.7", true),
        ("/", Some("jwt,k-free,u"), "203.0.113.7", false),
        ("/", Some("key,t-free,u"), "203.0.113.7", false),
        ("/", None, "203.0.113.7", false),
        ("/orders", None, "198.51.101.1", false),
    ] {
        for _ in 0..3 {
            let response = ask(path, caller, ip).await;
            let passes = exempt || !spent;
            assert_eq!(response.status() == 200, passes, "{path} {caller:?} {ip}");
            spent |= !exempt;
        }
    }
}

#[tokio::test]
async fn a_layer_may_exempt_from_all_rules() {
    let store = crate::backend::memory::MemoryStore::new();
    let layer = RateLimitLayer::builder(store)
        .rule(Rule::new("a", Key::ip(), Rate::per_minute(1)))
        .rule(Rule::new("b", Key::global(), Rate::per_minute(1)))
        .exempt(Exemption::endpoint(Method::GET, "/users/{id}"))
        .exempt(Exemption::network("198.51.100.9"));
    let app = App::new([layer.build().unwrap()]);
    for _ in 0..3 {
        assert_eq!(app.status(request(Method::HEAD, "/users/7", None, "203.0.113.7")).await, 200);
        assert_eq!(app.status(request(Method::GET, "/", None, "198.51.100.9")).await, 200);
    }
    assert_eq!(app.burst(&Method::GET, "/", None, "203.0.113.7").await, 1);
}

#[test]
fn useless_keys_and_exemptions_are_mistakes() {
    let rule = |key| Rule::new("r", key, Rate::per_minute(1));
    for key in [
        Key::ip_prefix(33, 64),
        Key::ip_prefix(0, 64),
        Key::ip_prefix(24, 128),
        Key::path_param("{tenant}"),
        Key::path_param(""),
    ] {
        assert!(RateLimitLayer::builder(crate::backend::memory::MemoryStore::new()).rule(rule(key)).build().is_err());
    }
    for network in ["0.0.0.0/0", "::/0", "10.0.0.1/8", "everybody"] {
        let rule = rule(Key::ip()).exempt(Exemption::network(network));
        assert!(RateLimitLayer::builder(crate::backend::memory::MemoryStore::new()).rule(rule).build().is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever a header holds: 200, 429 or 400, and never a panic.
    #[test]
    fn any_value_is_a_key_or_a_mistake(values in prop::collection::vec(prop::collection::vec(0x20_u8..=0xff, 0..300), 0..3)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let cost = Cost::header(HeaderName::from_static("x-cost"), 1, 5);
        let app = App::of(Rule::new("r", Key::dangerously_header(TENANT).and(Key::ip()), Rate::per_minute(100)).cost(cost));
        let values: Vec<Vec<u8>> = values.into_iter().map(|value| value.into_iter().filter(|byte| *byte != 0x7f).collect()).collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let status = runtime.block_on(app.status(with("x-tenant", &values, "/")));
        let good = values.len() < 2 && values.iter().all(|value| value.len() <= 256);
        prop_assert_eq!(status, if good { 200 } else { 400 });
        let status = runtime.block_on(app.status(with("x-cost", &values, "/")));
        prop_assert!(status == 200 || status == 400);
    }
}

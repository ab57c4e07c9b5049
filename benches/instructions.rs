//! One kind of request, a given number of times, and nothing else: what `scripts/icount` counts the
//! instructions of. `cargo bench --bench instructions -- CASE COUNT`; without arguments, every
//! case once, as a check that it is what it says.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::{HeaderName, HeaderValue, Method, Request, header::AUTHORIZATION};
use http_body_util::BodyExt as _;
use portcullis::{
    audit::{AuditBatch, AuditLayer, AuditSink},
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
        jwt::{Algorithm, Issuer, SignatureVerifier, StaticKeys},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    gate::Gates,
    headers::SecurityHeadersLayer,
    identity::Scopes,
    ip_filter::IpFilterLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    stack::Stack,
    store::{BoxFuture, StoreError},
    testing::{TestIssuer, principal, with_principal},
};
use tower::{ServiceBuilder, ServiceExt as _};

const ORIGIN: &str = "https://app.example.com";
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

const CASES: &str = "bare seven seven-in-one seven-key allowed no-credential malformed address-limited one-key \
    thousand-keys two-issuers thousand-issuers one-scope many-scopes one-rule ten-thousand-rules \
    one-endpoint ten-thousand-endpoints one-plan ten-thousand-plans one-network \
    ten-thousand-networks one-network-v6 ten-thousand-networks-v6 one-origin ten-thousand-origins \
    one-pattern ten-thousand-patterns";

/// The status that a case must have.
fn status_of(case: &str) -> u16 {
    match case {
        "no-credential" => 401,
        "malformed" => 400,
        "address-limited" => 429,
        _ => 200,
    }
}

#[derive(Debug)]
struct Discard;

impl AuditSink for Discard {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        black_box(batch.len());
        Box::pin(async { Ok(()) })
    }
}

/// The seven layers, with the limit by address before them; one request in an hour passes it if
/// `limited`.
fn protected(limited: bool) -> Result<(Router, HeaderValue), Box<dyn std::error::Error>> {
    let store = MemoryStore::new();
    let record = ApiKeyRecord::builder("usr_1").plan("pro").scopes(["read:orders"]);
    let key = ApiKey::issue(&ApiKeyFormat::new("bench", "live")?, &KeyHasher::ephemeral(), record)?;
    store.insert_api_key(key.record)?;
    let value = HeaderValue::from_bytes(key.secret.expose())?;
    let rates = |name, key, rate| RateLimitLayer::builder(store.clone()).rule(Rule::new(name, key, rate)).build();
    let address = if limited { Rate::per_hour(1) } else { Rate::per_second(1_000_000) };
    let stack = Stack::new()
        .audit(&AuditLayer::builder(Discard).build()?)
        .security_headers(&SecurityHeadersLayer::api())
        .cors(&CorsSecurityLayer::builder().allow_origin(ORIGIN).build()?)
        .rate_limit_before_auth(&rates("address", Key::ip(), address)?)
        .auth(&AuthLayer::builder().api_keys(store.clone()).build()?)
        .rate_limit(&rates("client", Key::client(), Rate::per_second(1_000_000))?)
        .scope(&ScopeLayer::all(["read:orders"])?)
        .quota(&QuotaLayer::builder(store).plan(Plan::new("pro").unlimited()).default_plan("pro").build()?);
    Ok((bare().layer(stack), value))
}

/// The seven layers in one `ServiceBuilder`, or in one `Gates`, and nothing of tower-http's. The caller sends a token,
/// whose signature is verified the first time and remembered, or an API key.
fn seven(credential: &HeaderName, in_one: bool) -> Result<(Router, HeaderValue), Box<dyn std::error::Error>> {
    let store = MemoryStore::new();
    let (auth, value) = if *credential == AUTHORIZATION {
        let issuer = TestIssuer::new("https://issuer.test");
        let token = issuer.token("usr_1").plan("pro").scopes(["read:orders"]).sign();
        let value = HeaderValue::try_from(format!("Bearer {token}"))?;
        (AuthLayer::builder().jwt(issuer.verifier()), value)
    } else {
        let record = ApiKeyRecord::builder("usr_1").plan("pro").scopes(["read:orders"]);
        let key = ApiKey::issue(&ApiKeyFormat::new("bench", "live")?, &KeyHasher::ephemeral(), record)?;
        store.insert_api_key(key.record)?;
        (AuthLayer::builder().api_keys(store.clone()), HeaderValue::from_bytes(key.secret.expose())?)
    };
    let rule = Rule::new("client", Key::client(), Rate::per_second(1_000_000));
    let audit = AuditLayer::builder(Discard).build()?;
    let headers = SecurityHeadersLayer::api();
    let cors = CorsSecurityLayer::builder().allow_origin(ORIGIN).build()?;
    let rates = RateLimitLayer::builder(store.clone()).rule(rule).build()?;
    let scope = ScopeLayer::all(["read:orders"])?;
    let quota = QuotaLayer::builder(store).plan(Plan::new("pro").monthly(1_000_000)).default_plan("pro").build()?;
    macro_rules! stacked {
        ($begin:expr) => {
            $begin.layer(audit).layer(headers).layer(cors).layer(auth.build()?).layer(rates).layer(scope).layer(quota)
        };
    }
    let app = if in_one { bare().layer(stacked!(Gates::new())) } else { bare().layer(stacked!(ServiceBuilder::new())) };
    Ok((app, value))
}

/// Takes every signature, in no time: what is counted is everything else about a token.
#[derive(Debug)]
struct Taken;

impl SignatureVerifier for Taken {
    fn verify(&self, _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// `AuthLayer` with so many issuers of so many keys, and the head of a token of one in the middle.
fn tokens(issuers: usize, keys: usize) -> Result<(Router, String), Box<dyn std::error::Error>> {
    let verifier: Arc<dyn SignatureVerifier> = Arc::new(Taken);
    let mut auth = AuthLayer::builder();
    for issuer in 0..issuers {
        let keys = (0..keys).fold(StaticKeys::new(), |all, key| {
            all.verifier(format!("key-2025-{key:04}"), Algorithm::Es256, Arc::clone(&verifier))
        });
        let issuer = Issuer::new(format!("https://id-{issuer:04}.example.com"))
            .audience("https://api.example.com")
            .max_lifetime(Duration::MAX)
            .keys(keys);
        auth = auth.jwt(issuer.build()?);
    }
    let (issuer, key) = (issuers.wrapping_div(2), keys.wrapping_div(2));
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"key-2025-{key:04}"}}"#);
    let claims = format!(
        r#"{{"iss":"https://id-{issuer:04}.example.com","sub":"usr_123456","aud":"https://api.example.com","exp":4102444800,"iat":1704823500,"nbf":1704823500,"jti":"jti_abc123def","scope":"read:orders write:orders","roles":["customer","api_consumer"],"tenant_id":"tenant_xyz","subscription_tier":"pro"}}"#
    );
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let app = bare().layer(ServiceBuilder::new().layer(auth.build()?));
    Ok((app, format!("Bearer {}.{}.", part(&header), part(&claims))))
}

/// One request with a token that was not seen before, counted up in its signature.
async fn run_tokens(app: Router, head: &str, count: u64) -> Result<u16, Box<dyn std::error::Error>> {
    let mut status = 0;
    for number in 0..count {
        let value = HeaderValue::try_from(format!("{head}{number:0>85}A"))?;
        let request = Request::builder().uri("/orders/42").header("authorization", value).body(Body::empty())?;
        let response = app.clone().oneshot(request).await?;
        status = response.status().as_u16();
        black_box(response.into_body().collect().await?);
    }
    Ok(status)
}

/// A question about scopes, which is part of a request: alone, its share in one would hide it.
fn run_scopes(held: usize, count: u64) -> Result<u16, Box<dyn std::error::Error>> {
    let held: Vec<String> = (0..held).map(|number| format!("read:thing-{number:03}")).collect();
    let scopes = Scopes::from_token(held.iter().map(String::as_str))?;
    let (last, lacking) = (held.last().map_or("", String::as_str), "write:thing-000");
    let right =
        (0..count).all(|_| black_box(&scopes).satisfies(black_box(last)) && !scopes.satisfies(black_box(lacking)));
    Ok(if right { 200 } else { 403 })
}

/// Look-ups in a deny list, half of them of addresses that are on it. Ten thousand networks stand as
/// close as real lists have them: in a hundred neighbourhoods, from single addresses to /16 (/32).
fn run_networks(many: usize, v6: bool, count: u64) -> Result<u16, Box<dyn std::error::Error>> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let address = |number: u64| -> IpAddr {
        if v6 {
            let high = 0x2000_0000_0000_0000 | (number >> 3);
            IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(number)))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits((number >> 32) as u32))
        }
    };
    let mut neighbourhood = 0;
    let (mut networks, mut asked) = (Vec::new(), Vec::new());
    for index in 0..many {
        if index % 100 == 0 {
            neighbourhood = random() & 0xfff0_0000_0000_0000;
        }
        let first = address(neighbourhood | (random() & 0x000f_ffff_ffff_ffff));
        let prefix = random() % 17;
        let prefix = u8::try_from(if v6 {
            32_u64.saturating_add(prefix.saturating_mul(2))
        } else {
            16_u64.saturating_add(prefix)
        })?;
        asked.push(first);
        asked.push(address(random()));
        networks.push(network(first, prefix));
    }
    let handle = IpFilterLayer::builder().deny(networks).build()?.handle();
    // Each is asked as often as others, with one network as with many.
    let asked: Vec<IpAddr> = asked.into_iter().cycle().take(256).collect();
    let refused = (0..count)
        .zip(asked.iter().cycle())
        .filter(|(_, address)| !black_box(handle.judge(black_box(**address))).passes)
        .count();
    Ok(if refused > 0 || count < 2 { 200 } else { 403 })
}

fn network(address: IpAddr, prefix: u8) -> String {
    let dropped = |bits: u32| bits.saturating_sub(prefix.into());
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(dropped(32)).unwrap_or(0);
            format!("{}/{prefix}", Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(dropped(128)).unwrap_or(0);
            format!("{}/{prefix}", Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

/// `RateLimitLayer` with so many rules, endpoints of one rule or plans of one rule, of which the one in
/// the middle holds for the request, on a router with as many routes.
fn limited(many: &str, count: usize) -> Result<Router, Box<dyn std::error::Error>> {
    let rate = Rate::per_second(1_000_000);
    let (path, middle) = (|index: usize| format!("/r{index:05}/{{id}}"), count.wrapping_div(2));
    let builder = RateLimitLayer::builder(MemoryStore::new());
    let one = || Rule::new("one", Key::ip(), rate);
    let builder = match many {
        "rule" => builder.rules(
            (0..count)
                .map(|index| Rule::new(format!("rule-{index:05}"), Key::ip(), rate).on(Method::GET, &path(index))),
        ),
        "endpoint" => {
            builder.rule((0..count).fold(one(), |rule, index| rule.endpoint(Method::GET, &path(index), rate)))
        }
        _ => builder.rule((0..count).fold(one(), |rule, index| rule.plan(format!("plan-{index:05}"), rate))),
    };
    let caller = principal("usr_1").plan(format!("plan-{middle:05}")).build();
    let layers = ServiceBuilder::new().layer(with_principal(caller)).layer(builder.build()?);
    Ok(Router::new().route(&path(middle), get(|| async { "ok" })).layer(layers))
}

/// Requests to the one in the middle.
async fn run_limited(many: &str, count: usize, requests: u64) -> Result<u16, Box<dyn std::error::Error>> {
    let app: Router = limited(many, count)?.with_state(());
    let uri = format!("/r{:05}/42", count.wrapping_div(2));
    let peer: SocketAddr = "192.0.2.7:4711".parse()?;
    let mut status = 0;
    for _ in 0..requests {
        let mut request = Request::builder().uri(&uri).body(Body::empty())?;
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = app.clone().oneshot(request).await?;
        status = response.status().as_u16();
        black_box(response.into_body().collect().await?);
    }
    Ok(status)
}

/// `CorsSecurityLayer` alone, with so many origins or patterns of them, of which the one in the middle is asked
/// for.
fn browsed(kind: &str, count: usize) -> Result<Router, Box<dyn std::error::Error>> {
    let others = (1..count).map(|index| match kind {
        "origin" => format!("https://app-{index:05}.example.com"),
        _ => format!("https://*.tenant-{index:05}.example"),
    });
    let own = if kind == "origin" { ORIGIN } else { "https://*.example.com" };
    let mut origins: Vec<String> = others.collect();
    origins.insert(origins.len().wrapping_div(2), own.to_owned());
    Ok(bare().layer(CorsSecurityLayer::builder().allow_origins(origins).build()?))
}

/// Requests of a page that may read.
async fn run_browsed(kind: &str, count: usize, requests: u64) -> Result<u16, Box<dyn std::error::Error>> {
    let app: Router = browsed(kind, count)?.with_state(());
    let mut status = 0;
    for _ in 0..requests {
        let request = Request::builder().uri("/orders/42").header("origin", ORIGIN).body(Body::empty())?;
        let response = app.clone().oneshot(request).await?;
        let readable = response.headers().contains_key("access-control-allow-origin");
        status = if readable { response.status().as_u16() } else { 0 };
        black_box(response.into_body().collect().await?);
    }
    Ok(status)
}

/// `one-rule` is one, `ten-thousand-rules` are ten thousand.
fn one_or_many(case: &str, kind: &str) -> Option<usize> {
    let many = case == format!("ten-thousand-{kind}s");
    many.then_some(10_000).or_else(|| (case == format!("one-{kind}")).then_some(1))
}

fn bare() -> Router {
    Router::new().route("/orders/{id}", get(|| async { "ok" }))
}

async fn run(case: &str, count: u64) -> Result<u16, Box<dyn std::error::Error>> {
    match case {
        "one-scope" => return run_scopes(1, count),
        "many-scopes" => return run_scopes(256, count),
        "one-network" => return run_networks(1, false, count),
        "ten-thousand-networks" => return run_networks(10_000, false, count),
        "one-network-v6" => return run_networks(1, true, count),
        "ten-thousand-networks-v6" => return run_networks(10_000, true, count),
        _ => {}
    }
    for many in ["rule", "endpoint", "plan"] {
        if let Some(configured) = one_or_many(case, many) {
            return run_limited(many, configured, count).await;
        }
    }
    for kind in ["origin", "pattern"] {
        if let Some(configured) = one_or_many(case, kind) {
            return run_browsed(kind, configured, count).await;
        }
    }
    let many = match case {
        "one-key" => Some((1, 1)),
        "thousand-keys" => Some((1, 1_000)),
        "two-issuers" => Some((2, 1)),
        "thousand-issuers" => Some((1_000, 1)),
        _ => None,
    };
    if let Some((issuers, keys)) = many {
        let (app, head) = tokens(issuers, keys)?;
        return run_tokens(app.with_state(()), &head, count).await;
    }
    let name = if matches!(case, "seven" | "seven-in-one") { AUTHORIZATION } else { X_API_KEY };
    let (app, key) = match case {
        "bare" => (bare(), HeaderValue::from_static("none")),
        "seven" | "seven-key" => seven(&name, false)?,
        "seven-in-one" => seven(&name, true)?,
        _ => protected(case == "address-limited")?,
    };
    let credential = match case {
        "no-credential" => None,
        "malformed" => Some(HeaderValue::from_static("not a key, by far")),
        _ => Some(key),
    };
    let app: Router = app.with_state(());
    let peer: SocketAddr = "192.0.2.7:4711".parse()?;
    let ask = || {
        let mut request = Request::builder().uri("/orders/42").header("origin", ORIGIN).body(Body::empty())?;
        if let Some(value) = &credential {
            request.headers_mut().insert(&name, value.clone());
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        Ok::<_, http::Error>(request)
    };
    if case == "address-limited" {
        // Uses up what passes.
        app.clone().oneshot(ask()?).await?;
    }
    let mut status = 0;
    for _ in 0..count {
        let response = app.clone().oneshot(ask()?).await?;
        status = response.status().as_u16();
        black_box(response.into_body().collect().await?);
    }
    Ok(status)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.as_slice() {
        [case, count] => {
            runtime.block_on(run(case, count.parse()?))?;
        }
        _ => {
            for case in CASES.split(' ') {
                assert_eq!(runtime.block_on(run(case, 1))?, status_of(case), "{case}");
            }
        }
    }
    Ok(())
}

//! npm's MDN HTTP Observatory scans a service behind a TLS proxy, and grades the presets; over generated
//! headers, [`observatory::score`] says the same as it.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use axum::{
    Router,
    extract::Path as Segment,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Html,
    routing::{any, get},
};
use portcullis::{
    cors::CorsSecurityLayer,
    gate::{ProblemLayer, RequestContextLayer},
    headers::{CspNonce, SecurityHeadersLayer},
    observatory::{self, Scan},
    request::{Scheme, TrustedProxies},
    require_https::RequireHttpsLayer,
};
use portcullis_interop::{free_port, scratch::Scratch};
use serde::Deserialize;
use serde_json::json;
use tower::ServiceBuilder;

/// Whom its preflight comes from.
const ASKED: &str = "https://http-observatory.security.mozilla.org";

#[derive(Debug, Deserialize)]
struct Graded {
    score: u16,
    grade: String,
    tests: BTreeMap<String, Found>,
}

#[derive(Debug, Deserialize)]
struct Found {
    result: String,
    modifier: i16,
}

/// What the Observatory says of each path of a service whose TLS is spoken on this port.
async fn scan(router: Router, port: u16, paths: &[String]) -> Vec<Graded> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = listener.local_addr().unwrap().port();
    let proxies = TrustedProxies::cidrs(["127.0.0.1"]).unwrap();
    let app = router.layer(RequestContextLayer::new().trusted_proxies(proxies));
    let server = tokio::spawn(async move {
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (key.cert.pem(), key.signing_key.serialize_pem());
    let job = json!({ "upstream": upstream, "port": port, "key": key, "certificate": certificate, "paths": paths });
    let graded = tokio::task::spawn_blocking(move || run(&job.to_string(), &certificate)).await.unwrap();
    server.abort();
    assert_eq!(graded.len(), paths.len());
    graded
}

fn run(job: &str, certificate: &str) -> Vec<Graded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        folder.join("node_modules/@mdn/mdn-http-observatory").is_dir(),
        "the packages are not installed: run `scripts/test tools`, or `npm ci --ignore-scripts` in tests/interop"
    );
    let scratch = Scratch::new("observatory");
    let trusted = scratch.path().join("certificate.pem");
    fs::write(&trusted, certificate).unwrap();
    let mut command = Command::new("node");
    // Nothing is to leave this machine, and what is on it is not reached through a proxy.
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(variable);
    }
    let mut node = command
        .arg("observatory.mjs")
        .current_dir(folder)
        .env("NODE_EXTRA_CA_CERTS", &trusted)
        // In milliseconds: a slow machine is no answer.
        .env("ABORT_TIMEOUT", "240000")
        .env("CLIENT_TIMEOUT", "200000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node (20 or later) is needed for these tests: {error}"));
    node.stdin.take().unwrap().write_all(job.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "observatory.mjs failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Plain HTTP is sent to HTTPS, as a site does it.
fn https(port: u16) -> RequireHttpsLayer {
    RequireHttpsLayer::builder().redirect_without_credentials([format!("localhost:{port}")]).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_presets_are_graded_a_plus() {
    let cors =
        CorsSecurityLayer::builder().allow_origin("https://app.example.com").allow_credentials().build().unwrap();
    let guarded = |layer: SecurityHeadersLayer, router: Router| {
        router.layer(ServiceBuilder::new().layer(layer).layer(cors.clone()).layer(ProblemLayer::new()))
    };
    let page = |nonce: CspNonce| async move { Html(format!("<p>hello</p><script nonce=\"{nonce}\">1</script>")) };
    let router = Router::new()
        .nest("/api", guarded(SecurityHeadersLayer::api(), Router::new().route("/", get(|| async { "{}" }))))
        .nest(
            "/html",
            guarded(SecurityHeadersLayer::html(), Router::new().route("/", get(|| async { Html("<p>hello") }))),
        )
        .nest("/docs", guarded(SecurityHeadersLayer::docs(), Router::new().route("/", get(page))));
    let (port, paths) = (free_port(), ["/api", "/html", "/docs"].map(str::to_owned));
    for (graded, path) in scan(router.layer(https(port)), port, &paths).await.into_iter().zip(&paths) {
        assert_eq!(graded.grade, "A+", "{path}: {graded:?}");
        assert!(graded.score >= 100, "{path}: {graded:?}");
        assert!(graded.tests.values().all(|found| found.modifier >= 0), "{path}: {graded:?}");
        assert_eq!(graded.tests["redirection"].result, "redirection-to-https", "{path}");
    }
}

/// The whole is no better than its parts: without the headers it fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_bare_service_fails() {
    let router = Router::new().route("/", get(|| async { "{}" }));
    let graded = scan(router, free_port(), &["/".to_owned()]).await.remove(0);
    assert!(graded.score <= 30, "{graded:?}");
    assert_eq!(graded.tests["redirection"].result, "redirection-missing");
}

/// Header, and values that it is given.
const VALUES: &[(&str, &[&str])] = &[
    (
        "content-security-policy",
        &[
            "default-src 'none'; frame-ancestors 'none'",
            "default-src 'self'",
            "default-src 'self' https:; script-src 'self'",
            "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'",
            "default-src 'self'; script-src 'nonce-abc' 'unsafe-inline'; object-src 'none'",
            "default-src 'nonce-abc' 'strict-dynamic' https: 'self'",
            "default-src 'self'; script-src 'strict-dynamic'",
            "default-src 'self' 'unsafe-eval'",
            "default-src 'self'; style-src 'unsafe-eval'",
            "default-src 'self'; img-src http://a.example",
            "default-src 'self'; connect-src http://a.example",
            "default-src 'self'; default-src 'none'",
            "default-src 'self'; report-uri /a; report-uri /b",
            "default-src 'self'; img-src http: ; report-to a; report-to b",
            "script-src 'self'",
            "object-src 'none'; script-src data:",
            "img-src",
            "DEFAULT-SRC 'NONE'; FRAME-ANCESTORS HTTPS://A.EXAMPLE",
            "default-src",
            "default-src 'self', script-src 'none'",
            "default-src 'none' https://a.example https://a.example/b https://a.example/b/",
            "script-src https://a.example/%zz; object-src 'none'",
            "script-src https://a.example/b/ https://a.example/b/c *.example; default-src 'none'",
            "default-src 'self'; script-src * ; style-src https://*",
            "upgrade-insecure-requests",
            ";;;;;;;;;",
            "short",
            "",
            "sandbox; default-src ftp://a.example 'self'",
            "media-src http://a.example; default-src 'self'",
            "script-src 'sha256-abc' 'unsafe-inline' https:; object-src 'none'",
            "style-src 'nonce-abc' 'unsafe-inline'; default-src 'self'",
        ],
    ),
    ("content-security-policy-report-only", &["default-src 'self'", ""]),
    (
        "strict-transport-security",
        &[
            "max-age=31536000; includeSubDomains",
            "max-age=15552000",
            "max-age=15551999",
            "max-age=0",
            "max-age=abc",
            "max-age=",
            "max-age=\"31536000\"",
            "max-age = 31536000",
            "MAX-AGE=31536000;;preload",
            "max-age=31536000; max-age=1",
            "max-age=31536000, max-age=31536000",
            "max-age=-1",
            "max-age=+99999999999999999999999999",
            "includeSubDomains",
            "",
        ],
    ),
    ("x-content-type-options", &["nosniff", "NOSNIFF ", "sniff", ""]),
    ("x-frame-options", &["DENY", "sameorigin", "ALLOW-FROM https://a.example", "ALLOWALL", "DENY, DENY", ""]),
    (
        "referrer-policy",
        &[
            "no-referrer",
            "Strict-Origin",
            "unsafe-url",
            "no-referrer, unsafe-url",
            "unsafe-url, same-origin, nonsense",
            "nonsense",
            "",
        ],
    ),
    ("cross-origin-resource-policy", &["same-origin", "Same-Site", "cross-origin", "everybody", ""]),
    (
        "set-cookie",
        &[
            "a=1",
            "a=1; Secure",
            "a=1; Secure; SameSite=Lax",
            "a=1; SameSite=None",
            "a=2; secure; samesite=strict; path=/x",
            "sessionid=1; Secure",
            "sessionid=1; HttpOnly",
            "LOGIN=1; Secure; HttpOnly; SameSite=Strict",
            "csrftoken=1; Secure",
            "csrftoken=1; Secure; SameSite=Strict",
            "a=1; Secure; SameSite=sideways",
            "a=1; Secure; SameSite",
            "__Secure-a=1",
            "__Host-a=1; Secure; Path=/",
            "__Host-a=1; Secure; Path=/x",
            "heroku-session-affinity=1",
            "=1; Secure",
            "nothing",
            "",
            "a=1; Max-Age=0",
            "; Secure",
        ],
    ),
    ("access-control-allow-origin", &["*", ASKED, "https://a.example", "null", ""]),
    ("access-control-allow-credentials", &["true", "TRUE ", "false"]),
];

/// Each value alone, and 300 sets at random: the same at each run.
fn cases() -> Vec<HeaderMap> {
    let mut cases: Vec<HeaderMap> =
        VALUES.iter().flat_map(|(name, values)| values.iter().map(|value| map([(*name, *value)]))).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..300 {
        let mut fields = Vec::new();
        for (name, values) in VALUES {
            let lines = [0, 1, 1, 1, 1, 2, 3][next(7)];
            fields.extend((0..lines).map(|_| (*name, values[next(values.len())])));
        }
        cases.push(map(fields));
    }
    cases
}

fn map(fields: impl IntoIterator<Item = (&'static str, &'static str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offline_score_is_the_observatorys() {
    let cases = cases();
    assert!(cases.len() >= 380, "{}", cases.len());
    let paths: Vec<String> = (0..cases.len()).map(|case| format!("/case/{case}")).collect();
    let (port, served) = (free_port(), cases.clone());
    let router = Router::new()
        .route("/case/{case}", any(|Segment(case): Segment<usize>| async move { (served[case].clone(), "{}") }))
        .layer(https(port));
    let graded = scan(router, port, &paths).await;
    let mut findings = BTreeMap::new();
    for (headers, theirs) in cases.iter().zip(&graded) {
        let ours = Scan::new(headers, Scheme::Https).preflight(headers, ASKED).score();
        for test in &ours.tests {
            let found = &theirs.tests[test.name];
            assert_eq!((test.result, test.modifier), (&*found.result, found.modifier), "{}: {headers:?}", test.name);
            *findings.entry(test.result).or_insert(0) += 1;
        }
        // What is not looked at here is neutral there.
        let others: i16 =
            theirs.tests.iter().filter(|(name, _)| ours.test(name).is_none()).map(|(_, found)| found.modifier).sum();
        assert_eq!(others, 0, "{theirs:?}");
        assert_eq!((ours.score, ours.grade), (theirs.score, &*theirs.grade), "{headers:?}\n{ours}");
    }
    println!("{} cases, {} findings: {findings:#?}", cases.len(), findings.len());
    // All that headers can lead to: 11 of CSP (but for none), 10 of cookies, 4 of CORS, 4, 4, 3, 5 and 5 of the rest.
    assert!(findings.len() >= 44, "{findings:#?}");
    let bare = observatory::score(&HeaderMap::new(), Scheme::Http);
    assert_eq!(bare.score, 30);
}

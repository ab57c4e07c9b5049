//! `CorsSecurityLayer` and tower-http's `CorsLayer` around the same service, each less what it stands on: ours
//! less an empty gate (the context and its request id), theirs less the bare service.
//!
//! `cargo run --release --bin cors [-- ROUNDS ITERATIONS]` prints times and allocations, and fails if an actual
//! request takes more than four allocations, or a preflight with 60 kB of header names more than 50 µs.
//!
//! `cargo run --release --bin cors -- instructions` counts instructions with callgrind (valgrind must be
//! installed), and fails if ours takes more than half of theirs, or if ten thousand origins cost more than a tenth
//! more than one. It runs itself as `cors CASE COUNT`, which does one case so many times and nothing else.

use std::{convert::Infallible, hint::black_box, process::Command};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Method, Request, header};
use portcullis::{cors::CorsSecurityLayer, gate::ProblemLayer};
use portcullis_peers::{Counting, Suite};
use tower::{BoxError, Layer, Service, ServiceExt as _};
use tower_http::cors::CorsLayer;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ORIGIN: &str = "https://app.example.com";
const MANY: usize = 10_000;
/// What tower-http searches one by one.
const FEWER: usize = 1_000;

const CASES: [&str; 16] = [
    "bare",
    "gate",
    "ours",
    "theirs",
    "ours-many",
    "theirs-1000",
    "ours-pattern",
    "ours-patterns",
    "ours-refused",
    "theirs-refused",
    "ours-credentials",
    "theirs-credentials",
    "ours-preflight",
    "theirs-preflight",
    "ours-60kB",
    "theirs-60kB",
];

async fn handle(request: Request<Body>) -> Result<Response, Infallible> {
    black_box(request);
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// Ours: these origins, of which the one that asks is the one in the middle.
fn ours(origins: impl IntoIterator<Item = String>, credentials: bool) -> CorsSecurityLayer {
    let builder = CorsSecurityLayer::builder()
        .allow_origins(origins)
        .methods([Method::GET, Method::POST, Method::PUT])
        .request_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_only(["retry-after", "ratelimit", "x-request-id"]);
    let builder = if credentials { builder.allow_credentials() } else { builder };
    builder.build().expect("a policy")
}

fn theirs(origins: impl IntoIterator<Item = String>, credentials: bool) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(
            origins.into_iter().map(|origin| origin.parse().expect("an origin")).collect::<Vec<HeaderValue>>(),
        )
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers(["retry-after", "ratelimit", "x-request-id"].map(http::HeaderName::from_static))
        .max_age(std::time::Duration::from_secs(7_200))
        .allow_credentials(credentials)
}

fn exact(count: usize) -> impl Iterator<Item = String> {
    let others =
        move |half: usize| (0..count / 2).map(move |index| format!("https://app-{half}-{index:05}.example.com"));
    others(0).chain([ORIGIN.to_owned()]).chain(others(1))
}

fn patterns(count: usize) -> impl Iterator<Item = String> {
    let others = (1..count).map(|index| format!("https://*.tenant-{index:05}.example"));
    others.chain(["https://*.example.com".to_owned()])
}

fn run<L, S>(layer: &L, request: impl Fn() -> Request<Body> + 'static) -> Box<dyn FnMut(u64)>
where
    L: Layer<tower::util::BoxCloneSyncService<Request<Body>, Response, Infallible>, Service = S>,
    S: Service<Request<Body>, Error = Infallible> + Clone + 'static,
    S::Response: 'static,
{
    let service = layer.layer(tower::util::BoxCloneSyncService::new(tower::service_fn(handle)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    Box::new(move |count| {
        let mut service = service.clone();
        runtime.block_on(async {
            for _ in 0..count {
                let response = service.ready().await.expect("ready").call(request()).await.expect("a response");
                black_box(&response);
            }
        });
    })
}

fn get(origin: &'static str) -> impl Fn() -> Request<Body> + 'static {
    move || {
        let request = Request::get("/orders/42").header(header::ORIGIN, HeaderValue::from_static(origin));
        request.body(Body::empty()).expect("a request")
    }
}

fn preflight(names: &str) -> impl Fn() -> Request<Body> + use<> + 'static {
    let names: HeaderValue = names.parse().expect("a header value");
    move || {
        Request::options("/orders/42")
            .header(header::ORIGIN, HeaderValue::from_static(ORIGIN))
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"))
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, names.clone())
            .body(Body::empty())
            .expect("a request")
    }
}

fn case(name: &str) -> Box<dyn FnMut(u64)> {
    let stranger = || get("https://evil.example");
    let usual = || preflight("authorization,content-type");
    let long = || preflight(&"authorization,".repeat(60_000 / 14));
    match name {
        "bare" => run(&tower::layer::util::Identity::new(), get(ORIGIN)),
        "gate" => run(&ProblemLayer::new(), get(ORIGIN)),
        "ours" => run(&ours(exact(1), false), get(ORIGIN)),
        "theirs" => run(&theirs(exact(1), false), get(ORIGIN)),
        "ours-many" => run(&ours(exact(MANY), false), get(ORIGIN)),
        "theirs-1000" => run(&theirs(exact(FEWER), false), get(ORIGIN)),
        "ours-pattern" => run(&ours(patterns(1), false), get(ORIGIN)),
        "ours-patterns" => run(&ours(patterns(MANY), false), get(ORIGIN)),
        "ours-refused" => run(&ours(exact(1), false), stranger()),
        "theirs-refused" => run(&theirs(exact(1), false), stranger()),
        "ours-credentials" => run(&ours(exact(1), true), get(ORIGIN)),
        "theirs-credentials" => run(&theirs(exact(1), true), get(ORIGIN)),
        "ours-preflight" => run(&ours(exact(1), false), usual()),
        "theirs-preflight" => run(&theirs(exact(1), false), usual()),
        "ours-60kB" => run(&ours(exact(1), false), long()),
        "theirs-60kB" => run(&theirs(exact(1), false), long()),
        _ => panic!("there is no case {name:?}: {CASES:?}"),
    }
}

/// Instructions per request, without those of setting up.
fn counted(name: &str) -> Result<f64, BoxError> {
    let total = |count: u64| -> Result<f64, BoxError> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args([name, &count.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find_map(|line| line.split_once("Collected : ")).ok_or("valgrind counted nothing")?;
        Ok(line.1.trim().parse()?)
    };
    Ok((total(1_200)? - total(200)?) / 1_000.0)
}

fn instructions() -> Result<(), BoxError> {
    let mut of = std::collections::HashMap::new();
    for name in CASES {
        let count = counted(name)?;
        println!("{name:<20} {count:>10.0}");
        of.insert(name, count);
    }
    let ours = |name: &str| of[name] - of["gate"];
    let theirs = |name: &str| of[name] - of["bare"];
    let mut failures = Vec::new();
    let mut at_most = |what: &str, ratio: f64, most: f64| {
        println!("{what:<44} {ratio:.2}");
        if ratio > most {
            failures.push(format!("{what}: {ratio:.2} is more than {most}"));
        }
    };
    at_most("ours of theirs, one origin", ours("ours") / theirs("theirs"), 0.5);
    at_most("ours of theirs, with credentials", ours("ours-credentials") / theirs("theirs-credentials"), 0.5);
    at_most("ours of theirs, refused origin", ours("ours-refused") / theirs("theirs-refused"), 0.5);
    at_most("ten thousand origins of one", ours("ours-many") / ours("ours"), 1.1);
    at_most("ten thousand patterns of one", ours("ours-patterns") / ours("ours-pattern"), 1.1);
    println!("{:<44} {:.2}", "theirs: a thousand origins of one", theirs("theirs-1000") / theirs("theirs"));
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

fn times(rounds: usize, iterations: u64) -> Result<(), BoxError> {
    let mut suite = Suite::default();
    for name in CASES {
        suite.case(name, case(name));
    }
    let rows = suite.run(rounds, iterations);
    let find = |name: &str| rows.iter().find(|row| row.name == name).expect("a case");
    println!("{:<20} {:>10} {:>12}", "case", "ns", "allocations");
    for row in &rows {
        println!("{:<20} {:>10.0} {:>12.1}", row.name, row.ns, row.allocations);
    }
    let (gate, bare) = (find("gate"), find("bare"));
    let allocations = find("ours").allocations - gate.allocations;
    println!("net allocations: ours {allocations:+.1}, theirs {:+.1}", find("theirs").allocations - bare.allocations);
    println!("net ns: ours {:+.0}, theirs {:+.0}", find("ours").ns - gate.ns, find("theirs").ns - bare.ns);
    if allocations > 4.0 {
        return Err(format!("{allocations} allocations for an actual request").into());
    }
    let long = find("ours-60kB").ns;
    if long > 50_000.0 {
        return Err(format!("a preflight with 60 kB of header names takes {long} ns").into());
    }
    Ok(())
}

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [mode] if mode == "instructions" => instructions(),
        [name, count] if CASES.contains(&name.as_str()) => {
            case(name)(count.parse()?);
            Ok(())
        }
        _ => {
            let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
            times(numbers.next().unwrap_or(60) as usize, numbers.next().unwrap_or(2_000))
        }
    }
}

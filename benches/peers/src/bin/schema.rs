//! The check of a small JSON body, in one run: `RequestValidationLayer`, path, media type, size, parsing
//! and schema together, beside what jsonschema and `serde_json` take for the last two alone, in a loop of
//! their own and in a handler that collects the body first.
//!
//! Layer and handler are asked as such; what the same request costs behind an empty gate is taken off. Times
//! are thread CPU time, the least of all rounds; read the ratios.
//!
//! `cargo run --release --bin schema [-- ROUNDS ITERATIONS]`, and `-- instructions` for what callgrind
//! counts.

use std::{convert::Infallible, hint::black_box, pin::Pin, process::Command, sync::Arc};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Request, header::CONTENT_TYPE};
use jsonschema::{PatternOptions, Validator};
use portcullis::{
    gate::ProblemLayer,
    validate::{RequestValidationLayer, Rule},
};
use portcullis_peers::{Counting, Row, Suite};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt as _};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 45 bytes.
const SMALL: &str = r#"{"email":"an@example.com","name":"Ann Smith"}"#;
/// At most.
const TARGET: f64 = 1.5;

const JSONSCHEMA: &str = "serde_json `from_slice`, jsonschema `is_valid`";
const EMPTY: &str = "an empty gate";
const HANDLER: &str = "a handler that collects the body and does the same";
const OURS: &str = "portcullis, with the schema";
const SHAPELESS: &str = "portcullis, JSON of any shape";
const CASES: [&str; 5] = [JSONSCHEMA, EMPTY, HANDLER, OURS, SHAPELESS];

/// The customer of the documents that the crate implements.
fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["email", "name"],
        "properties": {
            "email": { "type": "string", "format": "email", "maxLength": 255 },
            "name": { "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[a-zA-Z ]+$" },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 }
        },
        "additionalProperties": false
    })
}

/// Asked the same: formats asserted, patterns in linear time.
fn validator() -> Validator {
    let options = jsonschema::options().should_validate_formats(true).with_pattern_options(PatternOptions::regex());
    options.build(&schema()).expect("a schema")
}

/// A service behind nothing but the layer that is measured.
fn asked<S>(service: S) -> Box<dyn FnMut(u64)>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                let mut request = Request::new(Body::from(SMALL));
                *request.method_mut() = http::Method::POST;
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let response = service.clone().oneshot(request).await.expect("a response");
                assert_eq!(response.status(), 200);
                black_box(response);
            }
        });
    })
}

#[derive(Clone)]
struct Answer;

impl Service<Request<Body>> for Answer {
    type Response = Response;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Both pay for dropping what was parsed.
        drop(request);
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

/// What an application writes that has no layer for it.
#[derive(Clone)]
struct Handler(Arc<Validator>);

impl Service<Request<Body>> for Handler {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let validator = Arc::clone(&self.0);
        Box::pin(async move {
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("a body");
            let value: Value = serde_json::from_slice(&body).expect("JSON");
            assert!(validator.is_valid(&value));
            Ok(Response::new(Body::empty()))
        })
    }
}

fn case(name: &str) -> Box<dyn FnMut(u64)> {
    let validation = |rule: Rule| RequestValidationLayer::builder().default_rule(rule).build().expect("a layer");
    match name {
        JSONSCHEMA => {
            let validator = validator();
            Box::new(move |count| {
                for _ in 0..count {
                    let value: Value = serde_json::from_slice(black_box(SMALL.as_bytes())).expect("JSON");
                    assert!(validator.is_valid(black_box(&value)));
                }
            })
        }
        EMPTY => asked(ProblemLayer::new().layer(Answer)),
        HANDLER => asked(ProblemLayer::new().layer(Handler(Arc::new(validator())))),
        OURS => asked(validation(Rule::json().schema(schema())).layer(Answer)),
        _ => asked(validation(Rule::json()).layer(Answer)),
    }
}

fn print(unit: &str, rows: &[Row]) {
    let of = |name: &str| rows.iter().find(|row| row.name == name).expect("a case");
    let (base, empty) = (of(JSONSCHEMA).ns, of(EMPTY));
    println!("| case | {unit} | × jsonschema | allocations |\n|---|---:|---:|---:|");
    for row in rows {
        let net = row.name == HANDLER || row.name.starts_with("portcullis");
        let (cost, allocations) =
            if net { (row.ns - empty.ns, row.allocations - empty.allocations) } else { (row.ns, row.allocations) };
        println!("| {} | {cost:.0} | {:.2} | {allocations:.1} |", row.name, cost / base);
    }
    println!("wanted: with the schema at most {TARGET} ×\n");
}

/// What callgrind counts for one request: the difference of many and few.
fn instructions(name: &str) -> f64 {
    let itself = std::env::current_exe().expect("a program");
    let counted = |count: &str| -> u64 {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&itself).args(["only", name, count]);
        let output = valgrind.output().expect("valgrind, which is to be installed");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find_map(|line| line.split_once("Collected : ")).expect("a count");
        line.1.trim().parse().expect("a number")
    };
    (counted("1200") - counted("200")) as f64 / 1000.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [only, name, count] = &arguments[..]
        && only == "only"
    {
        return case(name)(count.parse().expect("a number"));
    }
    if arguments.first().is_some_and(|argument| argument == "instructions") {
        let row = |name: &str| Row { name: name.into(), ns: instructions(name), allocations: 0.0 };
        return print("instructions", &CASES.map(row));
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let rounds = usize::try_from(numbers.next().unwrap_or(60)).expect("rounds");
    let iterations = numbers.next().unwrap_or(2_000);
    let mut suite = Suite::default();
    CASES.into_iter().for_each(|name| suite.case(name, case(name)));
    println!("{} bytes, {rounds} rounds of {iterations}, rotated", SMALL.len());
    print("ns", &suite.run(rounds, iterations));
}

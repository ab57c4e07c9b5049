//! A gateway of its own for each test, and what must hold of every answer and every record.

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Waker},
};

use axum::{body::Body, extract::ConnectInfo, response::Response};
use http::{HeaderMap, Request, request::Builder};
use http_body_util::BodyExt as _;
use portcullis::{audit::MemorySink, testing::TestIssuer};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt as _;

use crate::app::{self, Gateway};

pub(crate) const APP: &str = "https://app.example.com";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
const JWKS: &str = "/.well-known/jwks.json";
/// Their values must never be written down.
const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "x-api-key",
    "stripe-signature",
    "x-hub-signature-256",
    "x-shopify-hmac-sha256",
    "x-slack-signature",
];

pub(crate) struct Desk {
    pub(crate) issuer: TestIssuer,
    gateway: Gateway,
    sink: MemorySink,
    asked: Mutex<Vec<Asked>>,
    secrets: Mutex<Vec<String>>,
    /// The issuer's keys are fetched over HTTP, so somebody must serve them.
    server: JoinHandle<()>,
}

/// What a record must be found of.
struct Asked {
    id: String,
    method: String,
    path: String,
    status: u16,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) id: String,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (issuer, sink) = (app::issuer(&base_url), MemorySink::new());
        let gateway = app::build(&issuer, sink.clone()).unwrap();
        let service = gateway.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        gateway.tokens.warm_up().await.unwrap();
        let secrets = gateway.environment.iter().filter(|(name, _)| *name != "BASE_URL");
        let secrets = Mutex::new(secrets.map(|(_, value)| value.clone()).collect());
        Self { issuer, gateway, sink, asked: Mutex::default(), secrets, server }
    }

    /// What the example prints under this name.
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.gateway.environment.iter().find(|(held, _)| *held == name);
        found.map(|(_, value)| value.as_str()).unwrap()
    }

    pub(crate) fn bearer(&self, name: &str) -> (&'static str, String) {
        bearer(self.value(name))
    }

    pub(crate) fn api_key(&self) -> (&'static str, &str) {
        ("x-api-key", self.value("API_KEY"))
    }

    /// From now on nothing may write this down.
    pub(crate) fn hide(&self, secret: &str) {
        lock(&self.secrets).push(secret.to_owned());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }

    /// A GET with one header.
    pub(crate) async fn get_with(&self, path: &str, (name, value): (&str, impl AsRef<str>)) -> Answer {
        self.send(Request::get(path).header(name, value.as_ref()), "").await
    }

    /// A POST of JSON to the orders, with a token that may write them.
    pub(crate) async fn order(&self, body: impl Into<Body>) -> Answer {
        let (name, value) = self.bearer("TOKEN_WRITE");
        self.send(with(Request::post("/api/orders"), &[(name, &value), JSON]), body).await
    }

    pub(crate) async fn send(&self, request: Builder, body: impl Into<Body>) -> Answer {
        let request = request.body(body.into()).unwrap();
        for value in SECRET_HEADERS.iter().flat_map(|name| request.headers().get_all(*name)) {
            let parts = value.to_str().unwrap_or_default().split([' ', '=', ',', '.']);
            lock(&self.secrets).extend(parts.filter(|part| part.len() >= 32).map(str::to_owned));
        }
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let answer = check(&method, self.raw(request).await).await;
        let (id, status) = (answer.id.clone(), answer.status);
        lock(&self.asked).push(Asked { id, method, path, status });
        answer
    }

    /// Unseen by [`finish`](Self::finish), but for the number of records.
    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Response {
        if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() {
            request.extensions_mut().insert(peer([192, 0, 2, 1]));
        }
        self.gateway.router.clone().oneshot(request).await.unwrap()
    }

    /// A request whose client leaves while the handler is at work.
    pub(crate) fn abandon(&self, request: Request<Body>) {
        let mut call = pin!(self.raw(request));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    pub(crate) async fn records(&self) -> Vec<Value> {
        let counts = self.gateway.audit.handle().flush().await;
        assert_eq!(counts.lost, 0);
        self.sink.records().into_iter().filter(|record| record["route"] != JWKS).collect()
    }

    /// The records with this id, when there are many others.
    pub(crate) async fn records_of(&self, id: &str) -> Vec<Value> {
        assert_eq!(self.gateway.audit.handle().flush().await.lost, 0);
        let text = self.sink.text();
        text.lines().filter(|line| line.contains(id)).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) async fn record(&self, answer: &Answer) -> Value {
        let records = self.records().await;
        records.into_iter().find(|record| record["request_id"] == *answer.id).unwrap()
    }

    /// Layer and verdict, from outside in.
    pub(crate) async fn verdicts(&self, answer: &Answer) -> Vec<String> {
        let record = self.record(answer).await;
        let verdicts = record["verdicts"].as_array().unwrap().iter();
        verdicts.map(|one| format!("{} {}", one["layer"].as_str().unwrap(), one["verdict"].as_str().unwrap())).collect()
    }

    /// Exactly one record of each request, `others` of requests that were not [sent](Self::send),
    /// and no secret in any of them.
    pub(crate) async fn finish(self, others: usize) {
        let records = self.records().await;
        let asked = lock(&self.asked);
        assert_eq!(records.len(), asked.len() + others);
        let mut by_id = HashMap::new();
        for record in &records {
            let again = by_id.insert(record["request_id"].as_str().unwrap().to_owned(), record);
            assert!(again.is_none(), "a request id is not unique, or a request has two records: {record}");
        }
        for one in asked.iter() {
            let record = by_id.get(&one.id).unwrap_or_else(|| panic!("{} {} has no record", one.method, one.path));
            assert_eq!(record["status"], one.status, "{record}");
            assert_eq!(record["method"], *one.method);
            let redacted = lock(&self.secrets).iter().any(|secret| one.path.contains(secret));
            assert_eq!(record["path"] == *one.path, !redacted, "{record}");
        }
        let text = self.sink.text();
        for secret in lock(&self.secrets).iter() {
            assert!(!text.contains(secret), "the records hold {secret}");
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// Status and code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.error())
    }

    pub(crate) fn challenges(&self) -> Vec<&str> {
        self.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub(crate) fn cors_headers(&self) -> usize {
        self.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).count()
    }
}

/// What the gateway promises of every response.
async fn check(method: &str, response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let (status, headers) = (parts.status.as_u16(), parts.headers);
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).as_ref().into());
    let mut ids = headers.get_all("x-request-id").iter();
    let id = ids.next().unwrap().to_str().unwrap().to_owned();
    assert!(!id.is_empty() && ids.next().is_none());
    let answer = Answer { status, headers, body, id };
    let varies = answer.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("Origin"));
    assert!(varies, "{method} {status}: no Vary: Origin");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    if status >= 400 {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{status}");
        assert_eq!(answer.header("cache-control"), "no-store");
        if method != "HEAD" {
            assert_eq!(
                (&answer.body["status"], &answer.body["request_id"]),
                (&status.into(), &answer.id.as_str().into())
            );
            assert!(answer.error() != "" && answer.body["title"] != "" && answer.body["type"] != "");
        }
    }
    answer
}

pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

pub(crate) fn peer(ip: [u8; 4]) -> ConnectInfo<SocketAddr> {
    ConnectInfo(SocketAddr::from((ip, 4711)))
}

/// A builder with these headers.
pub(crate) fn with(request: Builder, headers: &[(&str, &str)]) -> Builder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

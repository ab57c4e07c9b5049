//! What the seven do for a request that is let through, by hand: one service for this one application, whose
//! caller, limit, plan and origin are known, and which nobody can configure. It writes the same header fields,
//! hashes the token, looks it up, and leaves a record; it has no context, no trail, no extractors, no redaction,
//! and refuses nothing. What is left is about the least that the seven could cost.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use pin_project_lite::pin_project;
use portcullis::{
    backend::memory::{MemoryLimiter, MemoryStore},
    rate_limit::{HashedPart, KeyPart, Rate},
    time::{Clock as _, SystemClock, Timestamp},
};
use tower::{Layer, Service};

struct Caller {
    subject: &'static str,
    hashed: HashedPart<'static>,
    expires: Timestamp,
    scopes: Vec<&'static str>,
    used: AtomicU64,
}

struct Record {
    _id: u128,
    _method: Method,
    _path: String,
    _caller: Arc<Caller>,
    _micros: u64,
    _status: u16,
}

struct Shared {
    clock: SystemClock,
    tokens: RwLock<HashMap<[u8; 32], Arc<Caller>>>,
    limiter: MemoryLimiter,
    origin: HeaderValue,
    fixed: Vec<(HeaderName, HeaderValue)>,
    numbers: Vec<HeaderName>,
    ids: AtomicU64,
    records: Mutex<Vec<Record>>,
}

#[derive(Clone)]
pub struct ByHand(Arc<Shared>);

impl ByHand {
    /// For the caller with that credential, and with the fields of `like`.
    pub fn new(store: &MemoryStore, authorization: &HeaderValue, like: &HeaderMap, rate: Rate) -> Self {
        let hash = digest(&SHA256, &authorization.as_bytes()[7..]).as_ref().try_into().expect("32 bytes");
        let caller = Caller {
            subject: "usr_1",
            hashed: HashedPart::from(KeyPart::Bytes(b"usr_1")),
            expires: Timestamp::MAX,
            scopes: vec!["read:orders"],
            used: AtomicU64::new(0),
        };
        // What the body brings with it is not ours.
        let own = like.iter().filter(|(name, _)| **name != header::CONTENT_TYPE && **name != header::CONTENT_LENGTH);
        let (numbers, fixed): (Vec<_>, Vec<_>) = own.partition(|(name, value)| {
            *name == "x-request-id" || value.to_str().is_ok_and(|it| it.parse::<u64>().is_ok())
        });
        let leaked = |value: &HeaderValue| {
            HeaderValue::from_static(Box::leak(value.to_str().expect("text").to_owned().into_boxed_str()))
        };
        Self(Arc::new(Shared {
            clock: SystemClock::new(),
            tokens: RwLock::new(HashMap::from([(hash, Arc::new(caller))])),
            limiter: store.limiter("by hand", rate).expect("a rate"),
            origin: HeaderValue::from_static(super::ORIGIN),
            fixed: fixed.into_iter().map(|(name, value)| (name.clone(), leaked(value))).collect(),
            numbers: numbers.into_iter().map(|(name, _)| name.clone()).collect(),
            ids: AtomicU64::new(0),
            records: Mutex::default(),
        }))
    }
}

impl<S> Layer<S> for ByHand {
    type Service = Handmade<S>;

    fn layer(&self, inner: S) -> Handmade<S> {
        Handmade { shared: Arc::clone(&self.0), inner }
    }
}

#[derive(Clone)]
pub struct Handmade<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> Service<Request<Body>> for Handmade<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let sent =
            request.headers().get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let hash: [u8; 32] = digest(&SHA256, sent.expect("a token")).as_ref().try_into().expect("32 bytes");
        let caller = shared.tokens.read().expect("no panic").get(&hash).cloned().expect("a caller");
        assert!(now.wall < caller.expires && !caller.subject.is_empty());
        assert!(caller.scopes.contains(&"read:orders"));
        assert!(shared.limiter.take_hashed(&caller.hashed, 1, now.monotonic).is_ok());
        caller.used.fetch_add(1, Relaxed);
        assert!(request.headers().get(header::ORIGIN) == Some(&shared.origin));
        let record = Record {
            _id: u128::from(shared.ids.fetch_add(1, Relaxed)),
            _method: request.method().clone(),
            _path: request.uri().path().to_owned(),
            _caller: caller,
            _micros: now.wall.as_micros(),
            _status: 0,
        };
        Answering { inner: self.inner.call(request), shared, record: Some(record) }
    }
}

pin_project! {
    pub struct Answering<F> {
        #[pin]
        inner: F,
        shared: Arc<Shared>,
        record: Option<Record>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Answering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.inner.poll(cx));
        if let (Ok(response), Some(mut record)) = (&mut answer, this.record.take()) {
            record._status = response.status().as_u16();
            let headers = response.headers_mut();
            headers.reserve(this.shared.fixed.len() + this.shared.numbers.len());
            for (name, value) in &this.shared.fixed {
                headers.insert(name, value.clone());
            }
            for name in &this.shared.numbers {
                headers.insert(name, HeaderValue::from(record._micros));
            }
            let mut records = this.shared.records.lock().expect("no panic");
            records.push(record);
            if records.len() == 256 {
                black_box(&records);
                records.clear();
            }
        }
        Poll::Ready(answer)
    }
}

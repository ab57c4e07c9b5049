//! The port for firewalls.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::request::Parts;
use portcullis::{
    store::{BoxFuture, StoreError},
    validate::{FilterVerdict, Inspected, RequestFilter, Rule},
};

use super::ask::{app, ask, layer, pieces_of, post, request, status};

#[derive(Clone, Debug)]
struct Filter {
    wants_body: bool,
    says: fn(Option<&Bytes>) -> Result<FilterVerdict, StoreError>,
    waits: Duration,
    seen: Arc<Mutex<Vec<Option<Bytes>>>>,
}

impl Filter {
    fn new(wants_body: bool, says: fn(Option<&Bytes>) -> Result<FilterVerdict, StoreError>) -> Self {
        Self { wants_body, says, waits: Duration::ZERO, seen: Arc::default() }
    }
}

impl RequestFilter for Filter {
    fn wants_body(&self, _: &Parts) -> bool {
        self.wants_body
    }

    fn inspect<'a>(&'a self, seen: Inspected<'a>) -> BoxFuture<'a, Result<FilterVerdict, StoreError>> {
        Box::pin(async move {
            tokio::time::sleep(self.waits).await;
            assert!(seen.context.client_ip().ip().is_none() && seen.head.uri.path() == "/orders");
            self.seen.lock().unwrap().push(seen.body.cloned());
            (self.says)(seen.body)
        })
    }
}

#[allow(clippy::unnecessary_wraps, reason = "what a filter answers")]
fn pass(_: Option<&Bytes>) -> Result<FilterVerdict, StoreError> {
    Ok(FilterVerdict::Pass)
}

#[allow(clippy::unnecessary_wraps, reason = "what a filter answers")]
fn refuse(_: Option<&Bytes>) -> Result<FilterVerdict, StoreError> {
    Ok(FilterVerdict::Refuse("rule 942100 zz_secret".into()))
}

fn fail(_: Option<&Bytes>) -> Result<FilterVerdict, StoreError> {
    Err(StoreError::unavailable("gone"))
}

#[tokio::test]
async fn a_refusal_is_403_and_keeps_its_reason() {
    for wants_body in [false, true] {
        let answer = ask(&app(layer().filter(Filter::new(wants_body, refuse))), post("{}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (403, &"forbidden".into()));
        assert!(!String::from_utf8_lossy(&answer.body).contains("zz_secret"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_tell_lets_nobody_in() {
    for wants_body in [false, true] {
        let failing = app(layer().filter(Filter::new(wants_body, fail)));
        assert_eq!(status(&failing, post("{}")).await, 503);
        let slow = Filter { waits: Duration::from_secs(4), ..Filter::new(wants_body, pass) };
        assert_eq!(status(&app(layer().filter(slow.clone())), post("{}")).await, 503);
        assert_eq!(status(&app(layer().filter(slow).filter_timeout(Duration::from_secs(5))), post("{}")).await, 200);
    }
}

#[tokio::test]
async fn a_filter_sees_the_body_only_if_it_wants_it_and_what_is_known_to_be_wrong_never() {
    let (head, body) = (Filter::new(false, pass), Filter::new(true, pass));
    let app = app(layer().filter(body.clone()).filter(head.clone()));
    let answer = ask(&app, post("{ \"a\" : 1 }")).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"{ \"a\" : 1 }"[..]));
    assert_eq!(*head.seen.lock().unwrap(), [None]);
    assert_eq!(*body.seen.lock().unwrap(), [Some(Bytes::from_static(b"{ \"a\" : 1 }"))]);
    for wrong in [post("{"), request("POST", "/orders", &[("content-type", "a/b")], "x")] {
        assert!(status(&app, wrong).await >= 400);
    }
    assert_eq!(body.seen.lock().unwrap().len(), 1);
    // Without a body it is asked, too.
    assert_eq!(status(&app, request("GET", "/orders", &[], axum::body::Body::empty())).await, 200);
    assert_eq!(body.seen.lock().unwrap().last(), Some(&None));
}

#[tokio::test]
async fn a_head_filter_refuses_before_the_body_is_there() {
    let app = app(layer().filter(Filter::new(false, refuse)).default_rule(Rule::opaque("a/b")));
    let (sender, body) = pieces_of();
    assert_eq!(status(&app, request("POST", "/orders", &[("content-type", "a/b")], body)).await, 403);
    drop(sender);
}

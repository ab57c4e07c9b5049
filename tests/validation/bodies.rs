//! Media types, encodings and sizes.

use axum::{Router, body::Body};
use http::Method;
use portcullis::{
    testing::{principal, with_principal},
    validate::{Rule, Rules},
};

use super::ask::{app, ask, chunked, echo, layer, post, request, ruled, status, untouchable, with_rules};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn seed_bug_5_the_type_is_the_type_and_nothing_that_contains_its_name() {
    let app = ruled(Rule::json());
    for value in ["text/plain; x=application/json", "application/jsonx", "application/vnd.a+json", "json", "a/b, c/d"] {
        let answer = ask(&app, request("POST", "/orders", &[("content-type", value)], "{}")).await;
        assert_eq!(answer.status, 415, "{value}");
        assert_eq!((answer.header("accept"), answer.header("accept-post")), ("application/json", "application/json"));
        assert_eq!(answer.header("accept-patch"), "");
        assert_eq!(answer.json()["error"], "unsupported_media_type");
    }
    let patch = ask(&app, request("PATCH", "/orders", &[("content-type", "a/b")], "{}")).await;
    assert_eq!((patch.header("accept-patch"), patch.header("accept-post")), ("application/json", ""));
    for value in ["application/json", "APPLICATION/json ; charset=UTF-8", "application/json;profile=\"x;y\""] {
        assert_eq!(status(&app, request("POST", "/orders", &[("content-type", value)], "{}")).await, 200, "{value}");
    }
}

#[tokio::test]
async fn seed_bug_5_who_sends_no_body_needs_no_type() {
    let app = ruled(Rule::json());
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"] {
        assert_eq!(status(&app, request(method, "/orders", &[], Body::empty())).await, 200, "{method}");
        // Many clients send the field all the same.
        assert_eq!(status(&app, request(method, "/orders", &[JSON], Body::empty())).await, 200, "{method}");
    }
}

#[tokio::test]
async fn a_body_without_a_type_is_415_and_with_two_400() {
    let app = ruled(Rule::json());
    assert_eq!(status(&app, request("POST", "/orders", &[], "{}")).await, 415);
    let two = request("POST", "/orders", &[JSON, JSON], "{}");
    assert_eq!(status(&app, two).await, 400);
    // Nobody knows that it is empty before it is read.
    assert_eq!(status(&app, request("POST", "/orders", &[], chunked([]))).await, 200);
    assert_eq!(status(&app, request("POST", "/orders", &[], chunked([b"{}".to_vec()]))).await, 415);
}

#[tokio::test]
async fn json_is_utf_8() {
    let app = ruled(Rule::json());
    for charset in ["utf-16", "latin1", "utf8", "\"utf-16\""] {
        let value = format!("application/json; charset={charset}");
        assert_eq!(status(&app, request("POST", "/orders", &[("content-type", &value)], "{}")).await, 415, "{charset}");
    }
    let app = ruled(Rule::opaque("text/plain"));
    let text = ("content-type", "text/plain; charset=latin1");
    assert_eq!(status(&app, request("POST", "/orders", &[text], "x")).await, 200);
}

#[tokio::test]
async fn methods_without_a_body_get_none() {
    let app = ruled(Rule::json());
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        assert_eq!(status(&app, request(method, "/orders", &[JSON], "{}")).await, 400, "{method}");
        assert_eq!(status(&app, request(method, "/orders", &[JSON], chunked([b"{}".to_vec()]))).await, 400, "{method}");
        assert_eq!(status(&app, request(method, "/orders", &[], chunked([]))).await, 200, "{method}");
    }
    let told = with_rules(Rules::new().route(Method::DELETE, "/orders", Rule::json().required_body()));
    assert_eq!(status(&told, request("DELETE", "/orders", &[JSON], "{}")).await, 200);
    assert_eq!(status(&told, request("DELETE", "/orders", &[], Body::empty())).await, 400);
    assert_eq!(status(&told, request("DELETE", "/orders", &[JSON], chunked([]))).await, 400);
}

#[tokio::test]
async fn what_is_encoded_cannot_be_checked() {
    let app = ruled(Rule::json());
    for encoding in ["gzip", "identity, br", "x", "", "identity, "] {
        let answer = ask(&app, request("POST", "/orders", &[JSON, ("content-encoding", encoding)], "{}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("accept-encoding")), (415, "identity"), "{encoding}");
    }
    assert_eq!(status(&app, request("POST", "/orders", &[JSON, ("content-encoding", "Identity")], "{}")).await, 200);
    let app = ruled(Rule::opaque("a/b").content_encodings(["gzip"]));
    let ask_for =
        |encoding| request("POST", "/orders", &[("content-type", "a/b"), ("content-encoding", encoding)], "x");
    assert_eq!(status(&app, ask_for("GZIP")).await, 200);
    assert_eq!(ask(&app, ask_for("br")).await.header("accept-encoding"), "gzip, identity");
}

#[tokio::test]
async fn seed_bug_6_a_length_that_is_no_number_is_no_length() {
    let app = ruled(Rule::json());
    for length in ["abc", "-1", "+2", "2,2", "2 ", "", "0x2", "99999999999999999999"] {
        let request = request("POST", "/orders", &[JSON, ("content-length", length)], "{}");
        assert_eq!(status(&app, request).await, 400, "{length:?}");
    }
    let twice = request("POST", "/orders", &[JSON, ("content-length", "2"), ("content-length", "2")], "{}");
    assert_eq!(status(&app, twice).await, 400);
    let both = request("POST", "/orders", &[JSON, ("content-length", "2"), ("transfer-encoding", "chunked")], "{}");
    assert_eq!(status(&app, both).await, 400);
}

#[tokio::test]
async fn seed_bug_6_what_announces_too_much_is_not_read() {
    let app = app(layer().max_body(100));
    let request = request("POST", "/orders", &[JSON, ("content-length", "101")], untouchable());
    let answer = ask(&app, request).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (413, &"payload_too_large".into()));
}

#[tokio::test]
async fn seed_bug_6_what_announces_nothing_is_counted() {
    let app = app(layer().max_body(100).default_rule(Rule::opaque("*/*")));
    for (length, expected) in [(100, 200), (101, 413)] {
        let pieces = vec![b'x'; length];
        let body = chunked(pieces.chunks(7).map(<[u8]>::to_vec));
        assert_eq!(status(&app, request("POST", "/orders", &[JSON], body)).await, expected, "{length}");
    }
}

#[tokio::test]
async fn the_default_is_ten_mebibytes_and_extractors_take_them() {
    let app = ruled(Rule::opaque("*/*"));
    let send = async |length: usize| ask(&app, request("POST", "/orders", &[JSON], vec![7; length])).await;
    let most = 10 * 1024 * 1024;
    // The handler's `Bytes` would refuse more than 2 MB by itself.
    let answer = send(most).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, most));
    assert_eq!(send(most + 1).await.status, 413);
}

#[tokio::test]
async fn the_largest_body_goes_by_route_and_plan() {
    let rules = Rules::new().route(Method::POST, "/orders", Rule::opaque("*/*")).route(
        Method::PUT,
        "/orders",
        Rule::opaque("*/*").max_body(5).plan_max_body("pro", 50),
    );
    let validation = layer().max_body(10).plan_max_body("pro", 100).rules(rules).build().unwrap();
    let app = |plan: Option<&str>| -> Router {
        let app = echo().layer(validation.clone());
        match plan {
            Some(plan) => app.layer(with_principal(principal("usr_1").plan(plan).build())),
            None => app,
        }
    };
    for (plan, method, most) in [
        (None, "POST", 10),
        (None, "PUT", 5),
        (Some("pro"), "POST", 100),
        (Some("pro"), "PUT", 50),
        (Some("free"), "POST", 10),
        (Some("free"), "PUT", 5),
    ] {
        for (length, expected) in [(most, 200), (most + 1, 413)] {
            let request = request(method, "/orders", &[JSON], vec![b'x'; length]);
            assert_eq!(status(&app(plan), request).await, expected, "{plan:?} {method} {length}");
        }
    }
}

#[tokio::test]
async fn the_most_precise_media_type_decides() {
    let rule = Rule::json().accept_json("+json").accept_opaque("application/*").accept_opaque("image/*");
    let app = ruled(rule);
    for (value, body, expected) in [
        ("application/json", "no json", 400),
        ("application/vnd.acme+json", "no json", 400),
        ("application/vnd.acme+json", "[]", 200),
        ("application/pdf", "no json", 200),
        ("image/png", "no json", 200),
        ("text/plain", "no json", 415),
    ] {
        assert_eq!(
            status(&app, request("POST", "/orders", &[("content-type", value)], body)).await,
            expected,
            "{value}"
        );
    }
}

#[tokio::test]
async fn a_route_can_take_no_body_and_another_must_have_one() {
    let rules = Rules::new().route(Method::POST, "/orders", Rule::bodyless()).route(
        Method::PUT,
        "/orders",
        Rule::json().required_body(),
    );
    let app = with_rules(rules);
    assert_eq!(status(&app, post("{}")).await, 400);
    assert_eq!(status(&app, request("POST", "/orders", &[], Body::empty())).await, 200);
    assert_eq!(status(&app, request("PUT", "/orders", &[JSON], Body::empty())).await, 400);
    assert_eq!(status(&app, request("PUT", "/orders", &[JSON], "{}")).await, 200);
}

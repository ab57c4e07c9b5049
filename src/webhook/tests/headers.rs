//! What is refused, and with which status: among it every receiving bug of the seeds' samples.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::Frame;

use super::*;

#[tokio::test]
async fn signatures_of_another_length_are_malformed_and_no_panic() {
    let site = Site::new(Provider::github());
    for value in [
        "sha256=",
        "sha256=ab",
        "sha256=zz",
        "sha1=ab",
        "sha256",
        "",
        &format!("sha256={}", "a".repeat(4_000)),
        &"x".repeat(9_000),
    ] {
        let headers = with(delivery("1", "x"), "x-hub-signature-256", value);
        assert_eq!(code(&site.send(headers, "x").await), (400, "malformed_signature"), "{value:.20}");
    }
    let headers = with(delivery("1", "x"), "x-hub-signature-256", &format!("sha256={}", "ab".repeat(32)));
    assert_eq!(code(&site.send(headers, "x").await), (401, "invalid_signature"));
}

#[tokio::test]
async fn junk_after_a_valid_signature_is_malformed() {
    for (provider, name) in [
        (Provider::github(), "x-hub-signature-256"),
        (Provider::shopify(), "x-shopify-hmac-sha256"),
        (Provider::x_webhook(), "x-webhook-signature"),
    ] {
        let site = Site::new(provider.clone());
        let headers = signed(&provider, "1", NOW, b"x");
        let value = headers[name].to_str().unwrap().to_owned();
        for junk in ["zz", "00", "=", " ", "\t", "!"] {
            let headers = with(headers.clone(), name, &format!("{value}{junk}"));
            assert_eq!(code(&site.send(headers, "x").await).0, 400, "{junk:?}");
        }
        assert_eq!(site.send(headers, "x").await.status(), 200);
    }
}

#[tokio::test]
async fn any_of_several_v1_will_do_and_v0_is_ignored() {
    let site = Site::new(Provider::stripe());
    let headers = signed(&Provider::stripe(), "", NOW, b"{}");
    let value = headers["stripe-signature"].to_str().unwrap().to_owned();
    let (_, tag) = value.split_once("v1=").unwrap();
    let wrong = "00".repeat(32);
    for (value, status) in [
        (format!("t={NOW},v1={tag},v1={wrong}"), 200),
        (format!("t={NOW},v1={wrong},v1={tag},v0={wrong}"), 200),
        (format!("t={NOW},v0={tag}"), 400),
        (format!("t={NOW},v0={tag},v1={wrong}"), 401),
        (format!("t={NOW},t={NOW},v1={tag}"), 400),
        (format!("t={NOW}=0,v1={tag}"), 400),
        (format!("t={NOW},v1={tag}=0"), 400),
        (format!("t={NOW},{}", vec![format!("v1={wrong}"); 17].join(",")), 400),
    ] {
        let response = site.send(with(headers.clone(), "stripe-signature", &value), "{}").await;
        assert_eq!(response.status(), status, "{value}");
    }
}

#[tokio::test]
async fn the_window_has_two_sides_and_no_number_slips_through() {
    for (provider, future) in [
        (Provider::stripe(), 30),
        (Provider::slack(), 30),
        (Provider::x_webhook(), 30),
        (Provider::standard_webhooks(), 300),
    ] {
        let standard = provider.name() == "standard";
        let secret = if standard { "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA==" } else { SECRET };
        for (at, kind) in [
            (NOW - 301, "timestamp_out_of_window"),
            (NOW - 300, "-"),
            (NOW + future, "-"),
            (NOW + future + 1, "timestamp_out_of_window"),
            (0, "timestamp_out_of_window"),
        ] {
            let layer =
                WebhookVerifyLayer::builder(provider.clone(), Secret::new(secret), MemoryStore::new()).build().unwrap();
            let clock = RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(NOW)));
            let app = Router::new().route("/", any(|| async {})).layer(ServiceBuilder::new().layer(clock).layer(layer));
            let mut request = Request::post("/").body(Body::from("{}")).unwrap();
            *request.headers_mut() = provider.sign(&secret.into(), "1", Timestamp::from_secs(at), b"{}").unwrap();
            let response = app.oneshot(request).await.unwrap();
            assert_eq!(code(&response), (if kind == "-" { 200 } else { 401 }, kind), "{} {at}", provider.name());
        }
    }
    let site = Site::new(Provider::x_webhook());
    for text in [
        "abc",
        "NaN",
        "",
        "-1",
        "+1700000000",
        "1700000000.0",
        "1.7e9",
        "-9223372036854775808",
        "99999999999999999999",
        "0x6553f100",
    ] {
        let headers = with(signed(&Provider::x_webhook(), "1", NOW, b"{}"), "x-webhook-timestamp", text);
        assert_eq!(code(&site.send(headers, "{}").await), (400, "malformed_signature"), "{text}");
    }
    let headers = with(signed(&Provider::x_webhook(), "1", NOW, b"{}"), "x-webhook-timestamp", "18446744073709551615");
    assert_eq!(code(&site.send(headers, "{}").await), (401, "timestamp_out_of_window"));
}

#[tokio::test]
async fn windows_are_the_owners_to_set() {
    let site = Site::with(Provider::x_webhook(), MemoryStore::new(), |builder| {
        builder.past_window(Duration::from_secs(5)).future_window(Duration::ZERO)
    });
    for (at, status) in [(NOW - 6, 401), (NOW - 5, 200), (NOW, 200), (NOW + 1, 401)] {
        let response = site.send(signed(&Provider::x_webhook(), &at.to_string(), at, b"{}"), "{}").await;
        assert_eq!(response.status(), status, "{at}");
    }
}

#[tokio::test]
async fn the_signed_text_is_the_headers_not_a_printed_number() {
    let site = Site::new(Provider::x_webhook());
    let headers = with(signed(&Provider::x_webhook(), "1", NOW, b"{}"), "x-webhook-timestamp", &format!("0{NOW}"));
    assert_eq!(code(&site.send(headers, "{}").await), (401, "invalid_signature"));
}

#[tokio::test]
async fn a_border_cannot_be_moved_between_id_time_and_body() {
    let provider = Provider::standard_webhooks();
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA==";
    let layer = WebhookVerifyLayer::builder(provider.clone(), Secret::new(secret), MemoryStore::new()).build().unwrap();
    let clock = RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(NOW)));
    let app = Router::new().route("/", any(|| async {})).layer(ServiceBuilder::new().layer(clock).layer(layer));
    // `a.1.<now>.x` read as id `a.1`, time `<now>`, body `x`, and as id `a`, time `1`, body `<now>.x`.
    let mut headers =
        provider.sign(&secret.into(), "a", Timestamp::from_secs(1), format!("{NOW}.x").as_bytes()).unwrap();
    headers = with(with(headers, "webhook-id", "a.1"), "webhook-timestamp", &NOW.to_string());
    let mut request = Request::post("/").body(Body::from("x")).unwrap();
    *request.headers_mut() = headers;
    assert_eq!(code(&app.oneshot(request).await.unwrap()), (400, "malformed_signature"));
}

#[tokio::test]
async fn missing_and_repeated_headers_are_400() {
    let site = Site::new(Provider::slack());
    assert_eq!(code(&site.send(HeaderMap::new(), "x").await), (400, "malformed_signature"));
    for name in ["x-slack-signature", "x-slack-request-timestamp"] {
        let mut headers = signed(&Provider::slack(), "", NOW, b"x");
        let value = headers.remove(name).unwrap();
        assert_eq!(code(&site.send(headers.clone(), "x").await).0, 400);
        headers.append(name, value.clone());
        headers.append(name, value);
        assert_eq!(code(&site.send(headers, "x").await).0, 400);
    }
    // The id is not signed, but two of them would make two parsers see two events.
    let site = Site::new(Provider::github());
    let mut headers = delivery("1", "x");
    headers.append("x-github-delivery", "2".parse().unwrap());
    assert_eq!(code(&site.send(headers, "x").await).0, 400);
    for id in ["", "a b", "a\tb", "é", &"a".repeat(257)] {
        let headers = with(delivery("1", "x"), "x-github-delivery", id);
        assert_eq!(code(&site.send(headers, "x").await).0, 400, "{id}");
    }
    assert_eq!(site.calls(), 0);
}

#[tokio::test]
async fn headers_are_judged_before_a_byte_of_the_body_is_read() {
    let never = || Body::new(Never);
    let site = Site::new(Provider::stripe());
    let stale = signed(&Provider::stripe(), "", NOW - 301, b"x");
    assert_eq!(code(&site.send(stale, never()).await), (401, "timestamp_out_of_window"));
    let good = signed(&Provider::stripe(), "", NOW, b"x");
    assert_eq!(
        code(&site.send(with(good.clone(), "content-length", "1048577"), never()).await),
        (413, "payload_too_large")
    );
    for encoding in ["gzip", "br", "identity, gzip", ""] {
        let headers = with(good.clone(), "content-encoding", encoding);
        assert_eq!(code(&site.send(headers, never()).await), (415, "unsupported_media_type"), "{encoding}");
    }
    assert_eq!(site.send(with(good, "content-encoding", "Identity"), "x").await.status(), 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let site =
        Site::with(Provider::github(), MemoryStore::new(), |builder| builder.body_timeout(Duration::from_millis(20)));
    let response = site.send(delivery("1", "x"), Body::new(Never)).await;
    assert_eq!(code(&response), (408, "request_timeout"));
    assert_eq!(site.calls(), 0);
}

#[tokio::test]
async fn the_limit_holds_for_bodies_of_unknown_length() {
    let site = Site::with(Provider::github(), MemoryStore::new(), |builder| builder.max_body(10));
    for (body, status) in [("0123456789", 200), ("0123456789a", 413)] {
        let chunks = body.bytes().map(|byte| Ok::<_, std::io::Error>(Bytes::from(vec![byte])));
        let response = site.send(delivery(body, body), Body::new(Chunks(chunks))).await;
        assert_eq!(response.status(), status, "{body}");
        let whole = site.send(delivery(&format!("{body}-whole"), body), body).await;
        assert_eq!(whole.status(), status, "{body}");
    }
    let broken = Chunks([Err(std::io::Error::other("gone"))].into_iter());
    assert_eq!(code(&site.send(delivery("3", "x"), Body::new(broken)).await), (400, "invalid_request"));
}

#[tokio::test]
async fn only_post_is_a_webhook() {
    let site = Site::new(Provider::github());
    for method in ["GET", "PUT", "HEAD", "DELETE"] {
        let mut request = Request::builder().method(method).uri("/a").body(Body::from("x")).unwrap();
        *request.headers_mut() = delivery("1", "x");
        let response = site.app.clone().oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
    }
}

#[tokio::test]
async fn secrets_rotate_and_expire() {
    let site = Site::new(Provider::github());
    site.secrets.rotate("the next secret".into(), Timestamp::from_secs(NOW + 60));
    let next = Provider::github().sign(&"the next secret".into(), "1", Timestamp::EPOCH, b"x").unwrap();
    assert_eq!(site.send(next, "x").await.status(), 200);
    assert_eq!(site.send(delivery("2", "x"), "x").await.status(), 200);
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(code(&site.send(delivery("3", "x"), "x").await), (401, "invalid_signature"));
    site.secrets.rotate("".into(), Timestamp::EPOCH);
    assert_eq!(code(&site.send(delivery("4", "x"), "x").await), (500, "misconfigured"));
}

#[tokio::test]
async fn the_refusal_says_nothing_of_what_was_sent() {
    use http_body_util::BodyExt as _;
    let site = Site::new(Provider::github());
    let headers = with(delivery("id-of-the-event", "x"), "x-hub-signature-256", &format!("sha256={}", "ab".repeat(32)));
    let body = site.send(headers, "x").await.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(!text.contains("id-of-the-event") && !text.contains("abababab") && !text.contains(SECRET), "{text}");
    assert!(!format!("{:?}", site.layer).contains(SECRET));
}

#[test]
fn every_mistake_of_a_configuration_is_listed() {
    let error = WebhookVerifyLayer::builder(Provider::github(), Secret::new(" x"), MemoryStore::new())
        .endpoint("")
        .max_body(0)
        .body_timeout(Duration::ZERO)
        .lease(Duration::ZERO)
        .past_window(Duration::from_secs(1))
        .remember_for(Duration::ZERO)
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(fields, ["past_window", "secrets[0]", "endpoint", "max_body", "body_timeout", "lease", "remember_for"]);
    let error = WebhookVerifyLayer::builder(Provider::stripe(), Secret::new("s"), MemoryStore::new())
        .past_window(Duration::ZERO)
        .future_window(Duration::MAX)
        .remember_for(Duration::from_secs(1))
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(fields, ["past_window", "future_window", "remember_for"]);
    // A body that is held back, and a clock that is behind, must not outlive the memory of the event.
    let remembered = |secs| {
        WebhookVerifyLayer::builder(Provider::stripe(), Secret::new("s"), MemoryStore::new())
            .past_window(Duration::from_secs(100))
            .future_window(Duration::from_secs(20))
            .body_timeout(Duration::from_secs(5))
            .remember_for(Duration::from_secs(secs))
            .build()
            .is_ok()
    };
    assert!(remembered(185) && !remembered(184));
    let set = SecretSet::new("good".into()).with_previous("".into(), Timestamp::from_secs(1));
    let error = WebhookVerifyLayer::builder(Provider::stripe(), set, MemoryStore::new()).build().unwrap_err();
    assert_eq!(error.issues()[0].field, "secrets[1]");
}

#[tokio::test]
async fn a_row_of_ones_own_works_like_a_built_in_one() {
    let provider = Provider::custom("acme", "x-acme")
        .format(SignatureFormat::KeyValues { separator: ';', timestamp: Some("ts".into()), signature: "h1".into() })
        .signed("{timestamp}:{body}")
        .event_id_field("event_id")
        .build()
        .unwrap();
    let site = Site::new(provider.clone());
    let body = r#"{"event_id":"e1"}"#;
    let headers = signed(&provider, "", NOW, body.as_bytes());
    assert!(headers["x-acme"].to_str().unwrap().starts_with("ts=1700000000;h1="));
    assert!(!is_duplicate(&site.send(headers.clone(), body).await));
    assert!(is_duplicate(&site.send(headers, body).await));
}

#[test]
fn rows_that_protect_from_nothing_are_refused() {
    let field = |provider: CustomProvider| provider.build().unwrap_err().issues()[0].field.clone();
    let base = || Provider::custom("acme", "x-acme");
    assert_eq!(field(base().signed("{id}.x").event_id_header("x-id")), "signed");
    assert_eq!(field(base().signed("{body}{body}")), "signed");
    assert_eq!(field(base().signed("{timestamp}.{body}")), "signed");
    assert_eq!(field(base().signed("{id}.{body}")), "signed");
    assert_eq!(field(base().signed("{url}{body}")), "signed");
    assert_eq!(field(base().timestamp_header("x-ts")), "signed");
    assert_eq!(field(base().event_id_header("x-acme")), "signature_header");
    assert_eq!(field(base().format(SignatureFormat::Prefixed("".into()))), "format");
    assert_eq!(field(base().format(SignatureFormat::Versioned("v 1".into()))), "format");
    assert_eq!(field(Provider::custom("stripe", "x-acme")), "name");
    assert_eq!(field(Provider::custom("Acme Corp", "x-acme")), "name");
    assert!(base().build().is_ok());
}

/// A body of these chunks, of unknown length.
struct Chunks<I>(I);

impl<I: Iterator<Item = Result<Bytes, std::io::Error>> + Unpin> http_body::Body for Chunks<I> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.next().map(|chunk| chunk.map(Frame::data)))
    }
}

/// A body that never comes.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

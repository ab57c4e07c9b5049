//! The example as its users run it: a process, its signals, its files, and TCP.
#![cfg(all(unix, feature = "jwks", feature = "aws-lc"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "clippy.toml allows them in tests, but takes helpers of tests for none"
)]

#[path = "gateway/process.rs"]
mod process;
#[path = "gateway/wire.rs"]
mod wire;

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use process::{Gateway, command, parse};
use serde_json::Value;
use tokio::{io::AsyncReadExt as _, time::timeout};
use wire::{PATIENCE, Response, Wire, request};

const TEA: &str = r#"{"item":"tea","quantity":2}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

/// Until what was sent has been taken in, also on a busy machine.
const MOMENT: Duration = Duration::from_secs(1);

/// The ids of the answers, and exactly these, are on record.
fn expect_records(records: &[Value], answers: &[&Response], others: usize) {
    for answer in answers {
        let of_it: Vec<_> = records.iter().filter(|record| record["request_id"] == *answer.id()).collect();
        assert_eq!(of_it.len(), 1, "{answer:?}");
        assert_eq!(of_it[0]["status"], answer.status);
    }
    assert_eq!(records.len(), answers.len() + others, "{records:#?}");
}

#[tokio::test]
async fn what_it_prints_is_what_is_needed() {
    let gateway = Gateway::start().await;
    let names = ["BASE_URL", "TOKEN_READ", "TOKEN_WRITE", "TOKEN_ADMIN", "TOKEN_EXPIRED", "API_KEY"];
    let secrets = ["STRIPE_SECRET", "GITHUB_SECRET", "SHOPIFY_SECRET", "SLACK_SECRET"];
    for name in names.iter().chain(&secrets) {
        assert!(gateway.values.get(*name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    let read = gateway.bearer("TOKEN_READ");
    let write = gateway.bearer("TOKEN_WRITE");
    let health = gateway.ask("GET /health", &[], "").await;
    let nobody = gateway.ask("GET /api/orders", &[], "").await;
    let list = gateway.ask("GET /api/orders", &[("authorization", &read)], "").await;
    let key = gateway.ask("GET /api/orders", &[("x-api-key", &gateway.values["API_KEY"])], "").await;
    let late = gateway.ask("GET /api/orders", &[("authorization", &gateway.bearer("TOKEN_EXPIRED"))], "").await;
    let created = gateway.ask("POST /api/orders", &[("authorization", &write), JSON], TEA).await;
    let forbidden = gateway.ask("POST /api/orders", &[("authorization", &read), JSON], TEA).await;
    let panicked = gateway.ask("GET /demo/panic", &[("authorization", &read)], "").await;
    let answers = [&health, &nobody, &list, &key, &late, &created, &forbidden, &panicked];
    assert_eq!(answers.map(|answer| answer.status), [200, 401, 200, 200, 401, 201, 403, 500]);
    for refused in answers.iter().filter(|answer| answer.status >= 400) {
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        assert_eq!(refused.json()["request_id"], refused.id());
    }
    expect_records(&gateway.stop().await, &answers, 0);
}

/// The client sees the 413, though it had not finished sending.
#[tokio::test]
async fn a_large_upload() {
    let gateway = Gateway::start().await;
    let large = format!(r#"{{"item":"{}","quantity":1}}"#, "a".repeat(1_500_000));
    let write = gateway.bearer("TOKEN_WRITE");
    let credential = ("authorization", &*write);
    let announced = gateway.ask("POST /api/orders", &[credential, JSON], &large).await;
    let chunks = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let in_chunks = ("transfer-encoding", "chunked");
    let chunked = gateway.ask("POST /api/orders", &[credential, JSON, in_chunks], &chunks).await;
    // Also where no body is wanted at all, and where nobody is let in.
    let stranger = gateway.ask("POST /api/orders", &[JSON, in_chunks], &chunks).await;
    let hook = gateway.ask("POST /webhooks/shopify", &[("x-shopify-hmac-sha256", SIGNATURE), in_chunks], &chunks).await;
    let answers = [&announced, &chunked, &stranger, &hook];
    assert_eq!(answers.map(|answer| answer.status), [413, 413, 401, 413]);
    assert_eq!(announced.json()["error"], "payload_too_large");
    expect_records(&gateway.stop().await, &answers, 0);
}

const SIGNATURE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[tokio::test]
async fn a_client_that_hangs_up() {
    let gateway = Gateway::start().await;
    let read = gateway.bearer("TOKEN_READ");
    let mut wire = Wire::to(gateway.address).await;
    wire.send(request("GET /demo/slow", &[("authorization", &read)], "")).await.unwrap();
    let health = gateway.ask("GET /health", &[], "").await;
    tokio::time::sleep(MOMENT).await;
    drop(wire);
    let records = gateway.records_when(|records| records.len() == 2).await;
    let gone = records.iter().find(|record| record["path"] == "/demo/slow").unwrap();
    assert_eq!((&gone["status"], &gone["outcome"]), (&Value::Null, &"aborted".into()));
    assert_eq!(gone["user"]["id"], "usr_read");
    assert!(gone["duration_ms"].as_u64().unwrap() < 3_000, "{gone}");

    // In the middle of an upload.
    let mut wire = Wire::to(gateway.address).await;
    let upload =
        request("POST /api/orders", &[("authorization", &gateway.bearer("TOKEN_WRITE")), JSON], &"a".repeat(9_000));
    wire.send(&upload[..upload.len() - 4_000]).await.unwrap();
    drop(wire);
    gateway.records_when(|records| records.len() == 3).await;
    expect_records(&gateway.stop().await, &[&health], 2);
}

#[tokio::test]
async fn requests_of_one_connection_have_their_own_ids() {
    let gateway = Gateway::start().await;
    let read = gateway.bearer("TOKEN_READ");
    let mut wire = Wire::to(gateway.address).await;
    // Four at once, one of them refused, one with an id that is not for the client to choose.
    let list = request("GET /api/orders", &[("authorization", &read)], "");
    let named = request("GET /health", &[("x-request-id", "mine"), ("x-request-id", "mine")], "");
    let refused = request("GET /api/orders", &[], "");
    wire.send([&*list, &named, &refused, &list].concat()).await.unwrap();
    let mut answers = Vec::new();
    for status in [200, 200, 401, 200] {
        answers.push(wire.receive().await.unwrap());
        assert_eq!(answers.last().unwrap().status, status);
    }
    wire.send(&list).await.unwrap();
    answers.push(wire.receive().await.unwrap());
    let answers: Vec<_> = answers.iter().collect();
    let ids: std::collections::HashSet<_> = answers.iter().map(|answer| answer.id()).collect();
    assert!(ids.len() == 5 && !ids.contains("mine"));
    expect_records(&gateway.stop().await, &answers, 0);
}

/// What the transport refuses by itself never reaches the gateway, and hurts nobody else.
#[tokio::test]
async fn what_is_no_http() {
    let gateway = Gateway::start().await;
    let (long, name) = ("a".repeat(600_000), "x".repeat(70_000));
    let many = "x-many: 1\r\n".repeat(500);
    for (bytes, allowed) in [
        (request("GET /health", &[("x-long", &long)], ""), &[431_u16][..]),
        (request("GET /health", &[(&name, "1")], ""), &[431, 400]),
        (format!("GET /health HTTP/1.1\r\nhost: x\r\n{many}\r\n"), &[431]),
        (format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), &[414, 431]),
        ("GET /health HTTP/9.9\r\n\r\n".into(), &[400, 505]),
        ("\u{1}\u{2}\u{3}\r\n\r\n".into(), &[400]),
        (request("GET /health", &[("content-length", "1"), ("content-length", "2")], ""), &[400]),
    ] {
        let mut wire = Wire::to(gateway.address).await;
        // The server may close before all is sent, and the answer may then be lost.
        let sent = wire.send(&bytes).await;
        match wire.receive().await {
            Some(answer) => assert!(allowed.contains(&answer.status), "{}: {answer:?}", &bytes[..20]),
            None => assert!(sent.is_err() || bytes.len() > 50_000, "no answer to {}", &bytes[..20]),
        }
    }
    let health = gateway.ask("GET /health", &[], "").await;
    assert_eq!(health.status, 200);
    let records = gateway.stop().await;
    assert!(records.iter().any(|record| record["request_id"] == *health.id()));
    assert!(records.iter().all(|record| record["status"].as_u64().unwrap() < 500));
}

#[tokio::test]
async fn a_signal_drains_and_flushes() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::start().await;
        let read = gateway.bearer("TOKEN_READ");
        let mut wire = Wire::to(gateway.address).await;
        // An idle connection must not hold it up.
        let mut idle = Wire::to(gateway.address).await;
        idle.send(request("GET /health", &[], "")).await.unwrap();
        let health = idle.receive().await.unwrap();
        wire.send(request("GET /demo/slow", &[("authorization", &read)], "")).await.unwrap();
        tokio::time::sleep(MOMENT).await;
        gateway.signal(signal).await;
        let slow = wire.receive().await.unwrap();
        assert_eq!((slow.status, &*slow.body), (200, &b"done, usr_read"[..]), "{signal}");
        assert_eq!(gateway.ended().await.code(), Some(0), "{signal}");
        expect_records(&gateway.records(), &[&health, &slow], 0);
        assert!(tokio::net::TcpStream::connect(gateway.address).await.is_err());
    }
}

/// Neither keeps the process from ending, nor ends without a record: the upload that stands still,
/// and the client that has not said what it wants.
#[tokio::test]
async fn a_client_that_never_finishes() {
    let mut gateway = Gateway::start().await;
    let mut half_a_head = Wire::to(gateway.address).await;
    half_a_head.send("GET /health HTTP/1.1\r\nhost:").await.unwrap();
    let mut wires = Vec::new();
    let write = gateway.bearer("TOKEN_WRITE");
    for (line, header) in [
        ("POST /api/orders", ("authorization", &*write)),
        ("POST /webhooks/shopify", ("x-shopify-hmac-sha256", SIGNATURE)),
        ("POST /auth/login", ("accept", "*/*")),
    ] {
        let mut wire = Wire::to(gateway.address).await;
        wire.send(request(line, &[header, JSON, ("content-length", "9000")], "{")).await.unwrap();
        wires.push(wire);
    }
    tokio::time::sleep(MOMENT).await;
    gateway.signal("TERM").await;
    let mut answers = Vec::new();
    for wire in &mut wires {
        answers.push(wire.receive().await.unwrap());
    }
    let answers: Vec<_> = answers.iter().collect();
    assert!(answers.iter().all(|answer| answer.status == 408), "{answers:?}");
    assert_eq!(gateway.ended().await.code(), Some(0));
    expect_records(&gateway.records(), &answers, 0);
}

/// Whoever reads READY may act on it at once.
#[tokio::test]
async fn a_signal_as_soon_as_it_is_ready() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::start().await;
        gateway.signal(signal).await;
        assert_eq!(gateway.ended().await.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_second_run_adds_to_the_file_of_the_first() {
    let mut gateway = Gateway::start().await;
    let mode = std::fs::metadata(gateway.audit_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "records are for their owner's eyes");
    let first = gateway.ask("GET /health", &[], "").await;
    gateway.signal("INT").await;
    assert_eq!(gateway.ended().await.code(), Some(0));
    let gateway = gateway.again().await;
    let second = gateway.ask("GET /health", &[], "").await;
    expect_records(&gateway.stop().await, &[&first, &second], 0);
}

#[tokio::test]
async fn records_go_to_stderr_unless_told_otherwise() {
    let mut gateway = Gateway::spawn(&mut command()).await;
    let mut stderr = gateway.take_stderr();
    let read = gateway.bearer("TOKEN_READ");
    let list = gateway.ask("GET /api/orders", &[("authorization", &read)], "").await;
    let nobody = gateway.ask("GET /api/orders", &[], "").await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await.code(), Some(0));
    let mut text = String::new();
    stderr.read_to_string(&mut text).await.unwrap();
    expect_records(&parse(&text), &[&list, &nobody], 0);
    assert!(!text.contains(&gateway.values["TOKEN_READ"]));
}

/// Requests are served all the same, and the end says what is missing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk() {
    let mut gateway = Gateway::spawn(command().env("PORTCULLIS_AUDIT", "/dev/full")).await;
    let mut stderr = gateway.take_stderr();
    assert_eq!(gateway.ask("GET /health", &[], "").await.status, 200);
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await.code(), Some(1));
    let mut text = String::new();
    stderr.read_to_string(&mut text).await.unwrap();
    // The other one is of the fetch of the issuer's keys.
    assert_eq!(text.trim(), "gateway: 2 audit records could not be written");
}

#[tokio::test]
async fn a_configuration_that_cannot_work() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (name, value) in [
        ("PORTCULLIS_AUDIT", "/nonexistent/folder/audit.jsonl"),
        ("PORTCULLIS_AUDIT", "/"),
        ("PORTCULLIS_AUDIT", ""),
        ("PORTCULLIS_ADDR", "here"),
        ("PORTCULLIS_ADDR", "127.0.0.1:99999"),
        ("PORTCULLIS_ADDR", &taken),
    ] {
        let ended = timeout(PATIENCE, command().env(name, value).output()).await.expect("its end in time").unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.code().is_some_and(|code| code != 0), "{name}={value}");
        assert!(error.contains(name) && error.contains(value), "{name}={value}: {error}");
        assert!(!error.contains("panicked") && ended.stdout.is_empty(), "{error}");
    }
}

//! Over TCP, where hyper polls and drops the bodies.

use std::time::Duration;

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

async fn serve(app: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    response
}

/// Until the record is there: the server notices a hang-up in its own time.
async fn wait_for_record(desk: &Desk) -> Value {
    tokio::time::timeout(Duration::from_secs(10), async {
        while desk.records().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
    desk.record().await
}

#[tokio::test]
async fn responses_of_every_framing_complete() {
    for (path, bytes) in [("/fixed", 5), ("/chunked", 6), ("/declared", 4), ("/empty", 0)] {
        let desk = Desk::new();
        let app = Router::new()
            .route("/fixed", get(|| async { "hello" }))
            .route("/chunked", get(|| async { stream("abcdef", true) }))
            // A stream that never says that it is at its end: hyper stops at Content-Length.
            .route("/declared", get(|| async { ([("content-length", "4")], stream("four", false)) }))
            .route("/empty", get(|| async {}));
        let address = serve(desk.wrap(app)).await;
        let response = exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        let record = wait_for_record(&desk).await;
        assert_eq!((&record["outcome"], &record["response_bytes"]), (&"completed".into(), &bytes.into()), "{path}");
    }
}

fn stream(data: &'static str, ends: bool) -> Body {
    let (frames, body) = channel();
    tokio::spawn(async move {
        frames.send(Ok(frame(data))).await.unwrap();
        if !ends {
            frames.closed().await;
        }
    });
    body
}

#[tokio::test]
async fn head_completes() {
    let desk = Desk::new();
    let address = serve(desk.wrap(Router::new().route("/", get(|| async { "hello" })))).await;
    let response = exchange(address, "HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(response.contains("content-length: 5") && response.ends_with("\r\n\r\n"), "{response}");
    let record = wait_for_record(&desk).await;
    assert_eq!(
        (&record["method"], &record["outcome"], &record["response_bytes"]),
        (&"HEAD".into(), &"completed".into(), &0.into())
    );
}

#[tokio::test]
async fn chunked_requests_are_counted() {
    let desk = Desk::new();
    let address = serve(desk.wrap(Router::new().route("/", post(|body: Bytes| async move { body })))).await;
    let request = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert!(exchange(address, request).await.ends_with("abcde"));
    let record = wait_for_record(&desk).await;
    assert_eq!((&record["request_bytes"], &record["response_bytes"]), (&5.into(), &5.into()));
}

#[tokio::test]
async fn a_dropped_connection_leaves_one_record() {
    let desk = Desk::new();
    let address = serve(desk.wrap(Router::new().route("/", get(std::future::pending::<()>)))).await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    while desk.layer.verdicts().passed == 0 {
        tokio::task::yield_now().await;
    }
    drop(connection);
    let record = wait_for_record(&desk).await;
    assert_eq!((&record["outcome"], &record["status"]), (&"aborted".into(), &Value::Null));
}

#[tokio::test]
async fn a_connection_dropped_within_the_response_leaves_one_record() {
    let desk = Desk::new();
    let app = Router::new().route("/", get(|| async { stream("half", false) }));
    let address = serve(desk.wrap(app)).await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"half\r\n") {
        connection.read_buf(&mut seen).await.unwrap();
    }
    drop(connection);
    let record = wait_for_record(&desk).await;
    assert_eq!(
        (&record["outcome"], &record["status"], &record["response_bytes"]),
        (&"aborted".into(), &200.into(), &4.into())
    );
}

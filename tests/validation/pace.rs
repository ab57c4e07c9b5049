//! Bodies that come slowly.

use std::time::Duration;

use axum::body::Body;
use portcullis::validate::Rule;

use super::ask::{app, layer, pieces_of, request, status};

const TYPE: [(&str, &str); 1] = [("content-type", "a/b")];

/// Sends `bytes` each second, for so many seconds, and then ends.
fn drip(bytes: usize, seconds: u64) -> Body {
    let (sender, body) = pieces_of();
    tokio::spawn(async move {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = sender.send(vec![b'x'; bytes].into());
        }
    });
    body
}

#[tokio::test(start_paused = true)]
async fn a_dripping_body_is_408() {
    let app = app(layer().default_rule(Rule::opaque("a/b")));
    for (bytes, seconds, expected) in [
        // 1 200 bytes in five seconds are wanted; what comes at the very end of them may be too late,
        (239, 20, 408),
        (301, 20, 200),
        // and the end within thirty.
        (1_000, 29, 200),
        (1_000, 31, 408),
        // A small body has five seconds.
        (1, 4, 200),
        (1, 6, 408),
    ] {
        let request = request("POST", "/orders", &TYPE, drip(bytes, seconds));
        assert_eq!(status(&app, request).await, expected, "{bytes} bytes a second for {seconds} s");
    }
}

#[allow(clippy::disallowed_methods, reason = "tokio's own clock, which stands")]
#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_ends_at_the_deadline() {
    let app = app(layer().default_rule(Rule::opaque("a/b").body_deadline(Duration::from_secs(2))));
    let (sender, body) = pieces_of();
    let begun = tokio::time::Instant::now();
    assert_eq!(status(&app, request("POST", "/orders", &TYPE, body)).await, 408);
    assert_eq!(begun.elapsed().as_secs(), 2);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn the_rate_and_the_deadline_can_be_changed() {
    let slow = layer().minimum_rate(1).body_deadline(Duration::from_secs(300)).default_rule(Rule::opaque("a/b"));
    assert_eq!(status(&app(slow), request("POST", "/orders", &TYPE, drip(2, 200))).await, 200);
}

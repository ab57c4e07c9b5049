//! A refused upload is read to its end, so that the client sees the refusal.
//!
//! A server that answers and closes while the client still sends makes the client's TCP stack
//! report a reset, and the answer is lost. So what is left of a body that nobody wants is read and
//! thrown away, within bounds.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;

/// Whoever sends more than this, or more slowly, does see a reset.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// Wraps a request body; a request without one pays nothing.
pub(crate) fn drained(body: Body) -> Body {
    if body.is_end_stream() { body } else { Body::new(Drained { body }) }
}

struct Drained {
    body: Body,
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let rest = std::mem::take(&mut self.body);
            runtime.spawn(tokio::time::timeout(MAX_TIME, discard(rest)));
        }
    }
}

async fn discard(mut body: Body) {
    let mut bytes = 0_u64;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if bytes > MAX_BYTES {
            return;
        }
    }
}

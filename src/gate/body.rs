//! The one place outside the gates' futures that implements [`http_body::Body`]: a body that tells
//! a watcher what passes and how it ends, and one that is held back until an object is checked.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::request::RequestContext;

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// Everything was handed on.
    Complete,
    /// It ended with an error.
    Failed,
    /// It was dropped before its end: whoever wanted it has gone.
    Dropped,
}

/// Sees a body pass. Must not block: `end` may run in a `Drop`.
pub(crate) trait Watch: Send + Unpin + 'static {
    /// `bytes` more have passed.
    fn pass(&mut self, bytes: usize);
    /// The end. Called once.
    fn end(self, end: BodyEnd);
}

/// Sets a watcher on the body of a request. Costs the box of [`Body::new`].
pub(crate) fn watch_request(body: &mut Body, watch: impl Watch) {
    let inner = mem::take(body);
    let left = inner.size_hint().exact();
    *body = Body::new(Watched { inner, left, watch: Some(watch) });
}

/// The same for a response. Most bodies know how long they are; of others `Content-Length` may say it.
pub(crate) fn watch_response(response: &mut Response, watch: impl Watch) {
    let announced = || response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    let left = response.body().size_hint().exact().or_else(announced);
    let inner = mem::take(response.body_mut());
    *response.body_mut() = Body::new(Watched { inner, left, watch: Some(watch) });
}

struct Watched<W: Watch> {
    inner: Body,
    /// What is still to come, where that is known: hyper stops asking when it has sent
    /// `Content-Length` bytes, without waiting for the end of the stream.
    left: Option<u64>,
    watch: Option<W>,
}

impl<W: Watch> Watched<W> {
    fn end(&mut self, end: BodyEnd) {
        if let Some(watch) = self.watch.take() {
            watch.end(end);
        }
    }

    fn pass(&mut self, frame: &Frame<Bytes>) {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if let Some(watch) = &mut self.watch {
            watch.pass(bytes);
        }
        self.left = self.left.map(|left| left.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX)));
        // Trailers are the last frame; and a body that knows its end is not asked for it.
        if frame.is_trailers() || self.inner.is_end_stream() {
            self.end(BodyEnd::Complete);
        }
    }
}

impl<W: Watch> HttpBody for Watched<W> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.pass(frame),
            Some(Err(_)) => self.end(BodyEnd::Failed),
            None => self.end(BodyEnd::Complete),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<W: Watch> Drop for Watched<W> {
    fn drop(&mut self) {
        let complete = self.left == Some(0) || self.inner.is_end_stream();
        self.end(if complete { BodyEnd::Complete } else { BodyEnd::Dropped });
    }
}

/// A body that cannot be read before the request's obligation is met. Costs the box of [`Body::new`].
pub(crate) fn held_back(inner: Body, context: Arc<RequestContext>) -> Body {
    Body::new(HeldBack { inner, context })
}

struct HeldBack {
    inner: Body,
    context: Arc<RequestContext>,
}

#[derive(Debug, thiserror::Error)]
#[error("the body was wanted before the object was checked")]
struct NotChecked;

impl HttpBody for HeldBack {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.context.obligation().break_if_open() {
            return Poll::Ready(Some(Err(axum::Error::new(NotChecked))));
        }
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

//! Reads a body whole, in two steps: what is there already at once, and without a future; the rest
//! with a bound on the time that it takes, and on how slowly it may drip.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;

use super::{collect::Collected, drain::drained};
use crate::rejection::{Rejection, RejectionKind};

/// How slowly a body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The whole of it.
    pub(crate) deadline: Duration,
    /// In each such time, the last excepted,
    pub(crate) window: Duration,
    /// so many bytes.
    pub(crate) least: usize,
}

/// A body that is being read. What was read so far is in here, so a future over it may be dropped.
pub(crate) struct Reading {
    body: Body,
    limit: usize,
    length: usize,
    /// The first piece, which is most often the only one.
    first: Bytes,
    /// All pieces, if there are more.
    all: BytesMut,
    trailers: Option<HeaderMap>,
}

/// A body is asked so often without its future being polled again.
const FRAMES_AT_ONCE: usize = 32;

impl Reading {
    /// More than `limit` bytes are refused.
    pub(crate) fn new(body: Body, limit: usize) -> Self {
        Self { body, limit, length: 0, first: Bytes::new(), all: BytesMut::new(), trailers: None }
    }

    /// What is there without waiting; `None` if that is not all.
    pub(crate) fn now(&mut self) -> Option<Result<(), Rejection>> {
        match self.poll(&mut Context::from_waker(Waker::noop()), FRAMES_AT_ONCE) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => None,
        }
    }

    /// The rest: 413 beyond the limit, 408 if it comes too slowly.
    pub(crate) async fn rest(&mut self, pace: Pace) -> Result<(), Rejection> {
        let paced = async {
            loop {
                let before = self.length;
                let window = tokio::time::timeout(pace.window, poll_fn(|cx| self.poll(cx, usize::MAX)));
                if let Ok(end) = window.await {
                    return end;
                }
                if self.length.saturating_sub(before) < pace.least {
                    return Err(RejectionKind::RequestTimeout.into());
                }
            }
        };
        tokio::time::timeout(pace.deadline, paced).await.unwrap_or_else(|_| Err(RejectionKind::RequestTimeout.into()))
    }

    /// How many bytes have come.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// What was read.
    pub(crate) fn into_collected(self) -> Collected {
        let bytes = if self.all.is_empty() { self.first } else { self.all.freeze() };
        Collected::new(bytes, self.trailers)
    }

    /// Nobody wants the rest: it is read and thrown away, so that the client sees the refusal.
    pub(crate) fn give_up(self) {
        drop(drained(self.body));
    }

    fn poll(&mut self, cx: &mut Context<'_>, frames: usize) -> Poll<Result<(), Rejection>> {
        for _ in 0..frames {
            if self.body.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.take(frame)?,
                // The limit may be ours or one that stands outside.
                Some(Err(error)) => return Poll::Ready(Err(Rejection::from_body_error(&error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        Poll::Pending
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), RejectionKind> {
        match frame.into_data() {
            Ok(data) => {
                self.length = self.length.saturating_add(data.len());
                if self.length > self.limit {
                    return Err(RejectionKind::PayloadTooLarge);
                }
                if self.first.is_empty() {
                    self.first = data;
                    return Ok(());
                }
                if self.all.is_empty() {
                    // What is announced is not believed: memory is taken as bytes come.
                    self.all.reserve(self.length.saturating_mul(2).min(self.limit));
                    self.all.extend_from_slice(&self.first);
                }
                self.all.extend_from_slice(&data);
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
        Ok(())
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("length", &self.length).field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::{BodyExt as _, Full};
    use tokio::sync::mpsc;

    use super::*;

    const PACE: Pace = Pace { deadline: Duration::from_secs(30), window: Duration::from_secs(5), least: 100 };

    /// A body of the pieces that are sent.
    fn sent() -> (mpsc::UnboundedSender<Bytes>, Body) {
        struct Received(mpsc::UnboundedReceiver<Bytes>);
        impl http_body::Body for Received {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Body::new(Received(receiver)))
    }

    #[tokio::test]
    async fn what_is_there_is_read_without_waiting_and_not_copied() {
        let whole = Bytes::from(vec![7; 10]);
        let mut reading = Reading::new(Body::from(whole.clone()), 10);
        assert!(reading.now().unwrap().is_ok());
        let read = reading.into_collected();
        assert_eq!(read.bytes().as_ptr(), whole.as_ptr());

        let (sender, body) = sent();
        sender.send("ab".into()).unwrap();
        let mut reading = Reading::new(body, 10);
        assert!(reading.now().is_none());
        sender.send("cd".into()).unwrap();
        sender.send("ef".into()).unwrap();
        drop(sender);
        reading.rest(PACE).await.unwrap();
        assert_eq!(reading.into_collected().bytes(), "abcdef");
    }

    #[tokio::test]
    async fn trailers_are_kept() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("7"));
        let body = Full::new(Bytes::from_static(b"abc")).with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
        let mut reading = Reading::new(Body::new(body), 3);
        assert!(reading.now().unwrap().is_ok());
        let again = reading.into_collected().into_body().collect().await.unwrap();
        assert_eq!(again.trailers(), Some(&trailers));
    }

    #[tokio::test]
    async fn one_byte_too_many_is_413_in_whatever_piece() {
        let mut reading = Reading::new(Body::from("abcd"), 3);
        assert_eq!(reading.now().unwrap().unwrap_err().kind(), RejectionKind::PayloadTooLarge);
        let (sender, body) = sent();
        let mut reading = Reading::new(body, 3);
        for piece in ["ab", "cd"] {
            sender.send(piece.into()).unwrap();
        }
        assert_eq!(reading.rest(PACE).await.unwrap_err().kind(), RejectionKind::PayloadTooLarge);
    }

    #[tokio::test]
    async fn a_body_that_is_always_ready_does_not_hold_the_caller() {
        let endless = futures_of(std::iter::repeat_with(Bytes::new));
        assert!(Reading::new(endless, 3).now().is_none());
    }

    fn futures_of(pieces: impl Iterator<Item = Bytes> + Send + Unpin + 'static) -> Body {
        struct Pieces<I>(I);
        impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for Pieces<I> {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
            }
        }
        Body::new(Pieces(pieces))
    }

    /// Sends `bytes` each second, for so many seconds, and then ends.
    fn drip(bytes: usize, seconds: u64) -> Body {
        let (sender, body) = sent();
        tokio::spawn(async move {
            for _ in 0..seconds {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = sender.send(vec![0; bytes].into());
            }
        });
        body
    }

    #[tokio::test(start_paused = true)]
    async fn who_drips_is_408_and_who_is_slow_is_not() {
        let read = async |body: Body| Reading::new(body, 1 << 20).rest(PACE).await.map_err(|error| error.kind());
        // 95 bytes in a window of 5 s, of 100 that are wanted.
        assert_eq!(read(drip(19, 29)).await, Err(RejectionKind::RequestTimeout));
        assert_eq!(read(drip(25, 29)).await, Ok(()));
        // Fast enough, but too long.
        assert_eq!(read(drip(1000, 31)).await, Err(RejectionKind::RequestTimeout));
        // The last window may be short of bytes.
        assert_eq!(read(drip(1, 4)).await, Ok(()));
    }
}

//! Reads a body whole, with a bound on its size and on the time it takes: for the gates that judge
//! bodies. What was read is handed on as it came, trailers included.

use std::{future::ready, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, Limited};

use crate::rejection::{Rejection, RejectionKind};

/// A body that has been read.
#[derive(Debug)]
pub(crate) struct Collected {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

impl Collected {
    pub(super) fn new(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self { bytes, trailers }
    }

    /// Of a body that came in one piece, that piece; else a copy.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same body once more.
    pub(crate) fn into_body(self) -> Body {
        match self.trailers {
            None => Body::from(self.bytes),
            Some(trailers) => Body::new(Full::new(self.bytes).with_trailers(ready(Some(Ok(trailers))))),
        }
    }
}

/// Whether the body is known to be too large before it is read.
pub(crate) fn announced(headers: &HeaderMap, body: &Body, limit: usize) -> Result<(), RejectionKind> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok())
        .unwrap_or(0);
    if announced.max(body.size_hint().lower()) > limit { Err(RejectionKind::PayloadTooLarge) } else { Ok(()) }
}

/// Reads a body to its end: 413 beyond `limit`, 408 after `timeout`.
pub(crate) async fn collect(body: Body, limit: usize, timeout: Duration) -> Result<Collected, Rejection> {
    if body.is_end_stream() {
        return Ok(Collected { bytes: Bytes::new(), trailers: None });
    }
    match tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => {
            let trailers = collected.trailers().cloned();
            Ok(Collected { bytes: collected.to_bytes(), trailers })
        }
        // The limit may be ours or one that stands outside.
        Ok(Err(error)) => Err(Rejection::from_body_error(&*error)),
        Err(_) => Err(RejectionKind::RequestTimeout.into()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn the_body_is_handed_on_with_its_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("7"));
        let body = Full::new(Bytes::from_static(b"abc")).with_trailers(ready(Some(Ok(trailers.clone()))));
        let read = collect(Body::new(body), 3, SOON).await.unwrap();
        assert_eq!(&**read.bytes(), b"abc");
        let again = read.into_body().collect().await.unwrap();
        assert_eq!(again.trailers(), Some(&trailers));
        assert_eq!(again.to_bytes(), "abc");
    }

    #[tokio::test]
    async fn one_byte_too_many_is_413() {
        let body = || Body::from("abcd");
        assert_eq!(collect(body(), 3, SOON).await.unwrap_err().kind(), RejectionKind::PayloadTooLarge);
        assert_eq!(announced(&HeaderMap::new(), &body(), 3), Err(RejectionKind::PayloadTooLarge));
        assert_eq!(announced(&HeaderMap::new(), &body(), 4), Ok(()));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
        assert_eq!(announced(&headers, &Body::empty(), 4), Err(RejectionKind::PayloadTooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_408() {
        struct Never;
        impl http_body::Body for Never {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
                std::task::Poll::Pending
            }
        }
        assert_eq!(collect(Body::new(Never), 3, SOON).await.unwrap_err().kind(), RejectionKind::RequestTimeout);
    }
}

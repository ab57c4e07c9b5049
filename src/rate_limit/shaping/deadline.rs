use std::time::Duration;

/// How long the client waits for its answer, counted from the request's arrival: an extension of the
/// request, for whoever knows it to set (from `Request-Timeout`, `grpc-timeout`, or a contract).
///
/// [`ShapingLayer`](super::ShapingLayer) refuses at once whose turn would come later: to let it wait
/// costs a place in the queue, and nobody would hear the answer.
///
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use portcullis::rate_limit::RequestDeadline;
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(RequestDeadline::after(Duration::from_secs(2)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestDeadline(Duration);

impl RequestDeadline {
    /// So long after the request's arrival.
    pub const fn after(wait: Duration) -> Self {
        Self(wait)
    }

    pub(super) const fn wait(self) -> Duration {
        self.0
    }
}

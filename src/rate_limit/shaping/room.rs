use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How many requests of one process may wait at once, whatever keys they have: each holds a connection,
/// its body's beginning and a timer.
#[derive(Debug)]
pub(in crate::rate_limit) struct WaitingRoom {
    seats: usize,
    taken: AtomicUsize,
}

/// A place in the [`WaitingRoom`], free again when it is dropped.
#[derive(Debug)]
pub(in crate::rate_limit) struct Seat(Arc<WaitingRoom>);

impl WaitingRoom {
    pub(in crate::rate_limit) fn new(seats: usize) -> Arc<Self> {
        Arc::new(Self { seats, taken: AtomicUsize::new(0) })
    }

    /// A seat, unless all are taken.
    pub(in crate::rate_limit) fn enter(self: &Arc<Self>) -> Option<Seat> {
        let free = |taken: usize| (taken < self.seats).then(|| taken.saturating_add(1));
        self.taken.fetch_update(Relaxed, Relaxed, free).ok().map(|_| Seat(Arc::clone(self)))
    }

    /// How many wait.
    pub(in crate::rate_limit) fn waiting(&self) -> usize {
        self.taken.load(Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}

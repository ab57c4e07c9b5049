use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use super::{ShapingLayer, layer::ShapingGate};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rate_limit::{Key, LeakyQueue, Rate, RateLimitStore, checks::check_names},
};

/// Builds a [`ShapingLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ShapingLayerBuilder {
    store: Arc<dyn RateLimitStore>,
    name: String,
    key: Key,
    rate: Rate,
    waiting: u64,
    longest_wait: Duration,
    room: NonZeroUsize,
    cost: u64,
}

impl ShapingLayerBuilder {
    /// How many may wait for one key by default.
    pub const WAITING: u64 = 64;
    /// How long anybody may wait by default.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(5);
    /// How many may wait in one process by default.
    pub const ROOM: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

    pub(super) fn new(store: Arc<dyn RateLimitStore>, name: String, key: Key, rate: Rate) -> Self {
        Self {
            store,
            name,
            key,
            rate,
            waiting: Self::WAITING,
            longest_wait: Self::LONGEST_WAIT,
            room: Self::ROOM,
            cost: 1,
        }
    }

    /// How many units may wait for one key; who comes then is refused. Default: 64; at most a million.
    pub fn waiting(mut self, units: u64) -> Self {
        self.waiting = units;
        self
    }

    /// How long a request may wait; whose turn would come later is refused at once. Default: 5 s; at
    /// most an hour. Keep it below the time-outs outside this layer.
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// How many requests may wait in this process, of all keys together; who comes then is answered
    /// 503. Default: 4,096.
    pub fn room(mut self, requests: NonZeroUsize) -> Self {
        self.room = requests;
        self
    }

    /// How many turns a request takes. Default 1.
    pub fn cost(mut self, units: u64) -> Self {
        self.cost = units;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Everything that is wrong: a name that no header could show, a key that contradicts itself, what
    /// [`LeakyQueue::new`] refuses, a cost of zero or of more than the queue ever holds.
    pub fn build(self) -> Result<ShapingLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        check_names(&self.name, &self.key, &mut issues);
        if self.cost == 0 {
            issues.add("cost", "a cost of zero limits nothing", "use 1 or more");
        }
        let queue = issues.take("", LeakyQueue::new(self.rate, self.waiting, self.longest_wait));
        if queue.as_ref().is_some_and(|queue| self.cost > queue.capacity()) {
            issues.add("cost", "it exceeds what the queue ever holds, so nothing passes", "let more units wait");
        }
        let part = format!("shaping[{}]", self.name);
        match (queue, issues.finish(())) {
            (Some(queue), Ok(())) => {
                let name = self.name.into_boxed_str();
                let gate = ShapingGate::new(self.store, name, self.key, queue, self.cost, self.room.get());
                Ok(ShapingLayer::of(gate))
            }
            (_, Err(error)) => {
                let mut named = ConfigIssues::new();
                named.merge(&part, error);
                Err(named.finish(()).err().unwrap_or_else(|| ConfigError::new(part, "it is wrong", "correct it")))
            }
            (None, Ok(())) => Err(ConfigError::new(part, "it is no queue", "see LeakyQueue::new")),
        }
    }
}

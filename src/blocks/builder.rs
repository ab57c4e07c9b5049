use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use super::{BlockList, BlockStore, BlockTable, list::Shared};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    request::{Cidr, CidrTable, TrustedProxies},
    time::{Clock, SystemClock},
};

/// Builds a [`BlockList`].
#[derive(Clone, Debug)]
#[must_use]
pub struct BlockListBuilder {
    store: Arc<dyn BlockStore>,
    clock: Arc<dyn Clock>,
    refresh: Duration,
    protected: Vec<Cidr>,
    issues: ConfigIssues,
}

impl BlockListBuilder {
    const REFRESH: Duration = Duration::from_secs(1);
    const REFRESHES: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

    pub(super) fn new(store: Arc<dyn BlockStore>) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock::new()),
            refresh: Self::REFRESH,
            protected: vec![Cidr::LOOPBACK_V4, Cidr::LOOPBACK_V6],
            issues: ConfigIssues::new(),
        }
    }

    /// Never blocks the proxies whose word is taken on others: to block one is to block everybody.
    pub fn trusted_proxies(mut self, proxies: &TrustedProxies) -> Self {
        self.protected.extend_from_slice(proxies.networks());
        self
    }

    /// Never blocks these networks, each a CIDR or an address: the office, the monitoring. Loopback is
    /// always among them.
    pub fn protect<I>(mut self, networks: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for (index, text) in networks.into_iter().enumerate() {
            match text.as_ref().parse::<Cidr>() {
                Ok(network) => self.protected.push(network),
                Err(error) => {
                    let reason = format!("{:?} {}", text.as_ref(), error.reason());
                    self.issues.add(format!("protect[{index}]"), reason, error.cure());
                }
            }
        }
        self
    }

    /// How old the copy of a store that must be awaited may become before it is brought up to date:
    /// about so long it takes until a block that another process made holds here. From 100 ms to 60 s;
    /// default: 1 s.
    pub fn refresh_every(mut self, refresh: Duration) -> Self {
        self.refresh = refresh;
        self
    }

    /// Another clock, such as a [`ManualClock`](crate::time::ManualClock) in tests: give the request
    /// context the same one.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The list. Nothing is loaded yet, and no task started: the first request does, or
    /// [`BlockList::refresh`].
    ///
    /// # Errors
    /// What is no network, and an interval that is out of bounds.
    pub fn build(mut self) -> Result<BlockList, ConfigError> {
        if !Self::REFRESHES.contains(&self.refresh) {
            self.issues.add("refresh_every", format!("{:?} is out of bounds", self.refresh), "use 100 ms to 60 s");
        }
        std::mem::take(&mut self.issues).finish(())?;
        Ok(self.trusting())
    }

    /// Without looking for mistakes.
    pub(super) fn trusting(self) -> BlockList {
        let table = BlockTable::default();
        if let Some(twice) = NonZeroUsize::new(BlockTable::DEFAULT_CAPACITY.saturating_mul(2)) {
            // What the store has already dropped for want of room may still be here until it ends.
            table.set_capacity(twice);
        }
        let is_protected = CidrTable::new(&self.protected);
        BlockList(Arc::new(Shared::new(self.store, self.clock, self.refresh, self.protected, is_protected, table)))
    }
}

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use super::{Block, BlockError, BlockListBuilder, BlockStore, BlockTable, pull::Progress};
use crate::{
    request::{Cidr, CidrTable, ClientIp},
    store::StoreError,
    time::{Clock, Now, Timestamp, micros_ceil},
};

/// The handle of a list of blocks: see [above](super). Clones are the same list.
#[derive(Clone)]
pub struct BlockList(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) store: Arc<dyn BlockStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) refresh: Duration,
    protected: Vec<Cidr>,
    /// The same, to be asked by address.
    is_protected: CidrTable,
    /// The copy of a store that must be awaited.
    pub(super) table: BlockTable,
    /// How far the copy goes. Whoever changes the copy holds it.
    pub(super) progress: Mutex<Progress>,
    /// In monotonic time: when the store was last asked; 0 is never.
    pub(super) asked_at: AtomicU64,
    pub(super) is_loaded: AtomicBool,
    pub(super) is_refreshing: AtomicBool,
}

/// What is known of an address.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Free,
    Blocked(Block),
    /// The copy is not there, or too old: it is to be waited for.
    Not,
}

impl Shared {
    pub(super) fn new(
        store: Arc<dyn BlockStore>,
        clock: Arc<dyn Clock>,
        refresh: Duration,
        protected: Vec<Cidr>,
        is_protected: CidrTable,
        table: BlockTable,
    ) -> Self {
        Self {
            store,
            clock,
            refresh,
            protected,
            is_protected,
            table,
            progress: Mutex::default(),
            asked_at: AtomicU64::new(0),
            is_loaded: AtomicBool::new(false),
            is_refreshing: AtomicBool::new(false),
        }
    }
}

impl BlockList {
    /// The shortest and the longest time for which somebody is blocked.
    const DURATIONS: std::ops::RangeInclusive<Duration> =
        Duration::from_micros(1)..=Duration::from_secs(30 * 24 * 3_600);
    /// Wider networks are not blocked in a hurry.
    const WIDEST_V4: u8 = 8;
    const WIDEST_V6: u8 = 24;
    /// After so long without a request, the next one waits for the store. (After two intervals, if
    /// the list is refreshed less often.)
    pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);

    /// A list on a store, with defaults: protects loopback, refreshes each second, goes by the
    /// machine's clock.
    pub fn new(store: impl BlockStore) -> Self {
        Self::builder(store).trusting()
    }

    /// Begins with the defaults.
    pub fn builder(store: impl BlockStore) -> BlockListBuilder {
        BlockListBuilder::new(Arc::new(store))
    }

    /// Keeps a client out, from now on: its IPv4 address, or its /64 of IPv6. If a block of it is there
    /// that ends later, that one holds. The reason is for logs and lists, and is cut at 200 characters.
    ///
    /// # Errors
    /// [`BlockError`]. Refused is, above all, a client whose own address is not known because the walk
    /// through the proxies ended at one of yours.
    pub async fn block(&self, client: ClientIp, ttl: Duration, reason: &str) -> Result<Block, BlockError> {
        let ip = client.verified().ok_or(BlockError::NotVerified)?;
        self.block_network(Cidr::from(ip), ttl, reason).await
    }

    /// Keeps a network out, or an address (`Cidr::from`): for a playbook, with addresses that somebody
    /// has looked at. IPv6 is widened to /64.
    ///
    /// # Errors
    /// [`BlockError`]; also for networks wider than /8 (IPv6: /24).
    pub async fn block_network(&self, network: Cidr, ttl: Duration, reason: &str) -> Result<Block, BlockError> {
        let network = network.widened(32, 64);
        let widest = if network.is_ipv4() { Self::WIDEST_V4 } else { Self::WIDEST_V6 };
        if network.prefix_len() < widest {
            return Err(BlockError::TooWide(network));
        }
        let is_protected = self.0.is_protected.find(network.address()).is_some()
            || self.0.protected.iter().any(|protected| protected.overlaps(&network));
        if is_protected {
            return Err(BlockError::Protected(network));
        }
        self.put(network, ttl, reason).await
    }

    /// The same for what is protected, or wider: a mistake keeps everybody out. `/0` is refused all the
    /// same.
    ///
    /// # Errors
    /// [`BlockError`].
    pub async fn dangerously_block_network(
        &self,
        network: Cidr,
        ttl: Duration,
        reason: &str,
    ) -> Result<Block, BlockError> {
        if network.prefix_len() == 0 {
            return Err(BlockError::TooWide(network));
        }
        self.put(network.widened(32, 64), ttl, reason).await
    }

    async fn put(&self, network: Cidr, ttl: Duration, reason: &str) -> Result<Block, BlockError> {
        if !Self::DURATIONS.contains(&ttl) {
            return Err(BlockError::Duration);
        }
        let now = self.0.clock.now().wall;
        let block = Block::new(network, now, now.saturating_add(ttl), reason);
        let block = self.0.store.block(block, now).await?;
        tracing::warn!(
            target: "portcullis",
            network = %block.network,
            until = %block.until,
            reason = &*block.reason,
            "blocked"
        );
        self.in_copy(now, |table| table.replace(block.clone(), now)).await;
        Ok(block)
    }

    /// Lifts the block of exactly this network (of an address: that of its /64, if it is IPv6), and
    /// says whether there was one. Other processes hear of it with their next refresh.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unblock(&self, network: Cidr) -> Result<bool, StoreError> {
        let (network, now) = (network.widened(32, 64), self.0.clock.now().wall);
        let was_held = self.0.store.unblock(network, now).await?;
        if was_held {
            tracing::info!(target: "portcullis", %network, "unblocked");
        }
        self.in_copy(now, |table| {
            table.remove(network, now);
        })
        .await;
        Ok(was_held)
    }

    /// All blocks that hold, as the store has them, the one that ends first at the front.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self) -> Result<Vec<Block>, StoreError> {
        let now = self.0.clock.now().wall;
        let mut blocks = self.0.read_all(now).await?;
        blocks.retain(|block| block.holds(now));
        blocks.sort_by_key(|block| (block.until, block.network));
        Ok(blocks)
    }

    /// The block that keeps a client out at this moment, as far as it is known here: of a store that
    /// must be awaited, what the copy says. For layers of your own; asks nobody, and allocates nothing.
    pub fn find(&self, client: ClientIp, now: Now) -> Option<Block> {
        match client.ip().map(|ip| self.known(ip, now)) {
            Some(Known::Blocked(block)) => Some(block),
            Some(Known::Not) => client.ip().and_then(|ip| self.0.table.find(ip, now.wall)),
            Some(Known::Free) | None => None,
        }
    }

    /// What is known at once. Has the copy brought up to date if it is time.
    pub(crate) fn known(&self, ip: IpAddr, now: Now) -> Known {
        let of = |found: Option<Block>| found.map_or(Known::Free, Known::Blocked);
        if let Some(found) = self.0.store.find_now(ip, now.wall) {
            return of(found);
        }
        let asked_at = self.0.asked_at.load(Relaxed);
        let age = now.monotonic.as_micros().saturating_sub(asked_at);
        if age >= micros_ceil(self.0.refresh) {
            let pause = Self::LONGEST_PAUSE.max(self.0.refresh.saturating_mul(2));
            if age >= micros_ceil(pause) || !self.0.is_loaded.load(Relaxed) {
                return Known::Not;
            }
            self.refresh_aside(now);
        } else if !self.0.is_loaded.load(Relaxed) {
            return Known::Not;
        }
        of(self.0.table.find(ip, now.wall))
    }

    /// Waits for the copy, and says what is known then.
    ///
    /// # Errors
    /// If nothing has ever been known, what the store says now.
    pub(crate) async fn known_soon(&self, ip: IpAddr, now: Now) -> Result<Option<Block>, StoreError> {
        let refreshed = self.0.refresh(now, self.0.refresh).await;
        if !self.0.is_loaded.load(Relaxed) {
            refreshed?;
        }
        Ok(self.0.table.find(ip, now.wall))
    }

    /// Brings the copy up to date: before the first request, or in a test. Nothing to do with a store
    /// in memory.
    ///
    /// # Errors
    /// [`StoreError`]; what was known goes on holding.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.0.refresh(self.0.clock.now(), Duration::ZERO).await
    }

    async fn in_copy(&self, now: Timestamp, change: impl FnOnce(&BlockTable)) {
        if self.0.needs_no_copy(now) {
            return;
        }
        // After whoever is reading the store: else he would overwrite it with what was there before.
        let _turn = self.0.progress.lock().await;
        change(&self.0.table);
    }

    fn refresh_aside(&self, now: Now) {
        if self.0.is_refreshing.swap(true, Relaxed) {
            return;
        }
        let turn = Turn(Arc::clone(&self.0));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // What it says is in the log, and what was known goes on holding.
                let _ = turn.0.refresh(now, turn.0.refresh).await;
            });
        }
    }
}

/// Who brings the copy up to date. It may also be dropped before it is done.
struct Turn(Arc<Shared>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_refreshing.store(false, Relaxed);
    }
}

impl fmt::Debug for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockList")
            .field("store", &self.0.store)
            .field("refresh", &self.0.refresh)
            .field("protected", &self.0.protected)
            .finish_non_exhaustive()
    }
}

use std::{fmt, net::IpAddr, sync::Arc};

use super::Block;
use crate::{
    request::Cidr,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// How far somebody has read what a store holds. What the numbers mean is the store's affair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BlockCursor {
    /// From which run of numbers `seq` is. Zero for [`START`](Self::START) only.
    pub epoch: u64,
    /// The last change that was read.
    pub seq: u64,
}

impl BlockCursor {
    /// Nothing has been read.
    pub const START: Self = Self { epoch: 0, seq: 0 };
}

/// What a store tells of its blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockChanges {
    /// The blocks, each network once. Those that have ended may be among them.
    pub blocks: Vec<Block>,
    /// These are the first of all blocks, or all of them: others that were known hold no more, unless
    /// they come with the pages that follow.
    pub whole: bool,
    /// There is more to read.
    pub more: bool,
    /// From where to read on.
    pub cursor: BlockCursor,
}

impl BlockChanges {
    /// All blocks at once: what a store says that keeps no record of changes.
    pub fn whole(blocks: Vec<Block>) -> Self {
        Self { blocks, whole: true, more: false, cursor: BlockCursor::START }
    }

    /// One page of changes since the cursor that was given.
    pub fn page(blocks: Vec<Block>, cursor: BlockCursor) -> Self {
        Self { blocks, whole: false, more: false, cursor }
    }
}

/// Where blocks are kept.
///
/// Shared by all processes of a service. Times are wall times of the callers. Laws:
///
/// * One block for each network: of two, the one that ends later holds, at once and on all machines
///   ([`Block::or_longer`]).
/// * What has ended is gone, and takes no room for long.
/// * A store at its bound forgets the block that would end first, to make room for a new one.
/// * If a block was lifted since the cursor, the next answer is [whole](BlockChanges::whole).
///
/// # A store of your own
/// ```
/// use std::{collections::BTreeMap, sync::Mutex};
/// use portcullis::{
///     blocks::{Block, BlockChanges, BlockCursor, BlockStore},
///     request::Cidr,
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
///
/// #[derive(Debug, Default)]
/// struct Table(Mutex<BTreeMap<Cidr, Block>>);
///
/// impl BlockStore for Table {
///     fn block(&self, block: Block, now: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>> {
///         Box::pin(async move {
///             let mut table = self.0.lock().unwrap();
///             table.retain(|_, held| held.holds(now));
///             let held = table.get(&block.network).cloned();
///             let block = block.or_longer(held, now);
///             if table.len() >= 10_000 {
///                 let first = table.values().min_by_key(|held| held.until).map(|held| held.network);
///                 first.map(|network| table.remove(&network));
///             }
///             table.insert(block.network, block.clone());
///             Ok(block)
///         })
///     }
///
///     fn unblock(&self, network: Cidr, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
///         Box::pin(async move { Ok(self.0.lock().unwrap().remove(&network).is_some_and(|held| held.holds(now))) })
///     }
///
///     fn changes(&self, _: BlockCursor, now: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>> {
///         Box::pin(async move {
///             let table = self.0.lock().unwrap();
///             Ok(BlockChanges::whole(table.values().filter(|held| held.holds(now)).cloned().collect()))
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # #[cfg(feature = "conformance")]
/// portcullis::conformance::blocks::all(&std::sync::Arc::new(Table::default())).await;
/// # }
/// ```
pub trait BlockStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps a block until its end, and says which one holds now: this one, or one that was there
    /// and ends later.
    ///
    /// # Errors
    /// [`StoreError`]; whether the block holds is then not known.
    fn block(&self, block: Block, now: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>>;

    /// Lifts the block of exactly this network, and says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    fn unblock(&self, network: Cidr, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// What has changed since the cursor, in pages. Everything, and [whole](BlockChanges::whole), if
    /// that is not known any more, or if it is simpler.
    ///
    /// # Errors
    /// [`StoreError`]; what is known so far goes on holding.
    fn changes(&self, after: BlockCursor, now: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>>;

    /// The block that holds for an address, without awaiting, for stores in memory: no copy is then
    /// kept. `None`, for every address and at once, if this store must be awaited.
    fn find_now(&self, ip: IpAddr, now: Timestamp) -> Option<Option<Block>> {
        let _ = (ip, now);
        None
    }
}

impl<S: BlockStore + ?Sized> BlockStore for Arc<S> {
    fn block(&self, block: Block, now: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>> {
        (**self).block(block, now)
    }

    fn unblock(&self, network: Cidr, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        (**self).unblock(network, now)
    }

    fn changes(&self, after: BlockCursor, now: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>> {
        (**self).changes(after, now)
    }

    fn find_now(&self, ip: IpAddr, now: Timestamp) -> Option<Option<Block>> {
        (**self).find_now(ip, now)
    }
}

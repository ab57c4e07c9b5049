use std::{net::IpAddr, num::NonZeroUsize};

use super::MemoryStore;
use crate::{
    blocks::{Block, BlockChanges, BlockCursor, BlockStore, BlockTable},
    request::Cidr,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// State of one port: the blocks.
pub(super) type Blocks = BlockTable;

impl MemoryStore {
    /// How many blocks are held at once. Default: 100,000 (about 25 MB when full). One more takes the
    /// place of the one that would end first, and an event says so, once.
    #[must_use]
    pub fn block_capacity(self, blocks: NonZeroUsize) -> Self {
        self.inner.blocks.set_capacity(blocks);
        self
    }
}

/// For one process: others do not hear of it. Ended blocks are cleared away a few at each new one,
/// without a sweep.
impl BlockStore for MemoryStore {
    fn block(&self, block: Block, now: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.blocks.insert(block, now))))
    }

    fn unblock(&self, network: Cidr, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.blocks.remove(network, now))))
    }

    fn changes(&self, _: BlockCursor, now: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>> {
        Box::pin(std::future::ready(Ok(BlockChanges::whole(self.inner.blocks.all(now)))))
    }

    fn find_now(&self, ip: IpAddr, now: Timestamp) -> Option<Option<Block>> {
        Some(self.inner.blocks.find(ip, now))
    }
}

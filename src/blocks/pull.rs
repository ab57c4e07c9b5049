//! Bringing the copy of a store up to date.

use std::{collections::HashSet, sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::time::timeout;

use super::{Block, BlockChanges, BlockCursor, list::Shared};
use crate::{
    request::Cidr,
    store::StoreError,
    time::{Now, Timestamp, micros_ceil},
};

/// No store takes longer to tell one page, or it does not answer.
const LONGEST_PAGE: Duration = Duration::from_secs(2);

/// More pages than any bounded store has: a store that always says "more" is not listened to for ever.
const MAX_PAGES: usize = 10_000;

/// After so many refreshes everything is read anew, should a change have been missed (a server that
/// came back with an older state).
const WHOLE_EVERY: u32 = 300;

/// How far the copy goes.
#[derive(Debug, Default)]
pub(super) struct Progress {
    cursor: BlockCursor,
    refreshes: u32,
    is_failing: bool,
}

impl Shared {
    /// The store answers at once.
    pub(super) fn needs_no_copy(&self, now: Timestamp) -> bool {
        self.store.find_now(std::net::Ipv4Addr::UNSPECIFIED.into(), now).is_some()
    }

    /// Unless somebody else has done so in the last `fresh`.
    pub(super) async fn refresh(&self, now: Now, fresh: Duration) -> Result<(), StoreError> {
        if self.needs_no_copy(now.wall) {
            return Ok(());
        }
        let mut progress = self.progress.lock().await;
        let age = now.monotonic.as_micros().saturating_sub(self.asked_at.load(Relaxed));
        if fresh > Duration::ZERO && age < micros_ceil(fresh) {
            return if self.is_loaded.load(Relaxed) { Ok(()) } else { Err(StoreError::TimedOut) };
        }
        let pulled = self.pull(&mut progress, now.wall).await;
        // Also where it failed: a store that is down is not asked by each request.
        self.asked_at.store(now.monotonic.as_micros().max(1), Relaxed);
        match &pulled {
            Ok(()) => {
                self.is_loaded.store(true, Relaxed);
                if std::mem::take(&mut progress.is_failing) {
                    tracing::info!(target: "portcullis", "blocks are read again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut progress.is_failing, true) {
                    tracing::error!(target: "portcullis", %error, "blocks cannot be read: the last known ones go on holding");
                }
            }
        }
        pulled
    }

    async fn pull(&self, progress: &mut Progress, now: Timestamp) -> Result<(), StoreError> {
        progress.refreshes = progress.refreshes.wrapping_add(1);
        let mut cursor =
            if progress.refreshes.is_multiple_of(WHOLE_EVERY) { BlockCursor::START } else { progress.cursor };
        let mut told: Option<HashSet<Cidr>> = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(cursor, now).await?;
            if page.whole {
                told.get_or_insert_default();
            }
            for block in page.blocks {
                if let Some(told) = &mut told {
                    told.insert(block.network);
                }
                self.table.replace(block, now);
            }
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        if let Some(told) = told {
            self.table.retain(|network| told.contains(network), now);
        }
        progress.cursor = cursor;
        Ok(())
    }

    async fn page(&self, cursor: BlockCursor, now: Timestamp) -> Result<BlockChanges, StoreError> {
        timeout(LONGEST_PAGE, self.store.changes(cursor, now)).await.unwrap_or(Err(StoreError::TimedOut))
    }

    /// Everything that the store holds.
    pub(super) async fn read_all(&self, now: Timestamp) -> Result<Vec<Block>, StoreError> {
        let (mut blocks, mut cursor) = (Vec::new(), BlockCursor::START);
        for _ in 0..MAX_PAGES {
            let mut page = self.page(cursor, now).await?;
            blocks.append(&mut page.blocks);
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        Ok(blocks)
    }
}

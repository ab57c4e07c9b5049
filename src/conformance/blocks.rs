//! The laws of [`BlockStore`].
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a broken law is a failing test, and says where; that is all that these functions do"
)]

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use crate::{
    blocks::{Block, BlockCursor, BlockList, BlockStore},
    request::Cidr,
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A /64 that nobody else uses.
fn fresh() -> Cidr {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).expect("a machine with randomness");
    // 3fff::/20 is for documentation (RFC 9637), and 2^44 of it are enough.
    let number = 0x3fff << 48 | (u64::from_be_bytes(bits) & 0x0fff_ffff_ffff);
    Cidr::around(IpAddr::V6(Ipv6Addr::from_bits(u128::from(number) << 64)), 32, 64)
}

fn after(time: Timestamp, secs: u64) -> Timestamp {
    time.saturating_add(Duration::from_secs(secs))
}

async fn block(store: &impl BlockStore, network: Cidr, secs: u64, now: Timestamp) -> Block {
    store.block(Block::new(network, now, after(now, secs), "a law"), now).await.expect("the store keeps a block")
}

/// All that a store tells from a cursor on: the last word on each network, whether it began anew, and
/// where to read on.
async fn told(
    store: &impl BlockStore,
    mut cursor: BlockCursor,
    now: Timestamp,
) -> (BTreeMap<Cidr, Block>, bool, BlockCursor) {
    let (mut blocks, mut whole) = (BTreeMap::new(), false);
    for page in 0..10_000 {
        assert!(page < 9_999, "the store always says that there is more");
        let page = store.changes(cursor, now).await.expect("the store tells");
        whole |= page.whole;
        blocks.extend(page.blocks.into_iter().map(|block| (block.network, block)));
        cursor = page.cursor;
        if !page.more {
            return (blocks, whole, cursor);
        }
    }
    (blocks, whole, cursor)
}

/// The block of a network that holds, both ways if there are both.
async fn held(store: &impl BlockStore, network: Cidr, now: Timestamp) -> Option<Block> {
    let (mut blocks, ..) = told(store, BlockCursor::START, now).await;
    let block = blocks.remove(&network).filter(|block| block.holds(now));
    if let Some(at_once) = store.find_now(network.address(), now) {
        assert_eq!(at_once, block, "what is said at once is what is said");
    }
    block
}

/// A list of everybody is safe, and of no use.
pub async fn who_is_not_blocked_is_not_found(store: &impl BlockStore) {
    assert_eq!(held(store, fresh(), NOW).await, None);
    let (_, whole, _) = told(store, BlockCursor::START, NOW).await;
    assert!(whole, "from the start on, what is told is all there is");
}

/// With its reason and its times, to the microsecond.
pub async fn a_block_is_told_as_it_was_made(store: &impl BlockStore) {
    let (network, odd) = (fresh(), Timestamp::from_micros(NOW.as_micros().saturating_add(1)));
    let made = Block::new(network, NOW, odd, "flood of \"ä\" — {ticket: 7}");
    assert_eq!(store.block(made.clone(), NOW).await.expect("the store keeps a block"), made);
    assert_eq!(held(store, network, NOW).await, Some(made));
}

/// `until` is the first moment at which it no longer holds.
pub async fn a_block_ends_at_its_time(store: &impl BlockStore) {
    let network = fresh();
    block(store, network, 60, NOW).await;
    let last = after(NOW, 60).saturating_sub(Duration::from_micros(1));
    assert!(held(store, network, last).await.is_some());
    assert_eq!(held(store, network, after(NOW, 60)).await, None);
}

/// One block concerns one network.
pub async fn a_block_hits_nobody_else(store: &impl BlockStore) {
    let (one, other) = (fresh(), fresh());
    block(store, one, 60, NOW).await;
    assert!(held(store, one, NOW).await.is_some() && held(store, other, NOW).await.is_none());
}

/// Two that find fault with one address do not let it in earlier.
pub async fn a_block_is_never_made_shorter(store: &impl BlockStore) {
    for (first, second) in [(60, 120), (120, 60), (60, 60)] {
        let network = fresh();
        block(store, network, first, NOW).await;
        let said = block(store, network, second, NOW).await;
        assert_eq!(said.until, after(NOW, 120.min(first.max(second))));
        assert_eq!(held(store, network, NOW).await.map(|block| block.until), Some(said.until));
    }
    // What has ended adds nothing to what begins.
    let network = fresh();
    block(store, network, 60, NOW).await;
    let later = after(NOW, 61);
    assert_eq!(block(store, network, 10, later).await.until, after(later, 10));
}

/// At once, and it says whether there was one.
pub async fn a_block_can_be_lifted(store: &impl BlockStore) {
    let network = fresh();
    block(store, network, 60, NOW).await;
    assert!(store.unblock(network, NOW).await.expect("the store lifts"));
    assert_eq!(held(store, network, NOW).await, None);
    assert!(!store.unblock(network, NOW).await.expect("the store lifts"));
    assert!(!store.unblock(fresh(), NOW).await.expect("the store lifts"));
    // And made anew, also a shorter one.
    assert_eq!(block(store, network, 30, NOW).await.until, after(NOW, 30));
    assert!(!store.unblock(network, after(NOW, 30)).await.expect("the store lifts"), "it had ended");
}

/// From the cursor on, everything that is new is told, a block that is prolonged among it.
pub async fn what_is_new_is_told(store: &impl BlockStore) {
    let (old, new) = (fresh(), fresh());
    block(store, old, 60, NOW).await;
    let (_, _, cursor) = told(store, BlockCursor::START, NOW).await;
    block(store, new, 60, NOW).await;
    let (blocks, whole, cursor) = told(store, cursor, NOW).await;
    assert!(blocks.contains_key(&new) && (!whole || blocks.contains_key(&old)));
    block(store, old, 90, NOW).await;
    let (blocks, ..) = told(store, cursor, NOW).await;
    assert_eq!(blocks.get(&old).map(|block| block.until), Some(after(NOW, 90)));
}

/// Whoever reads on after a block was lifted is told all that is left.
pub async fn what_was_lifted_is_noticed(store: &impl BlockStore) {
    let (lifted, kept) = (fresh(), fresh());
    block(store, lifted, 60, NOW).await;
    block(store, kept, 60, NOW).await;
    let (_, _, cursor) = told(store, BlockCursor::START, NOW).await;
    store.unblock(lifted, NOW).await.expect("the store lifts");
    let (blocks, whole, _) = told(store, cursor, NOW).await;
    assert!(whole && blocks.contains_key(&kept) && !blocks.contains_key(&lifted));
}

/// However many there are, each is told.
pub async fn many_are_told(store: &impl BlockStore) {
    let networks: Vec<Cidr> = (0..2_500).map(|_| fresh()).collect();
    for network in &networks {
        block(store, *network, 60, NOW).await;
    }
    let (blocks, whole, _) = told(store, BlockCursor::START, NOW).await;
    assert!(whole && networks.iter().all(|network| blocks.contains_key(network)));
}

/// Two processes, each with a list of its own.
pub async fn two_lists_agree<S: BlockStore>(store: &Arc<S>) {
    let list = || {
        let list = BlockList::builder(Arc::clone(store)).clock(ManualClock::at(NOW)).build();
        list.expect("the defaults are right")
    };
    let (here, there) = (list(), list());
    let network = fresh();
    let knows = async |list: &BlockList| {
        list.refresh().await.expect("the store tells");
        list.list().await.expect("the store tells").iter().any(|block| block.network == network)
    };
    assert!(!knows(&there).await);
    here.block_network(network, MINUTE, "a law").await.expect("it is blocked");
    assert!(knows(&here).await && knows(&there).await);
    assert!(there.unblock(network).await.expect("it is lifted"));
    assert!(!knows(&here).await && !knows(&there).await);
}

/// All laws, one after the other.
pub async fn all<S: BlockStore>(store: &Arc<S>) {
    who_is_not_blocked_is_not_found(store).await;
    a_block_is_told_as_it_was_made(store).await;
    a_block_ends_at_its_time(store).await;
    a_block_hits_nobody_else(store).await;
    a_block_is_never_made_shorter(store).await;
    a_block_can_be_lifted(store).await;
    what_is_new_is_told(store).await;
    what_was_lifted_is_noticed(store).await;
    many_are_told(store).await;
    two_lists_agree(store).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::memory::MemoryStore;

    macro_rules! laws {
        ($($law:ident)*) => {
            $(#[tokio::test]
            async fn $law() {
                super::$law(&Arc::new(MemoryStore::new())).await;
            })*
        };
    }

    laws! {
        who_is_not_blocked_is_not_found
        a_block_is_told_as_it_was_made
        a_block_ends_at_its_time
        a_block_hits_nobody_else
        a_block_is_never_made_shorter
        a_block_can_be_lifted
        what_is_new_is_told
        what_was_lifted_is_noticed
        many_are_told
        two_lists_agree
    }
}

use std::{
    collections::BTreeSet,
    hash::RandomState,
    net::IpAddr,
    num::NonZeroUsize,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::{DashMap, Entry};

use super::Block;
use crate::{
    request::{Cidr, behind_6to4},
    time::Timestamp,
};

/// How many ended blocks a new one clears away: more than one, so that the backlog shrinks.
const RECLAIM: usize = 4;

/// Blocks by network, and the order in which they end: what the memory store holds, and the copy that a
/// list has of another store.
///
/// A question takes one look-up for each length of prefix that has been blocked: usually one, of /32 or
/// /64. A lock of the map's shard is taken before the one of the order, never the other way round.
#[derive(Debug)]
pub(crate) struct BlockTable {
    capacity: AtomicUsize,
    entries: DashMap<Cidr, Block, RandomState>,
    /// One for each entry, exactly.
    order: Mutex<BTreeSet<(Timestamp, Cidr)>>,
    /// How many entries there are: a look that takes no lock while there is none.
    held: AtomicUsize,
    /// Which lengths of prefixes have been blocked: a bit each; of IPv6 none is longer than /64, which
    /// stands at bit 0.
    v4: AtomicU64,
    v6: AtomicU64,
    told_full: AtomicBool,
}

impl Default for BlockTable {
    fn default() -> Self {
        Self {
            capacity: AtomicUsize::new(Self::DEFAULT_CAPACITY),
            entries: DashMap::default(),
            order: Mutex::default(),
            held: AtomicUsize::new(0),
            v4: AtomicU64::new(0),
            v6: AtomicU64::new(0),
            told_full: AtomicBool::new(false),
        }
    }
}

impl BlockTable {
    pub(crate) const DEFAULT_CAPACITY: usize = 100_000;

    pub(crate) fn set_capacity(&self, capacity: NonZeroUsize) {
        self.capacity.store(capacity.get(), Relaxed);
    }

    /// The block that keeps an address out, and of several the one that ends last.
    pub(crate) fn find(&self, ip: IpAddr, now: Timestamp) -> Option<Block> {
        // Most services block nobody most of the time.
        if self.held.load(Relaxed) == 0 {
            return None;
        }
        let inside = behind_6to4(ip).and_then(|v4| self.longest(IpAddr::V4(v4), now));
        let own = self.longest(ip, now);
        match (own, inside) {
            (Some(own), inside) => Some(own.or_longer(inside, now)),
            (None, inside) => inside,
        }
    }

    fn longest(&self, ip: IpAddr, now: Timestamp) -> Option<Block> {
        let mut lengths = if ip.is_ipv4() { &self.v4 } else { &self.v6 }.load(Relaxed);
        let mut found = None;
        while lengths != 0 {
            let bit = u8::try_from(lengths.trailing_zeros()).unwrap_or(0);
            lengths &= lengths.wrapping_sub(1);
            let v6 = if bit == 0 { 64 } else { bit };
            let held = self.entries.get(&Cidr::around(ip, bit, v6)).filter(|held| held.holds(now));
            if let Some(held) = held {
                found = Some(held.clone().or_longer(found, now));
            }
        }
        found
    }

    /// Takes a block in, unless one that ends later is there, and says which one holds.
    pub(crate) fn insert(&self, block: Block, now: Timestamp) -> Block {
        self.put(block, now, Block::or_longer)
    }

    /// Takes a block in instead of the one that is there: of two who knew, the store knows better.
    pub(super) fn replace(&self, block: Block, now: Timestamp) {
        self.put(block, now, |block, _, _| block);
    }

    fn put(&self, block: Block, now: Timestamp, which: fn(Block, Option<Block>, Timestamp) -> Block) -> Block {
        if !block.holds(now) {
            return block;
        }
        self.reclaim(now);
        let lengths = if block.network.is_ipv4() { &self.v4 } else { &self.v6 };
        let bit = if block.network.is_ipv4() { block.network.prefix_len() } else { block.network.prefix_len() % 64 };
        lengths.fetch_or(1_u64.wrapping_shl(bit.into()), Relaxed);
        let block = match self.entries.entry(block.network) {
            Entry::Occupied(mut entry) => {
                let block = which(block, Some(entry.get().clone()), now);
                let mut order = self.order();
                order.remove(&(entry.get().until, block.network));
                order.insert((block.until, block.network));
                entry.insert(block.clone());
                block
            }
            Entry::Vacant(entry) => {
                let mut order = self.order();
                order.insert((block.until, block.network));
                entry.insert(block.clone());
                self.held.store(order.len(), Relaxed);
                block
            }
        };
        self.make_room(block.network);
        block
    }

    /// Whether there was one that held.
    pub(crate) fn remove(&self, network: Cidr, now: Timestamp) -> bool {
        let Entry::Occupied(entry) = self.entries.entry(network.widened(32, 64)) else { return false };
        let mut order = self.order();
        order.remove(&(entry.get().until, *entry.key()));
        let held = entry.remove().holds(now);
        self.held.store(order.len(), Relaxed);
        held
    }

    /// Forgets those for which it is not said.
    pub(super) fn retain(&self, keep: impl Fn(&Cidr) -> bool, now: Timestamp) {
        let gone: Vec<Cidr> =
            self.order().iter().map(|(_, network)| *network).filter(|network| !keep(network)).collect();
        for network in gone {
            self.remove(network, now);
        }
    }

    /// All that hold, the one that ends first at the front.
    pub(crate) fn all(&self, now: Timestamp) -> Vec<Block> {
        let networks: Vec<Cidr> = self.order().iter().map(|(_, network)| *network).collect();
        let held = |network: Cidr| self.entries.get(&network).map(|held| held.clone());
        networks.into_iter().filter_map(held).filter(|held| held.holds(now)).collect()
    }

    fn order(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, Cidr)>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears away the few that ended longest ago.
    fn reclaim(&self, now: Timestamp) {
        for _ in 0..RECLAIM {
            let first = self.order().first().copied();
            let Some((_, network)) = first.filter(|(until, _)| *until <= now) else { return };
            self.drop_if(network, |held| !held.holds(now));
        }
    }

    /// Drops what ends first while there is more than there is room for, but not the newest.
    fn make_room(&self, newest: Cidr) {
        while self.held.load(Relaxed) > self.capacity.load(Relaxed) {
            let first = self.order().iter().map(|(_, network)| *network).find(|network| *network != newest);
            let Some(network) = first else { return };
            self.drop_if(network, |_| true);
            if !self.told_full.swap(true, Relaxed) {
                tracing::warn!(target: "portcullis", "the block list is full: the blocks that end first make room");
            }
        }
    }

    /// Between two locks somebody may have blocked it anew.
    fn drop_if(&self, network: Cidr, is_to_go: impl Fn(&Block) -> bool) {
        let Entry::Occupied(entry) = self.entries.entry(network) else { return };
        if is_to_go(entry.get()) {
            let mut order = self.order();
            order.remove(&(entry.get().until, network));
            entry.remove();
            self.held.store(order.len(), Relaxed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn block(network: &str, until: u64) -> Block {
        Block::new(network.parse().unwrap(), at(0), at(until), "test")
    }

    fn is_blocked(table: &BlockTable, ip: &str, now: u64) -> bool {
        table.find(ip.parse().unwrap(), at(now)).is_some()
    }

    #[test]
    fn networks_of_every_length_are_found() {
        let table = BlockTable::default();
        for network in ["192.0.2.1", "198.51.100.0/24", "10.0.0.0/8", "2001:db8::1", "2001:db8:7::/48"] {
            table.insert(block(network, 100), at(0));
        }
        for ip in ["192.0.2.1", "198.51.100.7", "10.9.9.9", "2001:db8::ffff", "2001:db8:7:9::1"] {
            assert!(is_blocked(&table, ip, 99) && !is_blocked(&table, ip, 100), "{ip}");
        }
        for ip in ["192.0.2.2", "198.51.101.7", "11.0.0.1", "2001:db8:0:1::1", "2001:db8:8::1"] {
            assert!(!is_blocked(&table, ip, 0), "{ip}");
        }
        // By whatever address the site of 192.0.2.1 comes.
        assert!(is_blocked(&table, "2002:c000:201:5::1", 0) && !is_blocked(&table, "2002:c000:202::1", 0));
    }

    #[test]
    fn of_several_the_one_that_ends_last_is_told() {
        let table = BlockTable::default();
        table.insert(block("192.0.2.1", 50), at(0));
        table.insert(block("192.0.2.0/24", 90), at(0));
        table.insert(block("192.0.0.0/16", 70), at(0));
        assert_eq!(table.find("192.0.2.1".parse().unwrap(), at(0)).unwrap().until, at(90));
    }

    #[test]
    fn at_the_bound_the_one_that_ends_first_makes_room() {
        let table = BlockTable::default();
        table.set_capacity(NonZeroUsize::new(3).unwrap());
        for (ip, until) in [("192.0.2.1", 50), ("192.0.2.2", 40), ("192.0.2.3", 60)] {
            table.insert(block(ip, until), at(0));
        }
        // The new one stays, also if it would end first.
        table.insert(block("192.0.2.4", 10), at(0));
        assert!(is_blocked(&table, "192.0.2.4", 9) && !is_blocked(&table, "192.0.2.2", 0));
        table.insert(block("192.0.2.5", 100), at(0));
        assert!(!is_blocked(&table, "192.0.2.4", 0) && is_blocked(&table, "192.0.2.1", 0));
        assert_eq!(table.all(at(0)).len(), 3);
    }

    #[test]
    fn what_has_ended_makes_room_without_a_sweep() {
        let table = BlockTable::default();
        for n in 0..8_u64 {
            table.insert(block(&format!("192.0.2.{n}"), 10 + n), at(0));
        }
        table.insert(block("198.51.100.1", 200), at(100));
        assert_eq!(table.entries.len(), 8 - RECLAIM + 1);
        assert_eq!(table.all(at(100)).len(), 1);
        assert!(!table.remove("192.0.2.7".parse().unwrap(), at(100)), "it no longer held");
    }

    proptest! {
        /// Against the plainest thing that could work; and the structures never drift apart.
        #[test]
        fn behaves_like_a_plain_map(steps in prop::collection::vec((0..6_u8, any::<bool>(), 0..40_u64, 0..20_u64), 1..80)) {
            let table = BlockTable::default();
            let mut model: HashMap<u8, u64> = HashMap::new();
            let mut now = 0;
            for (id, lifts, lives, wait) in steps {
                now += wait;
                let ip = format!("192.0.2.{id}");
                if lifts {
                    let held = model.remove(&id).is_some_and(|until| now < until);
                    prop_assert_eq!(table.remove(ip.parse().unwrap(), at(now)), held);
                } else {
                    table.insert(block(&ip, now + lives), at(now));
                    let held = model.get(&id).copied().filter(|until| now < *until).unwrap_or(0);
                    model.insert(id, held.max(now + lives));
                }
                for id in 0..6 {
                    let expected = model.get(&id).is_some_and(|until| now < *until);
                    prop_assert_eq!(is_blocked(&table, &format!("192.0.2.{id}"), now), expected);
                }
                let order = table.order().len();
                prop_assert_eq!((table.entries.len(), table.held.load(Relaxed)), (order, order));
            }
        }
    }
}

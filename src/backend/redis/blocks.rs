use std::{sync::LazyLock, time::Duration};

use super::{
    RedisStore, micros, millis,
    script::{Invocation, Script},
};
use crate::{
    blocks::{Block, BlockChanges, BlockCursor, BlockStore},
    request::Cidr,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

static BLOCK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("block.lua")));
static UNBLOCK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("unblock.lua")));
static CHANGES: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("block_changes.lua")));

/// As many as the memory store holds.
const MOST: usize = 100_000;
/// How many changes are told at once: some hundreds of microseconds of the server's time.
const PAGE: usize = 1_000;
/// How long everything outlives the block that ends last: the server's clock clears away, the caller's
/// clock decides, and the two need not agree.
const SLACK: Duration = Duration::from_secs(3_600);

/// What the script answers: epoch, number of the last change told, whether it is the whole, whether
/// there is more, networks, and their rows.
type Told = (u64, u64, u8, u8, Vec<String>, Vec<Option<String>>);

impl RedisStore {
    /// Four keys in one slot: rows by network, networks by end and by last change, and where the
    /// numbers of changes are.
    fn on_blocks<'a>(&self, script: &'a Script) -> Invocation<'a> {
        let mut invocation = script.prepare_invoke();
        for part in ["rows", "ends", "log", "meta"] {
            invocation.key(format!("{{{}:blocks}}:{part}", self.prefix));
        }
        invocation
    }

    async fn put_block(&self, block: Block, now: Timestamp) -> Result<Block, StoreError> {
        if !block.holds(now) {
            return Ok(block);
        }
        let kept = millis(micros(block.until.since(now).saturating_add(SLACK)));
        let mut blocking = self.on_blocks(&BLOCK);
        blocking.arg(block.network.to_string()).arg(digits(block.since)).arg(digits(block.until)).arg(&*block.reason);
        blocking.arg(digits(now)).arg(kept).arg(MOST);
        let row: String = self.link.answer(self.link.run(&blocking)).await?;
        read(block.network, &row).ok_or_else(|| StoreError::corrupt("a block is not two times and a reason"))
    }

    async fn changed(&self, after: BlockCursor, now: Timestamp) -> Result<BlockChanges, StoreError> {
        let mut asking = self.on_blocks(&CHANGES);
        asking.arg(after.epoch).arg(after.seq).arg(PAGE);
        let (epoch, seq, whole, more, networks, rows): Told = self.link.answer(self.link.run(&asking)).await?;
        let told = networks.iter().zip(rows).filter_map(|(network, row)| {
            let row = row?;
            let block = network.parse().ok().and_then(|network| read(network, &row));
            if block.is_none() {
                // One that nobody can read must not hide the others.
                tracing::error!(target: "portcullis", "a block on Redis cannot be read, and does not hold");
            }
            block.filter(|block| block.holds(now))
        });
        let mut changes = BlockChanges::page(told.collect(), BlockCursor { epoch, seq });
        (changes.whole, changes.more) = (whole == 1, more == 1);
        Ok(changes)
    }
}

/// Four keys for each service, at most 100,000 blocks: one more takes the place of the one that would
/// end first. Other processes read what has changed, not everything.
impl BlockStore for RedisStore {
    fn block(&self, block: Block, now: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>> {
        Box::pin(self.put_block(block, now))
    }

    fn unblock(&self, network: Cidr, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut lifting = self.on_blocks(&UNBLOCK);
            lifting.arg(network.to_string()).arg(digits(now));
            self.link.answer(self.link.run::<i64>(&lifting)).await.map(|was_held| was_held == 1)
        })
    }

    fn changes(&self, after: BlockCursor, now: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>> {
        Box::pin(self.changed(after, now))
    }
}

/// 20 digits: as text they compare as the numbers do.
fn digits(time: Timestamp) -> String {
    format!("{:020}", time.as_micros())
}

/// Since when, until when, and why.
fn read(network: Cidr, row: &str) -> Option<Block> {
    let (since, rest) = row.split_at_checked(20)?;
    let (until, reason) = rest.split_at_checked(20)?;
    let time = |text: &str| {
        let all = text.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| text.parse().ok().map(Timestamp::from_micros)).flatten()
    };
    Some(Block::new(network, time(since)?, time(until)?, reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(since: u64, until: u64, reason in "[ -~äöü]{0,100}") {
            let (since, until) = (Timestamp::from_micros(since), Timestamp::from_micros(until));
            let network = "192.0.2.1".parse().unwrap();
            let row = digits(since) + &digits(until) + &reason;
            prop_assert_eq!(read(network, &row), Some(Block::new(network, since, until, &reason)));
        }

        #[test]
        fn nothing_makes_it_panic(row in "\\PC{0,60}|[0-9+]{30,50}") {
            let _ = read("192.0.2.1".parse().unwrap(), &row);
        }
    }
}

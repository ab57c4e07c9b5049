use std::{sync::LazyLock, time::Duration};

use redis::RedisResult;

use super::{RedisStore, micros, millis, script::Script};
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
    webhook::{Claimed, Fence, ReplayKey, ReplayStore, Settlement},
};

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("settle.lua")));

/// How long a claim's row outlives its lease: whoever holds the fence may still settle, as long as
/// nobody else has claimed.
const GRACE: Duration = Duration::from_secs(60);

/// How long an answer that came too late for the request is waited for.
const LATE: Duration = Duration::from_secs(30);

/// A claim, and how long it keeps other copies away, are one script on one key; the server's clock
/// counts. If the answer to a claim comes too late for the request, the event is given back.
impl ReplayStore for RedisStore {
    fn claim(&self, key: ReplayKey, lease: Duration, _now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        Box::pin(async move {
            let store = self.clone();
            let mut claiming = Box::pin(async move { store.claim_event(key, lease).await });
            let answer = self.link.answer(&mut claiming).await;
            if matches!(answer, Err(StoreError::TimedOut)) {
                let store = self.clone();
                // Past the outage: an answer that comes is the end of it, only nobody knows yet.
                drop(tokio::spawn(tokio::time::timeout(LATE, async move {
                    if let Ok((0, fence)) = claiming.await {
                        drop(store.settle_event(key, Fence::new(fence), Settlement::Release).await);
                    }
                })));
            }
            match answer? {
                (0, fence) => Ok(Claimed::Fresh(Fence::new(fence))),
                (1, micros) => Ok(Claimed::InFlight { retry_after: Duration::from_micros(micros) }),
                (2, _) => Ok(Claimed::Completed),
                (other, _) => Err(StoreError::corrupt(format!("{other} is no state of a claim"))),
            }
        })
    }

    fn settle(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        _now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { self.link.answer(self.settle_event(key, fence, settlement)).await })
    }
}

impl RedisStore {
    async fn claim_event(&self, key: ReplayKey, lease: Duration) -> RedisResult<(u8, u64)> {
        let lease = micros(lease);
        let kept = millis(lease.saturating_add(micros(GRACE)));
        self.link.run(CLAIM.key(self.key("replay", &key)).arg(lease).arg(kept)).await
    }

    async fn settle_event(&self, key: ReplayKey, fence: Fence, settlement: Settlement) -> RedisResult<bool> {
        let mut settling = SETTLE.key(self.key("replay", &key));
        settling.arg(fence.get());
        if let Settlement::Complete { ttl } = settlement {
            let ttl = micros(ttl);
            settling.arg(ttl).arg(millis(ttl));
        }
        self.link.run(&settling).await
    }
}

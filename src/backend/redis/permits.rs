use std::{sync::LazyLock, time::Duration};

use super::{RedisStore, micros, millis, script::Script};
use crate::{
    rate_limit::concurrency::{Admission, ConcurrencyStore, Permit, PermitAsk},
    store::{BoxFuture, SeenKey, StoreError},
};

static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("permit_acquire.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("permit_renew.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('ZREM', KEYS[1], ARGV[1])"));

impl RedisStore {
    fn permits(&self, key: u128) -> String {
        self.key("permits", &format_args!("{key:032x}"))
    }

    async fn renew(&self, permit: &Permit, lease: Duration) -> Result<(), StoreError> {
        let mut renewing = RENEW.key(self.permits(permit.key()));
        let lease = micros(lease);
        renewing.arg(member(permit)).arg(lease).arg(millis(lease));
        self.link.answer(self.link.run::<i64>(&renewing)).await.map(drop)
    }

    async fn give_back(self, permit: Permit) -> Result<(), StoreError> {
        let mut releasing = RELEASE.key(self.permits(permit.key()));
        releasing.arg(member(&permit));
        self.link.answer(self.link.run::<i64>(&releasing)).await.map(drop)
    }
}

fn member(permit: &Permit) -> String {
    format!("{:016x}", permit.serial())
}

/// Half a digest: nobody finds two keys that share one.
fn digest(ask: &PermitAsk<'_>) -> u128 {
    let digest = SeenKey::new("permits", &[&ask.key().identity()]);
    digest.as_bytes().first_chunk::<16>().map_or(0, |half| u128::from_be_bytes(*half))
}

/// A sorted set for each key: who is ahead, and until when without a sign of life, by the server's clock.
/// Exact over all processes. If an answer does not come in time, whatever was granted is given back.
impl ConcurrencyStore for RedisStore {
    fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
        Box::pin(async move {
            // Chosen here, so that it can be given back unseen.
            let serial = getrandom::u64().map_err(StoreError::unavailable)?;
            let permit = Permit::leased(digest(ask), serial);
            let lease = micros(ask.lease());
            let mut acquiring = ACQUIRE.key(self.permits(permit.key()));
            acquiring.arg(member(&permit)).arg(ask.limit()).arg(lease).arg(millis(lease));
            match self.link.answer(self.link.run::<(u8, u64)>(&acquiring)).await {
                Ok((1, in_use)) => Ok(Admission::Granted { permit, in_use }),
                Ok((_, in_use)) => Ok(Admission::Refused { in_use }),
                Err(error) => {
                    // It may have come to pass. The lease ends it if this fails, too.
                    tokio::spawn(self.clone().give_back(permit));
                    Err(error)
                }
            }
        })
    }

    fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
        Some(Box::pin(self.clone().give_back(permit)))
    }

    fn heartbeat<'a>(&'a self, permit: &'a Permit, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.renew(permit, lease))
    }
}

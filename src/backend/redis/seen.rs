use std::{sync::LazyLock, time::Duration};

use super::{RedisStore, micros, millis, script::Script};
use crate::{
    store::{BoxFuture, SeenKey, SeenStore, Sighting, StoreError},
    time::Timestamp,
};

/// 1 if it was not there. `SET` with `NX` looks and writes in one step.
static SEE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('SET', KEYS[1], '', 'PX', ARGV[1], 'NX') then return 1 else return 0 end")
});

/// Of all who ask about one key, on any number of machines, one is told that it is the first; the
/// server's clock counts. An answer that did not come in time may have come to pass: what is asked
/// anew is then seen again.
impl SeenStore for RedisStore {
    fn see(&self, key: SeenKey, keep: Duration, _now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
        Box::pin(async move {
            let mut seeing = SEE.key(self.key("seen", &key));
            seeing.arg(millis(micros(keep)));
            match self.link.answer(self.link.run::<u8>(&seeing)).await? {
                1 => Ok(Sighting::First),
                _ => Ok(Sighting::Again),
            }
        })
    }
}

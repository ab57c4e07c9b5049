use std::{sync::LazyLock, time::Duration};

use super::{LONGEST, RedisStore, micros, millis, script::Script};
use crate::{
    auth::revocation::{Revocation, RevocationQuery, RevocationStore},
    store::{BoxFuture, StoreError},
    time::{Timestamp, micros_ceil},
};

static REVOKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("revoke.lua")));
static REVOKED: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('MGET', unpack(KEYS))"));

/// How long a row outlives its time: the server's clock clears away, the caller's clock decides, and
/// the two need not agree.
const SLACK: Duration = Duration::from_secs(3_600);

/// Seen by every machine with the next request. Each question is one round trip to the server; there
/// is no copy here that could be behind.
impl RevocationStore for RedisStore {
    fn is_revoked<'a>(&'a self, query: RevocationQuery<'a>, now: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let names: Vec<String> = query.keys().map(|key| self.key("revoked", &key)).collect();
            // The names of a cluster's keys may lie on several servers.
            let at_once = if self.link.is_cluster() { 1 } else { names.len().max(1) };
            for names in names.chunks(at_once) {
                let mut asking = REVOKED.prepare_invoke();
                asking.key(names);
                let rows: Vec<Option<String>> = self.link.answer(self.link.run(&asking)).await?;
                for row in rows.into_iter().flatten() {
                    let (issued_before, until) = read(&row)?;
                    if now < until && query.is_hit_by(issued_before) {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        })
    }

    fn revoke(&self, revocation: Revocation, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if revocation.until <= now {
                return Ok(());
            }
            let mut revoking = REVOKE.key(self.key("revoked", &revocation.key));
            revoking.arg(write(revocation.issued_before)).arg(write(revocation.until)).arg(write(now));
            match kept(revocation.until.since(now)) {
                Some(millis) => revoking.arg(millis),
                None => revoking.arg(-1),
            };
            self.link.answer(self.link.run::<u8>(&revoking)).await.map(drop)
        })
    }
}

/// In milliseconds; `None` for ever.
fn kept(living: Duration) -> Option<u64> {
    (micros_ceil(living) < LONGEST).then(|| millis(micros(living.saturating_add(SLACK))))
}

/// 20 digits: as text they compare as the numbers do.
fn write(time: Timestamp) -> String {
    format!("{:020}", time.as_micros())
}

fn read(row: &str) -> Result<(Timestamp, Timestamp), StoreError> {
    let halves =
        row.split_at_checked(20).and_then(|(issued_before, until)| Some((digits(issued_before)?, digits(until)?)));
    halves.ok_or_else(|| StoreError::corrupt("a revocation is not two times of 20 digits"))
}

fn digits(text: &str) -> Option<Timestamp> {
    let all = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok().map(Timestamp::from_micros)).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(before in any::<u64>(), until in any::<u64>()) {
            let (before, until) = (Timestamp::from_micros(before), Timestamp::from_micros(until));
            let row = write(before) + &write(until);
            prop_assert_eq!(read(&row).unwrap(), (before, until));
            prop_assert_eq!(write(before) < write(until), before < until);
        }

        #[test]
        fn nothing_else_is_read(row in "\\PC*|[0-9+-]{38,42}") {
            prop_assume!(row.len() != 40 || !row.bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert!(matches!(read(&row), Err(StoreError::Corrupt(_))));
        }
    }

    #[test]
    fn rows_outlive_their_time_and_a_century_is_for_ever() {
        assert_eq!(kept(Duration::from_secs(1)), Some(3_601_000));
        assert_eq!(kept(Duration::MAX), None);
        assert_eq!(kept(Timestamp::MAX.since(Timestamp::from_secs(1_800_000_000))), None);
    }

    #[test]
    fn a_number_that_is_too_great_is_corrupt() {
        assert!(read(&"9".repeat(40)).is_err());
    }
}

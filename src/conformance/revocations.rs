//! The laws of [`RevocationStore`].
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a broken law is a failing test, and says where; that is all that these functions do"
)]

use std::time::Duration;

use crate::{
    auth::revocation::{Revocation, RevocationKey, RevocationQuery, RevocationStore},
    time::Timestamp,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A name that nobody else uses.
fn fresh(name: &str) -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("a machine with randomness");
    format!("{name}-{}", base16ct::lower::encode_string(&random))
}

fn fresh_key() -> RevocationKey {
    RevocationKey::token("https://issuer.test", &fresh("jti"))
}

async fn revoke(store: &impl RevocationStore, revocation: Revocation, now: Timestamp) {
    store.revoke(revocation, now).await.expect("the store keeps a revocation");
}

/// What the store says, both ways if it has both.
async fn is_revoked(
    store: &impl RevocationStore,
    key: RevocationKey,
    issued_at: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let query = RevocationQuery::key(key, issued_at);
    let awaited = store.is_revoked(query, now).await.expect("the store answers");
    if let Some(at_once) = store.is_revoked_now(query, now) {
        assert_eq!(at_once.expect("the store answers"), awaited, "what is said at once is what is said");
    }
    awaited
}

/// A store that refuses everybody is safe, and of no use.
pub async fn what_is_not_revoked_is_not_found(store: &impl RevocationStore, now: Timestamp) {
    assert!(!is_revoked(store, fresh_key(), None, now).await);
    assert!(!is_revoked(store, fresh_key(), Some(now), now).await);
}

/// With the next question, and not only a moment later.
pub async fn a_revocation_is_seen_at_once(store: &impl RevocationStore, now: Timestamp) {
    for _ in 0..10 {
        let key = fresh_key();
        assert!(!is_revoked(store, key, Some(now), now).await);
        revoke(store, Revocation::whole(key, now.saturating_add(MINUTE)), now).await;
        assert!(is_revoked(store, key, Some(now), now).await);
    }
}

/// One revocation concerns one thing.
pub async fn a_revocation_hits_nothing_else(store: &impl RevocationStore, now: Timestamp) {
    let (issuer, name) = (fresh("https://issuer.test"), fresh("name"));
    revoke(store, Revocation::session(&issuer, &name, now.saturating_add(MINUTE)), now).await;
    let others = [
        RevocationKey::token(&issuer, &name),
        RevocationKey::subject(&issuer, &name),
        RevocationKey::api_key(&name),
        RevocationKey::session(&name, &issuer),
        RevocationKey::session("https://other.test", &name),
    ];
    for other in others {
        assert!(!is_revoked(store, other, None, now).await);
    }
    assert!(is_revoked(store, RevocationKey::session(&issuer, &name), None, now).await);
}

/// `until` is the first moment at which it no longer counts.
pub async fn a_revocation_ends_at_its_time(store: &impl RevocationStore, now: Timestamp) {
    let (key, until) = (fresh_key(), now.saturating_add(MINUTE));
    revoke(store, Revocation::whole(key, until), now).await;
    assert!(is_revoked(store, key, None, until.saturating_sub(Duration::from_micros(1))).await);
    assert!(!is_revoked(store, key, None, until).await);
}

/// What never expires of itself is revoked for ever.
pub async fn a_revocation_may_have_no_end(store: &impl RevocationStore, now: Timestamp) {
    let key = fresh_key();
    revoke(store, Revocation::whole(key, Timestamp::MAX), now).await;
    let years = Duration::from_secs(10 * 365 * 86_400);
    assert!(is_revoked(store, key, Some(Timestamp::MAX), now.saturating_add(years)).await);
}

/// A subject that logs in again gets in again: only what was issued before is revoked, to the
/// microsecond. What does not say when it was issued counts as issued before.
pub async fn an_epoch_hits_what_was_issued_before(store: &impl RevocationStore, now: Timestamp) {
    let key = RevocationKey::subject("https://issuer.test", &fresh("sub"));
    let revocation = Revocation { key, issued_before: now, until: now.saturating_add(MINUTE) };
    revoke(store, revocation, now).await;
    assert!(is_revoked(store, key, Some(now.saturating_sub(Duration::from_micros(1))), now).await);
    assert!(!is_revoked(store, key, Some(now), now).await);
    assert!(is_revoked(store, key, None, now).await);
}

/// A second revocation adds to the first, whichever is the stronger.
pub async fn a_revocation_is_never_weakened(store: &impl RevocationStore, now: Timestamp) {
    let (early, late) = (now, now.saturating_add(MINUTE));
    let (short, long) = (now.saturating_add(MINUTE), now.saturating_add(MINUTE.saturating_mul(2)));
    for (first, second) in
        [((early, short), (late, long)), ((late, long), (early, short)), ((early, long), (late, short))]
    {
        let key = fresh_key();
        for (issued_before, until) in [first, second] {
            revoke(store, Revocation { key, issued_before, until }, now).await;
        }
        let issued_at = Some(late.saturating_sub(Duration::from_secs(1)));
        assert!(is_revoked(store, key, issued_at, long.saturating_sub(Duration::from_secs(1))).await);
        assert!(!is_revoked(store, key, Some(late), now).await);
        assert!(!is_revoked(store, key, issued_at, long).await);
    }
}

/// To revoke twice is to revoke.
pub async fn to_repeat_a_revocation_changes_nothing(store: &impl RevocationStore, now: Timestamp) {
    let revocation = Revocation::whole(fresh_key(), now.saturating_add(MINUTE));
    for _ in 0..5 {
        revoke(store, revocation, now).await;
        assert!(is_revoked(store, revocation.key, None, now).await);
    }
}

/// A credential is revoked if one of its names is, whichever that is.
pub async fn every_name_of_a_credential_is_looked_for(store: &impl RevocationStore, now: Timestamp) {
    use crate::identity::{AuthMethod, Principal, PrincipalParts};

    for revoked in 0..3 {
        let (issuer, name) = ("https://issuer.test", fresh("name"));
        let principal = Principal::new(PrincipalParts {
            subject: name.as_str().into(),
            issuer: Some(issuer.into()),
            method: Some(AuthMethod::Jwt),
            credential_id: Some(name.as_str().into()),
            session: Some(name.as_str().into()),
            issued_at: Some(now),
            ..PrincipalParts::default()
        });
        let until = now.saturating_add(MINUTE);
        let revocation = match revoked {
            0 => Revocation::token(issuer, &name, until),
            1 => Revocation::session(issuer, &name, until),
            _ => Revocation::subject(issuer, &name, until, until),
        };
        let query = RevocationQuery::of(&principal);
        assert!(!store.is_revoked(query, now).await.expect("the store answers"));
        revoke(store, revocation, now).await;
        assert!(store.is_revoked(query, now).await.expect("the store answers"), "{revoked}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::memory::MemoryStore;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    macro_rules! laws {
        ($($law:ident)*) => {
            $(#[tokio::test]
            async fn $law() {
                super::$law(&MemoryStore::new(), NOW).await;
            })*
        };
    }

    laws! {
        what_is_not_revoked_is_not_found
        a_revocation_is_seen_at_once
        a_revocation_hits_nothing_else
        a_revocation_ends_at_its_time
        a_revocation_may_have_no_end
        an_epoch_hits_what_was_issued_before
        a_revocation_is_never_weakened
        to_repeat_a_revocation_changes_nothing
        every_name_of_a_credential_is_looked_for
    }
}

//! The laws of [`ApiKeyRegistry`].
//!
//! ```
//! use portcullis::{backend::memory::MemoryStore, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! conformance::api_keys::all(&MemoryStore::new()).await;
//! # }
//! ```
//!
//! Each law makes keys of owners of its own, so that a store may hold other keys meanwhile. A store
//! that caches is to be given whole: what one clone of it changes, the same clone must show.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a law that is broken, or a store that fails, is a test that fails"
)]

use std::{sync::Arc, time::Duration};

use crate::{
    auth::api_key::{
        ApiKey, ApiKeyChange, ApiKeyFormat, ApiKeyRecord, ApiKeyRecordBuilder, ApiKeyRegistry, ApiKeyUse, Changed,
        KeyHasher,
    },
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// All laws, one after the other.
pub async fn all(store: &(impl ApiKeyRegistry + ?Sized)) {
    a_record_is_found_as_it_was_put_in(store).await;
    unknown_ids_are_found_by_nobody(store).await;
    ids_are_compared_exactly(store).await;
    an_id_is_taken_once(store).await;
    a_revocation_is_seen_at_once_and_the_first_stands(store).await;
    a_key_is_superseded_once(store).await;
    of_two_rotations_at_once_one_applies(store).await;
    a_revoked_or_expired_key_is_not_superseded(store).await;
    a_digest_is_replaced_only_if_it_is_the_one_that_was_verified(store).await;
    an_owners_keys_are_listed_in_order_and_in_pages(store).await;
    the_latest_use_stands(store).await;
}

/// Everything that a record says comes back.
pub async fn a_record_is_found_as_it_was_put_in(store: &(impl ApiKeyRegistry + ?Sized)) {
    let owner = owner();
    let full = ApiKeyRecord::builder(&owner)
        .tenant("Łódź 'quoted\" \\")
        .plan("pro")
        .scopes(["read:orders", "write:*"])
        .roles(["support", "a, b"])
        .allowed_networks(["203.0.113.0/24", "2001:db8::/48"])
        .created_at(NOW)
        .not_before(NOW)
        .expires_at(Timestamp::from_micros(1_900_000_000_000_001))
        .last_used_at(NOW)
        .rotated_from("0123456789ab")
        .superseded("0123456789cd", NOW)
        .revoked_at(NOW)
        .revocation_reason("it was leaked");
    let bare = ApiKeyRecord::builder(&owner);
    for record in [issue(full).record, issue(bare).record] {
        assert!(store.insert(record.clone()).await.unwrap(), "a new id is free");
        let found = find(store, record.id()).await;
        assert_eq!(format!("{:?}", parts(&found)), format!("{:?}", parts(&record)), "a record comes back whole");
        assert_eq!(found.digest().to_string(), record.digest().to_string());
    }
}

/// An id that nobody has is `None`, not an error.
pub async fn unknown_ids_are_found_by_nobody(store: &(impl ApiKeyRegistry + ?Sized)) {
    assert!(store.find("nobodynobody", NOW).await.unwrap().is_none());
    let change = ApiKeyChange::Revoke { at: NOW, reason: "test".into() };
    assert_eq!(store.change("nobodynobody", &change).await.unwrap(), Changed::Unknown);
    store.record_uses(&[ApiKeyUse::new("nobodynobody", NOW).unwrap()]).await.unwrap();
    assert!(store.find("nobodynobody", NOW).await.unwrap().is_none(), "a use makes no record");
    assert!(store.list(&owner(), None, 10).await.unwrap().is_empty());
}

/// No collation that calls two ids equal.
pub async fn ids_are_compared_exactly(store: &(impl ApiKeyRegistry + ?Sized)) {
    let key = insert(store, ApiKeyRecord::builder(owner())).await;
    let swapped: String = key.id().chars().map(swap_case).collect();
    if swapped != key.id() {
        assert!(store.find(&swapped, NOW).await.unwrap().is_none(), "ids differ in their case");
    }
    assert!(store.find(&format!("{} ", &key.id().split_at(11).0), NOW).await.unwrap().is_none());
}

/// A second record with the same id is refused, and changes nothing.
pub async fn an_id_is_taken_once(store: &(impl ApiKeyRegistry + ?Sized)) {
    let (first, second) = (owner(), owner());
    let record = insert(store, ApiKeyRecord::builder(&first)).await;
    let digest = record.digest().clone();
    let other = ApiKeyRecord::builder(&second).build(record.id(), "test", digest).unwrap();
    assert!(!store.insert(other).await.unwrap(), "the id is taken");
    assert_eq!(find(store, record.id()).await.owner(), first);
}

/// Revocation is seen by the next look-up, and is not done twice.
pub async fn a_revocation_is_seen_at_once_and_the_first_stands(store: &(impl ApiKeyRegistry + ?Sized)) {
    let record = insert(store, ApiKeyRecord::builder(owner())).await;
    assert!(find(store, record.id()).await.revoked_at().is_none());
    let revoke = |at, reason: &str| ApiKeyChange::Revoke { at, reason: reason.into() };
    assert_eq!(store.change(record.id(), &revoke(NOW, "first")).await.unwrap(), Changed::Applied);
    assert_eq!(find(store, record.id()).await.revoked_at(), Some(NOW));
    let again = store.change(record.id(), &revoke(later(9), "second")).await.unwrap();
    assert_eq!(again, Changed::NotApplicable);
    let found = find(store, record.id()).await;
    assert_eq!((found.revoked_at(), found.revocation_reason()), (Some(NOW), Some("first")));
}

/// An old key ends with the overlap, or when it would have ended anyway.
pub async fn a_key_is_superseded_once(store: &(impl ApiKeyRegistry + ?Sized)) {
    for (expiry, end) in [(None, later(60)), (Some(later(600)), later(60)), (Some(later(30)), later(30))] {
        let record = ApiKeyRecord::builder(owner());
        let record = insert(store, expiry.map_or(record.clone(), |at| record.expires_at(at))).await;
        assert_eq!(store.change(record.id(), &supersede("0123456789ab")).await.unwrap(), Changed::Applied);
        let found = find(store, record.id()).await;
        let by = found.superseded().unwrap();
        assert_eq!((by.by(), by.at(), found.expires_at()), ("0123456789ab", NOW, Some(end)));
        assert_eq!(store.change(record.id(), &supersede("0123456789cd")).await.unwrap(), Changed::NotApplicable);
        assert_eq!(find(store, record.id()).await.superseded().unwrap().by(), "0123456789ab");
    }
}

/// Two processes that rotate one key at once: one of them wins.
pub async fn of_two_rotations_at_once_one_applies(store: &(impl ApiKeyRegistry + ?Sized)) {
    for _ in 0..10 {
        let record = insert(store, ApiKeyRecord::builder(owner())).await;
        let (one, other) = (supersede("0123456789ab"), supersede("0123456789cd"));
        let (one, other) = tokio::join!(store.change(record.id(), &one), store.change(record.id(), &other));
        let (one, other) = (one.unwrap(), other.unwrap());
        let winner = if one == Changed::Applied { "0123456789ab" } else { "0123456789cd" };
        assert_ne!(one, other, "exactly one applies");
        assert_eq!(find(store, record.id()).await.superseded().unwrap().by(), winner);
    }
}

/// What has ended is not rotated.
pub async fn a_revoked_or_expired_key_is_not_superseded(store: &(impl ApiKeyRegistry + ?Sized)) {
    for record in [ApiKeyRecord::builder(owner()).revoked_at(NOW), ApiKeyRecord::builder(owner()).expires_at(NOW)] {
        let record = insert(store, record).await;
        assert_eq!(store.change(record.id(), &supersede("0123456789ab")).await.unwrap(), Changed::NotApplicable);
        assert!(find(store, record.id()).await.superseded().is_none());
    }
}

/// A digest made anew does not overwrite one that somebody else has made meanwhile.
pub async fn a_digest_is_replaced_only_if_it_is_the_one_that_was_verified(store: &(impl ApiKeyRegistry + ?Sized)) {
    let record = insert(store, ApiKeyRecord::builder(owner())).await;
    let other = issue(ApiKeyRecord::builder(owner())).record.digest().clone();
    let change = ApiKeyChange::Rehash { from: record.digest().clone(), to: other.clone() };
    assert_eq!(store.change(record.id(), &change).await.unwrap(), Changed::Applied);
    assert_eq!(find(store, record.id()).await.digest(), &other);
    assert_eq!(store.change(record.id(), &change).await.unwrap(), Changed::NotApplicable);
}

/// Every key of an owner once, in the order of ids, and nobody else's.
pub async fn an_owners_keys_are_listed_in_order_and_in_pages(store: &(impl ApiKeyRegistry + ?Sized)) {
    let owner = owner();
    let mut expected = Vec::new();
    for number in 0..5 {
        // The longer name must not be taken for the owner's.
        insert(store, ApiKeyRecord::builder(format!("{owner}{number}"))).await;
        expected.push(insert(store, ApiKeyRecord::builder(&owner)).await.id().to_owned());
    }
    expected.sort_unstable();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let page = store.list(&owner, listed.last().map(String::as_str), 2).await.unwrap();
        assert!(page.len() <= 2, "no more than asked for");
        if page.is_empty() {
            break;
        }
        listed.extend(page.iter().map(|record| record.id().to_owned()));
    }
    assert_eq!(listed, expected);
}

/// Uses may be written late and out of order, by several processes.
pub async fn the_latest_use_stands(store: &(impl ApiKeyRegistry + ?Sized)) {
    let one = insert(store, ApiKeyRecord::builder(owner())).await;
    let other = insert(store, ApiKeyRecord::builder(owner())).await;
    let used = |record: &ApiKeyRecord, at| ApiKeyUse::new(record.id(), at).unwrap();
    store.record_uses(&[]).await.unwrap();
    store.record_uses(&[used(&one, later(9)), used(&other, later(5))]).await.unwrap();
    store.record_uses(&[used(&one, later(7)), used(&other, later(8))]).await.unwrap();
    // Read from the list, which no store need keep: uses are written in batches, and may be seen late.
    let last = async |record: &ApiKeyRecord| {
        store.list(record.owner(), None, 10).await.unwrap().first().and_then(|found| found.last_used_at())
    };
    assert_eq!((last(&one).await, last(&other).await), (Some(later(9)), Some(later(8))));
}

fn later(secs: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(secs))
}

fn supersede(by: &str) -> ApiKeyChange {
    ApiKeyChange::Supersede { by: by.into(), at: NOW, until: later(60) }
}

fn issue(record: ApiKeyRecordBuilder) -> ApiKey {
    ApiKey::issue(&ApiKeyFormat::new("acme", "test").unwrap(), &KeyHasher::ephemeral(), record).unwrap()
}

/// An owner that no other law has.
fn owner() -> String {
    format!("owner_{}", issue(ApiKeyRecord::builder("any")).record.id())
}

async fn insert(store: &(impl ApiKeyRegistry + ?Sized), record: ApiKeyRecordBuilder) -> ApiKeyRecord {
    let record = issue(record).record;
    assert!(store.insert(record.clone()).await.unwrap(), "a new id is free");
    record
}

/// As the layer asks: first without waiting.
async fn find(store: &(impl ApiKeyRegistry + ?Sized), id: &str) -> Arc<ApiKeyRecord> {
    let found = match store.find_now(id, NOW) {
        Some(found) => found,
        None => store.find(id, NOW).await,
    };
    found.unwrap().unwrap()
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

/// Everything that a record says, for comparison.
fn parts(record: &ApiKeyRecord) -> impl std::fmt::Debug {
    let names = [record.id(), record.environment(), record.owner()].map(str::to_owned);
    let optional = [record.tenant(), record.plan(), record.rotated_from(), record.revocation_reason()];
    let lists: [Vec<String>; 3] = [
        record.scopes().iter().collect(),
        record.roles().map(str::to_owned).collect(),
        record.allowed_networks().collect(),
    ];
    let times =
        [record.created_at(), record.not_before(), record.expires_at(), record.revoked_at(), record.last_used_at()];
    (names, optional.map(|text| text.map(str::to_owned)), lists, times, record.superseded().cloned())
}

//! The documents' rate tables, replayed on the memory store, and on one that answers late.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

#[path = "fixtures/rate_tables.rs"]
mod tables;

use std::sync::{Arc, Mutex};

use portcullis::backend::memory::MemoryStore;
use tables::{Late, Time};

#[tokio::test]
async fn plans() {
    tables::plans(Arc::new(MemoryStore::new()), Time::manual(), "m").await;
}

#[tokio::test]
async fn endpoints() {
    tables::endpoints(Arc::new(MemoryStore::new()), Time::manual(), "m").await;
}

#[tokio::test]
async fn side_by_side() {
    tables::side_by_side(Arc::new(MemoryStore::new()), Time::manual(), "m").await;
}

#[tokio::test]
async fn classes() {
    tables::classes(Arc::new(MemoryStore::new()), Time::manual(), "m").await;
}

/// All at one store, one after the other; each request asks it once.
#[tokio::test]
async fn all_on_a_store_that_answers_late() {
    let store = Arc::new(Late(MemoryStore::new(), Mutex::new(0)));
    tables::all(store.clone(), Time::manual, "m").await;
    assert!(*store.1.lock().unwrap() > 13_000);
}

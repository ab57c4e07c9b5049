//! `X-API-Key`, and the same as bearer token.

use std::sync::LazyLock;

use portcullis::{auth::AuthLayer, backend::memory::MemoryStore};

use crate::door::Door;

static DOOR: LazyLock<Door> =
    LazyLock::new(|| Door::new(|| AuthLayer::builder().api_keys(MemoryStore::new()).build().expect("a layer")));

pub fn run(data: &[u8]) {
    for headers in [("x-api-key", data.to_vec()), ("authorization", [b"Bearer ", data].concat())] {
        if let Some(status) = DOOR.knock([(headers.0, &*headers.1)]) {
            assert!(status.is_client_error(), "no key was ever issued: {status}");
        }
    }
}

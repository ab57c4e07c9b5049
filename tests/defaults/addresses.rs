//! Of addresses: defaults that nothing shows but the source.

use super::source::Quotation;

const REQUEST: &str = "The request";
const BLOCKS: &str = "Blocks";

pub(crate) const ADDRESSES: &[Quotation] = &[
    (
        REQUEST,
        "longest walk through proxies",
        "8 KiB, 64 hops",
        &[
            ("src/request/forwarded/walk.rs", "const MAX_HOPS: u8 = 64;"),
            ("src/request/forwarded/mod.rs", "const MAX_BYTES: usize = 8 * 1024;"),
        ],
    ),
    (
        REQUEST,
        "most parameters of an element of `Forwarded`",
        "16",
        &[("src/request/forwarded/grammar.rs", "const MAX_PARAMETERS: usize = 16;")],
    ),
    ("IP filter", "most entries", "1,000,000", &[("src/ip_filter/lists.rs", "const MOST: usize = 1_000_000;")]),
    (
        BLOCKS,
        "age of the copy of a store",
        "1 s",
        &[("src/blocks/builder.rs", "const REFRESH: Duration = Duration::from_secs(1);")],
    ),
    (
        BLOCKS,
        "longest pause before a request waits for the store",
        "10 s",
        &[("src/blocks/list.rs", "pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);")],
    ),
    (
        BLOCKS,
        "when the store does not answer",
        "the last known blocks hold until they end",
        &[("src/blocks/tests.rs", "async fn a_store_that_fails_leaves_what_was_known()")],
    ),
    (
        "The memory store",
        "blocks",
        "100,000",
        &[("src/blocks/table.rs", "pub(crate) const DEFAULT_CAPACITY: usize = 100_000;")],
    ),
    ("Redis", "blocks on Redis", "100,000", &[("src/backend/redis/blocks.rs", "const MOST: usize = 100_000;")]),
];

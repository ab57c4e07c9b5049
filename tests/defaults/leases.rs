//! Defaults of leases and of lost swaps that nothing shows but the source.

use super::source::Quotation;

const SECTION: &str = "Leases";
const STORE: &str = "src/rate_limit/leased/mod.rs";

pub(crate) const LEASES: &[Quotation] = &[
    (SECTION, "most units bought at a time", "100", &[(STORE, "const MOST: u64 = 100;")]),
    (
        SECTION,
        "purchases here or under way at once",
        "16",
        &[("src/rate_limit/leased/lease.rs", "const AHEAD: u64 = 16;")],
    ),
    (SECTION, "units held at most for", "1 s", &[(STORE, "const HOLD: Duration = Duration::from_secs(1);")]),
    (SECTION, "nodes", "8", &[(STORE, "const NODES: u64 = 8;")]),
    (
        SECTION,
        "time for a purchase",
        "60 s",
        &[("src/rate_limit/leased/purchase.rs", "const PATIENCE: Duration = Duration::from_secs(60);")],
    ),
    (
        SECTION,
        "time that a drain waits for purchases",
        "5 s",
        &[("src/rate_limit/leased/drain.rs", "const PATIENCE: Duration = Duration::from_secs(5);")],
    ),
    (
        "Stores that compare and swap",
        "pause after a lost swap",
        "1 ms, doubled to 4 ms",
        &[
            ("src/rate_limit/contention.rs", "const FIRST_PAUSE: Duration = Duration::from_millis(1);"),
            ("src/rate_limit/contention.rs", "const LONGEST_PAUSE: Duration = Duration::from_millis(4);"),
        ],
    ),
    (SECTION, "buckets that are leased", "10,000", &[(STORE, "const LEASES: usize = 10_000;")]),
];

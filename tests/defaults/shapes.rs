//! Defaults of the validation that nothing shows but the source.

use super::source::Quotation;

const VALIDATION: &str = "Validation";

pub(crate) const SHAPES: &[Quotation] = &[
    (
        VALIDATION,
        "time for a checked body",
        "30 s",
        &[("src/validate/limits.rs", "const BODY_DEADLINE: Duration = Duration::from_secs(30);")],
    ),
    (
        VALIDATION,
        "slowest checked body",
        "240 bytes in a second, over 5 s",
        &[
            ("src/validate/limits.rs", "const MINIMUM_RATE: u32 = 240;"),
            ("src/validate/limits.rs", "const RATE_WINDOW: Duration = Duration::from_secs(5);"),
        ],
    ),
    (
        VALIDATION,
        "values in a JSON document",
        "1,000,000",
        &[("src/validate/builder.rs", "const MAX_VALUES: usize = 1_000_000;")],
    ),
    (
        VALIDATION,
        "documents that are judged on blocking threads",
        "more than 256 kB",
        &[("src/validate/body.rs", "const QUICK: usize = 256 * 1024;")],
    ),
    (VALIDATION, "layers of encoding in a path", "4", &[("src/validate/path.rs", "const MAX_LAYERS: usize = 4;")]),
    (
        VALIDATION,
        "status of what is not as its schema says",
        "422",
        &[("src/validate/builder.rs", "status: SchemaStatus::Unprocessable,")],
    ),
    (
        VALIDATION,
        "most findings of a schema",
        "20, of a body beyond 16 kB 1",
        &[
            ("src/validate/finding.rs", "const MOST_FINDINGS: usize = 20;"),
            ("src/validate/schema/checked.rs", "const EXPLAINED: usize = 16 * 1024;"),
        ],
    ),
    (
        VALIDATION,
        "longest pointer in a finding",
        "256 bytes",
        &[("src/validate/schema/checked.rs", "const LONGEST_POINTER: usize = 256;")],
    ),
    (
        VALIDATION,
        "formats of a schema",
        "asserted",
        &[("src/validate/schema/engine.rs", ".should_validate_formats(true)")],
    ),
    (
        VALIDATION,
        "time for a filter",
        "3 s",
        &[("src/validate/filter.rs", "const TIMEOUT: Duration = Duration::from_secs(3);")],
    ),
    (VALIDATION, "most filters", "16", &[("src/validate/builder.rs", "const MOST_FILTERS: usize = 16;")]),
];

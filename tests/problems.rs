//! `docs/problems.md` is what the table of rejections says. `UPDATE_DOCS=1 cargo test --test
//! problems` writes it anew.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a check that cannot go on is to panic")]

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use portcullis::rejection::{RejectionKind, Severity};

const HEAD: &str = "\
<!-- Written by tests/problems.rs from the table in src/rejection/kind.rs. Do not edit it:
     UPDATE_DOCS=1 cargo test --test problems -->

# Problems

Every refusal is a problem document (RFC 9457, `application/problem+json`):

```json
{
  \"type\": \"https://iana.org/assignments/http-problem-types#quota-exceeded\",
  \"title\": \"Rate limit exceeded\",
  \"status\": 429,
  \"detail\": \"Too many requests; retry later.\",
  \"error\": \"rate_limit_exceeded\",
  \"request_id\": \"…\",
  \"retry_after\": 6
}
```

Tell kinds apart by `error`: it is stable. `detail` may be more precise than the one that is listed
here, and is for people. `request_id` is also in the `X-Request-ID` header and in the service's log.
The severity is for the owner's logs and alarms; no client sees it.
";

fn severity(kind: RejectionKind) -> &'static str {
    match kind.severity() {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        other => panic!("name {other:?} here"),
    }
}

fn document() -> String {
    let mut by_status: BTreeMap<u16, Vec<RejectionKind>> = BTreeMap::new();
    for kind in RejectionKind::ALL {
        by_status.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    let mut text = HEAD.to_owned();
    text.push_str("\n| status | `error` | title |\n| --- | --- | --- |\n");
    for (status, kinds) in &by_status {
        for kind in kinds {
            writeln!(text, "| {status} | [`{0}`](#{0}) | {1} |", kind.code(), kind.title()).unwrap();
        }
    }
    for (status, kinds) in by_status {
        for kind in kinds {
            write!(
                text,
                "\n## {}\n\n{status}, severity {}, type `{}`\n\n> {}\n\n{}\n",
                kind.code(),
                severity(kind),
                kind.problem_type(),
                kind.detail(),
                kind.advice(),
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/problems.md");
    let wanted = document();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    let differs = held.lines().zip(wanted.lines()).position(|(held, wanted)| held != wanted);
    assert!(
        held == wanted,
        "docs/problems.md is not what the table says (first at line {}): UPDATE_DOCS=1 cargo test --test problems",
        differs.map_or_else(|| held.lines().count().min(wanted.lines().count()), |index| index.saturating_add(1)),
    );
}

/// A document that lists nothing would be current, too.
#[test]
fn every_kind_is_described() {
    let text = document();
    for kind in RejectionKind::ALL {
        assert!(text.contains(&format!("\n## {}\n", kind.code())), "{kind:?}");
        assert!(text.contains(kind.advice()) && text.contains(&kind.problem_type()), "{kind:?}");
    }
}

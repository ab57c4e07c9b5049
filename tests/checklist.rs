//! What the standards demand of a resource server, clause by clause, and the tests that are named
//! after it. Each of them must be there; `docs/checklist.md` is the same table for people, written
//! with `UPDATE_DOCS=1 cargo test --test checklist`.
#![allow(clippy::unwrap_used, reason = "a check that cannot go on is to panic")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

#[path = "checklist/clauses.rs"]
mod clauses;
#[path = "checklist/issuers.rs"]
mod issuers;
#[path = "checklist/proofs.rs"]
mod proofs;
#[path = "checklist/tokens.rs"]
mod tokens;

use clauses::STANDARDS;

/// A document, and what it demands.
#[derive(Clone, Copy)]
struct Standard {
    title: &'static str,
    /// A test that is named after one of its clauses has one of these in its name.
    tags: &'static [&'static str],
    clauses: &'static [Clause],
    /// What it demands of somebody else, or what is not offered.
    beside: &'static str,
}

/// One thing that must be so, where that is said, and the tests for it.
struct Clause {
    section: &'static str,
    demand: &'static str,
    tests: &'static [&'static str],
}

const fn clause(section: &'static str, demand: &'static str, tests: &'static [&'static str]) -> Clause {
    Clause { section, demand, tests }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every test function, and the files that have one of this name.
fn tests() -> BTreeMap<String, Vec<String>> {
    let mut folders: Vec<PathBuf> = ["src", "tests"].map(|name| root().join(name)).into();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !matches!(name, "node_modules" | "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                for test in test_names(&fs::read_to_string(&path).unwrap()) {
                    found.entry(test).or_default().push(file.clone());
                }
            }
        }
    }
    found
}

/// The names of the functions that have the attribute of a test before them.
fn test_names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim_start) {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(name) = name.filter(|_| marked) {
            names.push(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            marked = false;
        }
    }
    names
}

#[test]
fn tests_are_found_by_their_attribute() {
    let source = "#[test]\nfn one() {}\nfn helper() {}\n  #[tokio::test(start_paused = true)]\n  #[cfg(unix)]\n  async fn two() {}\n\
                  proptest! { \n#[test]\nfn three(a in 0..1) {} }";
    assert_eq!(test_names(source), ["one", "two", "three"]);
}

#[test]
fn every_clause_has_its_tests() {
    let tests = tests();
    assert!(tests.len() > 500, "the sources were not found");
    let mut wrong = Vec::new();
    for Standard { title, tags, clauses, .. } in STANDARDS {
        for Clause { section, demand, tests: named } in *clauses {
            let clause = format!("{title} {section}: {demand}");
            for name in *named {
                match tests.get(*name).map_or(0, Vec::len) {
                    1 => {}
                    0 => wrong.push(format!("{clause}: there is no test {name}")),
                    many => wrong.push(format!("{clause}: {many} tests are called {name}")),
                }
            }
            if !named.iter().any(|name| tags.iter().any(|tag| name.contains(tag))) {
                wrong.push(format!("{clause}: no test is named after {tags:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A test that is named after a document of the list stands in the list.
#[test]
fn every_test_that_is_named_after_a_clause_is_listed() {
    let listed: Vec<&str> = STANDARDS.iter().flat_map(|it| it.clauses).flat_map(|it| it.tests).copied().collect();
    let named = |name: &str| STANDARDS.iter().flat_map(|standard| standard.tags).any(|tag| name.contains(tag));
    let known = tests();
    let missing: Vec<&String> = known.keys().filter(|name| named(name) && !listed.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "add them to tests/checklist/: {missing:#?}");
}

/// Each MAC is compared in constant time, in one place: AWS Signature Version 4, and RFC 9421 §7.3.
#[test]
fn signatures_are_compared_in_constant_time_sigv4_rfc9421() {
    let key = fs::read_to_string(root().join("src/auth/signed/key.rs")).unwrap();
    assert!(key.contains("ct_eq(signature)"));
    for (path, source) in ["sigv4/mod.rs", "sigv4/envelope.rs", "message/mod.rs", "key.rs", "derived.rs"]
        .map(|path| (path, fs::read_to_string(root().join("src/auth/signed").join(path)).unwrap()))
    {
        for comparison in ["signature ==", "signature !=", "== signature", "!= signature", "== self.signature"] {
            assert!(!source.contains(comparison), "{path}: {comparison}");
        }
    }
}

#[test]
fn the_page_is_current() {
    let path = root().join("docs/checklist.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    assert!(held == page, "docs/checklist.md is not current: UPDATE_DOCS=1 cargo test --test checklist");
}

fn page() -> String {
    let tests = tests();
    let mut page = String::from(
        "# Check list of the standards\n\n\
         <!-- Written by tests/checklist.rs from tests/checklist/: change those. -->\n\n\
         What the standards demand of a service that takes credentials, clause by clause, and the tests that\n\
         hold portcullis to it. `tests/checklist.rs` fails when one of them is gone.\n",
    );
    for Standard { title, clauses, beside, .. } in STANDARDS {
        let _ = write!(page, "\n## {title}\n\n");
        if !beside.is_empty() {
            let _ = write!(page, "{beside}\n\n");
        }
        page.push_str("| section | what must be so | tests |\n|---|---|---|\n");
        for Clause { section, demand, tests: named } in *clauses {
            let named: Vec<String> = named
                .iter()
                .map(|name| {
                    let file = tests.get(*name).and_then(|files| files.first()).map_or("nowhere", String::as_str);
                    format!("[`{name}`](../{file})")
                })
                .collect();
            let _ = writeln!(page, "| {section} | {demand} | {} |", named.join("<br>"));
        }
    }
    page
}

//! The rules of docs/architecture.md, run.
//!
//! `house_rules/` holds the checker, its one table of exceptions, and tests that break each rule
//! once and see it found.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a check that cannot go on is to panic"
)]

mod house_rules {
    pub(crate) mod budgets;
    pub(crate) mod directions;
    pub(crate) mod exceptions;
    pub(crate) mod findings;
    pub(crate) mod mechanism;
    pub(crate) mod owners;
    pub(crate) mod public_api;
    pub(crate) mod references;
    pub(crate) mod tree;
    pub(crate) mod waivers;

    mod broken;
}

use std::path::Path;

use house_rules::{budgets, exceptions::EXCEPTIONS, findings, owners, tree::Tree};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_source_keeps_the_rules() {
    let tree = Tree::read(&root().join("src"));
    assert!(tree.files.len() > 40, "only {} files were read", tree.files.len());
    let mut breaches = findings::judge(findings::check(&tree), EXCEPTIONS);
    breaches.extend(owners::stale(&tree));
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn tests_examples_and_benches_keep_the_length_of_files() {
    let mut findings = Vec::new();
    for folder in ["tests", "examples", "benches"] {
        let folder = root().join(folder);
        if folder.exists() {
            let tree = Tree::read(&folder);
            tree.files.iter().for_each(|file| budgets::check_file(file, &mut findings));
        }
    }
    let breaches: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

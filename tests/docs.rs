//! The pages of `docs/` that speak of the tree and of the source say what is there.
#![allow(clippy::unwrap_used, reason = "a check that cannot go on is to panic")]

use std::{fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Names of a folder, those of folders with a slash.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap);
    let name = |entry: fs::DirEntry| {
        let slash = if entry.path().is_dir() { "/" } else { "" };
        format!("{}{slash}", entry.file_name().into_string().unwrap())
    };
    entries.map(name).collect()
}

#[test]
fn the_code_map_is_complete() {
    let page = read("docs/architecture.md");
    let mut missing = Vec::new();
    for name in names("src").into_iter().filter(|name| name != "lib.rs") {
        if !page.contains(&format!("`{name}`")) && !page.contains(&format!("`{name}memory/`")) {
            missing.push(format!("src/{name}"));
        }
    }
    for folder in ["tests", "examples", "benches", "scripts"] {
        for name in names(folder) {
            let name = format!("{folder}/{name}");
            if !page.contains(&format!("`{name}`")) {
                missing.push(name);
            }
        }
    }
    for name in names("src/backend/memory").into_iter().filter(|name| name != "mod.rs") {
        // A folder belongs to the file of its name.
        let file = format!("{}.rs", name.trim_end_matches('/').trim_end_matches(".rs"));
        if !page.contains(&format!("`{file}`")) {
            missing.push(format!("src/backend/memory/{name}"));
        }
    }
    assert!(missing.is_empty(), "the code map of docs/architecture.md lacks {missing:?}");
}

/// What the map says of the features' files. Folders outside `src` may come with another change.
#[test]
fn the_code_map_names_no_file_that_is_gone() {
    let page = read("docs/architecture.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    for (folder, text) in rows.filter(|(name, _)| root().join("src").join(name).is_dir()) {
        let is_path = |name: &&str| name.ends_with('/') || Path::new(name).extension().is_some_and(|ext| ext == "rs");
        for name in text.split('`').skip(1).step_by(2).filter(is_path) {
            assert!(root().join("src").join(folder).join(name).exists(), "{folder}{name}");
        }
    }
}

#[test]
fn every_decision_is_linked() {
    let pages = ["docs/architecture.md", "docs/stacking.md", "docs/defaults.md"].map(read).concat();
    for name in names("docs/design") {
        assert!(pages.contains(&format!("(design/{name})")), "no page links docs/design/{name}");
    }
}

/// Each link to a file leads to one.
#[test]
fn links_lead_somewhere() {
    for page in [
        "architecture.md",
        "authentication.md",
        "authorization.md",
        "object-level.md",
        "rate-limiting.md",
        "edge.md",
        "stacking.md",
        "stores.md",
        "defaults.md",
        "design/0003-draining-refused-uploads.md",
    ] {
        let path = root().join("docs").join(page);
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if let Some(anchor) = link.strip_prefix('#') {
                let heading = |line: &str| {
                    line.trim_start_matches('#').trim().to_lowercase().replace([',', '.'], "").replace(' ', "-")
                };
                let found = text.lines().any(|line| line.starts_with('#') && heading(line) == anchor);
                assert!(found, "{page}: {link}");
            } else if !link.contains("://") {
                let file = link.split('#').next().unwrap();
                assert!(path.parent().unwrap().join(file).exists(), "{page}: {link}");
            }
        }
    }
}

/// What the wiring check says stands on the page, word for word.
#[test]
fn every_warning_is_explained() {
    let page = read("docs/stacking.md");
    let source = read("src/gate/wiring.rs");
    let rules = source.split_once("const CORS:").unwrap().1.split_once("const _:").unwrap().0;
    let sentences: Vec<&str> = rules.split('"').skip(1).step_by(2).filter(|text| text.contains(' ')).collect();
    assert!(sentences.len() > 10, "{sentences:?}");
    for sentence in sentences {
        assert!(page.contains(sentence), "docs/stacking.md does not say: {sentence}");
    }
}

/// Whoever is on call looks for what the page says: it must be what the source writes.
#[test]
fn what_the_log_is_said_to_say_it_says() {
    let page = read("docs/authentication.md");
    let on_call = page.split_once("## On call").unwrap().1.split_once("## What it does not do").unwrap().0;
    // Sentences in the column of the log: `keys not refreshed`.
    let rows = on_call.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split(" | ").nth(2));
    let quoted = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|text| text.contains(' '));
    let quoted: Vec<&str> = quoted.chain(["request refused"]).collect();
    assert!(quoted.len() > 12, "{quoted:?}");
    let mut sources = String::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    for sentence in quoted {
        assert!(sources.contains(&format!("\"{sentence}\"")), "nothing in src says: {sentence}");
    }
}

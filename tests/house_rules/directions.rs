//! Who may import whom.

use std::collections::BTreeSet;

use syn::{Item, spanned::Spanned as _};

use super::{
    findings::{Finding, Rule},
    references::references,
    tree::{SourceFile, Tree},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Spine,
    Feature,
    Backend,
    Stack,
    ForTests,
    /// Re-exports what applications name; nothing names it.
    Prelude,
}

use Group::{Backend, Feature, ForTests, Prelude, Spine, Stack};

/// A new folder under `src` gets a row here, or the check fails.
const GROUPS: &[(Group, &[&str])] = &[
    (Spine, &["time", "secret", "config_error", "lint", "identity", "request", "rejection", "gate", "store", "blocks"]),
    (Feature, &["auth", "authz", "rate_limit", "quota", "cors", "headers", "require_https", "webhook", "audit"]),
    (Feature, &["ip_filter", "validate", "graphql", "versioning", "observatory", "threat", "metrics", "idempotency"]),
    (Backend, &["backend"]),
    (Stack, &["stack"]),
    (ForTests, &["conformance", "testing"]),
    (Prelude, &["prelude"]),
];

fn group(top: &str) -> Option<Group> {
    GROUPS.iter().find(|(_, names)| names.contains(&top)).map(|(group, _)| *group)
}

fn may_import(from: (Group, &str), to: (Group, &str)) -> bool {
    match (from.0, to.0) {
        (_, Prelude) => false,
        (ForTests | Prelude, _) | (Spine | Feature | Backend | Stack, Spine) | (Backend | Stack, Feature) => true,
        (Feature, Feature) | (Backend, Backend) | (Stack, Stack) => from.1 == to.1,
        _ => false,
    }
}

fn article(group: Group) -> &'static str {
    match group {
        Spine => "the spine",
        Feature => "a feature",
        Backend => "a backend",
        Stack => "the stack",
        ForTests => "what is for tests",
        Prelude => "the prelude",
    }
}

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let tops: BTreeSet<&str> = tree.files.iter().filter_map(SourceFile::top).collect();
    for file in tree.product() {
        match file.top() {
            None => check_root(file, findings),
            Some(top) => match group(top) {
                Some(own) => check_imports(file, (own, top), &tops, findings),
                None => findings.push(Finding {
                    rule: Rule::Direction,
                    path: file.path.clone(),
                    line: 1,
                    text: format!("`{top}` is in no group: give it a row in tests/house_rules/directions.rs"),
                }),
            },
        }
    }
}

fn check_imports(file: &SourceFile, own: (Group, &str), tops: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    for reference in references(file) {
        let [first, target, ..] = reference.segments.as_slice() else { continue };
        if first != "crate" {
            continue;
        }
        let text = match group(target) {
            Some(other) if may_import(own, (other, target)) => continue,
            Some(other) => format!("{} ({}) names {} ({})", article(own.0), own.1, article(other), reference.text()),
            None if tops.contains(target.as_str()) => continue,
            None => format!("names {} through the root: name the module it stands in", reference.text()),
        };
        findings.push(Finding { rule: Rule::Direction, path: file.path.clone(), line: reference.line, text });
    }
}

fn check_root(file: &SourceFile, findings: &mut Vec<Finding>) {
    for item in &file.ast.items {
        let inline = matches!(item, Item::Mod(module) if module.content.is_some());
        if inline || !matches!(item, Item::Mod(_) | Item::Use(_)) {
            findings.push(Finding {
                rule: Rule::Root,
                path: file.path.clone(),
                line: item.span().start().line,
                text: "the root holds modules and re-exports, nothing else".to_owned(),
            });
        }
    }
}

//! The scope catalogue: every scope that the service knows, and what it means.
//!
//! A scope that is misspelled in a requirement locks everybody out; one that is misspelled in a role
//! gives nobody anything, and nobody notices until somebody "repairs" it with a wildcard. With a
//! catalogue both are mistakes of the configuration, found when the service starts, all at once.
//!
//! ```
//! use portcullis::authz::{Requirement, RoleMap, ScopeCatalogue, ScopeLayer};
//!
//! let catalogue = ScopeCatalogue::builder()
//!     .scope("read:orders", "View all orders")
//!     .scope("read:orders:own", "View own orders only")
//!     .scope("write:orders", "Create and modify orders")
//!     .sensitive("refund:orders", "Issue refunds")
//!     .build()?;
//!
//! // Roles and layers are held to it. `read:*` must mean something; `write:tickets` does not.
//! let error = RoleMap::builder()
//!     .catalogue(&catalogue)
//!     .role("support", ["read:*", "write:tickets"])
//!     .role("clerk", ["approve:*"])
//!     .build()
//!     .unwrap_err();
//! assert_eq!(error.issues().len(), 2);
//! assert!(ScopeLayer::builder(Requirement::all(["read:order"])).catalogue(&catalogue).build().is_err());
//!
//! // What RFC 9728 calls `scopes_supported`, and what the documentation shows.
//! assert_eq!(catalogue.names().count(), 4);
//! assert!(catalogue.to_markdown().contains("| `refund:orders` | Issue refunds | sensitive |"));
//! # Ok::<_, portcullis::config_error::ConfigError>(())
//! ```

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use serde::Serialize;

use crate::{
    config_error::{ConfigError, ConfigIssues},
    identity::Scopes,
};

/// How much a scope gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeRisk {
    /// Daily work.
    Ordinary,
    /// Money, deletion, other people's rights: grant it to few, and with step-up authentication.
    Sensitive,
}

/// One scope of a [`ScopeCatalogue`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScopeEntry {
    /// What the scope allows, in words for a consent screen and the documentation.
    pub description: String,
    /// How much it gives away.
    pub risk: ScopeRisk,
}

/// Every scope that the service knows. Cheap to clone. See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeCatalogue(Arc<BTreeMap<Box<str>, ScopeEntry>>);

impl ScopeCatalogue {
    /// A builder without scopes.
    pub fn builder() -> ScopeCatalogueBuilder {
        ScopeCatalogueBuilder { entries: Vec::new() }
    }

    /// The scopes in alphabetical order: `scopes_supported` of RFC 9728 §2 and RFC 8414 §2.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// What is known of a scope.
    pub fn get(&self, scope: &str) -> Option<&ScopeEntry> {
        self.0.get(scope)
    }

    /// Every scope with what is known of it, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ScopeEntry)> {
        self.0.iter().map(|(name, entry)| (&**name, entry))
    }

    /// Looks at scopes that are about to be granted, to an API key for example. A wildcard must stand
    /// for at least one scope of the catalogue.
    ///
    /// # Errors
    /// One mistake for each scope that the catalogue does not have; `field` says whose they are.
    pub fn check(&self, field: &str, scopes: &Scopes) -> Result<(), ConfigError> {
        let mut issues = ConfigIssues::new();
        self.look(field, scopes, &mut issues);
        issues.finish(())
    }

    /// A Markdown table of all scopes, for the service's documentation.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| scope | allows | risk |\n|---|---|---|\n");
        for (name, entry) in self.iter() {
            let risk = if entry.risk == ScopeRisk::Sensitive { "sensitive" } else { "" };
            let allows = entry.description.replace('|', "\\|").replace('\n', " ");
            // Fails only if out of memory.
            let _ = writeln!(text, "| `{name}` | {allows} | {risk} |");
        }
        text
    }

    pub(super) fn has(&self, scope: &str) -> bool {
        self.0.contains_key(scope)
    }

    pub(super) fn look(&self, field: &str, scopes: &Scopes, issues: &mut ConfigIssues) {
        for scope in scopes.iter() {
            let known = match scope.strip_suffix('*') {
                Some(prefix) => self.names().any(|name| name.len() > prefix.len() && name.starts_with(prefix)),
                None => self.has(&scope),
            };
            if !known {
                self.report(field, &scope, issues);
            }
        }
    }

    pub(super) fn report(&self, field: &str, scope: &str, issues: &mut ConfigIssues) {
        let cure = match self.nearest(scope) {
            Some(near) => format!("is {near:?} meant? Otherwise add it to the catalogue"),
            None => "add it to the catalogue with its description, or use a scope that is there".into(),
        };
        issues.add(field.to_owned(), format!("{scope:?} is not in the scope catalogue"), cure);
    }

    /// A scope that differs in few letters.
    fn nearest(&self, scope: &str) -> Option<&str> {
        let rated = self.names().map(|name| (distance(name, scope), name));
        rated.filter(|(distance, _)| *distance <= 2).min().map(|(_, name)| name)
    }
}

/// How many letters must be changed, added or removed to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i.saturating_add(1));
        let mut before = i.saturating_add(1);
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal.saturating_add(usize::from(left != right));
            diagonal = *cell;
            *cell = changed.min(before.saturating_add(1)).min(diagonal.saturating_add(1));
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Builds a [`ScopeCatalogue`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ScopeCatalogueBuilder {
    entries: Vec<(String, ScopeEntry)>,
}

impl ScopeCatalogueBuilder {
    /// A scope, and what it allows.
    pub fn scope(self, name: impl Into<String>, description: impl Into<String>) -> Self {
        self.entry(name.into(), description.into(), ScopeRisk::Ordinary)
    }

    /// A scope that gives much away: money, deletion, other people's rights.
    pub fn sensitive(self, name: impl Into<String>, description: impl Into<String>) -> Self {
        self.entry(name.into(), description.into(), ScopeRisk::Sensitive)
    }

    fn entry(mut self, name: String, description: String, risk: ScopeRisk) -> Self {
        self.entries.push((name, ScopeEntry { description, risk }));
        self
    }

    /// The catalogue.
    ///
    /// # Errors
    /// If it is empty, or a scope comes twice, has no description, or is none: a catalogue has no
    /// wildcards.
    pub fn build(self) -> Result<ScopeCatalogue, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.entries.is_empty() {
            issues.add("scope", "the catalogue has no scopes", "add each with scope(…), or leave the catalogue out");
        }
        let mut entries = BTreeMap::new();
        for (name, entry) in self.entries {
            let field = format!("scope[{name}]");
            if !Scopes::is_requirement(&name) {
                let cure =
                    "write action:resource or action:resource:qualifier, in the characters of RFC 6749 §3.3, without *";
                issues.add(field.clone(), format!("{name:?} is not a scope"), cure);
            }
            if entry.description.trim().is_empty() {
                issues.add(field.clone(), "the description is empty", "say what the scope allows");
            }
            if entries.insert(name.into_boxed_str(), entry).is_some() {
                issues.add(field, "the scope is there twice", "keep one");
            }
        }
        issues.finish(ScopeCatalogue(Arc::new(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named() {
        let error = ScopeCatalogue::builder()
            .scope("read:*", "all")
            .scope("read:a", " ")
            .scope("read:b", "b")
            .sensitive("read:b", "b again")
            .scope("a b", "blank")
            .build()
            .unwrap_err();
        let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
        assert_eq!(fields, ["scope[read:*]", "scope[read:a]", "scope[read:b]", "scope[a b]"]);
        assert_eq!(ScopeCatalogue::builder().build().unwrap_err().issues().len(), 1);
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let catalogue = ScopeCatalogue::builder().scope("read:orders", "o").scope("write:orders", "w").build().unwrap();
        let check = |scope: &str| catalogue.check("key", &Scopes::from_own_data([scope]).unwrap());
        assert!(check("read:order").unwrap_err().to_string().contains("is \"read:orders\" meant?"));
        assert!(check("delete:data").unwrap_err().to_string().contains("add it to the catalogue with"));
        assert!(check("read:*").is_ok() && check("read:orders").is_ok());
        // Wildcards that stand for nothing, and scopes that a wider one would satisfy.
        assert!(check("admin:*").is_err() && check("read:orders:*").is_err() && check("read:orders:own").is_err());
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("abc", "abc", 0),
            ("read", "raed", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}

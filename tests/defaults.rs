//! `docs/defaults.md` says what the crate does: each row is seen in its behaviour, or, where
//! nothing shows it, in its source.
#![cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a check that cannot go on is to panic"
)]

mod defaults {
    pub(crate) mod addresses;
    pub(crate) mod credentials;
    pub(crate) mod leases;
    pub(crate) mod observed;
    pub(crate) mod page;
    pub(crate) mod queries;
    pub(crate) mod shapes;
    pub(crate) mod source;
}

use std::collections::{BTreeMap, BTreeSet};

use defaults::{
    observed::{self, Observed},
    page, source,
};

/// Section and setting.
type Name = (String, String);

#[tokio::test]
async fn every_row_is_true() {
    let page: BTreeMap<Name, String> =
        page::rows().into_iter().map(|row| ((row.section, row.setting), row.default)).collect();
    let mut true_rows: BTreeMap<Name, String> = source::rows();
    let mut seen = Observed::default();
    observed::all(&mut seen).await;
    for (section, setting, value) in seen.0 {
        let twice = true_rows.insert((section.into(), setting.into()), value);
        assert!(twice.is_none(), "{section}: {setting} is looked at twice");
    }
    let names: BTreeSet<&Name> = page.keys().chain(true_rows.keys()).collect();
    let differing: Vec<String> = names
        .into_iter()
        .filter(|name| page.get(name) != true_rows.get(name))
        .map(|name| {
            let text = |rows: &BTreeMap<Name, String>| rows.get(name).map_or("(no row)".into(), ToString::to_string);
            format!("{}: {}\n  page:  {}\n  crate: {}", name.0, name.1, text(&page), text(&true_rows))
        })
        .collect();
    assert!(differing.is_empty(), "docs/defaults.md is not true:\n{}", differing.join("\n"));
}

#[test]
fn every_quotation_stands_in_the_source() {
    let missing = source::missing();
    assert!(missing.is_empty(), "docs/defaults.md may no longer be true:\n{}", missing.join("\n"));
}

/// What the last column tells to call is there.
#[test]
fn every_setting_exists() {
    let source = source::all();
    let declared = |name: &str| {
        let kinds = ["pub fn ", "pub async fn ", "pub const fn ", "pub struct ", "pub enum ", "pub trait "];
        kinds.iter().any(|kind| source.contains(&format!("{kind}{name}"))) || source.contains(&format!("    {name},"))
    };
    for row in page::rows() {
        for name in row.change.split('`').skip(1).step_by(2).filter(|text| page::is_name(text)) {
            let (owner, name) = name.rsplit_once("::").unwrap_or((name, name));
            assert!(declared(owner) && declared(name), "{}: {}: {owner}::{name}", row.section, row.setting);
        }
    }
}

/// An empty page would be true, too.
#[test]
fn the_page_has_rows() {
    let rows = page::rows();
    assert!(rows.len() > 90, "{}", rows.len());
    assert!(rows.iter().all(|row| !row.default.is_empty() && !row.setting.is_empty()));
}

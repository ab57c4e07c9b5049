//! The tables of `docs/defaults.md`.

use std::{fs, path::Path};

pub(crate) struct Row {
    pub(crate) section: String,
    pub(crate) setting: String,
    pub(crate) default: String,
    pub(crate) change: String,
}

pub(crate) fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/defaults.md");
    let text = fs::read_to_string(path).unwrap();
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")) {
            heading.clone_into(&mut section);
        }
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else { continue };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        if cells[0] != "setting" && !cells[0].starts_with("---") {
            let [setting, default, _, change] = cells[..] else { unreachable!() };
            rows.push(Row {
                section: section.clone(),
                setting: setting.into(),
                default: default.into(),
                change: change.into(),
            });
        }
    }
    rows
}

/// `Issuer::leeway`, `max_body`, `RateLimitStore`; not `read:*`, and not code with blanks or signs.
pub(crate) fn is_name(text: &str) -> bool {
    text.replace("::", "").chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

//! Which routes there are, and what each asks of its caller.

use std::fmt;

use http::Method;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};

use super::Requirement;

/// Every route of a table or a [`SecuredRouter`](super::SecuredRouter), with what it requires: for
/// reviews, for documentation, and for a test that asks each of them without a credential (feature
/// `testing`: `AuthInventory::check`).
///
/// `Display` writes a Markdown table, `Serialize` an array of objects. Keep one of them under version
/// control, and each change of who may do what is seen in review.
///
/// ```
/// use http::Method;
/// use portcullis::authz::{Requirement, ScopeLayer};
///
/// let layer = ScopeLayer::table()
///     .route(Method::GET, "/orders/{id}", Requirement::all(["read:orders"]))
///     .public(Method::GET, "/health")
///     .build()?;
/// let inventory = layer.inventory().expect("the layer is a table");
/// assert_eq!(
///     inventory.to_string(),
///     "| method | path | requires |\n\
///      |---|---|---|\n\
///      | GET | `/health` | *public* |\n\
///      | GET | `/orders/{id}` | read:orders |\n",
/// );
/// assert_eq!(serde_json::to_value(inventory).unwrap()[0]["public"], true);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthInventory {
    /// By path, then method.
    rows: Vec<InventoryRow>,
}

/// One route of an [`AuthInventory`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InventoryRow {
    /// The method. `HEAD` follows `GET`.
    pub method: Method,
    /// The path's template, as in `Router::route`, with the prefixes under which it is nested.
    pub path: String,
    /// What is required; `None` for a route that everybody may call.
    pub requirement: Option<Requirement>,
}

impl AuthInventory {
    pub(super) fn of(rows: &[(Method, String, Option<Requirement>)]) -> Self {
        let row = |(method, path, requirement): &(Method, String, Option<Requirement>)| InventoryRow {
            method: method.clone(),
            path: path.clone(),
            requirement: requirement.clone(),
        };
        let mut rows: Vec<InventoryRow> = rows.iter().map(row).collect();
        rows.sort_by(|a, b| (a.path.as_str(), a.method.as_str()).cmp(&(b.path.as_str(), b.method.as_str())));
        Self { rows }
    }

    /// The routes, by path and method.
    pub fn rows(&self) -> &[InventoryRow] {
        &self.rows
    }

    /// The routes that everybody may call.
    pub fn public(&self) -> impl Iterator<Item = &InventoryRow> {
        self.rows.iter().filter(|row| row.requirement.is_none())
    }
}

impl fmt::Display for AuthInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("| method | path | requires |\n|---|---|---|\n")?;
        for InventoryRow { method, path, requirement } in &self.rows {
            match requirement {
                Some(requirement) => writeln!(f, "| {method} | `{path}` | {requirement} |")?,
                None => writeln!(f, "| {method} | `{path}` | *public* |")?,
            }
        }
        Ok(())
    }
}

/// `[{"method":"GET","path":"/health","public":true,"requires":null}, …]`
impl Serialize for AuthInventory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            method: &'a str,
            path: &'a str,
            public: bool,
            requires: Option<String>,
        }
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for InventoryRow { method, path, requirement } in &self.rows {
            let requires = requirement.as_ref().map(ToString::to_string);
            rows.serialize_element(&Row { method: method.as_str(), path, public: requires.is_none(), requires })?;
        }
        rows.end()
    }
}

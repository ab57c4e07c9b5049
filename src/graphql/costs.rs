//! What fields cost.

use std::{borrow::Cow, collections::HashMap};

/// What the fields of a query cost. There is no schema here: fields are known by their names alone,
/// whatever type they are of.
///
/// A query costs the sum over its fields of weight × size, multiplied by the sizes of all fields around it;
/// a fragment counts wherever it is spread. The size of a field is the greatest of its list arguments: a
/// number (`first: 100`), or the length of a list (`ids: [1, 2, 3]`), written out or in a variable. Without
/// such an argument it is what [`list`](Self::list) says, else 1.
///
/// ```
/// use portcullis::graphql::QueryCosts;
///
/// let costs = QueryCosts::new()
///     .list_arguments(["first", "last", "limit", "ids"])
///     // A full-text search, where all others read a row.
///     .weight("search", 20)
///     // `{ countries { name } }` returns some 200 of them without being told.
///     .list("countries", 200);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct QueryCosts {
    fields: HashMap<Cow<'static, str>, FieldCost>,
    pub(super) list_arguments: Vec<Cow<'static, str>>,
}

#[derive(Clone, Copy, Debug)]
struct FieldCost {
    weight: u64,
    size: u64,
}

impl QueryCosts {
    /// Each field costs 1; list arguments are `first` and `last`.
    pub fn new() -> Self {
        Self { fields: HashMap::new(), list_arguments: vec!["first".into(), "last".into()] }
    }

    /// Which arguments say how long a list is; `first` and `last` by default.
    pub fn list_arguments<A: Into<Cow<'static, str>>>(mut self, names: impl IntoIterator<Item = A>) -> Self {
        self.list_arguments = names.into_iter().map(Into::into).collect();
        self
    }

    /// What a field of this name costs, without what is in it. Zero is for fields that are there anyway.
    pub fn weight(mut self, field: impl Into<Cow<'static, str>>, weight: u64) -> Self {
        self.field(field.into()).weight = weight;
        self
    }

    /// How many items a field of this name returns, where no argument says so.
    pub fn list(mut self, field: impl Into<Cow<'static, str>>, size: u64) -> Self {
        self.field(field.into()).size = size;
        self
    }

    fn field(&mut self, name: Cow<'static, str>) -> &mut FieldCost {
        self.fields.entry(name).or_insert(FieldCost { weight: 1, size: 1 })
    }

    /// The weight of a field, and its size where its arguments say this much, or nothing.
    pub(super) fn of(&self, field: &str, said: Option<u64>) -> (u64, u64) {
        let known = self.fields.get(field).copied().unwrap_or(FieldCost { weight: 1, size: 1 });
        // Asking for nothing costs the asking.
        (known.weight, said.unwrap_or(known.size).max(1))
    }

    /// Settings that can only be mistakes.
    pub(super) fn mistakes(&self) -> Vec<(String, &'static str)> {
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let fields = self.fields.iter().filter(|(_, cost)| cost.size == 0).map(|(name, _)| {
            (format!("costs.list[{}]", name.escape_debug()), "a list of no items would make what is in it free")
        });
        let names = self
            .fields
            .keys()
            .chain(&self.list_arguments)
            .filter(|name| !is_name(name))
            .map(|name| (format!("costs[{}]", name.escape_debug()), "no field and no argument can have this name"));
        fields.chain(names).collect()
    }
}

impl Default for QueryCosts {
    fn default() -> Self {
        Self::new()
    }
}

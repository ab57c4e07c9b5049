use super::Schema;

/// What a parameter of a route must be: in its path, its query, a header or a cookie.
///
/// Parameters are text, and schemas speak of numbers, booleans and lists: a text is taken for what the
/// schema's `type` names (`OpenAPI` 3.1). A list is a query parameter that is repeated, `?id=1&id=2`, or
/// items with commas between them, in a path or a header. A parameter that stands several times and is
/// no list is refused, whatever the one and the other say.
///
/// ```
/// use http::Method;
/// use portcullis::validate::{Parameter, RequestValidationLayer, Rule};
/// use serde_json::json;
///
/// let rule = Rule::json()
///     .parameter(Parameter::path("id", json!({ "type": "integer", "minimum": 1 })))
///     .parameter(Parameter::query("limit", json!({ "type": "integer", "maximum": 100 })))
///     .parameter(Parameter::query("state", json!({ "type": "array", "items": { "enum": ["open", "paid"] } })))
///     .parameter(Parameter::header("x-tenant", json!({ "type": "string", "pattern": "^[a-z]{1,32}$" })).required())
///     .only_listed_query();
/// let layer = RequestValidationLayer::builder().route(Method::GET, "/customers/{id}/orders", rule).build()?;
/// # let _ = layer;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Parameter {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) schema: Schema,
    pub(super) required: bool,
    pub(super) list: List,
    pub(super) allow_empty: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// `id=1&id=2`
    Repeated,
    /// `1,2`
    Commas,
}

impl Parameter {
    fn new(place: Place, name: impl Into<String>, schema: impl Into<Schema>) -> Self {
        Self {
            place,
            name: name.into(),
            schema: schema.into(),
            // A path without it is another path.
            required: place == Place::Path,
            list: if place == Place::Query { List::Repeated } else { List::Commas },
            allow_empty: false,
        }
    }

    /// A parameter of the path, by its name there: `id` of `/orders/{id}`.
    pub fn path(name: impl Into<String>, schema: impl Into<Schema>) -> Self {
        Self::new(Place::Path, name, schema)
    }

    /// A parameter of the query.
    pub fn query(name: impl Into<String>, schema: impl Into<Schema>) -> Self {
        Self::new(Place::Query, name, schema)
    }

    /// A header field.
    pub fn header(name: impl Into<String>, schema: impl Into<Schema>) -> Self {
        Self::new(Place::Header, name, schema)
    }

    /// A cookie.
    pub fn cookie(name: impl Into<String>, schema: impl Into<Schema>) -> Self {
        Self::new(Place::Cookie, name, schema)
    }

    /// It must be there. A parameter of the path always must.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// A list in a query is written with commas, `?id=1,2` (`explode: false`).
    pub fn comma_separated(mut self) -> Self {
        self.list = List::Commas;
        self
    }

    /// `?flag` and `?flag=` are taken whatever the schema says.
    pub fn allow_empty(mut self) -> Self {
        self.allow_empty = true;
        self
    }
}

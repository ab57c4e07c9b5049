//! Requests of the right shape only: path, size, media type, JSON, schema.
mod body;
mod builder;
mod extract;
mod filter;
mod finding;
mod head;
mod json;
mod layer;
mod limits;
mod lints;
mod media;
mod path;
mod percent;
mod query;
mod rule;
mod rules;

#[cfg(not(feature = "json-schema"))]
mod absent;
#[cfg(feature = "json-schema")]
mod openapi;
#[cfg(feature = "json-schema")]
mod schema;

#[cfg(not(feature = "json-schema"))]
use self::absent as schemas;
#[cfg(feature = "json-schema")]
use self::schema as schemas;

pub use self::{
    builder::RequestValidationLayerBuilder,
    extract::{ParsedJson, ValidatedJson},
    filter::{FilterVerdict, Inspected, RequestFilter},
    finding::SchemaStatus,
    layer::{RequestValidationLayer, ValidationGate},
    rule::Rule,
    rules::Rules,
};
#[cfg(feature = "json-schema")]
pub use self::{
    openapi::OpenApi,
    schema::{Parameter, Schema},
};

#[cfg(test)]
mod tests;

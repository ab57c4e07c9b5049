//! JSON Schema (draft 2020-12, and the older ones that name themselves in `$schema`) for bodies and
//! parameters. The only place that knows the engine.

mod checked;
mod coerce;
mod engine;
mod parameter;
mod parameters;
mod query;
mod survey;
mod words;

pub use self::{checked::Schema, parameter::Parameter};
pub(super) use self::{
    checked::{Checked, step},
    parameters::Parameters,
};

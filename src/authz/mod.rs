//! Authorization: what the caller may do.
mod layer;
mod refusal;
mod requirement;
mod roles;
mod table;

pub use self::{
    layer::{ScopeGate, ScopeLayer, ScopeLayerBuilder},
    requirement::Requirement,
    roles::{RoleMap, RoleMapBuilder},
    table::ScopeTableBuilder,
};

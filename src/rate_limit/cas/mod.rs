//! Any algorithm on any store that can compare and swap.

mod backend;
mod commit;
mod plan;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use self::{
    backend::{CasBackend, Version},
    store::CasStore,
};

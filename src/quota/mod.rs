//! placeholder
mod builder;
mod held;
mod layer;
mod period;
mod plan;
mod store;
mod subject;

pub use self::{
    builder::QuotaBuilder,
    layer::{QuotaGate, QuotaLayer, QuotaPass},
    period::Period,
    plan::Plan,
    store::{Charge, QuotaStore, Reservation},
    subject::QuotaSubject,
};

#[cfg(test)]
mod tests;

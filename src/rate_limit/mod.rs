//! Rate limits.

mod algorithm;
mod batch;
mod builder;
mod compiled;
mod endpoint;
mod headers;
mod inline;
mod key;
mod layer;
mod limit;
mod rate;
mod rule;
mod state;
mod store;

pub(crate) use self::inline::Inline;
pub use self::{
    algorithm::{
        Algorithm, AlgorithmId, Decision, FixedWindow, Language, Op, Program, Step, TokenBucket, Windows, Write,
    },
    batch::{Batch, BatchSteps, Charge, ChargeKey, Verdicts},
    builder::RateLimitLayerBuilder,
    headers::RateLimitHeaders,
    key::{Key, KeyPart},
    layer::{RateLimitGate, RateLimitLayer, RateLimitPass},
    limit::Limit,
    rate::Rate,
    rule::Rule,
    state::State,
    store::RateLimitStore,
};

#[cfg(test)]
mod tests;

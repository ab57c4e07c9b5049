//! Incoming webhooks.

mod body;
mod builder;
mod claim;
mod custom;
mod envelope;
mod fields;
mod layer;
mod mac;
mod provider;
mod sign;
mod signature;
mod spec;
mod store;
mod table;
mod timestamp;

pub use self::{
    builder::{ReplayIdentity, WebhookVerifyLayerBuilder},
    claim::WebhookPass,
    custom::CustomProvider,
    layer::{WebhookGate, WebhookVerifyLayer},
    provider::Provider,
    spec::{SecretEncoding, SignatureEncoding, SignatureFormat},
    store::{Claimed, Fence, ReplayKey, ReplayStore, Settlement},
};

#[cfg(test)]
mod tests;

//! Incoming webhooks.

#![doc = include_str!("../README.md")]
#![doc = include_str!("map.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod audit;
pub mod auth;
pub mod authz;
pub mod backend;
pub mod blocks;
pub mod config_error;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod cors;
pub mod gate;
#[cfg(feature = "graphql")]
pub mod graphql;
pub mod headers;
pub mod identity;
pub mod ip_filter;
pub mod lint;
pub mod observatory;
pub mod prelude;
pub mod quota;
pub mod rate_limit;
pub mod rejection;
pub mod request;
pub mod require_https;
pub mod secret;
pub mod stack;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod validate;
pub mod versioning;
pub mod webhook;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
    routing::post,
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    asked::Asked,
    document::{self, Reading},
    fault::{Fault, Limit},
    judge::{Judge, Limits, Method},
    measure,
    variables::Variables,
    *,
};

mod apollo;
mod http;
mod sums;

/// All that is open, and without limits.
fn open() -> Judge {
    let limits = Limits {
        depth: 1_000,
        aliases: u64::MAX,
        root_fields: u64::MAX,
        directives: u64::MAX,
        tokens: u64::MAX,
        batch: 10,
        cost: u64::MAX,
    };
    Judge { limits, costs: QueryCosts::new(), introspection: true, persisted: false }
}

fn with(change: impl FnOnce(&mut Limits)) -> Judge {
    let mut judge = open();
    change(&mut judge.limits);
    judge
}

fn asked(query: &str, variables: &Value) -> Asked {
    Asked { query: Some(query.into()), operation: None, variables: serde_json::from_value(variables.clone()).unwrap() }
}

fn judged(judge: &Judge, query: &str) -> Result<u64, Fault> {
    judge.judge(&[asked(query, &json!({}))], Method::Unsafe)
}

/// The sums of each operation: depth, root fields, aliases, directives, cost.
fn sums(query: &str) -> Vec<[u64; 5]> {
    let costs = QueryCosts::new();
    let variables = Variables::default();
    let reading = Reading { depth: 1_000, tokens: u64::MAX, costs: &costs, variables: &variables };
    let document = document::read(query, reading).unwrap();
    let operations = measure::operations(&document).unwrap();
    operations
        .iter()
        .map(|operation| {
            let sums = operation.sums;
            [sums.depth, sums.roots, sums.aliases, sums.directives, sums.cost]
        })
        .collect()
}

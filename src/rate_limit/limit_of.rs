//! One limit of a rule, ready to be charged and told of.

use std::sync::Arc;

use http::HeaderValue;

use super::{
    Algorithm, AlgorithmId, Blocking, Inherit, Inheriting, Limit, OnStoreLoss, Op, Rate, Rule, endpoint::Endpoint,
    headers, limit::Amount,
};
use crate::{config_error::ConfigIssues, gate::constant, time::Timestamp};

/// One limit of a rule.
#[derive(Debug)]
pub(super) struct CompiledLimit {
    pub(super) algorithm: Arc<dyn Algorithm>,
    pub(super) id: AlgorithmId,
    /// This process's share of it, while the store is lost.
    pub(super) local: Option<Arc<dyn Algorithm>>,
    /// What clients are told that it is called.
    pub(super) policy: Arc<str>,
    /// The item of `RateLimit-Policy`, alone.
    pub(super) header: HeaderValue,
    /// The same as text, to be joined with others.
    pub(super) item: Box<str>,
    /// The policy's name as an RFC 9651 String.
    pub(super) quoted: Box<str>,
    /// With what an item of `RateLimit` begins.
    pub(super) state: Box<str>,
    pub(super) detail: Box<str>,
    pub(super) global: bool,
}

pub(super) fn compile_limit(
    rule: &Rule,
    endpoint: Option<&Endpoint>,
    limit: &Limit,
    field: &str,
    issues: &mut ConfigIssues,
) -> Option<CompiledLimit> {
    let algorithm = issues.take(field, rule.algorithm_of(limit))??;
    let most = dearest(rule, endpoint);
    let fresh = algorithm.step(None, Timestamp::EPOCH, Op::Take(most)).decision;
    if fresh.is_never() {
        issues.add(
            field.to_owned(),
            "the cost exceeds what the limit ever allows, so nothing passes",
            "raise the burst",
        );
    }
    let local = local(rule, limit, most, field, issues);
    let policy = match endpoint {
        // Printable: the endpoint has been checked.
        Some(endpoint) => format!("{} {endpoint}", rule.name),
        None => rule.name.clone(),
    };
    let quoted = headers::quote(&policy);
    let item = headers::policy_item(&quoted, fresh.limit, algorithm.window(), rule.unit);
    let Ok(header) = HeaderValue::try_from(&item) else {
        issues.add("name", "it does not fit a header", "use printable ASCII");
        return None;
    };
    Some(CompiledLimit {
        detail: limit.0.to_string().into(),
        global: rule.key.is_global(),
        policy: policy.into(),
        header: constant(header),
        item: item.into(),
        state: headers::state_item(&quoted),
        quoted: quoted.into(),
        id: algorithm.id(),
        algorithm,
        local,
    })
}

/// The limits of a rule that share a bucket, each by its endpoint, get what goes beyond the rate: they
/// learn of each other, and block.
pub(super) fn complete(rule: &Rule, limits: &mut [(Option<&Endpoint>, &mut CompiledLimit)]) {
    if rule.inherit != Inherit::AsIs {
        let all: Vec<_> = limits.iter().map(|(place, limit)| (*place, Arc::clone(&limit.algorithm))).collect();
        for (place, limit) in limits.iter_mut() {
            let own = Inheriting::new(Arc::clone(&limit.algorithm), rule.inherit);
            let others = all.iter().filter(|(other, _)| other == place).map(|(_, algorithm)| Arc::clone(algorithm));
            limit.algorithm = Arc::new(others.fold(own, Inheriting::after));
        }
    }
    for (_, limit) in limits.iter_mut() {
        if let Some(block) = rule.block {
            let blocking = |inner: &Arc<dyn Algorithm>| Arc::new(Blocking::new(Arc::clone(inner), block));
            limit.algorithm = blocking(&limit.algorithm);
            limit.local = limit.local.as_ref().map(|local| blocking(local) as Arc<dyn Algorithm>);
        }
        limit.id = limit.algorithm.id();
    }
}

/// The most that a request may cost where this limit holds.
fn dearest(rule: &Rule, endpoint: Option<&Endpoint>) -> u64 {
    let elsewhere = |place: &Endpoint| rule.endpoints.iter().any(|(other, _)| other == place);
    let here = |place: &&Endpoint| match endpoint {
        Some(endpoint) => place.overlaps(endpoint),
        None => !elsewhere(place),
    };
    let own = endpoint.and_then(|endpoint| rule.costs.iter().find(|(place, _)| place == endpoint));
    if let Some((_, cost)) = own {
        return cost.most();
    }
    let dearer = rule.costs.iter().filter(|(place, _)| here(&place)).map(|(_, cost)| cost.most()).max();
    dearer.unwrap_or(0).max(rule.cost.most())
}

/// The limit, divided among the processes that are each on their own.
fn local(rule: &Rule, limit: &Limit, most: u64, field: &str, issues: &mut ConfigIssues) -> Option<Arc<dyn Algorithm>> {
    let OnStoreLoss::Local { share } = rule.loss else { return None };
    let Amount::Rate(rate) = limit.0 else {
        let reason = "an algorithm of yours cannot be divided among processes";
        issues.add(field.to_owned(), reason, "give the rule a rate, or OnStoreLoss::Closed or Open");
        return None;
    };
    let part = |units: u64| units.div_ceil(share.max(1).into());
    // A window is what it holds; a bucket must hold one request at least.
    let bucket = matches!(rule.family, super::limit::Family::TokenBucket) || rate.capacity() != rate.refill();
    let divided = if bucket {
        Rate::per(part(rate.refill()), rate.period()).burst(part(rate.capacity()).max(most))
    } else {
        Rate::per(part(rate.refill()).max(most), rate.period())
    };
    rule.family.algorithm(divided, rule.most_owed(divided)).ok()
}

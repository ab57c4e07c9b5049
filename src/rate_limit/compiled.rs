//! Rules as a request meets them: checked, and with everything rendered that can be.

use std::{collections::HashSet, sync::Arc};

use http::HeaderValue;

use super::{
    Algorithm, AlgorithmId, Charge, ChargeKey, HashedPart, HashedRule, Key, KeyPart, Limit, Op, Rule,
    endpoint::Endpoint, headers, identity::hash_part, limit::Amount,
};
use crate::{config_error::ConfigIssues, request::RequestContext, time::Timestamp};

/// One rule.
#[derive(Debug)]
pub(super) struct CompiledRule {
    name: Box<str>,
    /// Of the name, as a part of a key.
    hash: u128,
    key: Key,
    on: Vec<Endpoint>,
    op: Op,
    plans: Vec<Box<str>>,
    endpoints: Vec<Endpoint>,
    /// By plan and endpoint; both absent is what holds otherwise.
    choices: Vec<Choice>,
}

#[derive(Debug)]
struct Choice {
    plan: Option<usize>,
    endpoint: Option<usize>,
    /// The endpoint's hash, as a part of a key.
    place: u128,
    /// Absent: unlimited.
    limit: Option<CompiledLimit>,
}

/// One limit of a rule.
#[derive(Debug)]
pub(super) struct CompiledLimit {
    pub(super) algorithm: Arc<dyn Algorithm>,
    id: AlgorithmId,
    /// What clients are told that it is called.
    pub(super) policy: Arc<str>,
    /// The item of `RateLimit-Policy`, alone.
    pub(super) header: HeaderValue,
    /// The same as text, to be joined with others.
    pub(super) item: Box<str>,
    /// The policy's name as an RFC 9651 String.
    pub(super) quoted: Box<str>,
    pub(super) detail: Box<str>,
    pub(super) global: bool,
}

impl CompiledRule {
    /// Which of the rule's limits holds for a request: an index for [`limit`](Self::limit).
    pub(super) fn pick(&self, context: &RequestContext, path: &str) -> Option<usize> {
        let (method, route) = (context.method(), context.route());
        let covers = |endpoint: &Endpoint| endpoint.covers(method, route, path);
        if !self.on.is_empty() && !self.on.iter().any(covers) {
            return None;
        }
        let plan = match self.plans.as_slice() {
            [] => None,
            plans => context.principal().and_then(|principal| {
                let held = principal.plan()?;
                plans.iter().position(|plan| **plan == *held)
            }),
        };
        // Several endpoints of one rule may cover the request: each limit is asked by itself, so that
        // an endpoint that only another plan has hides none.
        let here = |choice: &Choice| choice.endpoint.is_some_and(|index| self.endpoints.get(index).is_some_and(covers));
        let everywhere = |choice: &Choice| choice.endpoint.is_none();
        let find = |plan: Option<usize>, place: &dyn Fn(&Choice) -> bool| {
            self.choices.iter().position(|choice| choice.plan == plan && place(choice))
        };
        find(plan, &here)
            .or_else(|| find(None, &here))
            .or_else(|| find(plan, &everywhere))
            .or_else(|| find(None, &everywhere))
    }

    /// Whether it goes by who calls, which only an `AuthLayer` outside can tell.
    pub(super) fn needs_principal(&self) -> bool {
        self.key.needs_principal() || !self.plans.is_empty()
    }

    pub(super) fn limit(&self, pick: usize) -> Option<&CompiledLimit> {
        self.choices.get(pick)?.limit.as_ref()
    }

    /// The charge of a request for which `pick` was found, or `None` if the rule does not apply.
    pub(super) fn charge<'a>(&'a self, pick: usize, context: &'a RequestContext) -> Option<Charge<'a>> {
        let choice = self.choices.get(pick)?;
        let limit = choice.limit.as_ref()?;
        let mut key: ChargeKey<'a> = self.key.of_request(HashedRule::again(&self.name, self.hash), context)?;
        if let Some(endpoint) = choice.endpoint.and_then(|index| self.endpoints.get(index)) {
            let part = KeyPart::Endpoint { method: endpoint.method.as_str(), route: Some(&endpoint.path) };
            key = key.with(HashedPart::again(part, choice.place))?;
        }
        Some(Charge::of(key, limit.id, &*limit.algorithm, self.op))
    }
}

/// Checks all rules; `None` of a rule that is wrong.
pub(super) fn compile(rules: &[Rule], most: usize, issues: &mut ConfigIssues) -> Vec<CompiledRule> {
    if rules.is_empty() {
        issues.add("rule", "there is no rule, so nothing is limited", "add one, or leave the layer out");
    }
    let mut names = HashSet::new();
    for rule in rules {
        if !names.insert(rule.name.as_str()) {
            let field = format!("rule[{}]", rule.name);
            issues.add(field, "two rules have this name, and would share their buckets", "give each a name of its own");
        }
    }
    if at_one_place(rules) > most {
        issues.add(
            "rule",
            format!("more than {most} rules can apply to one request"),
            "restrict rules to endpoints, merge them, or use a second layer",
        );
    }
    rules.iter().filter_map(|rule| compile_rule(rule, issues)).collect()
}

/// At most how many rules apply to one request.
fn at_one_place(rules: &[Rule]) -> usize {
    let everywhere = rules.iter().filter(|rule| rule.on.is_empty()).count();
    let here = |place: &Endpoint| rules.iter().filter(|rule| rule.on.iter().any(|other| other.overlaps(place))).count();
    let worst = rules.iter().flat_map(|rule| &rule.on).map(here).max().unwrap_or(0);
    everywhere.saturating_add(worst)
}

fn compile_rule(rule: &Rule, issues: &mut ConfigIssues) -> Option<CompiledRule> {
    let part = format!("rule[{}]", rule.name);
    let mut own = ConfigIssues::new();
    check(rule, &mut own);
    let mut compiled = CompiledRule {
        name: rule.name.as_str().into(),
        hash: HashedRule::from(rule.name.as_str()).hash(),
        key: rule.key.clone(),
        on: rule.on.clone(),
        op: Op::Take(rule.cost),
        plans: Vec::new(),
        endpoints: Vec::new(),
        choices: Vec::new(),
    };
    for (plan, endpoint, limit) in all_limits(rule) {
        let field = field(plan, endpoint);
        let plan = plan.map(|plan| index_of(&mut compiled.plans, plan.into()));
        let place = endpoint.map(|endpoint| index_of(&mut compiled.endpoints, endpoint.clone()));
        if compiled.choices.iter().any(|choice| choice.plan == plan && choice.endpoint == place) {
            own.add(field.clone(), "it is given twice", "remove one");
        }
        let limit = compile_limit(rule, endpoint, limit, &field, &mut own);
        let hash = endpoint.map_or(0, |endpoint| {
            hash_part(&KeyPart::Endpoint { method: endpoint.method.as_str(), route: Some(&endpoint.path) })
        });
        compiled.choices.push(Choice { plan, endpoint: place, place: hash, limit });
    }
    let CompiledRule { choices, endpoints, .. } = &mut compiled;
    choices.sort_by_key(|choice| {
        choice.endpoint.and_then(|index| endpoints.get(index)).map_or((0, 0), Endpoint::vagueness)
    });
    match own.finish(compiled) {
        Ok(compiled) => Some(compiled),
        Err(error) => {
            issues.merge(&part, error);
            None
        }
    }
}

fn all_limits(rule: &Rule) -> impl Iterator<Item = (Option<&str>, Option<&Endpoint>, &Limit)> {
    let plan_endpoints =
        rule.plan_endpoints.iter().map(|(plan, place, limit)| (Some(plan.as_str()), Some(place), limit));
    let endpoints = rule.endpoints.iter().map(|(place, limit)| (None, Some(place), limit));
    let plans = rule.plans.iter().map(|(plan, limit)| (Some(plan.as_str()), None, limit));
    plan_endpoints.chain(endpoints).chain(plans).chain([(None, None, &rule.limit)])
}

fn field(plan: Option<&str>, endpoint: Option<&Endpoint>) -> String {
    match (plan, endpoint) {
        (None, None) => "limit".into(),
        (Some(plan), None) => format!("plan[{plan}]"),
        (None, Some(endpoint)) => format!("endpoint[{endpoint}]"),
        (Some(plan), Some(endpoint)) => format!("plan_endpoint[{plan}, {endpoint}]"),
    }
}

fn index_of<T: PartialEq>(all: &mut Vec<T>, item: T) -> usize {
    all.iter().position(|held| *held == item).unwrap_or_else(|| {
        all.push(item);
        all.len().saturating_sub(1)
    })
}

fn check(rule: &Rule, issues: &mut ConfigIssues) {
    let printable = rule.name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if rule.name.is_empty() || rule.name.len() > 64 || !printable {
        issues.add("name", "it is not 1 to 64 characters of printable ASCII", "use a short name, as in \"login\"");
    }
    if let Some((reason, cure)) = rule.key.fault() {
        issues.add("key", reason, cure);
    }
    if rule.cost == 0 {
        issues.add("cost", "a cost of zero charges nothing", "use 1 or more");
    }
    for endpoint in &rule.on {
        if let Some((reason, cure)) = endpoint.fault() {
            issues.add(format!("on[{endpoint}]"), reason, cure);
        }
    }
    for (plan, endpoint, _) in all_limits(rule) {
        if plan.is_some_and(str::is_empty) {
            issues.add("plan", "the name is empty", "use the plan's name as the credential carries it");
        }
        if plan.is_some() && rule.key.is_global() {
            issues.add(field(plan, endpoint), "all callers together have no plan", "leave it out");
        }
        if let Some((endpoint, (reason, cure))) = endpoint.and_then(|place| Some((place, place.fault()?))) {
            issues.add(format!("endpoint[{endpoint}]"), reason, cure);
        }
    }
}

fn compile_limit(
    rule: &Rule,
    endpoint: Option<&Endpoint>,
    limit: &Limit,
    field: &str,
    issues: &mut ConfigIssues,
) -> Option<CompiledLimit> {
    let algorithm = match &limit.0 {
        Amount::Unlimited => return None,
        Amount::Custom(algorithm) => Arc::clone(algorithm),
        Amount::Rate(rate) => issues.take(field, rule.family.algorithm(*rate))?,
    };
    let fresh = algorithm.step(None, Timestamp::EPOCH, Op::Take(rule.cost)).decision;
    if fresh.is_never() {
        issues.add(
            field.to_owned(),
            "the cost exceeds what the limit ever allows, so nothing passes",
            "raise the burst",
        );
    }
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
        header,
        item: item.into(),
        quoted: quoted.into(),
        id: algorithm.id(),
        algorithm,
    })
}

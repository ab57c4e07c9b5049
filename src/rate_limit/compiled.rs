//! Rules as a request meets them: checked, and with everything rendered that can be.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

pub(super) use super::limit_of::CompiledLimit;
use super::{
    Charge, Cost, HashedPart, HashedRule, Key, KeyPart, Op, Rule, StatusClass,
    cost::Source,
    endpoint::Endpoint,
    exemption::Exemptions,
    identity::hash_part,
    limit_of::{compile_limit, complete},
    owned::OwnedCharge,
    picks::Pick,
    shadow::ShadowCounts,
    store_loss::OnStoreLoss,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    request::RequestContext,
};

/// One rule.
#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) name: Box<str>,
    /// Of the name, as a part of a key.
    hash: u128,
    pub(super) key: Key,
    pub(super) shadow: Option<Arc<ShadowCounts>>,
    pub(super) loss: OnStoreLoss,
    pub(super) exempt: Exemptions,
    /// The first is what holds where no other does.
    pub(super) prices: Box<[Cost]>,
    status_costs: [Option<u64>; StatusClass::COUNT],
    pub(super) settles: bool,
    has_plans: bool,
    /// By plan and endpoint, the more specific endpoint first.
    choices: Box<[Choice]>,
    default: usize,
    /// Plan and choice, in the order of the plans.
    plans: Box<[(usize, usize)]>,
}

#[derive(Debug)]
struct Choice {
    endpoint: Option<Endpoint>,
    /// The endpoint's hash, as a part of a key.
    place: u128,
    /// Absent: unlimited.
    limit: Option<Arc<CompiledLimit>>,
}

/// The limits of a rule at one endpoint.
#[derive(Debug, Default)]
pub(super) struct Here {
    pub(super) rule: usize,
    /// For everybody.
    any: Option<usize>,
    /// Plan and choice, in the order of the plans.
    plans: Vec<(usize, usize)>,
}

impl Here {
    /// The level of what holds here, and the choice.
    pub(super) fn best(&self, plan: Option<usize>) -> Option<(u8, usize)> {
        let of_plan = plan.and_then(|plan| find(&self.plans, plan));
        of_plan.map(|choice| (0, choice)).or_else(|| Some((1, self.any?)))
    }
}

fn find(plans: &[(usize, usize)], plan: usize) -> Option<usize> {
    let at = plans.binary_search_by_key(&plan, |(plan, _)| *plan).ok()?;
    plans.get(at).map(|(_, choice)| *choice)
}

/// The plans that rules speak of, by number.
pub(super) type PlanNames = HashMap<Box<str>, usize>;

impl CompiledRule {
    /// What holds where no endpoint says otherwise: its level, and the choice.
    pub(super) fn everywhere(&self, plan: Option<usize>) -> (u8, usize) {
        match plan.and_then(|plan| find(&self.plans, plan)) {
            Some(choice) => (2, choice),
            None => (3, self.default),
        }
    }

    /// Whether it goes by who calls, which only an `AuthLayer` outside can tell.
    pub(super) fn needs_principal(&self) -> bool {
        self.key.needs_principal() || self.has_plans() || self.exempt.needs_principal()
    }

    pub(super) fn has_plans(&self) -> bool {
        self.has_plans
    }

    /// Whether a handler may say what a request cost.
    pub(super) fn reports(&self) -> bool {
        self.prices.iter().any(|price| price.source == Source::Reported)
    }

    pub(super) fn limit(&self, choice: usize) -> Option<&Arc<CompiledLimit>> {
        self.choices.get(choice)?.limit.as_ref()
    }

    pub(super) fn price(&self, pick: &Pick) -> Option<&Cost> {
        self.prices.get(pick.price)
    }

    pub(super) fn status_cost(&self, class: StatusClass) -> Option<u64> {
        self.status_costs.get(class.index()).copied().flatten()
    }

    /// The charge of a request, or `None` if the rule does not apply. In the process's own store the
    /// limit is this process's share of it.
    pub(super) fn charge<'a>(
        &'a self,
        pick: &Pick,
        op: Op,
        local: bool,
        context: &'a RequestContext,
        texts: &'a [Box<[u8]>],
    ) -> Option<Charge<'a>> {
        let choice = self.choices.get(pick.choice)?;
        let limit = choice.limit.as_ref()?;
        let texts = texts.get(pick.texts..).unwrap_or_default();
        let rule = HashedRule::again(&self.name, self.hash);
        let charge = |key| match &limit.local {
            Some(algorithm) if local => Charge::new(key, &**algorithm, op),
            _ => Charge::of(key, limit.id, &*limit.algorithm, op),
        };
        match &choice.endpoint {
            // Each with its own end, so that a key to which nothing is added is made where it stays.
            None => self.key.of_request(rule, context, texts).map(charge),
            Some(endpoint) => {
                let key = self.key.of_request(rule, context, texts)?;
                key.with(HashedPart::again(part(endpoint), choice.place)).map(charge)
            }
        }
    }

    /// The same, for what is asked of it later: by then the context may tell another key.
    pub(super) fn owned(
        &self,
        pick: &Pick,
        local: bool,
        context: &RequestContext,
        texts: &[Box<[u8]>],
    ) -> Option<OwnedCharge> {
        let charge = self.charge(pick, Op::Peek, local, context, texts)?;
        let limit = self.limit(pick.choice)?;
        let algorithm = limit.local.as_ref().filter(|_| local).unwrap_or(&limit.algorithm);
        Some(OwnedCharge::of(charge.key(), Arc::clone(algorithm)))
    }
}

fn part(endpoint: &Endpoint) -> KeyPart<'_> {
    KeyPart::Endpoint { method: endpoint.method.as_str(), route: Some(&endpoint.path) }
}

/// A rule, and what it says of endpoints.
pub(super) struct Compiled {
    pub(super) rule: CompiledRule,
    pub(super) limits: Vec<(Endpoint, Here)>,
    /// Endpoint and price.
    pub(super) costs: Vec<(Endpoint, usize)>,
}

/// # Errors
/// Everything that is wrong with it.
pub(super) fn compile_rule(index: usize, rule: &Rule, names: &mut PlanNames) -> Result<Compiled, ConfigError> {
    let mut issues = ConfigIssues::new();
    check(rule, &mut issues);
    let exempt = Exemptions::compile(&rule.exempt, &mut issues);
    let mut limits = ordered(rule);
    limits.sort_by_key(|(_, endpoint, _)| endpoint.map_or((0, 0), Endpoint::vagueness));
    let mut seen = HashSet::new();
    let mut choices = Vec::with_capacity(limits.len());
    let mut here: HashMap<&Endpoint, Here> = HashMap::new();
    let (mut default, mut plans) = (0, Vec::new());
    for (choice, (plan, endpoint, limit)) in limits.into_iter().enumerate() {
        let field = field(plan, endpoint);
        if !seen.insert((plan, endpoint)) {
            issues.add(field.clone(), "it is given twice", "remove one");
        }
        let number = plan.map(|plan| number(names, plan));
        let limit = compile_limit(rule, endpoint, limit, &field, &mut issues);
        let place = endpoint.map_or(0, |endpoint| hash_part(&part(endpoint)));
        choices.push(Choice { endpoint: endpoint.cloned(), place, limit: limit.map(Arc::new) });
        match (endpoint.map(|endpoint| here.entry(endpoint).or_default()), number) {
            (Some(here), Some(plan)) => here.plans.push((plan, choice)),
            (Some(here), None) => here.any = Some(choice),
            (None, Some(plan)) => plans.push((plan, choice)),
            (None, None) => default = choice,
        }
    }
    let mut all: Vec<_> = choices
        .iter_mut()
        .filter_map(|Choice { endpoint, limit, .. }| Some((endpoint.as_ref(), Arc::get_mut(limit.as_mut()?)?)))
        .collect();
    complete(rule, &mut all);
    plans.sort_unstable();
    let limits = here.into_iter().map(|(endpoint, mut here)| {
        here.plans.sort_unstable();
        (endpoint.clone(), Here { rule: index, ..here })
    });
    let limits = limits.collect();
    let (prices, costs) = prices(rule);
    let compiled = CompiledRule {
        name: rule.name.as_str().into(),
        hash: HashedRule::from(rule.name.as_str()).hash(),
        key: rule.key.clone(),
        shadow: rule.shadow.then(Arc::default),
        loss: rule.loss,
        exempt,
        settles: rule.settles(),
        has_plans: !rule.plans.is_empty() || !rule.plan_endpoints.is_empty(),
        prices,
        status_costs: rule.status_costs,
        choices: choices.into(),
        default,
        plans: plans.into(),
    };
    issues.finish(Compiled { rule: compiled, limits, costs })
}

/// All prices of a rule, and where each holds; the more specific endpoint has the smaller number.
fn prices(rule: &Rule) -> (Box<[Cost]>, Vec<(Endpoint, usize)>) {
    let mut costs: Vec<_> = rule.costs.iter().collect();
    costs.sort_by_key(|(endpoint, _)| endpoint.vagueness());
    let prices = std::iter::once(&rule.cost).chain(costs.iter().map(|(_, cost)| cost)).cloned().collect();
    let places = costs.into_iter().zip(1..).map(|((endpoint, _), price)| (endpoint.clone(), price)).collect();
    (prices, places)
}

fn number(names: &mut PlanNames, plan: &str) -> usize {
    if let Some(number) = names.get(plan) {
        return *number;
    }
    let number = names.len();
    names.insert(plan.into(), number);
    number
}

type Given<'a> = (Option<&'a str>, Option<&'a Endpoint>, &'a super::Limit);

fn ordered(rule: &Rule) -> Vec<Given<'_>> {
    let plan_endpoints =
        rule.plan_endpoints.iter().map(|(plan, place, limit)| (Some(plan.as_str()), Some(place), limit));
    let endpoints = rule.endpoints.iter().map(|(place, limit)| (None, Some(place), limit));
    let plans = rule.plans.iter().map(|(plan, limit)| (Some(plan.as_str()), None, limit));
    plan_endpoints.chain(endpoints).chain(plans).chain([(None, None, &rule.limit)]).collect()
}

fn field(plan: Option<&str>, endpoint: Option<&Endpoint>) -> String {
    match (plan, endpoint) {
        (None, None) => "limit".into(),
        (Some(plan), None) => format!("plan[{plan}]"),
        (None, Some(endpoint)) => format!("endpoint[{endpoint}]"),
        (Some(plan), Some(endpoint)) => format!("plan_endpoint[{plan}, {endpoint}]"),
    }
}

fn check(rule: &Rule, issues: &mut ConfigIssues) {
    let printable = rule.name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if rule.name.is_empty() || rule.name.len() > 64 || !printable {
        issues.add("name", "it is not 1 to 64 characters of printable ASCII", "use a short name, as in \"login\"");
    }
    if let Some((reason, cure)) = rule.key.fault() {
        issues.add("key", reason, cure);
    }
    if rule.cost == Cost::units(0) {
        issues.add("cost", "a cost of zero charges nothing", "use 1 or more");
    }
    rule.cost.check("cost", issues);
    let mut costs = HashSet::new();
    for (endpoint, cost) in &rule.costs {
        let field = format!("cost_at[{endpoint}]");
        cost.check(&field, issues);
        if !costs.insert(endpoint) {
            issues.add(field, "it is given twice", "remove one");
        }
    }
    if let super::OnStoreLoss::Local { share: 0 } = rule.loss {
        issues.add("on_store_loss", "a share of one in zero", "say how many processes share the limit");
    }
    if rule.block.is_some_and(|block| block.is_zero() || block > super::Blocking::LONGEST) {
        issues.add("block_for", "it is zero, or longer than 30 days", "use a few minutes");
    }
    let places = rule.on.iter().map(|place| (format!("on[{place}]"), place));
    let priced = rule.costs.iter().map(|(place, _)| (format!("cost_at[{place}]"), place));
    for (field, endpoint) in places.chain(priced) {
        if let Some((reason, cure)) = endpoint.fault() {
            issues.add(field, reason, cure);
        }
    }
    for (plan, endpoint, _) in ordered(rule) {
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

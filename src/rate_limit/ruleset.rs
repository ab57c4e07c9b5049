//! All rules of a layer, and which of them hold for a request.

use std::{collections::HashSet, sync::Arc};

use super::{
    Batch, Charge, Exemption, Op, RequestView, Rule,
    compiled::{CompiledRule, Here, PlanNames, compile_rule},
    exemption::Exemptions,
    limit_of::CompiledLimit,
    picks::{Full, Pick, Picks},
    places::{Places, Target},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rejection::Rejection,
    request::RequestContext,
};

/// Checked rules. What a request costs to look up does not grow with their number.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what need not be looked for in each request")]
pub(super) struct RuleSet {
    rules: Box<[CompiledRule]>,
    /// Those that are not restricted to endpoints.
    everywhere: Box<[usize]>,
    on: Places<usize>,
    limits: Places<Here>,
    /// Rule and price.
    costs: Places<(usize, usize)>,
    /// Where a rule does not hold; `None` where none does.
    exempt_places: Places<Option<usize>>,
    exempt: Exemptions,
    exempts: bool,
    plans: PlanNames,
    needs_principal: bool,
    plain: bool,
    pub(super) settles: bool,
    /// Whether a handler may say what a request cost.
    pub(super) reports: bool,
    pub(super) shadows: bool,
}

/// The rules that hold for a request, with what was taken from it.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) picks: Picks,
    /// What the context does not hold of the picks' keys, and what they cost.
    pub(super) texts: Vec<Box<[u8]>>,
}

impl RuleSet {
    /// # Errors
    /// Everything that is wrong with the rules.
    pub(super) fn compile(rules: &[Rule], exempt: &[Exemption]) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        check_names(rules, &mut issues);
        let mut plans = PlanNames::new();
        let (mut limits, mut costs, mut exempt_places) = (Places::new(), Places::new(), Places::new());
        let mut compiled = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let Some(one) = issues.take(&format!("rule[{}]", rule.name), compile_rule(index, rule, &mut plans)) else {
                continue;
            };
            one.limits.into_iter().for_each(|(endpoint, here)| limits.insert(&endpoint, here));
            one.costs.into_iter().for_each(|(endpoint, price)| costs.insert(&endpoint, (index, price)));
            rule.exempt.iter().filter_map(Exemption::place).for_each(|place| exempt_places.insert(place, Some(index)));
            compiled.push(one.rule);
        }
        exempt.iter().filter_map(Exemption::place).for_each(|place| exempt_places.insert(place, None));
        let exempt = Exemptions::compile(exempt, &mut issues);
        let mut on = Places::new();
        for (index, rule) in rules.iter().enumerate() {
            rule.on.iter().for_each(|place| on.insert(place, index));
        }
        let everywhere = rules.iter().enumerate().filter(|(_, rule)| rule.on.is_empty()).map(|(index, _)| index);
        let everywhere: Box<[usize]> = everywhere.collect();
        check_number(rules, &on, everywhere.len(), &mut issues);
        let own = |rule: &CompiledRule| !rule.exempt.is_empty();
        let exempts = !exempt.is_empty() || !exempt_places.is_empty() || compiled.iter().any(own);
        let looked_for = exempts || !plans.is_empty() || !limits.is_empty() || !costs.is_empty();
        issues.finish(Self {
            plain: !looked_for && everywhere.len() == rules.len(),
            needs_principal: compiled.iter().any(CompiledRule::needs_principal) || exempt.needs_principal(),
            settles: compiled.iter().any(|rule| rule.settles),
            reports: compiled.iter().any(CompiledRule::reports),
            shadows: compiled.iter().any(|rule| rule.shadow.is_some()),
            exempts,
            rules: compiled.into(),
            everywhere,
            on,
            limits,
            costs,
            exempt_places,
            exempt,
            plans,
        })
    }

    /// Whether it goes by who calls, which only an `AuthLayer` outside can tell.
    pub(super) fn needs_principal(&self) -> bool {
        self.needs_principal
    }

    /// Whether a rule treats plans differently.
    pub(super) fn has_plans(&self) -> bool {
        !self.plans.is_empty()
    }

    /// The number of a plan of which a rule speaks.
    pub(super) fn plan(&self, name: &str) -> Option<usize> {
        self.plans.get(name).copied()
    }

    pub(super) fn rule(&self, pick: &Pick) -> Option<&CompiledRule> {
        self.rules.get(pick.rule)
    }

    pub(super) fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    pub(super) fn limit(&self, pick: &Pick) -> Option<&Arc<CompiledLimit>> {
        self.rule(pick)?.limit(pick.choice)
    }

    /// Whether every rule holds everywhere, for everybody, by one limit and at one price: then
    /// [`hold`](Self::hold) leaves nothing to [`choose`](Self::choose), and no plan is asked for.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The rules that hold for a request, whatever the caller's plan.
    pub(super) fn hold(&self, view: &RequestView<'_>, held: &mut Held) -> Result<(), Rejection> {
        if self.plain { self.hold_plain(view, held) } else { self.look_for(view, held) }
    }

    /// The same where nothing is to be looked for: every rule is gone through once.
    fn hold_plain(&self, view: &RequestView<'_>, held: &mut Held) -> Result<(), Rejection> {
        let mut refused = None;
        for (index, rule) in self.rules.iter().enumerate() {
            let order = rule.everywhere(None);
            let mut pick = Pick { rule: index, choice: order.1, order, ..Pick::default() };
            match take_key(rule, &mut pick, &mut held.texts, view) {
                Ok(true) if rule.limit(pick.choice).is_some() => held.picks.push(pick).map_err(|Full| too_many())?,
                Ok(_) => {}
                Err(rejection) => {
                    refused.get_or_insert(rejection);
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn look_for(&self, view: &RequestView<'_>, held: &mut Held) -> Result<(), Rejection> {
        self.here(view, &mut held.picks)?;
        if self.exempts {
            self.drop_exempt(&mut held.picks, view);
        }
        self.take_keys(held, view)
    }

    /// The rules that hold at the request's endpoint.
    pub(super) fn here(&self, view: &RequestView<'_>, picks: &mut Picks) -> Result<(), Rejection> {
        let mut full = None;
        for rule in &self.everywhere {
            full = full.or(picks.add(*rule).err());
        }
        self.on.visit(target(view), &mut |rule| full = full.or(picks.add(*rule).err()));
        full.map_or(Ok(()), |Full| Err(too_many()))
    }

    /// Takes from the request what the keys need and what it costs. Rules that do not apply, or cost
    /// nothing, are dropped.
    pub(super) fn take_keys(&self, held: &mut Held, view: &RequestView<'_>) -> Result<(), Rejection> {
        let Held { picks, texts } = held;
        self.costs.visit(target(view), &mut |(rule, price)| {
            if let Some(pick) = picks.of_rule(*rule)
                && (pick.price == 0 || *price < pick.price)
            {
                pick.price = *price;
            }
        });
        let mut refused = None;
        picks.retain(|pick| {
            let Some(rule) = self.rule(pick) else { return false };
            take_key(rule, pick, texts, view).unwrap_or_else(|rejection| {
                refused.get_or_insert(rejection);
                false
            })
        });
        refused.map_or(Ok(()), Err)
    }

    pub(super) fn drop_exempt(&self, picks: &mut Picks, view: &RequestView<'_>) {
        let mut all = self.exempt.hold_for(view);
        self.exempt_places.visit(target(view), &mut |rule| match rule {
            Some(rule) => picks.retain(|pick| pick.rule != *rule),
            None => all = true,
        });
        picks.retain(|pick| !all && self.rule(pick).is_some_and(|rule| !rule.exempt.hold_for(view)));
    }

    /// Whether the plan makes a difference for the request.
    pub(super) fn wants_plan(&self, picks: &Picks) -> bool {
        self.has_plans() && picks.iter().any(|pick| self.rule(pick).is_some_and(CompiledRule::has_plans))
    }

    /// Which limit of each rule holds. Rules whose limit for the caller is none are dropped.
    pub(super) fn choose(&self, picks: &mut Picks, view: &RequestView<'_>, plan: Option<usize>) {
        for pick in picks.iter_mut() {
            if let Some(rule) = self.rules.get(pick.rule) {
                let (level, choice) = rule.everywhere(plan);
                (pick.order, pick.choice) = ((level, choice), choice);
            }
        }
        self.limits.visit(target(view), &mut |here| {
            if let Some((level, choice)) = here.best(plan)
                && let Some(pick) = picks.of_rule(here.rule)
                && (level, choice) < pick.order
            {
                (pick.order, pick.choice) = ((level, choice), choice);
            }
        });
        picks.retain(|pick| self.limit(pick).is_some());
    }

    /// Puts the charges of some of the picks into a batch, which has room for eight and is worth no copy.
    /// Picks that there is no charge for are none of the request's.
    pub(super) fn fill<'a>(
        &'a self,
        batch: &mut Batch<'a>,
        held: &'a Held,
        context: &'a RequestContext,
        local: bool,
        op: impl Fn(&Pick, &CompiledRule) -> Option<Op>,
    ) {
        for pick in held.picks.iter() {
            let Some(rule) = self.rule(pick) else { continue };
            let charge = op(pick, rule).and_then(|op| rule.charge(pick, op, local, context, &held.texts));
            // As many places as there can be picks.
            let _ = charge.map(|charge| batch.push(charge));
        }
    }

    /// The charge of the one pick, if there are no others.
    pub(super) fn only<'a>(
        &'a self,
        held: &'a Held,
        context: &'a RequestContext,
        local: bool,
        op: impl Fn(&Pick, &CompiledRule) -> Option<Op>,
    ) -> Option<Charge<'a>> {
        let pick = held.picks.only()?;
        let rule = self.rule(pick)?;
        rule.charge(pick, op(pick, rule)?, local, context, &held.texts)
    }

    /// Goes on counting where the rules before it stopped.
    pub(super) fn inherit(&mut self, before: &Self) {
        for rule in &mut self.rules {
            if let Some(counts) = &mut rule.shadow
                && let Some(old) = before.rules.iter().find(|old| old.name == rule.name)
                && let Some(old) = &old.shadow
            {
                *counts = Arc::clone(old);
            }
        }
    }
}

/// Takes from the request what a rule's key needs and what it costs: whether the rule applies, and costs
/// something.
#[inline]
fn take_key(
    rule: &CompiledRule,
    pick: &mut Pick,
    texts: &mut Vec<Box<[u8]>>,
    view: &RequestView<'_>,
) -> Result<bool, Rejection> {
    if !rule.key.applies(view.context()) {
        return Ok(false);
    }
    pick.texts = texts.len();
    let applies = rule.key.take_texts(view, texts)?;
    pick.units = rule.price(pick).map_or(Ok(0), |price| price.on_entry(view))?;
    Ok(applies && pick.units > 0)
}

fn target<'a>(view: &RequestView<'a>) -> Target<'a> {
    Target { method: view.method(), route: view.context().route(), path: view.uri().path() }
}

fn too_many() -> Rejection {
    Rejection::misconfigured("more than eight rate limits hold at one place")
}

fn check_names(rules: &[Rule], issues: &mut ConfigIssues) {
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
}

fn check_number(rules: &[Rule], on: &Places<usize>, everywhere: usize, issues: &mut ConfigIssues) {
    let places: HashSet<_> = rules.iter().flat_map(|rule| &rule.on).collect();
    let here = |place: &&super::endpoint::Endpoint| {
        let mut met = HashSet::new();
        on.overlapping(place, &mut |rule| {
            met.insert(*rule);
        });
        met.len()
    };
    let worst = places.iter().map(here).max().unwrap_or(0);
    if everywhere.saturating_add(worst) > Batch::MAX {
        issues.add(
            "rule",
            format!("more than {} rules can apply to one request", Batch::MAX),
            "restrict rules to endpoints, merge them, or use a second layer",
        );
    }
}

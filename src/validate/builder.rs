use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use http::Method;

use super::{
    RequestFilter, RequestValidationLayer, Rule, Rules, SchemaStatus, filter,
    json::Bounds,
    layer::{Unlisted, ValidationGate},
    limits::{BODY_DEADLINE, MAX_BODY, MINIMUM_RATE, SizeSettings, check_pace},
    lints::{ENCODED_SLASHES, UNLISTED_ROUTES},
    path::EncodedSlash,
    rule::{Defaults, check_depth},
    rules::Table,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    lint::{Lints, Report},
};

/// Deeper than any message that people write; the standard library of .NET has the same.
const MAX_DEPTH: usize = 64;
/// At 32 bytes each, and their texts.
const MAX_VALUES: usize = 1_000_000;
const MAX_QUERY: usize = 100;
const MOST_FILTERS: usize = 16;
const LONGEST_FILTER_TIMEOUT: Duration = Duration::from_secs(60);

/// Builds a [`RequestValidationLayer`]. See the [module](super) for a complete one.
#[derive(Clone, Debug)]
#[must_use]
pub struct RequestValidationLayerBuilder {
    rules: Rules,
    default_rule: Rule,
    unlisted: Unlisted,
    defaults: Defaults,
    slash: EncodedSlash,
    max_query: usize,
    filters: Vec<Arc<dyn RequestFilter>>,
    filter_timeout: Duration,
    lints: Lints,
}

impl RequestValidationLayerBuilder {
    pub(super) fn new() -> Self {
        Self {
            rules: Rules::new(),
            default_rule: Rule::json(),
            unlisted: Unlisted::Default,
            defaults: Defaults {
                sizes: SizeSettings { most: Some(MAX_BODY), plans: Vec::new() },
                deadline: BODY_DEADLINE,
                rate: MINIMUM_RATE,
                bounds: Bounds { depth: MAX_DEPTH, values: MAX_VALUES },
                status: SchemaStatus::Unprocessable,
            },
            slash: EncodedSlash::Refused,
            max_query: MAX_QUERY,
            filters: Vec::new(),
            filter_timeout: filter::TIMEOUT,
            lints: Lints::new(),
        }
    }

    /// The rule of one route: [`Rules::route`].
    pub fn route(mut self, method: Method, path: impl Into<String>, rule: Rule) -> Self {
        self.rules = self.rules.route(method, path, rule);
        self
    }

    /// The rules of many routes.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = self.rules.merge(rules);
        self
    }

    /// The rule of routes that have none of their own. Default: [`Rule::json`].
    pub fn default_rule(mut self, rule: Rule) -> Self {
        self.default_rule = rule;
        self
    }

    /// Refuses routes that have no rule: 404, or 405 with `Allow` where the path has rules for other
    /// methods. Default: the default rule holds for them.
    pub fn refuse_unlisted(mut self) -> Self {
        self.unlisted = Unlisted::Refused;
        self
    }

    /// The largest body, in bytes. Default: 10 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.defaults.sizes.most = Some(bytes);
        self
    }

    /// The largest body of callers who have this plan. It needs an `AuthLayer` outside: nobody else
    /// knows the caller's plan.
    pub fn plan_max_body(mut self, plan: impl Into<String>, bytes: usize) -> Self {
        self.defaults.sizes.plans.push((plan.into(), bytes));
        self
    }

    /// How long a body may take to arrive, in all; then 408. Default: 30 s.
    pub fn body_deadline(mut self, limit: Duration) -> Self {
        self.defaults.deadline = limit;
        self
    }

    /// How many bytes of a body must arrive in a second, over each five seconds but the last; else 408.
    /// Default: 240.
    pub fn minimum_rate(mut self, bytes_per_second: u32) -> Self {
        self.defaults.rate = bytes_per_second;
        self
    }

    /// How many arrays and objects may stand in each other, 126 at most. Default: 64.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.defaults.bounds.depth = levels;
        self
    }

    /// How many values a JSON document may hold: each takes some 32 bytes of memory and up, and as few
    /// as two in the body. Default: a million.
    pub fn max_values(mut self, values: usize) -> Self {
        self.defaults.bounds.values = values;
        self
    }

    /// How many parameters a query may have. Default: 100.
    pub fn max_query_parameters(mut self, parameters: usize) -> Self {
        self.max_query = parameters;
        self
    }

    /// The status of what is not as its schema says. Default: 422.
    pub fn schema_status(mut self, status: SchemaStatus) -> Self {
        self.defaults.status = status;
        self
    }

    /// Asks a filter about each request that holds; 16 at most.
    pub fn filter(mut self, filter: impl RequestFilter) -> Self {
        self.filters.push(Arc::new(filter));
        self
    }

    /// How long each filter may take; then 503. Default: 3 s.
    pub fn filter_timeout(mut self, limit: Duration) -> Self {
        self.filter_timeout = limit;
        self
    }

    /// Lets `%2F` stand in a path, as a character of its segment. A proxy in front, or a service behind,
    /// that decodes it sees another path than the one that was routed and authorised.
    pub fn dangerously_allow_encoded_slashes(mut self) -> Self {
        self.slash = EncodedSlash::Allowed;
        self
    }

    /// Allows a finding, and says why.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.lints = self.lints.allow(code, why);
        self
    }

    /// Everything that is doubtful about the configuration, without building it.
    #[must_use]
    pub fn lint(&self) -> Report {
        self.look().2.report()
    }

    /// The layer.
    ///
    /// # Errors
    /// Every media type, path, schema and limit that makes no sense, and each critical or high finding
    /// that is not allowed.
    pub fn build(self) -> Result<RequestValidationLayer, ConfigError> {
        let (mut gate, mut issues, lints) = self.look();
        let report = lints.report();
        report.add_to(&mut issues);
        gate.waivers = report.waivers("validation");
        issues.finish(RequestValidationLayer::new(gate, report))
    }

    /// What fails for other reasons than a finding.
    #[cfg(feature = "json-schema")]
    pub(super) fn add_mistakes(&self, issues: &mut ConfigIssues) {
        if let Err(error) = self.look().1.finish(()) {
            issues.merge("", error);
        }
    }

    fn look(&self) -> (ValidationGate, ConfigIssues, Lints) {
        let (mut issues, mut lints) = (ConfigIssues::new(), self.lints.clone());
        self.check(&mut issues, &mut lints);
        let default = self.default_rule.compile(None, "default_rule.", &self.defaults, &mut issues, &mut lints);
        let gate = ValidationGate {
            table: Table::compile(&self.rules, &self.defaults, &mut issues, &mut lints),
            default: Arc::new(default),
            unlisted: self.unlisted,
            slash: self.slash,
            max_query: self.max_query,
            filters: self.filters.iter().cloned().collect(),
            filter_timeout: self.filter_timeout,
            warned: AtomicBool::new(false),
            waivers: None,
        };
        (gate, issues, lints)
    }

    fn check(&self, issues: &mut ConfigIssues, lints: &mut Lints) {
        self.defaults.sizes.check("", issues, lints);
        check_pace(Some(self.defaults.deadline), Some(self.defaults.rate), "", issues);
        check_depth(Some(self.defaults.bounds.depth), "", issues);
        if self.defaults.bounds.values == 0 {
            issues.add("max_values", "it is zero", "use some thousands");
        }
        if self.filters.len() > MOST_FILTERS {
            issues.add("filter", "there are more than 16", "ask several things in one filter");
        }
        if self.filter_timeout.is_zero() || self.filter_timeout > LONGEST_FILTER_TIMEOUT {
            issues.add("filter_timeout", "it is zero, or more than a minute", "use some seconds");
        }
        if self.unlisted == Unlisted::Refused && self.rules.is_empty() {
            issues.add(
                "refuse_unlisted",
                "there is no rule, so every call would be refused",
                "add route(…) or rules(…)",
            );
        }
        if self.slash == EncodedSlash::Allowed {
            lints.add(&ENCODED_SLASHES, "dangerously_allow_encoded_slashes", "paths can be read in two ways", None);
        }
        if self.unlisted == Unlisted::Default && !self.rules.is_empty() {
            lints.add(&UNLISTED_ROUTES, "route", "a route without a rule takes JSON of any shape", None);
        }
    }
}

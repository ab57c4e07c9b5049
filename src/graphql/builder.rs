use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{
    GraphQlLimitGate, GraphQlLimitLayer, QueryCosts,
    judge::{Judge, Limits},
    lints::{self, Opened},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    gate::GateLayer,
    lint::{Lints, Report},
};

const MAX_BODY: usize = 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Builds a [`GraphQlLimitLayer`]. See the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct GraphQlLimitLayerBuilder {
    limits: Limits,
    costs: QueryCosts,
    opened: Opened,
    max_body: usize,
    body_timeout: Duration,
    graphql_errors: bool,
    allowed: Lints,
}

impl GraphQlLimitLayerBuilder {
    pub(super) fn new() -> Self {
        Self {
            limits: Limits::DEFAULT,
            costs: QueryCosts::new(),
            opened: Opened::default(),
            max_body: MAX_BODY,
            body_timeout: BODY_TIMEOUT,
            graphql_errors: false,
            allowed: Lints::new(),
        }
    }

    /// How many fields may be nested, through fragments; 15 by default. `{ a { b } }` is 2.
    pub fn max_depth(mut self, fields: u32) -> Self {
        self.limits.depth = fields.into();
        self
    }

    /// How many fields may have another name, of the whole request and wherever a fragment repeats them; 30
    /// by default. Aliases are how one request tries a hundred passwords.
    pub fn max_aliases(mut self, aliases: u32) -> Self {
        self.limits.aliases = aliases.into();
        self
    }

    /// How many fields of the outermost level may be asked for, of the whole request; 30 by default.
    pub fn max_root_fields(mut self, fields: u32) -> Self {
        self.limits.root_fields = fields.into();
        self
    }

    /// How many directives there may be, of the whole request; 50 by default.
    pub fn max_directives(mut self, directives: u32) -> Self {
        self.limits.directives = directives.into();
        self
    }

    /// How many tokens (names, signs, strings, numbers) the documents of a request may have; 10,000 by
    /// default. This is what bounds the work of this layer.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.limits.tokens = tokens.into();
        self
    }

    /// How many operations a request may send in a list; 10 by default. 1 is one, in a list or not.
    pub fn max_batch(mut self, operations: u32) -> Self {
        self.limits.batch = operations.into();
        self
    }

    /// What a request may cost, by [`costs`](Self::costs); 10,000 by default.
    pub fn max_cost(mut self, units: u64) -> Self {
        self.limits.cost = units;
        self
    }

    /// What fields cost; each field 1 by default, as often as `first` and `last` say.
    pub fn costs(mut self, costs: QueryCosts) -> Self {
        self.costs = costs;
        self
    }

    /// The largest body in bytes; 1 MiB by default. A larger one is 413.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How long a body may take to arrive; 30 s by default. Then 408.
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    /// Lets `__schema` and `__type` pass; they are refused by default. `__typename` always passes.
    pub fn allow_introspection(mut self) -> Self {
        self.opened.introspection = true;
        self
    }

    /// Lets queries pass that stand in the address of a GET; they are refused by default. Mutations by GET
    /// are refused in any case.
    pub fn allow_get(mut self) -> Self {
        self.opened.get = true;
        self
    }

    /// Lets requests pass that name a document instead of sending it; they are refused by default. See the
    /// [module](super#persisted-queries).
    pub fn allow_persisted_queries(mut self) -> Self {
        self.opened.persisted = true;
        self
    }

    /// Answers refusals of this layer as a GraphQL server does, with `errors`, in place of problem
    /// documents.
    pub fn graphql_errors(mut self) -> Self {
        self.graphql_errors = true;
        self
    }

    /// Allows a kind of finding, and says why.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.allowed = self.allowed.allow(code, why);
        self
    }

    /// What is doubtful about the settings, without building.
    pub fn lint(&self) -> Report {
        let mut lints = self.allowed.clone();
        lints::look(&self.limits, self.opened, &mut lints);
        lints.report()
    }

    /// The layer.
    ///
    /// # Errors
    /// A limit of zero, a list without items, a name that no field can have; and every critical or high
    /// finding that is not allowed.
    pub fn build(self) -> Result<GraphQlLimitLayer, ConfigError> {
        let report = self.lint();
        let mut issues = ConfigIssues::new();
        let Limits { depth, tokens, batch, root_fields, cost, .. } = self.limits;
        let body = u64::try_from(self.max_body).unwrap_or(u64::MAX);
        for (setter, value) in [
            ("max_depth", depth),
            ("max_tokens", tokens),
            ("max_batch", batch),
            ("max_root_fields", root_fields),
            ("max_cost", cost),
            ("max_body", body),
        ] {
            if value == 0 {
                issues.add(setter, "zero refuses every query", "use 1 or more");
            }
        }
        if self.body_timeout.is_zero() {
            issues.add("body_timeout", "no body arrives in no time", "use 30 s");
        }
        for (field, reason) in self.costs.mistakes() {
            issues.add(field, reason, "see QueryCosts");
        }
        report.add_to(&mut issues);
        issues.finish(())?;
        let judge = Judge {
            limits: self.limits,
            costs: self.costs,
            introspection: self.opened.introspection,
            persisted: self.opened.persisted,
        };
        let gate = GraphQlLimitGate {
            judge,
            get: self.opened.get,
            max_body: self.max_body,
            body_timeout: self.body_timeout,
            graphql_errors: self.graphql_errors,
            waivers: report.waivers("graphql_limit"),
        };
        Ok(GraphQlLimitLayer { gate: GateLayer::new(gate), report: Arc::new(report) })
    }
}

//! Whether a request may go on, and what it costs.

use super::{
    asked::Asked,
    costs::QueryCosts,
    document::{self, Kind, Reading},
    fault::{Fault, Limit},
    measure::{self, Operation},
};

/// How much is allowed at once. All but the depth are of the whole request: a batch is no way around them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) depth: u64,
    pub(super) aliases: u64,
    pub(super) root_fields: u64,
    pub(super) directives: u64,
    pub(super) tokens: u64,
    pub(super) batch: u64,
    pub(super) cost: u64,
}

impl Limits {
    pub(super) const DEFAULT: Self =
        Self { depth: 15, aliases: 30, root_fields: 30, directives: 50, tokens: 10_000, batch: 10, cost: 10_000 };

    pub(super) const fn of(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Depth => self.depth,
            Limit::Aliases => self.aliases,
            Limit::RootFields => self.root_fields,
            Limit::Directives => self.directives,
            Limit::Tokens => self.tokens,
            Limit::Batch => self.batch,
            Limit::Cost => self.cost,
        }
    }
}

/// Whether a method may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Safe,
    Unsafe,
}

#[derive(Clone, Debug)]
pub(super) struct Judge {
    pub(super) limits: Limits,
    pub(super) costs: QueryCosts,
    pub(super) introspection: bool,
    pub(super) persisted: bool,
}

/// What a request's operations come to together.
#[derive(Clone, Copy, Default)]
struct Tally {
    roots: u64,
    aliases: u64,
    directives: u64,
    cost: u64,
}

impl Judge {
    /// What the request costs, if it may go on.
    pub(super) fn judge(&self, asked: &[Asked], method: Method) -> Result<u64, Fault> {
        let mut tokens = self.limits.tokens;
        let mut tally = Tally::default();
        for one in asked {
            let Some(query) = &one.query else {
                self.known()?;
                tally.cost = tally.cost.saturating_add(1);
                continue;
            };
            let reading = Reading { depth: self.limits.depth, tokens, costs: &self.costs, variables: &one.variables };
            let document = document::read(query, reading)?;
            tokens = document.tokens_left;
            let operations = measure::operations(&document)?;
            if document.introspects && !self.introspection {
                return Err(Fault::Invalid("Introspection is switched off."));
            }
            self.add(&operations, one, method, &mut tally)?;
        }
        Ok(tally.cost.max(1))
    }

    /// A document that is not in the request has been judged elsewhere, or never.
    fn known(&self) -> Result<(), Fault> {
        if self.persisted { Ok(()) } else { Err(Fault::Malformed("The parameter `query` is missing.")) }
    }

    /// Every operation must keep the limits, also one that is not the one to be executed.
    fn add(&self, operations: &[Operation<'_>], asked: &Asked, method: Method, tally: &mut Tally) -> Result<(), Fault> {
        let greatest = |of: fn(&Operation<'_>) -> u64| operations.iter().map(of).max().unwrap_or_default();
        let exceeds = |limit: Limit, sum: u64| {
            if sum > self.limits.of(limit) { Err(Fault::Exceeded(limit)) } else { Ok(sum) }
        };
        exceeds(Limit::Depth, greatest(|operation| operation.sums.depth))?;
        tally.roots =
            exceeds(Limit::RootFields, tally.roots.saturating_add(greatest(|operation| operation.sums.roots)))?;
        tally.aliases =
            exceeds(Limit::Aliases, tally.aliases.saturating_add(greatest(|operation| operation.sums.aliases)))?;
        tally.directives = exceeds(
            Limit::Directives,
            tally.directives.saturating_add(greatest(|operation| operation.sums.directives)),
        )?;
        exceeds(Limit::Cost, tally.cost.saturating_add(greatest(|operation| operation.sums.cost)))?;
        let chosen = chosen(operations, asked.operation.as_deref());
        if method == Method::Safe && chosen.iter().any(|operation| operation.kind == Kind::Mutation) {
            return Err(Fault::UnsafeMethod);
        }
        let cost = chosen.iter().map(|operation| operation.sums.cost).max().unwrap_or_default();
        tally.cost = tally.cost.saturating_add(cost);
        Ok(())
    }
}

/// The operation that will be executed; all of them, if it is not clear which.
fn chosen<'o, 'a>(operations: &'o [Operation<'a>], name: Option<&str>) -> &'o [Operation<'a>] {
    let place = operations.iter().position(|operation| name.is_some() && operation.name == name);
    // Of two with the same name it is not clear which.
    let is_alone = operations.iter().filter(|operation| operation.name == name).count() == 1;
    place.filter(|_| is_alone).and_then(|place| operations.get(place)).map_or(operations, std::slice::from_ref)
}

use http::HeaderValue;

use crate::{
    config_error::ConfigIssues,
    rate_limit::{
        HashedRule, Key, QuotaUnit, Rate,
        checks::check_names,
        headers::{policy_item, quote},
    },
    request::RequestContext,
};

/// How many requests of one key may be under way at once.
///
/// ```
/// use portcullis::rate_limit::{ConcurrencyLimit, Key};
///
/// let limit = ConcurrencyLimit::new("exports", Key::client(), 2).plan("pro", 10);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConcurrencyLimit {
    name: String,
    key: Key,
    most: u64,
    plans: Vec<(String, u64)>,
}

impl ConcurrencyLimit {
    /// At most so many at once for each key. The name is shown to clients, and is part of the permits'
    /// identity in the store: printable ASCII, up to 64 characters, unique in a layer.
    pub fn new(name: impl Into<String>, key: Key, most: u64) -> Self {
        Self { name: name.into(), key, most, plans: Vec::new() }
    }

    /// Another number for the callers of a plan.
    pub fn plan(mut self, plan: impl Into<String>, most: u64) -> Self {
        self.plans.push((plan.into(), most));
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn compile(&self, issues: &mut ConfigIssues) -> Option<Compiled> {
        let mut own = ConfigIssues::new();
        check_names(&self.name, &self.key, &mut own);
        for (plan, most) in self.plans.iter().map(|(plan, most)| (Some(plan), most)).chain([(None, &self.most)]) {
            let field = plan.map_or_else(|| "most".to_owned(), |plan| format!("plan[{plan}]"));
            if *most == 0 {
                own.add(field, "zero requests at once let nothing through", "use 1 or more");
            } else if *most > Rate::MOST {
                own.add(field, "more than 10^15 fit no header", "use 999999999999999 at most");
            }
        }
        for (index, (plan, _)) in self.plans.iter().enumerate() {
            if self.plans.iter().skip(index.saturating_add(1)).any(|(other, _)| other == plan) {
                own.add(format!("plan[{plan}]"), "it is given twice", "remove one");
            }
        }
        let compiled = Compiled {
            name: self.name.as_str().into(),
            quoted: quote(&self.name).into(),
            key: self.key.clone(),
            global: self.key.is_global(),
            choices: self
                .plans
                .iter()
                .map(|(plan, most)| Choice::new(Some(plan), &self.name, *most))
                .chain([Choice::new(None, &self.name, self.most)])
                .collect(),
        };
        match own.finish(compiled) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                issues.merge(&format!("limit[{}]", self.name), error);
                None
            }
        }
    }
}

/// A limit as a request meets it.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: Box<str>,
    pub(super) quoted: Box<str>,
    pub(super) key: Key,
    pub(super) global: bool,
    /// The last one is what holds otherwise.
    choices: Vec<Choice>,
}

#[derive(Debug)]
pub(super) struct Choice {
    plan: Option<Box<str>>,
    pub(super) most: u64,
    /// The item of `RateLimit-Policy`.
    pub(super) policy: HeaderValue,
}

impl Choice {
    fn new(plan: Option<&String>, name: &str, most: u64) -> Self {
        let item = policy_item(&quote(name), most, None, QuotaUnit::ConcurrentRequests);
        let plan = plan.map(|plan| plan.as_str().into());
        // A name that is not printable is reported before anything is built with it.
        Self { plan, most, policy: HeaderValue::try_from(item).unwrap_or(HeaderValue::from_static("")) }
    }
}

impl Compiled {
    pub(super) fn needs_principal(&self) -> bool {
        self.key.needs_principal() || self.choices.len() > 1
    }

    pub(super) fn rule(&self) -> HashedRule<'_> {
        HashedRule::from(&*self.name)
    }

    pub(super) fn pick(&self, context: &RequestContext) -> Option<&Choice> {
        let plan = match self.choices.len() {
            0 | 1 => None,
            _ => context.principal().and_then(|principal| principal.plan()),
        };
        let of_plan = plan.and_then(|plan| self.choices.iter().find(|choice| choice.plan.as_deref() == Some(plan)));
        of_plan.or_else(|| self.choices.last())
    }
}

use std::sync::Arc;

use http::HeaderValue;

use crate::config_error::ConfigIssues;

/// What a customer has bought: a name and an allowance for each calendar month (UTC).
///
/// ```
/// use portcullis::quota::Plan;
///
/// let free = Plan::new("free").monthly(10_000);
/// let enterprise = Plan::new("enterprise").unlimited();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    name: String,
    allowance: Option<Allowance>,
}

#[derive(Clone, Copy, Debug)]
enum Allowance {
    Monthly(u64),
    Unlimited,
}

const LONGEST_NAME: usize = 64;

impl Plan {
    /// A plan by the name that principals carry. It needs an allowance, too.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), allowance: None }
    }

    /// So many units in each calendar month. Zero lets nothing through.
    pub fn monthly(mut self, units: u64) -> Self {
        self.allowance = Some(Allowance::Monthly(units));
        self
    }

    /// Metered, but without limit.
    pub fn unlimited(mut self) -> Self {
        self.allowance = Some(Allowance::Unlimited);
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Ready for use. What is wrong goes to `issues`, and the result is then not used.
    pub(super) fn ready(self, cost: u64, issues: &mut ConfigIssues) -> ReadyPlan {
        let field = format!("plan[{:?}]", self.name);
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.bytes().all(|b| b.is_ascii_graphic()) {
            issues.add(field.clone(), "the name is not 1 to 64 visible ASCII characters", "use a name such as free");
        }
        let limit = match self.allowance {
            Some(Allowance::Monthly(units)) => {
                if (1..cost).contains(&units) {
                    issues.add(field, "one request costs more than the month's allowance", "allow more, or cost less");
                }
                Some(units)
            }
            Some(Allowance::Unlimited) => None,
            None => {
                issues.add(field, "has no allowance", "say monthly(units) or unlimited()");
                None
            }
        };
        ReadyPlan { name: self.name.into(), limit, limit_value: limit.map(HeaderValue::from) }
    }
}

/// A plan with what a response says of it.
#[derive(Debug)]
pub(super) struct ReadyPlan {
    pub(super) name: Arc<str>,
    pub(super) limit: Option<u64>,
    pub(super) limit_value: Option<HeaderValue>,
}

//! Plans as the gate needs them: checked, and with the header values written.

use std::sync::Arc;

use http::HeaderValue;

use super::plan::{Allowance, Plan};
use crate::{config_error::ConfigIssues, gate::constant};

const LONGEST_NAME: usize = 64;

impl Plan {
    /// Ready for use. What is wrong goes to `issues`, and the result is then not used.
    pub(super) fn ready(&self, cost: u64, issues: &mut ConfigIssues) -> ReadyPlan {
        let field = format!("plan[{:?}]", self.name());
        if self.name().is_empty()
            || self.name().len() > LONGEST_NAME
            || !self.name().bytes().all(|b| b.is_ascii_graphic())
        {
            issues.add(field.clone(), "the name is not 1 to 64 visible ASCII characters", "use a name such as free");
        }
        let limit = match self.allowance() {
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
        ReadyPlan { name: self.name().into(), limit, limit_value: limit.map(HeaderValue::from).map(constant) }
    }
}

/// A plan with what a response says of it.
#[derive(Debug)]
pub(super) struct ReadyPlan {
    pub(super) name: Arc<str>,
    pub(super) limit: Option<u64>,
    pub(super) limit_value: Option<HeaderValue>,
}

//! How large a body may be: for everybody, and by plan. How slowly it may come.

use std::time::Duration;

use super::lints::BODY_LIMIT_UNBOUNDED;
use crate::{config_error::ConfigIssues, gate::Pace, lint::Lints};

/// What the project's own gateways allow.
pub(super) const MAX_BODY: usize = 10 * 1024 * 1024;
/// A body is held in memory as a whole.
pub(super) const LARGE_BODY: usize = 100 * 1024 * 1024;
const MOST_PLANS: usize = 64;

pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(30);
const LONGEST_DEADLINE: Duration = Duration::from_secs(3_600);
/// Bytes in a second: Kestrel's, far below what any network gives.
pub(super) const MINIMUM_RATE: u32 = 240;
const HIGHEST_RATE: u32 = 1024 * 1024;
/// Over which the rate is taken: a network may stall for a moment.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(5);

/// What is configured, at one level.
#[derive(Clone, Debug, Default)]
pub(super) struct SizeSettings {
    pub(super) most: Option<usize>,
    pub(super) plans: Vec<(String, usize)>,
}

impl SizeSettings {
    pub(super) fn check(&self, field: &str, issues: &mut ConfigIssues, lints: &mut Lints) {
        let named = self.plans.iter().map(|(plan, most)| (format!("{field}plan_max_body[{plan:?}]"), *most));
        for (field, most) in self.most.iter().map(|most| (format!("{field}max_body"), *most)).chain(named) {
            if most == 0 {
                issues.add(field, "it is zero", "use 1 or more; Rule::bodyless() takes no body at all");
            } else if most > LARGE_BODY {
                let value = most.to_string();
                lints.add(&BODY_LIMIT_UNBOUNDED, field, "each request may take so much memory", Some(&value));
            }
        }
        for (index, (plan, _)) in self.plans.iter().enumerate() {
            if self.plans.iter().take(index).any(|(held, _)| held == plan) {
                issues.add(format!("{field}plan_max_body[{plan:?}]"), "the plan stands twice", "remove one");
            }
        }
        if self.plans.len() > MOST_PLANS {
            issues.add(format!("{field}plan_max_body"), "there are more than 64 plans", "name those that differ");
        }
    }

    /// What holds where a rule says this, and the layer that.
    pub(super) fn over(&self, layer: &Self) -> Sizes {
        let mut plans = self.plans.clone();
        // A rule's own limit for everybody comes before the layer's limits by plan.
        if self.most.is_none() {
            let more = layer.plans.iter().filter(|(plan, _)| !self.plans.iter().any(|(held, _)| held == plan));
            plans.extend(more.cloned());
        }
        Sizes {
            default: self.most.or(layer.most).unwrap_or(MAX_BODY),
            plans: plans.into_iter().map(|(plan, most)| (plan.into(), most)).collect(),
        }
    }
}

/// The largest body, by plan.
#[derive(Clone, Debug)]
pub(super) struct Sizes {
    default: usize,
    plans: Box<[(Box<str>, usize)]>,
}

impl Sizes {
    /// For the caller's plan; `None` is a caller without one, or none that is known.
    pub(super) fn of(&self, plan: Option<&str>) -> usize {
        let named = plan.and_then(|plan| self.plans.iter().find(|(held, _)| **held == *plan));
        named.map_or(self.default, |(_, most)| *most)
    }

    /// For whoever may send the most.
    pub(super) fn most(&self) -> usize {
        self.plans.iter().map(|(_, most)| *most).fold(self.default, usize::max)
    }

    pub(super) fn is_by_plan(&self) -> bool {
        !self.plans.is_empty()
    }
}

/// Mistakes of what is configured at one level.
pub(super) fn check_pace(deadline: Option<Duration>, rate: Option<u32>, field: &str, issues: &mut ConfigIssues) {
    if deadline.is_some_and(|deadline| deadline.is_zero() || deadline > LONGEST_DEADLINE) {
        issues.add(format!("{field}body_deadline"), "it is zero, or more than an hour", "use some seconds");
    }
    if rate.is_some_and(|rate| !(1..=HIGHEST_RATE).contains(&rate)) {
        issues.add(format!("{field}minimum_rate"), "it is not 1 byte to 1 MiB in a second", "use some hundred bytes");
    }
}

pub(super) fn pace(deadline: Duration, rate: u32) -> Pace {
    let least = u64::from(rate).saturating_mul(RATE_WINDOW.as_secs());
    Pace { deadline, window: RATE_WINDOW, least: usize::try_from(least).unwrap_or(usize::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_comes_before_the_layer_and_the_plan_before_everybody() {
        let of = |most, plans: &[(&str, usize)]| SizeSettings {
            most,
            plans: plans.iter().map(|(plan, most)| ((*plan).to_owned(), *most)).collect(),
        };
        let layer = of(Some(10), &[("pro", 100), ("free", 5)]);
        let all = |sizes: &Sizes| [None, Some("free"), Some("pro"), Some("other")].map(|plan| sizes.of(plan));
        assert_eq!(all(&of(None, &[]).over(&layer)), [10, 5, 100, 10]);
        assert_eq!(all(&of(Some(7), &[]).over(&layer)), [7, 7, 7, 7]);
        assert_eq!(all(&of(Some(7), &[("pro", 70)]).over(&layer)), [7, 7, 70, 7]);
        assert_eq!(all(&of(None, &[("pro", 70)]).over(&layer)), [10, 5, 70, 10]);
        assert_eq!(all(&of(None, &[]).over(&of(None, &[]))), [MAX_BODY; 4]);
        assert_eq!([of(None, &[]).over(&layer).most(), of(Some(7), &[]).over(&layer).most()], [100, 7]);
    }
}

//! How the answers of several policies become one: deny overrides. Pure.

use std::{borrow::Cow, sync::Arc};

use super::Effect;
use crate::{authz::StepUp, store::SharedError};

/// What was said so far: of each kind, the first.
#[derive(Debug, Default)]
pub(super) struct Tally {
    veto: Option<(usize, Cow<'static, str>)>,
    step_up: Option<(usize, Cow<'static, str>, Arc<StepUp>)>,
    unknown: Option<(usize, SharedError)>,
    grant: Option<(usize, Cow<'static, str>)>,
}

/// What follows from all that was said, and from which policy.
#[derive(Debug)]
pub(super) enum Sum {
    Allowed(usize, Cow<'static, str>),
    Vetoed(usize, Cow<'static, str>),
    /// Would be allowed after a stronger authentication.
    StepUp(usize, Cow<'static, str>, Arc<StepUp>),
    Unknown(usize, SharedError),
    /// Nobody objects, and nobody grants.
    NoGrant,
}

impl Tally {
    pub(super) fn add(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Abstain => {}
            Effect::Grant(reason) => drop(self.grant.get_or_insert((index, reason))),
            Effect::Veto(reason) => drop(self.veto.get_or_insert((index, reason))),
            Effect::StepUp(step_up, reason) => drop(self.step_up.get_or_insert((index, reason, step_up))),
            Effect::Indeterminate(error) => drop(self.unknown.get_or_insert((index, error))),
        }
    }

    /// The sum where a step-up counts without a grant: others may still grant.
    pub(super) fn sum_of_all(self) -> Sum {
        match self {
            Self { veto: None, unknown: None, step_up: Some((index, reason, step_up)), .. } => {
                Sum::StepUp(index, reason, step_up)
            }
            other => other.sum(),
        }
    }

    /// A policy says no until the caller is authenticated more strongly: whoever grants beside the
    /// policies must not pass it over.
    pub(super) fn asks_for_more(&self) -> bool {
        self.step_up.is_some()
    }

    /// Nothing that others say can change the sum.
    pub(super) fn is_final(&self) -> bool {
        self.veto.is_some()
    }

    /// A veto is final. What is unknown might be a veto. A stronger authentication is asked for only
    /// of those whom it would help.
    pub(super) fn sum(self) -> Sum {
        match self {
            Self { veto: Some((index, reason)), .. } => Sum::Vetoed(index, reason),
            Self { unknown: None, grant: Some(_), step_up: Some((index, reason, step_up)), .. } => {
                Sum::StepUp(index, reason, step_up)
            }
            Self { unknown: Some((index, error)), .. } => Sum::Unknown(index, error),
            Self { step_up: None, grant: Some((index, reason)), .. } => Sum::Allowed(index, reason),
            Self { .. } => Sum::NoGrant,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn effect(kind: u8) -> Effect {
        match kind {
            0 => Effect::Abstain,
            1 => Effect::grant("yes"),
            2 => Effect::step_up(StepUp::new().amr(["mfa"]), "stronger"),
            3 => Effect::indeterminate("down"),
            _ => Effect::veto("no"),
        }
    }

    fn name(kinds: &[u8]) -> &'static str {
        let mut tally = Tally::default();
        for (index, kind) in kinds.iter().enumerate() {
            tally.add(index, effect(*kind));
        }
        match tally.sum() {
            Sum::Allowed(..) => "allowed",
            Sum::Vetoed(..) => "vetoed",
            Sum::StepUp(..) => "step up",
            Sum::Unknown(..) => "unknown",
            Sum::NoGrant => "no grant",
        }
    }

    #[test]
    fn the_table_of_the_page_holds() {
        for (kinds, expected) in [
            (&[][..], "no grant"),
            (&[0, 0], "no grant"),
            (&[0, 1, 0], "allowed"),
            (&[1, 4], "vetoed"),
            (&[4, 3, 1], "vetoed"),
            (&[1, 3], "unknown"),
            (&[0, 3], "unknown"),
            (&[1, 2], "step up"),
            (&[2, 0], "no grant"),
            (&[2, 4], "vetoed"),
            (&[1, 2, 3], "unknown"),
        ] {
            assert_eq!(name(kinds), expected, "{kinds:?}");
        }
    }

    proptest! {
        /// The order of policies decides nothing but whose reason is told.
        #[test]
        fn the_order_does_not_matter(kinds in proptest::collection::vec(0_u8..5, 0..6), seed in any::<u64>()) {
            let mut other = kinds.clone();
            let mut state = seed;
            for at in (1..other.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                other.swap(at, usize::try_from(state >> 33).unwrap().checked_rem(at).unwrap_or(0));
            }
            prop_assert_eq!(name(&kinds), name(&other));
        }

        /// One more voice never turns a refusal into an allowance, unless it is a grant.
        #[test]
        fn only_a_grant_allows(kinds in proptest::collection::vec(0_u8..5, 0..6), more in 0_u8..5) {
            let with = [kinds.as_slice(), &[more]].concat();
            if name(&kinds) != "allowed" && name(&with) == "allowed" {
                prop_assert_eq!(more, 1);
            }
            prop_assert!(name(&with) != "allowed" || with.iter().all(|kind| *kind < 2));
        }
    }
}

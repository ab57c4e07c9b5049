use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use http::HeaderValue;

use crate::identity::Principal;

type Challenges = Arc<[HeaderValue]>;

/// Who calls, and how whoever asks for somebody else challenges.
#[derive(Default)]
pub(super) struct CallerSlot {
    verified: OnceLock<Verified>,
    /// Those of a layer that saw the request while nobody was verified.
    challenges: OnceLock<Challenges>,
}

/// Both in one cell: to set two takes twice the time.
struct Verified {
    principal: Principal,
    challenges: Option<Challenges>,
}

impl CallerSlot {
    pub(super) fn principal(&self) -> Option<&Principal> {
        self.verified.get().map(|verified| &verified.principal)
    }

    /// The first layer that verifies a caller decides; its challenges hold if there were none before.
    pub(super) fn verify(&self, principal: Principal, challenges: Option<&Challenges>) -> Option<Cow<'_, Principal>> {
        match self.verified.set(Verified { principal, challenges: challenges.cloned() }) {
            Ok(()) => self.principal().map(Cow::Borrowed),
            Err(Verified { principal: second, .. }) => {
                self.principal().is_some_and(|first| first.is_same_caller(&second)).then_some(Cow::Owned(second))
            }
        }
    }

    /// The first layer decides.
    pub(super) fn challenge(&self, challenges: &Challenges) {
        if self.challenges().is_none() {
            let _ = self.challenges.set(Arc::clone(challenges));
        }
    }

    pub(super) fn challenges(&self) -> Option<&Challenges> {
        self.challenges.get().or_else(|| self.verified.get()?.challenges.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::PrincipalParts;

    fn somebody(subject: &str, plan: &str) -> Principal {
        let parts = PrincipalParts { subject: subject.into(), plan: Some(plan.into()), ..PrincipalParts::default() };
        Principal::new(parts)
    }

    fn lines(scheme: &'static str) -> Challenges {
        Arc::new([HeaderValue::from_static(scheme)])
    }

    /// What each of two layers finds: nobody, or a caller; with or without challenges of its own.
    #[test]
    fn of_two_layers_the_first_challenges_and_the_first_that_verifies_names_the_caller() {
        let names = [None, Some("a"), Some("b")];
        for ((first, outer), (second, inner)) in names
            .iter()
            .flat_map(|first| names.iter().map(move |second| (first, second)))
            .flat_map(|(first, second)| {
                [(true, true), (true, false), (false, true)].map(|(outer, inner)| ((first, outer), (second, inner)))
            })
        {
            let slot = CallerSlot::default();
            let mut let_in = Vec::new();
            for (name, challenges, scheme) in [(first, outer, "Outer"), (second, inner, "Inner")] {
                let lines = challenges.then(|| lines(scheme));
                if let Some(name) = name {
                    let found = slot.verify(somebody(name, scheme), lines.as_ref());
                    let_in.push(found.map(|caller| caller.plan().map(str::to_owned)));
                }
                if let Some(lines) = &lines {
                    slot.challenge(lines);
                }
            }
            let expected = if outer { "Outer" } else { "Inner" };
            let challenges = slot.challenges().map(|lines| lines[0].to_str().unwrap().to_owned());
            assert_eq!(challenges.as_deref(), Some(expected), "{first:?} {outer} {second:?} {inner}");
            assert_eq!(slot.principal().map(Principal::subject), first.or(*second), "{first:?} {second:?}");
            let own = |scheme: &str| Some(Some(scheme.to_owned()));
            let expected = match (first, second) {
                (None, None) => vec![],
                (Some(_), None) => vec![own("Outer")],
                (None, Some(_)) => vec![own("Inner")],
                // Each forwards what its own credential says of the caller.
                (Some(first), Some(second)) if first == second => vec![own("Outer"), own("Inner")],
                (Some(_), Some(_)) => vec![own("Outer"), None],
            };
            assert_eq!(let_in, expected, "{first:?} {second:?}");
        }
    }
}

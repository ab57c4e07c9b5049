//! The lattice of opinions, and the decision against a plain statement of the rule.

use proptest::prelude::*;

use super::{
    super::decide::{Range, Ruling, decide},
    *,
};

fn name(opinion: &Opinion) -> &'static str {
    match opinion {
        Opinion::Abstain => "abstain",
        Opinion::Grant => "grant",
        Opinion::Veto => "veto",
        Opinion::Indeterminate(_) => "unknown",
    }
}

fn opinion(rank: usize) -> Opinion {
    [Opinion::Abstain, Opinion::Grant, Opinion::Indeterminate(StoreError::TimedOut), Opinion::Veto][rank].clone()
}

#[test]
fn the_strictest_opinion_counts() {
    for a in 0..4 {
        for b in 0..4 {
            let both = opinion(a).and(opinion(b));
            assert_eq!(name(&both), name(&opinion(a.max(b))), "{a} {b}");
        }
    }
}

fn permissions(subject: &str, tenant: Option<&str>, scopes: &[&str]) -> Permissions {
    let mut request = Request::new(());
    let context = RequestContext::open(&request, &crate::request::ContextSettings::new());
    context.set_principal(Principal::new(PrincipalParts {
        subject: subject.into(),
        tenant: tenant.map(Into::into),
        scopes: Scopes::from_token(scopes.iter().copied()).unwrap(),
        ..PrincipalParts::default()
    }));
    request.extensions_mut().insert(context);
    Permissions::of(&request.into_parts().0).unwrap()
}

proptest! {
    #[test]
    fn the_decision_is_the_rule(
        owner in prop_oneof![Just(""), Just("ann"), Just("bob")],
        subject in prop_oneof![Just(""), Just("ann"), Just("bob")],
        shop in prop_oneof![Just(None), Just(Some("")), Just(Some("north")), Just(Some("south"))],
        tenant in prop_oneof![Just(None), Just(Some("")), Just(Some("north")), Just(Some("south"))],
        scope in prop_oneof![Just(""), Just("read:orders"), Just("read:orders:own"), Just("admin:platform")],
        policy in prop_oneof![Just(""), Just("veto"), Just("grant"), Just("unknown")],
        other in 0..4_usize,
    ) {
        let scopes: Vec<&str> = scope.split_whitespace().collect();
        let permissions = permissions(subject, tenant, &scopes);
        let asker = Asker::new(&permissions, "read");
        let order = Order { owner: owner.into(), shop: shop.map(Into::into), policy, ..Order::default() };
        let ruling = decide(&order, &asker, Range::of::<Order>(&asker), opinion(other));

        let everywhere = scope == "admin:platform";
        let same_tenant = everywhere || matches!((shop, tenant), (Some(a), Some(b)) if a == b && !a.is_empty());
        let veto = policy == "veto" || other == 3;
        let unknown = policy == "unknown" || other == 2;
        let granted = policy == "grant" || other == 1;
        let own = owner == subject && !owner.is_empty();
        let expected = if !same_tenant || veto {
            "refused"
        } else if unknown {
            "unknown"
        } else if own || granted || everywhere || scope == "read:orders" {
            "granted"
        } else {
            "refused"
        };
        let said = match ruling {
            Ruling::Granted => "granted",
            Ruling::Refused(_) => "refused",
            Ruling::Unknown(_) => "unknown",
        };
        prop_assert_eq!(said, expected);
    }
}

//! What is doubtful about lists of addresses.

use super::lists::{Compiled, Unlisted};
use crate::{
    lint::{Lint, Lints, Severity},
    request::Cidr,
};

const ADVICE: &str = "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/";

pub(super) const REFUSES_EVERYBODY: Lint = Lint {
    code: "ip-filter-refuses-everybody",
    severity: Severity::High,
    fix: "name fewer networks in deny(…), or longer prefixes in allow(…)",
    spec: ADVICE,
};

pub(super) const ALLOWS_EVERYBODY: Lint = Lint {
    code: "ip-filter-allows-everybody",
    severity: Severity::High,
    fix: "name the networks that may come in, or leave the allow list out",
    spec: ADVICE,
};

pub(super) const UNKNOWN_PASSES: Lint = Lint {
    code: "ip-filter-unknown-passes",
    severity: Severity::High,
    fix: "serve with ConnectInfo, or with UnixPeer and a trusted proxy, so that clients have an address",
    spec: ADVICE,
};

pub(super) const CONTRADICTION: Lint = Lint {
    code: "ip-filter-contradiction",
    severity: Severity::Medium,
    fix: "take it off one of the lists: as it is, it is denied",
    spec: ADVICE,
};

pub(super) const REDUNDANT: Lint = Lint {
    code: "ip-filter-redundant",
    severity: Severity::Info,
    fix: "leave it out, unless it is to stay when the wider one goes",
    spec: ADVICE,
};

pub(super) const DRY_RUN: Lint = Lint {
    code: "ip-filter-dry-run",
    severity: Severity::Info,
    fix: "leave dry_run() out once the counts are as expected",
    spec: ADVICE,
};

/// So many of a kind are told, and then how many more there are.
const MOST: usize = 20;

/// All that the lists say by themselves.
pub(super) fn lists(lints: &mut Lints, compiled: &Compiled) {
    let allows = compiled.unlisted == Unlisted::Refused;
    if !compiled.lets_somebody_in() {
        lints.add(&REFUSES_EVERYBODY, "deny", "every address is refused", None);
    }
    for (family, everything) in [("IPv4", compiled.allows_all_v4()), ("IPv6", compiled.allows_all_v6())] {
        if allows && everything {
            let message = format!("the allow list holds all of {family}, so nobody is kept out by it");
            lints.add(&ALLOWS_EVERYBODY, "allow", message, None);
        }
    }
    some(lints, &CONTRADICTION, "allow", "it is denied, too, and so not let in", &compiled.contradictions());
    some(lints, &REDUNDANT, "allow, deny", "a wider network on the same list says as much", &compiled.redundant());
}

fn some(lints: &mut Lints, lint: &Lint, field: &'static str, message: &'static str, networks: &[Cidr]) {
    for network in networks.iter().take(MOST) {
        lints.add(lint, field, message, Some(&network.to_string()));
    }
    if let Some(more) = networks.len().checked_sub(MOST).filter(|more| *more > 0) {
        lints.add(lint, field, format!("{message}; {more} more of this kind"), None);
    }
}

//! What is doubtful about trusted proxies.

use super::cidr::Cidr;
use crate::lint::{Lint, Lints, Severity};

const ADVICE: &str = "https://www.rfc-editor.org/rfc/rfc7239.html#section-8.1";

pub(super) const EVERYBODY: Lint = Lint {
    code: "proxies-trust-everybody",
    severity: Severity::Critical,
    fix: "name the networks that your proxies stand in",
    spec: ADVICE,
};

pub(super) const TOO_MANY: Lint = Lint {
    code: "proxies-trust-too-many",
    severity: Severity::High,
    fix: "name the networks that your proxies stand in, no wider than /8 (IPv6: /16)",
    spec: ADVICE,
};

pub(super) const UNVERIFIED_PEER: Lint = Lint {
    code: "proxies-hops-without-peer",
    severity: Severity::Medium,
    fix: "name the networks of the nearest proxy with cidrs(…), too, so that nobody else is believed",
    spec: ADVICE,
};

pub(super) const REDUNDANT: Lint =
    Lint { code: "proxies-redundant", severity: Severity::Low, fix: "leave one of them out", spec: ADVICE };

pub(super) const HOPS_OF_A_SOCKET: Lint = Lint {
    code: "proxies-hops-on-unix",
    severity: Severity::Info,
    fix: "nothing, if only your proxy may open the socket; else restrict who may",
    spec: ADVICE,
};

/// Which networks are doubtful, with their places in the list: each by itself, and each two.
pub(super) fn networks(lints: &mut Lints, networks: &[(usize, Cidr)]) {
    for (place, (index, network)) in networks.iter().enumerate() {
        let (field, text) = (format!("trusted_proxies[{index}]"), network.to_string());
        if network.prefix_len() == 0 {
            let message = "every client is taken for a proxy, and chooses its own address";
            lints.add(&EVERYBODY, field, message, Some(&text));
        } else if is_wide(network) {
            lints.add(&TOO_MANY, field, "so many addresses are not all proxies of yours", Some(&text));
        } else if networks.iter().take(place).any(|(_, other)| other.overlaps(network)) {
            lints.add(&REDUNDANT, field, "it overlaps with one before it", Some(&text));
        }
    }
}

/// `fc00::/7` and `fe80::/10` are as private as 10.0.0.0/8.
fn is_wide(network: &Cidr) -> bool {
    match network.address() {
        std::net::IpAddr::V4(_) => network.prefix_len() < 8,
        std::net::IpAddr::V6(ip) => {
            let first = ip.segments().into_iter().next().unwrap_or(0);
            let private = (first & 0xfe00 == 0xfc00 && network.prefix_len() >= 7)
                || (first & 0xffc0 == 0xfe80 && network.prefix_len() >= 10);
            network.prefix_len() < 16 && !private
        }
    }
}

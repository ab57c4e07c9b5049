use std::{collections::HashSet, net::IpAddr};

use crate::{
    config_error::ConfigIssues,
    request::{Cidr, CidrTable, behind_6to4},
};

/// More networks than any list has that people or their tools look after.
const MOST: usize = 1_000_000;

/// Who may come in and who may not, by address.
///
/// Each entry is a CIDR (`203.0.113.0/24`, `2001:db8::/32`) or an address, as
/// [`Cidr`](crate::request::Cidr) reads it. Of all entries that an address is in, the one with the
/// longest prefix decides; of two that are the same network, the one on the deny list. An address that is
/// on neither list is refused if there is an allow list, and passes if there is none.
///
/// ```
/// use portcullis::ip_filter::{IpFilterLayer, IpLists};
///
/// // The company, without the guests' network, but with the screen in the hall.
/// let lists = IpLists::new()
///     .allow(["203.0.113.0/24", "2001:db8::/32"])
///     .deny(["203.0.113.128/25"])
///     .allow(["203.0.113.200"]);
/// let layer = IpFilterLayer::builder().lists(lists).build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct IpLists {
    /// Absent is no list; an empty one is a mistake.
    allow: Option<Vec<String>>,
    deny: Vec<String>,
    pass_unlisted: bool,
}

impl IpLists {
    /// Nobody on either.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who may come in. Nobody else may, unless [`pass_unlisted`](Self::pass_unlisted) says so. A list
    /// without an entry is a mistake: a file that was not found must neither open the door nor close it.
    pub fn allow<I>(mut self, networks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allow.get_or_insert_default().extend(networks.into_iter().map(Into::into));
        self
    }

    /// Who may not.
    pub fn deny<I>(mut self, networks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.deny.extend(networks.into_iter().map(Into::into));
        self
    }

    /// Lets in who is on neither list, although there is an allow list: its entries are then exceptions
    /// from wider ones of the deny list, and nothing else.
    pub fn pass_unlisted(mut self) -> Self {
        self.pass_unlisted = true;
        self
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    /// What can be read of them; the rest is told.
    pub(super) fn compile(&self, issues: &mut ConfigIssues) -> Compiled {
        let allow = self.allow.as_deref().unwrap_or_default();
        if self.allow.is_some() && allow.is_empty() {
            issues.add("allow", "the list is empty", "name networks, or do not call allow(…)");
        }
        if allow.len().saturating_add(self.deny.len()) > MOST {
            issues.add("allow, deny", "there are more than 1,000,000 entries", "summarize neighbouring networks");
            return Compiled::default();
        }
        let mut networks = parsed("deny", &self.deny, issues);
        let denied = networks.len();
        networks.append(&mut parsed("allow", allow, issues));
        let refused = self.allow.is_some() && !self.pass_unlisted;
        let unlisted = if refused { Unlisted::Refused } else { Unlisted::Passes };
        Compiled { table: CidrTable::new(&networks), networks: networks.into(), denied, unlisted }
    }
}

fn parsed(list: &str, texts: &[String], issues: &mut ConfigIssues) -> Vec<Cidr> {
    let mut networks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(network) => networks.push(network),
            Err(error) => {
                let error: crate::request::CidrError = error;
                issues.add(format!("{list}[{index}]"), format!("{text:?} {}", error.reason()), error.cure());
            }
        }
    }
    networks
}

/// What becomes of an address on neither list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unlisted {
    #[default]
    Passes,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Deny,
}

/// Lists that can be asked.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    table: CidrTable,
    /// The denied ones first: so of two that are the same, the table finds that one.
    networks: Box<[Cidr]>,
    denied: usize,
    pub(super) unlisted: Unlisted,
}

/// What lists say of an address: [`IpFilterHandle::judge`](super::IpFilterHandle::judge).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judgement {
    /// Whether they let it in.
    pub passes: bool,
    /// The entry that decides; none if the address is on neither list.
    pub entry: Option<Cidr>,
}

impl Compiled {
    pub(super) fn judge(&self, ip: IpAddr) -> Judgement {
        // What is denied to the site is denied to its 6to4 addresses; what is allowed to it is not.
        let inside = behind_6to4(ip).and_then(|inside| self.table.find(IpAddr::V4(inside)));
        let found = inside.filter(|found| self.action(*found) == Action::Deny).or_else(|| self.table.find(ip));
        Judgement { passes: self.passes(found), entry: found.and_then(|found| self.networks.get(found).copied()) }
    }

    fn action(&self, found: usize) -> Action {
        if found < self.denied { Action::Deny } else { Action::Allow }
    }

    fn passes(&self, found: Option<usize>) -> bool {
        found.map_or(self.unlisted == Unlisted::Passes, |found| self.action(found) == Action::Allow)
    }

    pub(super) fn lets_somebody_in(&self) -> bool {
        self.table.found_in_v4().chain(self.table.found_in_v6()).any(|found| self.passes(found))
    }

    pub(super) fn allows_all_v4(&self) -> bool {
        self.table.found_in_v4().all(|found| found.is_some_and(|found| self.action(found) == Action::Allow))
    }

    pub(super) fn allows_all_v6(&self) -> bool {
        self.table.found_in_v6().all(|found| found.is_some_and(|found| self.action(found) == Action::Allow))
    }

    /// Networks that stand on both lists.
    pub(super) fn contradictions(&self) -> Vec<Cidr> {
        let (denied, allowed) = self.networks.split_at_checked(self.denied).unwrap_or_default();
        let allowed: HashSet<&Cidr> = allowed.iter().collect();
        denied.iter().filter(|network| allowed.contains(network)).copied().collect()
    }

    /// Entries that could go: the next wider one around each is on the same list.
    pub(super) fn redundant(&self) -> Vec<Cidr> {
        let mut entries: Vec<(usize, &Cidr)> = self.networks.iter().enumerate().collect();
        entries.sort_by_key(|(index, network)| (network.address(), network.prefix_len(), *index));
        let mut around: Vec<(usize, &Cidr)> = Vec::new();
        let mut redundant = Vec::new();
        for (index, network) in entries {
            around.retain(|(_, wider)| wider.overlaps(network));
            if around.last().is_some_and(|(wider, _)| self.action(*wider) == self.action(index)) {
                redundant.push(*network);
            }
            around.push((index, network));
        }
        redundant
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compiled(allow: &[&str], deny: &[&str]) -> Compiled {
        let mut issues = ConfigIssues::new();
        let mut lists = IpLists::new().deny(deny.iter().copied());
        if !allow.is_empty() {
            lists = lists.allow(allow.iter().copied());
        }
        let compiled = lists.compile(&mut issues);
        issues.finish(compiled).unwrap()
    }

    fn passes(compiled: &Compiled, ip: &str) -> bool {
        compiled.judge(ip.parse().unwrap()).passes
    }

    #[test]
    fn the_longest_prefix_decides_and_of_equals_the_denial() {
        let lists = compiled(&["10.0.0.0/8", "10.1.2.0/24", "192.0.2.1"], &["10.1.0.0/16", "192.0.2.1"]);
        for (ip, expected) in [
            ("10.9.9.9", true),
            ("10.1.9.9", false),
            ("10.1.2.3", true),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::1", false),
        ] {
            assert_eq!(passes(&lists, ip), expected, "{ip}");
        }
        let entry = |ip: &str| lists.judge(ip.parse().unwrap()).entry.map(|entry| entry.to_string());
        assert_eq!((entry("10.1.9.9").as_deref(), entry("8.8.8.8")), (Some("10.1.0.0/16"), None));
    }

    #[test]
    fn without_an_allow_list_who_is_not_denied_passes() {
        let lists = compiled(&[], &["10.0.0.0/8"]);
        assert!(passes(&lists, "8.8.8.8") && passes(&lists, "2001:db8::1") && !passes(&lists, "10.0.0.1"));
        let exceptions = IpLists::new().deny(["10.0.0.0/8"]).allow(["10.0.0.1"]).pass_unlisted();
        let lists = exceptions.compile(&mut ConfigIssues::new());
        assert!(passes(&lists, "8.8.8.8") && passes(&lists, "10.0.0.1") && !passes(&lists, "10.0.0.2"));
    }

    /// U12: another way to write an address is no way around a rule.
    #[test]
    fn no_other_notation_slips_past() {
        let denied = compiled(&[], &["192.0.2.0/24"]);
        for ip in ["192.0.2.4", "::ffff:192.0.2.4", "64:ff9b::192.0.2.4", "2002:c000:204::1", "2002:c000:204:9::7"] {
            assert!(!passes(&denied, ip), "{ip}");
        }
        // Nor a way in.
        let allowed = compiled(&["192.0.2.0/24"], &[]);
        assert!(passes(&allowed, "::ffff:192.0.2.4") && !passes(&allowed, "2002:c000:204::1"));
        let own = compiled(&["10.0.0.0/8"], &[]);
        assert!(!passes(&own, "64:ff9b::10.0.0.1") && !passes(&own, "::10.0.0.1"));
    }

    #[test]
    fn coverage_is_seen_through_pieces() {
        assert!(compiled(&["0.0.0.0/1", "128.0.0.0/1"], &[]).allows_all_v4());
        assert!(!compiled(&["0.0.0.0/1", "128.0.0.0/2"], &[]).allows_all_v4());
        assert!(!compiled(&["0.0.0.0/0"], &["10.0.0.0/8"]).allows_all_v4());
        assert!(compiled(&["::/0"], &[]).allows_all_v6());
        assert!(!compiled(&["::/0"], &["2001:db8::1"]).allows_all_v6());
        assert!(!compiled(&[], &["0.0.0.0/0", "::/0"]).lets_somebody_in());
        assert!(compiled(&["2001:db8::1"], &["0.0.0.0/0", "::/0"]).lets_somebody_in());
        assert!(compiled(&[], &["0.0.0.0/0"]).lets_somebody_in());
    }

    #[test]
    fn what_says_nothing_is_found() {
        let lists =
            compiled(&["10.0.0.0/8", "10.1.2.0/24", "11.0.0.0/8"], &["10.1.0.0/16", "10.1.3.0/24", "11.0.0.0/8"]);
        assert_eq!(lists.redundant(), ["10.1.3.0/24".parse().unwrap()]);
        assert_eq!(lists.contradictions(), ["11.0.0.0/8".parse().unwrap()]);
        assert_eq!(compiled(&["10.0.0.1", "10.0.0.1"], &[]).redundant().len(), 1);
    }

    proptest! {
        /// The rule as it is written down, against the table.
        #[test]
        fn agrees_with_the_rule(
            entries in prop::collection::vec((0..8_u32, 0..=32_u8, any::<bool>()), 0..30),
            asked in prop::collection::vec(0..8_u32, 8),
        ) {
            let spread = |bits: u32| std::net::Ipv4Addr::from_bits(bits.wrapping_mul(0x2492_4925));
            let network = |bits, len| Cidr::around(IpAddr::V4(spread(bits)), len, 0);
            let text = |allow: bool| entries.iter().filter(move |entry| entry.2 == allow).map(move |(bits, len, _)| network(*bits, *len).to_string());
            let mut lists = IpLists::new().deny(text(false));
            if entries.iter().any(|entry| entry.2) {
                lists = lists.allow(text(true));
            }
            let compiled = lists.compile(&mut ConfigIssues::new());
            for bits in asked {
                let ip = IpAddr::V4(spread(bits));
                let best = entries.iter().filter(|(bits, len, _)| network(*bits, *len).contains(ip)).max_by_key(|(_, len, allow)| (*len, !*allow));
                let expected = best.map_or(!entries.iter().any(|entry| entry.2), |(_, _, allow)| *allow);
                prop_assert_eq!(compiled.judge(ip).passes, expected);
            }
        }
    }
}

use std::{cmp::Reverse, net::IpAddr};

use super::{
    address::canonical,
    cidr::Cidr,
    cidr_index::{Bound, RangeIndex},
};

/// Owns what nobody owns.
const NOBODY: u32 = (1 << 31) - 1;
/// Owns one /64 of IPv6 whose second half is looked up in a table of its own.
const HALF: u32 = 1 << 30;

/// Which of many networks an address is in: the one with the longest prefix.
///
/// Made once, asked often: a question takes a few steps, whether there is one network or a hundred
/// thousand, and allocates nothing. IPv4 and IPv6 stand apart. About 40 bytes for each network.
#[derive(Debug)]
pub(crate) struct CidrTable {
    v4: RangeIndex,
    /// By the first half of an address.
    v6: RangeIndex,
    halves: Box<[RangeIndex]>,
}

/// A range of numbers, both ends included.
type Range = (u64, u64, u32);

impl CidrTable {
    /// Of two networks that are the same, the first one counts. There may be a thousand million.
    pub(crate) fn new(networks: &[Cidr]) -> Self {
        let (mut v4, mut wide, mut narrow) = (Vec::new(), Vec::new(), Vec::new());
        for (network, owner) in networks.iter().zip(0_u32..HALF) {
            let ((first, last), half) = (network.bounds(), |bits: u128| halves(bits).0);
            if network.is_ipv4() {
                v4.push((halves(first).1, halves(last).1, owner));
            } else if network.prefix_len() <= 64 {
                wide.push((half(first), half(last), owner));
            } else {
                narrow.push((half(first), (halves(first).1, halves(last).1, owner)));
            }
        }
        let (v6, halves) = Self::of_v6(wide, narrow);
        Self { v4: index(NOBODY, v4, u32::MAX.into()), v6, halves }
    }

    fn of_v6(mut wide: Vec<Range>, mut narrow: Vec<(u64, Range)>) -> (RangeIndex, Box<[RangeIndex]>) {
        // Of those with a prefix of 64 bits at most: what holds where nothing longer does.
        let coarse = index(NOBODY, wide.clone(), u64::MAX);
        narrow.sort_by_key(|(half, _)| *half);
        let mut halves = Vec::new();
        for group in narrow.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((half, _)) = group.first() else { continue };
            let number = u32::try_from(halves.len()).unwrap_or(HALF).min(HALF.saturating_sub(2));
            let ranges = group.iter().map(|(_, range)| *range).collect();
            halves.push(index(coarse.find(*half), ranges, u64::MAX));
            wide.push((*half, *half, HALF | number));
        }
        (index(NOBODY, wide, u64::MAX), halves.into())
    }

    /// The place, in the list that the table was made of, of the longest prefix that the address has.
    pub(crate) fn find(&self, address: IpAddr) -> Option<usize> {
        let owner = match canonical(address) {
            IpAddr::V4(ip) => self.v4.find(u64::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                let (first, second) = halves(ip.to_bits());
                match self.v6.find(first) {
                    NOBODY => NOBODY,
                    owner if owner & HALF == 0 => owner,
                    half => self.halves.get((half & !HALF) as usize).map_or(NOBODY, |index| index.find(second)),
                }
            }
        };
        (owner != NOBODY).then_some(owner as usize)
    }

    /// What [`find`](Self::find) could say of the addresses of IPv4: each thing at least once.
    pub(crate) fn found_in_v4(&self) -> impl Iterator<Item = Option<usize>> {
        self.v4.owners().map(|owner| (owner != NOBODY).then_some(owner as usize))
    }

    /// The same of IPv6.
    pub(crate) fn found_in_v6(&self) -> impl Iterator<Item = Option<usize>> {
        let coarse = self.v6.owners().filter(|owner| *owner == NOBODY || owner & HALF == 0);
        let fine = self.halves.iter().flat_map(RangeIndex::owners);
        coarse.chain(fine).map(|owner| (owner != NOBODY).then_some(owner as usize))
    }
}

impl Default for CidrTable {
    fn default() -> Self {
        Self::new(&[])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
fn halves(bits: u128) -> (u64, u64) {
    ((bits >> 64) as u64, bits as u64)
}

/// Of numbers up to `greatest`.
fn index(nobody: u32, ranges: Vec<Range>, greatest: u64) -> RangeIndex {
    let (before, bounds) = bounds(nobody, ranges, greatest);
    RangeIndex::new(before, bounds)
}

/// Ranges of which each two are apart, or one is within the other, as the borders at which the
/// innermost range changes.
fn bounds(nobody: u32, mut ranges: Vec<Range>, greatest: u64) -> (u32, Vec<Bound>) {
    // The wider one first; of two that are the same, the table of a half, then the first given.
    ranges.sort_by_key(|(first, last, owner)| (*first, Reverse(*last), owner & HALF == 0, *owner));
    ranges.dedup_by_key(|(first, last, _)| (*first, *last));
    let mut borders = Borders { before: nobody, bounds: Vec::with_capacity(ranges.len().saturating_mul(2)) };
    let mut open: Vec<(u64, u32)> = Vec::new();
    for (first, last, owner) in ranges {
        while let Some((end, _)) = open.pop_if(|(end, _)| *end < first) {
            borders.mark(end.saturating_add(1), open.last().map_or(nobody, |(_, owner)| *owner));
        }
        borders.mark(first, owner);
        open.push((last, owner));
    }
    while let Some((end, _)) = open.pop() {
        if let Some(next) = end.checked_add(1).filter(|next| *next <= greatest) {
            borders.mark(next, open.last().map_or(nobody, |(_, owner)| *owner));
        }
    }
    (borders.before, borders.bounds)
}

struct Borders {
    before: u32,
    bounds: Vec<Bound>,
}

impl Borders {
    /// From here on somebody else owns, unless nobody sees the difference.
    fn mark(&mut self, number: u64, owner: u32) {
        if number == 0 {
            self.before = owner;
            return;
        }
        self.bounds.pop_if(|(from, _)| *from == number);
        if self.bounds.last().map_or(self.before, |(_, owner)| *owner) != owner {
            self.bounds.push((number, owner));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn naive(networks: &[Cidr], address: IpAddr) -> Option<usize> {
        let held = networks.iter().enumerate().filter(|(_, network)| network.contains(address));
        held.max_by_key(|(index, network)| (network.prefix_len(), Reverse(*index))).map(|(index, _)| index)
    }

    fn check(networks: &[Cidr], asked: impl IntoIterator<Item = IpAddr>) {
        let table = CidrTable::new(networks);
        let near = networks.iter().flat_map(|network| {
            let (first, last) = network.bounds();
            let ip = |bits: u128| match u32::try_from(bits) {
                Ok(bits) if network.is_ipv4() => IpAddr::V4(Ipv4Addr::from_bits(bits)),
                _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
            };
            [first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(ip)
        });
        for address in near.chain(asked) {
            assert_eq!(table.find(address), naive(networks, address), "{address} in {networks:?}");
        }
    }

    fn list(texts: &[&str]) -> Vec<Cidr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_longest_prefix_is_found() {
        let networks = list(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.0.0/16", "0.0.0.0/0", "255.0.0.0/8"]);
        let find = |text: &str| CidrTable::new(&networks).find(text.parse().unwrap());
        assert_eq!((find("10.9.9.9"), find("10.1.9.9"), find("10.1.2.3")), (Some(0), Some(1), Some(2)));
        assert_eq!((find("255.255.255.255"), find("8.8.8.8"), find("::1")), (Some(5), Some(4), None));
        assert_eq!((find("::ffff:10.1.2.3"), find("64:ff9b::8.8.8.8")), (Some(2), Some(4)));
        check(&networks, []);
    }

    #[test]
    fn both_halves_of_an_ipv6_address_count() {
        let networks = list(&[
            "2001:db8::/32",
            "2001:db8:0:1::/64",
            "2001:db8:0:1::7",
            "2001:db8:0:1:8000::/65",
            "2001:db8:0:2::1",
            "ffff::/16",
            "fe80::1",
        ]);
        let ips = ["2001:db8:0:1::8", "2001:db8:0:2::2", "2001:db8:0:3::", "::", "1.2.3.4", "2001:db9::"];
        check(&networks, ips.map(|text| text.parse().unwrap()));
        check(&list(&["::/0", "0.0.0.0/0", "::/128"]), ips.map(|text| text.parse().unwrap()));
    }

    fn arbitrary() -> impl Strategy<Value = Cidr> {
        let v4 = (0..40_u32, 0..=32_u8).prop_map(|(bits, len)| {
            // Few different bits, so that networks lie within each other.
            Cidr::around(IpAddr::V4(Ipv4Addr::from_bits(bits.wrapping_mul(0x0421_0842))), len, 0)
        });
        let v6 = (0..40_u128, 0..=128_u8).prop_map(|(bits, len)| {
            Cidr::around(
                IpAddr::V6(Ipv6Addr::from_bits(bits.wrapping_mul(0x2000_4210_8421_0842_1084_2108_4210_8421))),
                0,
                len,
            )
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(networks in prop::collection::vec(arbitrary(), 0..60), v4: u32, v6: u128) {
            check(&networks, [IpAddr::V4(Ipv4Addr::from_bits(v4)), IpAddr::V6(Ipv6Addr::from_bits(v6))]);
        }
    }
}

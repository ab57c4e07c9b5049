//! One way to write each address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `64:ff9b::/96`, the well-known prefix of NAT64 (RFC 6052 §2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// The address by which a client is known: IPv4 where IPv6 only carries an IPv4 address.
///
/// That is so in IPv4-mapped addresses, which a socket for both families shows, and in those that a
/// translator makes (NAT64's `64:ff9b::/96`), if the address inside is a global one: the prefix must not
/// stand before others (RFC 6052 §3.1), and who comes with `64:ff9b::10.0.0.1` is not trusted as
/// 10.0.0.1. 6to4 (`2002::/16`) stays as it is: anybody may run a relay that speaks for any of its
/// addresses (RFC 3964 §4.1); see [`behind_6to4`].
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let [prefix @ .., high, low] = v6.segments();
    if prefix == NAT64 {
        let v4 = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
        if is_global(v4) {
            return IpAddr::V4(v4);
        }
    }
    address
}

/// The IPv4 address of the site that has this 6to4 address (RFC 3056 §2). What is refused by the one
/// is refused by the other; what is allowed is not.
pub(crate) fn behind_6to4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let [prefix, high, low, ..] = v6.segments();
    (prefix == 0x2002).then(|| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

/// The network that one client holds: a /64, but a site with 6to4 has a /48 for one IPv4 address.
pub(crate) fn held_by_one(address: Ipv6Addr) -> Ipv6Addr {
    let bits = if behind_6to4(IpAddr::V6(address)).is_some() { 80 } else { 64 };
    Ipv6Addr::from_bits(address.to_bits() & u128::MAX.wrapping_shl(bits))
}

fn is_global(ip: Ipv4Addr) -> bool {
    // 100.64.0.0/10 is what carriers share (RFC 6598).
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(a == 0
        || shared
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ipv6_that_carries_ipv4_is_ipv4() {
        assert_eq!(canonical(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(canonical(ip("64:ff9b::192.0.2.1")), ip("192.0.2.1"));
        for own in ["64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::100.64.0.1", "64:ff9b:1::192.0.2.1"] {
            assert_eq!(canonical(ip(own)), ip(own), "{own} is nobody's private address");
        }
        for own in ["2002:c000:204::1", "2001:db8::1", "::192.0.2.1", "192.0.2.1"] {
            assert_eq!(canonical(ip(own)), ip(own));
        }
    }

    #[test]
    fn a_6to4_site_is_known_by_its_ipv4_address() {
        assert_eq!(behind_6to4(ip("2002:c000:204:7::1")), Some(Ipv4Addr::new(192, 0, 2, 4)));
        assert_eq!(behind_6to4(ip("2001:c000:204::1")), None);
        let held = |text: &str| held_by_one(text.parse().unwrap());
        assert_eq!(held("2002:c000:204:7::1"), held("2002:c000:204:8::2"));
        assert_ne!(held("2001:db8:0:7::1"), held("2001:db8:0:8::1"));
    }
}

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Serialize, Serializer};

use super::address::canonical;

/// The addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
///
/// Written as RFC 4632 §3.1 and RFC 4291 §2.3 write it, or as a bare address. What is easily meant
/// otherwise is refused: bits behind the prefix, which one reader drops and another one compares; a
/// zone, which means something on one machine only. An IPv4-mapped network of /96 or longer is the
/// IPv4 network that it stands for, a shorter one is refused: clients are known in their IPv4 form.
///
/// ```
/// use portcullis::request::Cidr;
///
/// let office: Cidr = "203.0.113.0/24".parse()?;
/// assert!(office.contains("203.0.113.9".parse()?) && !office.contains("203.0.114.9".parse()?));
/// assert_eq!("::ffff:10.0.0.0/104".parse::<Cidr>()?.to_string(), "10.0.0.0/8");
/// assert_eq!("2001:db8::1".parse::<Cidr>()?.to_string(), "2001:db8::1/128");
/// for wrong in ["203.0.113.9/24", "203.0.113.0/33", "::/80", "fe80::1%eth0", "office.example"] {
///     assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

/// What is wrong with a text that should be a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it {reason} ({cure})")]
pub struct CidrError {
    reason: &'static str,
    cure: &'static str,
}

impl CidrError {
    const NO_NETWORK: Self =
        Self { reason: "is no network", cure: "write a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an IP address" };
    const HOST_BITS: Self =
        Self { reason: "has host bits set", cure: "write the network's own address, or /32 (/128) for one host" };
    const COVERS_MAPPED: Self =
        Self { reason: "covers all IPv4-mapped addresses", cure: "write IPv4 networks as IPv4" };
    const TRANSLATED: Self =
        Self { reason: "is within 64:ff9b::/96, which stands for IPv4", cure: "write IPv4 networks as IPv4" };

    /// What is wrong.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// What to do.
    pub const fn cure(&self) -> &'static str {
        self.cure
    }
}

const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
const ALL_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0);
/// NAT64 (RFC 6052 §2.1): who comes through it is known by the IPv4 address.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// "All of IPv6" is meant as such: no client is known by a mapped address.
fn covers_mapped(network: &Ipv6Net) -> bool {
    network.contains(&MAPPED) && *network != ALL_V6
}

impl Cidr {
    /// 127.0.0.0/8 (RFC 1122 §3.2.1.3).
    pub(crate) const LOOPBACK_V4: Self = Self(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)));
    /// `::1` (RFC 4291 §2.5.3).
    pub(crate) const LOOPBACK_V6: Self = Self(IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)));

    /// The network of this address and prefix length.
    ///
    /// # Errors
    /// As of the text, see [above](Self).
    pub fn new(address: IpAddr, prefix_len: u8) -> Result<Self, CidrError> {
        let network = IpNet::new(address, prefix_len).map_err(|_| CidrError::NO_NETWORK)?;
        if network.addr() != network.network() {
            return Err(CidrError::HOST_BITS);
        }
        let IpNet::V6(v6) = network else { return Ok(Self(network)) };
        match (v6.addr().to_ipv4_mapped(), prefix_len.checked_sub(96)) {
            (Some(v4), Some(prefix)) => {
                Ipv4Net::new(v4, prefix).map(|v4| Self(IpNet::V4(v4))).map_err(|_| CidrError::NO_NETWORK)
            }
            _ if covers_mapped(&v6) => Err(CidrError::COVERS_MAPPED),
            _ if NAT64.contains(&v6) => Err(CidrError::TRANSLATED),
            _ => Ok(Self(network)),
        }
    }

    /// The network of which `address` is one, with a prefix of at most so many bits.
    pub(crate) fn around(address: IpAddr, v4: u8, v6: u8) -> Self {
        let host = Self::from(address);
        let wide = match host.0 {
            IpNet::V4(net) => Ipv4Net::new(net.addr(), v4.min(32)).map(|net| IpNet::V4(net.trunc())),
            IpNet::V6(net) => Ipv6Net::new(net.addr(), v6.min(128)).map(|net| IpNet::V6(net.trunc())),
        };
        // What nobody could write stays a single address.
        wide.ok().filter(|wide| !matches!(wide, IpNet::V6(v6) if covers_mapped(v6))).map_or(host, Self)
    }

    /// This network, or the one around it that has no longer prefix than these.
    pub(crate) fn widened(self, v4: u8, v6: u8) -> Self {
        let most = if self.is_ipv4() { v4 } else { v6 };
        if self.prefix_len() <= most { self } else { Self::around(self.address(), v4, v6) }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// How many bits its addresses share.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether it is one of IPv4.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// Whether the address is one of it. An IPv4-mapped address is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&canonical(address))
    }

    /// Whether an address can be in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// First and last address as numbers.
    pub(super) fn bounds(&self) -> (u128, u128) {
        let number = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        (number(self.0.network()), number(self.0.broadcast()))
    }
}

/// A single address.
impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        Self(IpNet::from(canonical(address)))
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let Some((address, len)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map_err(|_| CidrError::NO_NETWORK).map(Self::from);
        };
        // Two ways to write one number are one too many: no sign, no leading zero.
        let plain = len.bytes().all(|byte| byte.is_ascii_digit()) && (len == "0" || !len.starts_with('0'));
        let len = len.parse().ok().filter(|_| plain).ok_or(CidrError::NO_NETWORK)?;
        Self::new(address.parse().map_err(|_| CidrError::NO_NETWORK)?, len)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cidr({self})")
    }
}

/// As text.
impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for text in ["", "/", "10.0.0.0/", "/8", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/256", "10/8"] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::NO_NETWORK), "{text}");
        }
        assert_eq!("10.0.0.1/8".parse::<Cidr>(), Err(CidrError::HOST_BITS));
        assert_eq!("2001:db8::1/64".parse::<Cidr>(), Err(CidrError::HOST_BITS));
    }

    /// U12: `::ffff:…` slips past no rule, and a short prefix does not cover all of IPv4 by accident.
    #[test]
    fn mapped_networks_are_those_of_ipv4() {
        assert_eq!(cidr("::ffff:10.0.0.0/104"), cidr("10.0.0.0/8"));
        assert_eq!(cidr("::ffff:0.0.0.0/96"), cidr("0.0.0.0/0"));
        assert_eq!(cidr("::ffff:10.0.0.1"), cidr("10.0.0.1"));
        assert!(cidr("10.0.0.0/8").contains("::ffff:10.1.2.3".parse().unwrap()));
        for text in ["::/80", "::/1", "::ffff:0:0/95", "::fffe:0:0/95"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        assert!(!cidr("::/0").contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn networks_are_widened_and_never_narrowed() {
        assert_eq!(cidr("2001:db8::1").widened(32, 64), cidr("2001:db8::/64"));
        assert_eq!(cidr("2001:db8::/48").widened(32, 64), cidr("2001:db8::/48"));
        assert_eq!(cidr("192.0.2.1").widened(32, 64), cidr("192.0.2.1"));
        assert_eq!(Cidr::around("192.0.2.77".parse().unwrap(), 24, 64), cidr("192.0.2.0/24"));
    }

    #[test]
    fn overlapping_is_mutual() {
        let (wide, narrow, other) = (cidr("10.0.0.0/8"), cidr("10.1.0.0/16"), cidr("11.0.0.0/8"));
        assert!(wide.overlaps(&narrow) && narrow.overlaps(&wide) && !wide.overlaps(&other));
        assert!(!cidr("::/0").overlaps(&wide));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(bits: u128, v4: bool, len in 0_u8..=128) {
            let ip = if v4 { IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap())) } else { IpAddr::V6(Ipv6Addr::from_bits(bits)) };
            let network = Cidr::around(ip, len, len);
            prop_assert!(network.contains(ip));
            prop_assert_eq!(network.to_string().parse::<Cidr>().ok(), Some(network));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f:./%\\[\\] +-]{0,40}|\\PC{0,20}") {
            let _ = text.parse::<Cidr>();
        }
    }
}

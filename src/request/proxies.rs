use std::net::IpAddr;

use ipnet::IpNet;

use crate::config_error::{ConfigError, ConfigIssues};

/// The proxies whose `X-Forwarded-For` is believed. The default trusts none: the client is then
/// the TCP peer and the header is ignored.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Box<[IpNet]>,
}

impl TrustedProxies {
    /// Trusts nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts the peers in these networks, each a CIDR (`10.0.0.0/8`, `fd00::/8`) or an address.
    ///
    /// ```
    /// use portcullis::request::TrustedProxies;
    ///
    /// let proxies = TrustedProxies::cidrs(["10.0.0.0/8", "2001:db8::1"])?;
    /// assert!(TrustedProxies::cidrs(["0.0.0.0/0", "10.0.0.1/8", "proxy.example"]).is_err());
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// All that is wrong: what is no network, a network with host bits set, an IPv4-mapped IPv6
    /// network wider than /96, and `/0`, which would let every client choose its own address.
    pub fn cidrs<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        let mut trusted = Vec::new();
        for (index, text) in networks.into_iter().enumerate() {
            match parse(text) {
                Ok(network) => trusted.push(network),
                Err((reason, cure)) => {
                    issues.add(format!("trusted_proxies[{index}]"), format!("{text:?} {reason}"), cure);
                }
            }
        }
        issues.finish(Self { networks: trusted.into() })
    }

    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&ip))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }
}

fn parse(text: &str) -> Result<IpNet, (&'static str, &'static str)> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => match text.parse::<IpAddr>() {
            Ok(ip) => IpNet::from(ip),
            Err(_) => return Err(("is no network", "write a CIDR such as 10.0.0.0/8, or an IP address")),
        },
    };
    if network.prefix_len() == 0 {
        return Err(("trusts everybody", "name the networks that your proxies stand in"));
    }
    if network.addr() != network.network() {
        return Err(("has host bits set", "write the network's own address, or /32 (/128) for one host"));
    }
    unmapped(network)
}

/// `::ffff:10.0.0.0/104` means `10.0.0.0/8`: peers are compared in their IPv4 form.
fn unmapped(network: IpNet) -> Result<IpNet, (&'static str, &'static str)> {
    let IpNet::V6(v6) = network else { return Ok(network) };
    let mapped: ipnet::Ipv6Net = ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(prefix)) => ipnet::Ipv4Net::new(v4, prefix)
            .ok()
            .filter(|_| prefix > 0)
            .map(IpNet::V4)
            .ok_or(("trusts everybody", "name the networks that your proxies stand in")),
        _ if v6.contains(&mapped) => Err(("covers all IPv4-mapped addresses", "write IPv4 networks as IPv4")),
        _ => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_listed() {
        let texts =
            ["10.0.0.0/8", "nonsense", "10.0.0.1/8", "0.0.0.0/0", "::/0", "::/80", "::ffff:0.0.0.0/96", "10.0.0.0/33"];
        let error = TrustedProxies::cidrs(texts).unwrap_err();
        assert_eq!(error.issues().len(), 7, "{error}");
        assert_eq!(error.issues()[0].field, "trusted_proxies[1]");
    }

    #[test]
    fn mapped_networks_are_ipv4() {
        let proxies = TrustedProxies::cidrs(["::ffff:10.0.0.0/104"]).unwrap();
        assert!(proxies.trusts("10.1.2.3".parse().unwrap()));
        assert!(!proxies.trusts("11.1.2.3".parse().unwrap()));
    }
}

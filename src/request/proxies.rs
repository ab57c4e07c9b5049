use std::{borrow::Cow, net::IpAddr, sync::Arc};

use super::{cidr::Cidr, cidr_table::CidrTable, forwarded::ForwardingHeader, lints};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    lint::{Lints, Report, Waivers},
};

/// The proxies whose word on the client's address is taken, and the one header field in which they
/// say it. The default trusts none: the client is then the peer, and no field is read.
///
/// ```
/// use portcullis::request::{ForwardingHeader, TrustedProxies};
///
/// // Proxies by where they stand. What the peer wrote is read if the peer is one of them.
/// let by_network = TrustedProxies::cidrs(["10.0.0.0/8", "2001:db8::1"])?;
/// // They write RFC 7239's field instead of X-Forwarded-For.
/// let by_network = by_network.header(ForwardingHeader::Forwarded);
/// // Two proxies in a row, of which the outer one's addresses are not known.
/// let by_number = TrustedProxies::builder().cidrs(["10.0.0.0/8"]).hops(2).build()?;
/// // nginx on this machine, over a unix socket.
/// let by_socket = TrustedProxies::builder().unix_sockets().build()?;
///
/// assert!(TrustedProxies::cidrs(["0.0.0.0/0", "10.0.0.1/8", "proxy.example"]).is_err());
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
///
/// See [above](super) for the walk. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Option<Arc<Trust>>);

/// How a hop is known for a proxy.
#[derive(Clone, Debug)]
struct Trust {
    networks: Networks,
    hops: Option<u8>,
    unix: bool,
    header: ForwardingHeader,
    report: Report,
    waivers: Option<Arc<Waivers>>,
}

/// Few are compared one by one.
#[derive(Clone, Debug)]
enum Networks {
    Few(Box<[Cidr]>),
    Many(Arc<CidrTable>, Box<[Cidr]>),
}

const FEW: usize = 4;

impl Networks {
    fn new(networks: Vec<Cidr>) -> Self {
        if networks.len() <= FEW {
            return Self::Few(networks.into());
        }
        Self::Many(Arc::new(CidrTable::new(&networks)), networks.into())
    }

    fn hold(&self, ip: IpAddr) -> bool {
        match self {
            Self::Few(networks) => networks.iter().any(|network| network.contains(ip)),
            Self::Many(table, _) => table.find(ip).is_some(),
        }
    }

    fn all(&self) -> &[Cidr] {
        let (Self::Few(networks) | Self::Many(_, networks)) = self;
        networks
    }
}

impl TrustedProxies {
    /// Trusts nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins with nobody.
    pub fn builder() -> TrustedProxiesBuilder {
        TrustedProxiesBuilder::default()
    }

    /// Trusts the peers in these networks, each a CIDR (`10.0.0.0/8`, `fd00::/8`) or an address.
    ///
    /// # Errors
    /// As [`TrustedProxiesBuilder::build`].
    pub fn cidrs<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        Self::builder().cidrs(networks).build()
    }

    /// Trusts so many hops, whoever they are, from 1 to 63: the peer is the first. Whoever can reach
    /// the service past the proxies chooses his own address; see [`TrustedProxiesBuilder::hops`].
    ///
    /// # Errors
    /// As [`TrustedProxiesBuilder::build`].
    pub fn hops(hops: u8) -> Result<Self, ConfigError> {
        Self::builder().hops(hops).build()
    }

    /// Another header field. Default: `X-Forwarded-For`. Without a trusted proxy it changes nothing.
    #[must_use]
    pub fn header(mut self, header: ForwardingHeader) -> Self {
        if let Some(trust) = &mut self.0 {
            Arc::make_mut(trust).header = header;
        }
        self
    }

    /// The header field that is read.
    pub fn forwarding_header(&self) -> ForwardingHeader {
        self.0.as_ref().map_or_else(ForwardingHeader::default, |trust| trust.header)
    }

    /// The networks that are trusted; none if it goes by hops or sockets alone.
    pub fn networks(&self) -> &[Cidr] {
        self.0.as_ref().map_or(&[], |trust| trust.networks.all())
    }

    /// What is doubtful about them, with the reasons for what is allowed.
    pub fn report(&self) -> Report {
        self.0.as_ref().map(|trust| trust.report.clone()).unwrap_or_default()
    }

    /// What is allowed of it, for the audit log.
    pub(crate) fn waivers(&self) -> Option<&Arc<Waivers>> {
        self.0.as_ref()?.waivers.as_ref()
    }

    pub(super) fn trust_peer(&self, ip: IpAddr) -> bool {
        let Some(trust) = &self.0 else { return false };
        trust.networks.hold(ip) || (trust.hops.is_some() && trust.networks.all().is_empty())
    }

    pub(super) fn trust_unix(&self) -> bool {
        self.0.as_ref().is_some_and(|trust| trust.unix)
    }

    /// Of a hop behind the peer, which is hop zero.
    pub(super) fn trust_hop(&self, ip: IpAddr, hop: u8) -> bool {
        let Some(trust) = &self.0 else { return false };
        trust.hops.map_or_else(|| trust.networks.hold(ip), |hops| hop < hops)
    }
}

/// Builds [`TrustedProxies`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TrustedProxiesBuilder {
    networks: Vec<String>,
    hops: Option<u8>,
    unix: bool,
    header: ForwardingHeader,
    allowed: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl TrustedProxiesBuilder {
    /// Networks of proxies, each a CIDR (`10.0.0.0/8`, `fd00::/8`) or an address.
    pub fn cidrs<I>(mut self, networks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.networks.extend(networks.into_iter().map(Into::into));
        self
    }

    /// How many proxies stand before the service, from 1 to 63: the client is the address that the
    /// outermost of them wrote. For chains whose outer addresses are not known.
    ///
    /// With [`cidrs`](Self::cidrs) the peer must be in one of those networks, and the others are
    /// counted. Without, any peer is believed: then nobody but the proxy may be able to connect. A
    /// number that is too great lets clients choose their address, one that is too small takes a proxy
    /// for the client.
    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = Some(hops);
        self
    }

    /// Trusts whoever connects over a unix socket ([`UnixPeer`](super::UnixPeer)). Who may is the
    /// affair of the socket's permissions.
    pub fn unix_sockets(mut self) -> Self {
        self.unix = true;
        self
    }

    /// The header field that the proxies write. Default: `X-Forwarded-For`. They must write it, or
    /// take out what the client sent: what is read is the last thing that was written.
    pub fn header(mut self, header: ForwardingHeader) -> Self {
        self.header = header;
        self
    }

    /// Allows what would fail [`build`](Self::build), and says why: the reason stands in the
    /// [report](TrustedProxies::report), and in the audit log.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.allowed.push((code.into(), why.into()));
        self
    }

    /// Everything that is doubtful, without building.
    pub fn lint(&self) -> Report {
        let readable = |(index, text): (usize, &String)| Some((index, text.parse::<Cidr>().ok()?));
        let networks: Vec<(usize, Cidr)> = self.networks.iter().enumerate().filter_map(readable).collect();
        let allow =
            |lints: Lints, (code, why): &(Cow<'static, str>, Cow<'static, str>)| lints.allow(code.clone(), why.clone());
        let mut lints = self.allowed.iter().fold(Lints::new(), allow);
        lints::networks(&mut lints, &networks);
        if self.hops.is_some() && self.unix && networks.is_empty() {
            let message = "whoever may open the socket is believed; so is any peer with an address";
            lints.add(&lints::HOPS_OF_A_SOCKET, "hops", message, None);
        } else if self.hops.is_some() && networks.is_empty() {
            let message = "whoever reaches the service past the proxies is believed, and chooses an address";
            lints.add(&lints::UNVERIFIED_PEER, "hops", message, None);
        }
        lints.report()
    }

    /// The proxies.
    ///
    /// # Errors
    /// All that is wrong: what is no network, a network with host bits set, an IPv4-mapped IPv6
    /// network wider than /96, a number of hops that is out of bounds; and the
    /// critical and high findings of [`lint`](Self::lint) that are not allowed: `/0`, which would let
    /// every client choose its own address, and other networks wider than /8 (IPv6: /16).
    pub fn build(self) -> Result<TrustedProxies, ConfigError> {
        let mut issues = ConfigIssues::new();
        let mut networks = Vec::new();
        for (index, text) in self.networks.iter().enumerate() {
            match text.parse::<Cidr>() {
                Ok(network) => networks.push(network),
                Err(error) => {
                    let reason = format!("{text:?} {}", error.reason());
                    issues.add(format!("trusted_proxies[{index}]"), reason, error.cure());
                }
            }
        }
        if self.hops.is_some_and(|hops| !(1..super::forwarded::MAX_HOPS).contains(&hops)) {
            issues.add("hops", "no walk is so long", "use 1 to 63; TrustedProxies::none() trusts nobody");
        }
        let report = self.lint();
        report.add_to(&mut issues);
        let nobody = networks.is_empty() && self.hops.is_none() && !self.unix;
        let trust = Trust {
            networks: Networks::new(networks),
            hops: self.hops,
            unix: self.unix,
            header: self.header,
            waivers: report.waivers("trusted_proxies"),
            report,
        };
        issues.finish(TrustedProxies((!nobody).then(|| Arc::new(trust))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(builder: &TrustedProxiesBuilder) -> Vec<&'static str> {
        builder.lint().issues().iter().map(|issue| issue.code).collect()
    }

    #[test]
    fn all_mistakes_are_listed() {
        let texts =
            ["10.0.0.0/8", "nonsense", "10.0.0.1/8", "0.0.0.0/0", "::/0", "::/80", "::ffff:0.0.0.0/96", "10.0.0.0/33"];
        let error = TrustedProxies::cidrs(texts).unwrap_err();
        assert_eq!(error.issues().len(), 7, "{error}");
        assert_eq!(error.issues()[0].field, "trusted_proxies[1]");
        for hops in [0, 64, 255] {
            assert_eq!(TrustedProxies::hops(hops).unwrap_err().issues()[0].field, "hops");
        }
        assert!(TrustedProxies::hops(63).is_ok());
    }

    #[test]
    fn mapped_networks_are_ipv4() {
        let proxies = TrustedProxies::cidrs(["::ffff:10.0.0.0/104"]).unwrap();
        assert!(proxies.trust_peer("10.1.2.3".parse().unwrap()));
        assert!(!proxies.trust_peer("11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn to_trust_everybody_needs_a_reason() {
        for network in ["0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
            let builder = TrustedProxies::builder().cidrs([network]);
            let report = builder.lint();
            assert_eq!(report.issues()[0].code, "proxies-trust-everybody", "{network}");
            assert_eq!(report.issues()[0].severity, crate::lint::Severity::Critical);
            assert!(builder.clone().build().is_err());
            let allowed = builder.allow_lint("proxies-trust-everybody", "the test bed has no outside").build().unwrap();
            assert_eq!(allowed.report().issues()[0].allowed.as_deref(), Some("the test bed has no outside"));
        }
        assert_eq!(codes(&TrustedProxies::builder().cidrs(["0.0.0.0/1"])), ["proxies-trust-too-many"]);
        assert!(TrustedProxies::cidrs(["2000::/3"]).is_err());
        assert!(TrustedProxies::cidrs(["10.0.0.0/8", "fc00::/7", "fe80::/10"]).unwrap().report().is_empty());
    }

    #[test]
    fn what_is_doubtful_is_told_and_does_not_fail() {
        assert_eq!(codes(&TrustedProxies::builder().hops(2)), ["proxies-hops-without-peer"]);
        assert_eq!(codes(&TrustedProxies::builder().hops(2).unix_sockets()), ["proxies-hops-on-unix"]);
        assert!(codes(&TrustedProxies::builder().hops(2).cidrs(["10.0.0.0/8"])).is_empty());
        assert_eq!(codes(&TrustedProxies::builder().cidrs(["10.0.0.0/8", "10.1.0.0/16"])), ["proxies-redundant"]);
        assert!(TrustedProxies::cidrs(["10.0.0.0/8", "10.1.0.0/16"]).is_ok());
    }

    #[test]
    fn many_networks_are_as_few() {
        let many: Vec<String> = (0..100).map(|n| format!("10.{n}.0.0/16")).collect();
        let proxies = TrustedProxies::cidrs(many.iter().map(String::as_str)).unwrap();
        assert!(proxies.trust_peer("10.99.1.1".parse().unwrap()));
        assert!(!proxies.trust_peer("10.100.1.1".parse().unwrap()));
        assert_eq!(proxies.networks().len(), 100);
    }
}

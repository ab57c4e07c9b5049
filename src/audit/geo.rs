use std::{fmt, net::IpAddr, sync::Arc};

/// Where an address is, for the record's `client.geo`. There is none by default: it is personal
/// data, and a data base of your choice.
///
/// Asked by the writer task, not in the request: it may take its time, but must not wait for a
/// network. A panic counts as "unknown".
///
/// ```
/// use std::net::IpAddr;
/// use portcullis::audit::{AuditLayer, Geo, GeoIp, JsonLines};
///
/// /// Knows our own offices only.
/// #[derive(Debug)]
/// struct Offices;
///
/// impl GeoIp for Offices {
///     fn locate(&self, ip: IpAddr) -> Option<Geo> {
///         match ip {
///             IpAddr::V4(ip) if ip.octets().starts_with(&[10, 1]) => Some(Geo::country("NL").city("Utrecht")),
///             _ => None,
///         }
///     }
/// }
/// let layer = AuditLayer::builder(JsonLines::stdout()).geo(Offices).build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub trait GeoIp: fmt::Debug + Send + Sync + 'static {
    /// Where `ip` is, if that is known.
    fn locate(&self, ip: IpAddr) -> Option<Geo>;
}

impl<G: GeoIp + ?Sized> GeoIp for Arc<G> {
    fn locate(&self, ip: IpAddr) -> Option<Geo> {
        (**self).locate(ip)
    }
}

/// A place, as coarse as the record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Geo {
    /// The country, ISO 3166-1 alpha-2.
    pub country: Arc<str>,
    /// The city.
    pub city: Option<Arc<str>>,
}

impl Geo {
    /// A country.
    pub fn country(country: impl Into<Arc<str>>) -> Self {
        Self { country: country.into(), city: None }
    }

    /// With a city.
    #[must_use]
    pub fn city(self, city: impl Into<Arc<str>>) -> Self {
        Self { city: Some(city.into()), ..self }
    }
}

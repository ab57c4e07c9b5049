use std::time::Duration;

/// `Strict-Transport-Security` (RFC 6797): the browser uses only HTTPS for this host, for so long.
///
/// ```
/// use std::time::Duration;
/// use portcullis::headers::Hsts;
///
/// let two_years = Hsts::max_age(Duration::from_secs(63_072_000)).include_subdomains().preload();
/// assert_eq!(two_years.to_string(), "max-age=63072000; includeSubDomains; preload");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Hsts {
    pub(super) max_age: u64,
    pub(super) include_subdomains: bool,
    pub(super) preload: bool,
}

impl Hsts {
    /// For how long, in whole seconds, rounded down. Zero makes the browser forget it.
    pub const fn max_age(max_age: Duration) -> Self {
        Self { max_age: max_age.as_secs(), include_subdomains: false, preload: false }
    }

    /// Also for every subdomain.
    pub const fn include_subdomains(mut self) -> Self {
        self.include_subdomains = true;
        self
    }

    pub(super) const fn may_be_preloaded(self) -> bool {
        self.include_subdomains && self.max_age >= 31_536_000
    }

    /// Consents to the list that browsers ship (<https://hstspreload.org>). It takes months to be
    /// taken off it again, so this is never a default. Needs a year and the subdomains.
    pub const fn preload(mut self) -> Self {
        self.preload = true;
        self
    }
}

impl std::fmt::Display for Hsts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "max-age={}", self.max_age)?;
        f.write_str(if self.include_subdomains { "; includeSubDomains" } else { "" })?;
        f.write_str(if self.preload { "; preload" } else { "" })
    }
}

/// `X-Frame-Options` (RFC 7034): who may show a response in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameOptions {
    /// Nobody.
    Deny,
    /// Pages of the same origin.
    SameOrigin,
}

impl FrameOptions {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::SameOrigin => "SAMEORIGIN",
        }
    }
}

/// `Referrer-Policy`: how much of the address a browser tells the next site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferrerPolicy {
    /// Nothing.
    NoReferrer,
    /// The whole address to the same origin, nothing to others.
    SameOrigin,
    /// The origin only.
    StrictOrigin,
    /// The whole address to the same origin, the origin to others; browsers' default.
    StrictOriginWhenCrossOrigin,
}

impl ReferrerPolicy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoReferrer => "no-referrer",
            Self::SameOrigin => "same-origin",
            Self::StrictOrigin => "strict-origin",
            Self::StrictOriginWhenCrossOrigin => "strict-origin-when-cross-origin",
        }
    }
}

/// `Cross-Origin-Resource-Policy` (Fetch §3.7): whose pages may embed a response without CORS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourcePolicy {
    /// Pages of the same origin.
    SameOrigin,
    /// Pages of the same registrable domain.
    SameSite,
    /// Any page.
    CrossOrigin,
}

impl ResourcePolicy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameSite => "same-site",
            Self::CrossOrigin => "cross-origin",
        }
    }
}

/// `Cross-Origin-Opener-Policy` (HTML §7.1.3): whether a page shares its group with those that open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenerPolicy {
    /// Only with pages of the same origin.
    SameOrigin,
    /// The same, but pages that it opens itself may be others: for sign-in windows and payments.
    SameOriginAllowPopups,
    /// With everybody, as without the header.
    UnsafeNone,
}

impl OpenerPolicy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameOriginAllowPopups => "same-origin-allow-popups",
            Self::UnsafeNone => "unsafe-none",
        }
    }
}

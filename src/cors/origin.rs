//! Origins, and patterns of them.

use std::{borrow::Cow, convert::Infallible, fmt, net::Ipv4Addr, str::FromStr};

use super::{
    fault::OriginFault,
    grammar::{self, Port, Shape},
};

/// Origins whose pages may read the responses: one, all subdomains of a domain, all ports of a host, or
/// both.
///
/// | pattern | which origins |
/// |---|---|
/// | `https://app.example.com` | this one |
/// | `https://*.example.com` | all subdomains, of one or more labels; never `https://example.com` itself |
/// | `http://localhost:*` | all ports, the scheme's own (which is not written) among them |
/// | `https://*.example.com:*` | both |
///
/// Nothing else is a pattern: there are no regular expressions and no suffixes, which is how
/// `https://app.example.com.evil.example` gets in elsewhere. And an origin must be written as browsers
/// send it, because one that is written otherwise would never match: see [`OriginFault`] for everything
/// that is refused, each with its cure.
///
/// What is known when the program is written, [`origin!`](crate::cors::origin!) checks when it is compiled.
///
/// ```
/// use portcullis::cors::OriginPattern;
///
/// let pattern: OriginPattern = "https://*.example.com".parse()?;
/// assert!(pattern.matches("https://app.example.com") && pattern.matches("https://a.b.example.com"));
/// for origin in ["https://example.com", "https://evilexample.com", "https://.example.com", "http://a.example.com",
///     "https://a.example.com:8443", "https://a.example.com.evil.example", "null"] {
///     assert!(!pattern.matches(origin), "{origin}");
/// }
///
/// let error = OriginPattern::parse("https://app.example.com:443").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""https://app.example.com:443" names the scheme's default port, which browsers leave out (remove the port)"#,
/// );
/// # Ok::<_, portcullis::cors::OriginError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OriginPattern {
    text: Cow<'static, str>,
    shape: Shape,
}

impl OriginPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Whatever no browser would ever send, and wildcards that stand elsewhere.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        match grammar::parse(text) {
            Ok(shape) => Ok(Self { text: Cow::Owned(text.to_owned()), shape }),
            Err(fault) => Err(OriginError::new(text, fault)),
        }
    }

    /// What is wrong with a text, in words for a compiler. For [`origin!`](crate::cors::origin!).
    #[doc(hidden)]
    pub const fn complaint(text: &str) -> Option<&'static str> {
        match grammar::parse(text) {
            Ok(_) => None,
            Err(fault) => Some(fault.sentence()),
        }
    }

    /// A text that has been checked; one that has not matches nothing. For
    /// [`origin!`](crate::cors::origin!).
    #[doc(hidden)]
    pub const fn literal(text: &'static str) -> Self {
        let shape = match grammar::parse(text) {
            Ok(shape) => shape,
            Err(_) => Shape::NONE,
        };
        Self { text: Cow::Borrowed(text), shape }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https`.
    pub fn scheme(&self) -> &str {
        self.text.get(..self.shape.scheme).unwrap_or_default()
    }

    /// The host, or the domain of which all subdomains are meant.
    pub fn host(&self) -> &str {
        self.text.get(self.shape.host..self.shape.host_end).unwrap_or_default()
    }

    /// Whether this is one origin, and no pattern.
    pub fn is_exact(&self) -> bool {
        !self.shape.subdomains && !self.has_any_port()
    }

    /// Whether it stands for all subdomains.
    pub fn has_any_subdomain(&self) -> bool {
        self.shape.subdomains
    }

    /// Whether it stands for all ports.
    pub fn has_any_port(&self) -> bool {
        self.shape.port == Port::Any
    }

    /// Whether what these pages send and receive can be read and changed on the way: plain HTTP beyond
    /// this machine.
    pub fn is_insecure(&self) -> bool {
        let host = self.host();
        let loopback = host == "localhost"
            || host.ends_with(".localhost")
            || host == "[::1]"
            || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        self.scheme() == "http" && !loopback
    }

    /// Whether an origin, as a browser sends it, is one of these.
    pub fn matches(&self, origin: &str) -> bool {
        let Ok(asked) = Self::parse(origin) else { return false };
        asked.is_exact() && self.covers(&asked)
    }

    /// Whether every origin of `other` is one of these.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let host = if self.shape.subdomains {
            let below = other.host().strip_suffix(self.host());
            below.is_some_and(|rest| rest.ends_with('.') || rest.is_empty() && other.shape.subdomains)
        } else {
            !other.shape.subdomains && self.host() == other.host()
        };
        host && self.scheme() == other.scheme() && self.shape.port.covers(other.shape.port)
    }

    pub(super) fn port(&self) -> Port {
        self.shape.port
    }
}

impl fmt::Debug for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OriginPattern").field(&self.text).finish()
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for OriginPattern {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl FromStr for OriginPattern {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for OriginPattern {
    type Error = OriginError;

    fn try_from(text: &str) -> Result<Self, OriginError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        Self::parse(&text)
    }
}

impl TryFrom<&String> for OriginPattern {
    type Error = OriginError;

    fn try_from(text: &String) -> Result<Self, OriginError> {
        Self::parse(text)
    }
}

/// A text that is no origin and no pattern of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    text: String,
    fault: OriginFault,
}

impl OriginError {
    fn new(text: &str, fault: OriginFault) -> Self {
        Self { text: text.chars().take(200).collect(), fault }
    }

    /// The text, of which the first 200 characters are kept.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it.
    pub fn fault(&self) -> OriginFault {
        self.fault
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} ({})", self.text, self.fault.reason(), self.fault.cure())
    }
}

impl std::error::Error for OriginError {}

/// So that setters take patterns and texts alike.
impl From<Infallible> for OriginError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests;

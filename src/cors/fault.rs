//! Why a text is no origin that a browser would send, and what to do about it.

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident => $reason:literal, $cure:literal;)*) => {
        /// What is wrong with an origin, or with a pattern of origins.
        ///
        /// ```
        /// use portcullis::cors::{OriginFault, OriginPattern};
        ///
        /// let fault = OriginPattern::parse("https://app.example.com/").unwrap_err().fault();
        /// assert_eq!(fault, OriginFault::TrailingSlash);
        /// assert_eq!(fault.cure(), "remove the slash");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OriginFault {
            $($(#[$doc])* $fault,)*
        }

        impl OriginFault {
            /// Every fault there is.
            pub const ALL: &[Self] = &[$(Self::$fault,)*];

            /// What is wrong, as the rest of a sentence that begins with the origin.
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$fault => $reason,)*
                }
            }

            /// What to do.
            pub const fn cure(self) -> &'static str {
                match self {
                    $(Self::$fault => $cure,)*
                }
            }

            /// Both, as the compiler says them.
            pub(super) const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$fault => concat!("this origin ", $reason, " (", $cure, ")"),)*
                }
            }
        }
    };
}

faults! {
    /// There is nothing.
    Empty => "is empty", "write an origin, such as https://app.example.com";
    /// `null`.
    Null => "is the origin of every sandboxed frame and local file: any site can have it", "remove it";
    /// A lone `*`.
    EveryOrigin => "stands for every origin", "say allow_any_origin(), which excludes credentials";
    /// Letters beyond ASCII.
    NotAscii => "is not ASCII, as browsers send it", "write the host in Punycode (xn--…)";
    /// Longer than 300 bytes.
    TooLong => "is longer than a host and port can be", "write an origin";
    /// No `://`.
    NoScheme => "has no scheme", "write the whole origin, such as https://app.example.com";
    /// The scheme is none (RFC 3986 §3.1).
    BadScheme => "has a malformed scheme", "use https";
    /// Pages of this scheme have the origin `null`.
    OpaqueScheme => "has a scheme whose pages send `null`", "serve the page over https";
    /// Capitals, in the scheme or in the host.
    Capitals => "has capitals, which browsers never send", "write it in lower case";
    /// `user@`.
    UserInformation => "has user information, which is no part of an origin", "remove it";
    /// A slash at the end, and nothing behind it.
    TrailingSlash => "has a trailing slash, which browsers never send", "remove the slash";
    /// A path, a query or a fragment.
    Path => "has a path or query, which is no part of an origin", "end it after the host and port";
    /// `*` where it means nothing.
    MisplacedWildcard => "has a wildcard where it means nothing",
        "write https://*.example.com for all subdomains, http://localhost:* for all ports, or list each origin";
    /// `*` with a scheme whose hosts are no domains.
    WildcardScheme => "has a wildcard, which only http and https origins can have", "list each origin";
    /// `*.` before an IP address.
    WildcardAddress => "has a wildcard before an IP address, which has no subdomains", "write the address alone";
    /// The host is neither a name nor an address.
    BadHost => "has a malformed host", "use a host name or an IP address";
    /// The host ends with a dot.
    TrailingDot => "has a host that ends with a dot", "remove the dot";
    /// The host ends with a number, but is no IPv4 address as browsers write it.
    BadIpv4 => "is neither a name nor an IPv4 address", "write the address as four decimal numbers";
    /// `[::ffff:192.0.2.1]`.
    MappedIpv4 => "is an IPv4 address written as IPv6", "write the IPv4 address";
    /// Not the one form of RFC 5952.
    LongIpv6 => "is an IPv6 address in a form that browsers never send", "write it in its shortest form";
    /// `[fe80::1%eth0]`.
    Zone => "has an IPv6 zone, which means something on one machine only", "write the address without a zone";
    /// The port is no number from 1 to 65535.
    BadPort => "has a malformed port", "use a port from 1 to 65535, without leading zeros";
    /// Port 443 of https, port 80 of http.
    DefaultPort => "names the scheme's default port, which browsers leave out", "remove the port";
}

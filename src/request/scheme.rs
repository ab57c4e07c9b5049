/// How the connection to the client was made, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
    /// The server did not say, and no trusted proxy did.
    Unknown,
}

impl Scheme {
    /// By its name, in whatever case (RFC 3986 §3.1).
    pub(super) fn named(name: &[u8]) -> Self {
        match name.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"https") => Self::Https,
            name if name.eq_ignore_ascii_case(b"http") => Self::Http,
            _ => Self::Unknown,
        }
    }
}

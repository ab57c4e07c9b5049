use std::{borrow::Cow, fmt};

use super::{Directive, Fault};

/// Keywords that mean a host when their quotes are forgotten.
const KEYWORDS: &[&str] = &[
    "none",
    "self",
    "strict-dynamic",
    "report-sample",
    "unsafe-eval",
    "unsafe-hashes",
    "unsafe-inline",
    "wasm-unsafe-eval",
    "inline-speculation-rules",
];

const HASHES: &[(&str, usize)] = &[("sha256-", 44), ("sha384-", 64), ("sha512-", 88)];

/// Something that a directive allows (CSP Level 3 §2.3.1): a keyword, a scheme, a host, a nonce or a
/// hash. Keywords are constants here; hosts, schemes and hashes are text, as in the header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source(Cow<'static, str>);

impl Source {
    /// Nothing: `'none'`.
    pub const NONE: Self = Self(Cow::Borrowed("'none'"));
    /// The page's own origin: `'self'`.
    pub const SELF: Self = Self(Cow::Borrowed("'self'"));
    /// What carries the nonce of the response. The layer makes one for each; the handler reads it with
    /// [`CspNonce`](crate::headers::CspNonce).
    pub const NONCE: Self = Self(Cow::Borrowed("'nonce-{}'"));
    /// What a script with a nonce or hash loads: `'strict-dynamic'`.
    pub const STRICT_DYNAMIC: Self = Self(Cow::Borrowed("'strict-dynamic'"));
    /// A sample of what was refused, in reports: `'report-sample'`.
    pub const REPORT_SAMPLE: Self = Self(Cow::Borrowed("'report-sample'"));
    /// Compiling WebAssembly: `'wasm-unsafe-eval'`.
    pub const WASM_UNSAFE_EVAL: Self = Self(Cow::Borrowed("'wasm-unsafe-eval'"));
    /// Hashes also for event handlers: `'unsafe-hashes'`.
    pub const UNSAFE_HASHES: Self = Self(Cow::Borrowed("'unsafe-hashes'"));
    /// Whatever stands in the page: `'unsafe-inline'`.
    pub const UNSAFE_INLINE: Self = Self(Cow::Borrowed("'unsafe-inline'"));
    /// Text run as script: `'unsafe-eval'`.
    pub const UNSAFE_EVAL: Self = Self(Cow::Borrowed("'unsafe-eval'"));
    /// Addresses that hold what they name: `data:`.
    pub const DATA: Self = Self(Cow::Borrowed("data:"));

    /// As it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A nonce that is the same for every response.
    pub(in crate::headers) fn is_constant_nonce(&self) -> bool {
        *self != Self::NONCE && lower(&self.0).starts_with("'nonce-")
    }

    /// A nonce or a hash: browsers then ignore `'unsafe-inline'`.
    pub(in crate::headers) fn is_tied(&self) -> bool {
        lower(&self.0).starts_with("'nonce-") || self.is_hash()
    }

    fn is_hash(&self) -> bool {
        let text = lower(&self.0);
        HASHES.iter().any(|(prefix, _)| text.strip_prefix('\'').is_some_and(|text| text.starts_with(prefix)))
    }

    /// Every host of a scheme, or of all.
    pub(in crate::headers) fn is_broad(&self) -> bool {
        let text = lower(&self.0);
        let after = text.split_once("://").map_or(&*text, |(_, host)| host);
        matches!(&*text, "http:" | "https:" | "ws:" | "wss:" | "data:" | "blob:" | "filesystem:" | "ftp:")
            || matches!(after, "*" | "*.*")
    }

    /// Without TLS.
    pub(in crate::headers) fn is_insecure(&self) -> bool {
        let text = lower(&self.0);
        ["http:", "ws:", "ftp:"].iter().any(|scheme| text.starts_with(scheme))
    }

    pub(in crate::headers) fn is(&self, keyword: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&keyword.0)
    }
}

impl From<&'static str> for Source {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// Everything that is wrong with a directive's sources.
pub(super) fn check(directive: Directive, sources: &[Source]) -> Vec<Fault> {
    let name = directive.as_str();
    let mut faults: Vec<Fault> = sources.iter().filter_map(|source| check_one(directive, &source.0)).collect();
    if sources.is_empty() {
        faults.push((format!("{name} has no source").into(), "write 'none' to allow nothing"));
    }
    if sources.len() > 1 && sources.iter().any(|source| source.is(&Source::NONE)) {
        let reason = format!("{name} has 'none' beside other sources, so that browsers ignore it");
        faults.push((reason.into(), "leave 'none' out, or the others"));
    }
    faults
}

fn check_one(directive: Directive, text: &str) -> Option<Fault> {
    let name = directive.as_str();
    let fault = |reason: &str, cure| Some((format!("{name}: {text:?} {reason}").into(), cure));
    let word = lower(text);
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',' && byte != b';') {
        return fault("is not one word of visible ASCII", "write one source at a time");
    }
    if let Some(inner) = word.strip_prefix('\'') {
        let Some(inner) = inner.strip_suffix('\'') else { return fault("lacks a quote", "quote it on both sides") };
        return check_quoted(directive, inner).and_then(|(reason, cure)| fault(reason, cure));
    }
    let unquoted = KEYWORDS.contains(&&*word)
        || word.starts_with("nonce-")
        || HASHES.iter().any(|(prefix, _)| word.starts_with(prefix));
    if unquoted {
        return fault("lacks its quotes, so it is a host", "write it in single quotes");
    }
    if is_scheme(&word) || is_host(&word) {
        return None;
    }
    fault("is no scheme and no host", "write https:, example.com, *.example.com or https://example.com:8443/path/")
}

fn check_quoted(directive: Directive, inner: &str) -> Option<(&'static str, &'static str)> {
    if directive == Directive::FrameAncestors && !["none", "self"].contains(&inner) {
        return Some(("has no meaning there", "name 'none', 'self', schemes and hosts"));
    }
    if let Some(value) = inner.strip_prefix("nonce-") {
        if !directive.is_inline() {
            return Some(("has no meaning there", "nonces are for scripts and styles"));
        }
        return (value != "{}" && !is_base64(value)).then_some(("is no nonce", "use Source::NONCE"));
    }
    if let Some((prefix, length)) = HASHES.iter().find(|(prefix, _)| inner.starts_with(prefix)) {
        if !directive.is_inline() {
            return Some(("has no meaning there", "hashes are for scripts and styles"));
        }
        let value = inner.strip_prefix(prefix).unwrap_or_default();
        let fits = is_base64(value) && value.trim_end_matches('=').len() == hash_letters(*length);
        return (!fits).then_some(("is no hash of that kind", "use the base64 of the digest"));
    }
    (!KEYWORDS.contains(&inner)).then_some(("is no keyword", "see CSP Level 3 §2.3.1 for those that there are"))
}

/// Base64 without its padding.
const fn hash_letters(padded: usize) -> usize {
    match padded {
        44 => 43,
        88 => 86,
        other => other,
    }
}

fn is_base64(value: &str) -> bool {
    let letters = value.trim_end_matches('=');
    let padding = value.len().saturating_sub(letters.len());
    !letters.is_empty()
        && padding <= 2
        && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
}

fn is_scheme(word: &str) -> bool {
    word.strip_suffix(':').is_some_and(is_scheme_name)
}

fn is_scheme_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `[scheme://]host[:port][/path]`
fn is_host(word: &str) -> bool {
    let rest = match word.split_once("://") {
        Some((scheme, rest)) if is_scheme_name(scheme) => rest,
        Some(_) => return false,
        None => word,
    };
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let port_fits = port.is_none_or(|port| port == "*" || port.parse::<u16>().is_ok());
    let labels = host.strip_prefix("*.").unwrap_or(host);
    let host_fits = host == "*" || labels.split('.').all(is_label);
    port_fits && host_fits && !path.contains(['?', '#'])
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

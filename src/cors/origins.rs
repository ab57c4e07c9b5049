//! The allowed origins, ready to be asked. A lookup takes as long for ten thousand as for one.

use std::collections::{HashMap, HashSet};

use http::HeaderValue;

use super::{
    grammar::{LONGEST, Port, are_labels, end_of_host, port_of},
    origin::OriginPattern,
};
use crate::gate::constant;

/// So many origins are thought to be asked from all the time.
const FEW: usize = 16;

/// Maps are keyed by what strangers choose, so their hash is keyed, too.
#[derive(Default)]
pub(super) struct Origins {
    /// Each with the value that answers it.
    exact: HashMap<Box<[u8]>, HeaderValue>,
    /// The first of them, which often is the only one, or the one that most pages come from.
    first: Option<HeaderValue>,
    longest: usize,
    patterns: Option<Box<Patterns>>,
}

#[derive(Default)]
struct Patterns {
    /// `scheme://host`.
    any_port: HashSet<Box<[u8]>>,
    /// By the domain.
    subdomains: HashMap<Box<[u8]>, Vec<Rule>>,
    /// Bit n: there are domains of n + 1 labels. So what a stranger sends is hashed once for each
    /// number of labels that a pattern has, and not for each that it has itself.
    depths: u64,
}

struct Rule {
    https: bool,
    port: Port,
}

impl Origins {
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a OriginPattern>) -> Self {
        let mut all = Self::default();
        patterns.into_iter().for_each(|pattern| all.add(pattern));
        all
    }

    fn add(&mut self, pattern: &OriginPattern) {
        if !pattern.is_exact() {
            self.patterns.get_or_insert_default().add(pattern);
        } else if let Ok(value) = HeaderValue::from_str(pattern.as_str()) {
            // Where there are many, none of them stands in most responses.
            let value = if self.exact.len() < FEW { constant(value) } else { value };
            self.longest = self.longest.max(value.len());
            self.first.get_or_insert_with(|| value.clone());
            self.exact.insert(value.as_bytes().into(), value);
        }
    }

    /// The value for `Access-Control-Allow-Origin`, if this origin is allowed.
    pub(super) fn admit(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if let Some(first) = self.first.as_ref().filter(|first| *first == origin) {
            return Some(first.clone());
        }
        // A long one is refused unhashed.
        if origin.len() <= self.longest
            && let Some(value) = self.exact.get(origin.as_bytes())
        {
            return Some(value.clone());
        }
        let patterns = self.patterns.as_ref()?;
        patterns.cover(origin.as_bytes()).then(|| origin.clone())
    }
}

impl Patterns {
    fn add(&mut self, pattern: &OriginPattern) {
        let host = pattern.host();
        if pattern.has_any_subdomain() {
            let rule = Rule { https: pattern.scheme() == "https", port: pattern.port() };
            self.subdomains.entry(host.as_bytes().into()).or_default().push(rule);
            self.depths |= depth(host.bytes().filter(|byte| *byte == b'.').count());
        } else {
            self.any_port.insert(format!("{}://{host}", pattern.scheme()).into_bytes().into());
        }
    }

    /// As [`OriginPattern::matches`] says it of one.
    fn cover(&self, origin: &[u8]) -> bool {
        if origin.len() > LONGEST {
            return false;
        }
        let (https, authority) = match origin {
            [b'h', b't', b't', b'p', b's', b':', b'/', b'/', rest @ ..] => (true, rest),
            [b'h', b't', b't', b'p', b':', b'/', b'/', rest @ ..] => (false, rest),
            _ => return false,
        };
        let (host, port) = authority.split_at(end_of_host(authority));
        let scheme: &[u8] = if https { b"https" } else { b"http" };
        let Ok(port @ (Port::Default | Port::Number(_))) = port_of(scheme, port) else { return false };
        let without_port = origin.len().saturating_sub(authority.len()).saturating_add(host.len());
        if !self.any_port.is_empty() && origin.get(..without_port).is_some_and(|origin| self.any_port.contains(origin))
        {
            return true;
        }
        self.depths != 0 && host.len() <= 253 && self.cover_subdomain(host, https, port)
    }

    fn cover_subdomain(&self, host: &[u8], https: bool, port: Port) -> bool {
        let mut dots = host.split(|byte| *byte == b'.').count().saturating_sub(1);
        let mut domain = host;
        while let Some(dot) = domain.iter().position(|byte| *byte == b'.') {
            (_, domain) = domain.split_at(dot.saturating_add(1));
            dots = dots.saturating_sub(1);
            if self.depths & depth(dots) != 0
                && let Some(rules) = self.subdomains.get(domain)
                && rules.iter().any(|rule| rule.https == https && rule.port.covers(port))
            {
                let before = host.len().saturating_sub(domain.len()).saturating_sub(1);
                return host.get(..before).is_some_and(are_labels);
            }
        }
        false
    }
}

/// The bit of domains with so many dots; one for all that have more than any host can.
fn depth(dots: usize) -> u64 {
    1_u64.wrapping_shl(u32::try_from(dots).unwrap_or(u32::MAX).min(63))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(patterns: &[&str]) -> (Origins, Vec<OriginPattern>) {
        let patterns: Vec<OriginPattern> = patterns.iter().map(|text| OriginPattern::parse(text).unwrap()).collect();
        (Origins::new(&patterns), patterns)
    }

    #[test]
    fn all_kinds_live_side_by_side() {
        let (origins, _) = compiled(&[
            "https://app.example.com",
            "https://*.example.com:8443",
            "http://*.example.com",
            "https://*.deep.example.org",
            "https://*.example.org",
            "http://localhost:*",
            "http://[::1]:*",
        ]);
        let admits = |origin: &'static str| {
            let value = HeaderValue::from_static(origin);
            let answer = origins.admit(&value);
            assert!(answer.is_none() || answer == Some(value));
            answer.is_some()
        };
        for origin in [
            "https://app.example.com",
            "https://a.example.com:8443",
            "http://a.b.example.com",
            "https://x.deep.example.org",
            "https://deep.example.org",
            "http://localhost:5173",
            "http://localhost",
            "http://[::1]:5173",
            "http://[::1]",
        ] {
            assert!(admits(origin), "{origin}");
        }
        for origin in [
            "https://a.example.com",
            "https://example.org",
            "http://a.example.org",
            "https://localhost:5173",
            "http://[::1]:80",
            "http://[::1]x",
            "http://a b.example.com",
            "http://a..example.com",
            "http://.example.com",
            "http://x/.example.com",
            "http://-.example.com",
            "null",
            "*",
            "",
        ] {
            assert!(!admits(origin), "{origin}");
        }
    }

    #[test]
    fn a_host_of_many_labels_is_refused_whatever_it_ends_with() {
        let (origins, _) = compiled(&["https://*.example.com"]);
        let host =
            |labels: usize| HeaderValue::try_from(format!("https://{}example.com", "a.".repeat(labels))).unwrap();
        assert!(origins.admit(&host(100)).is_some());
        assert!(origins.admit(&host(122)).is_none());
        assert!(origins.admit(&host(30_000)).is_none());
    }

    const PATTERNS: [&str; 8] = [
        "https://a.b",
        "https://*.a.b",
        "http://*.b.a:*",
        "https://*.a.a.b:81",
        "http://a:*",
        "http://b.a:81",
        "https://[::1]:*",
        "http://1.2.3.4:*",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4_096))]

        #[test]
        fn the_set_admits_what_one_of_its_patterns_matches(
            chosen in proptest::sample::subsequence(PATTERNS.to_vec(), 0..PATTERNS.len()),
            origin in proptest::prop_oneof![
                "https?://[ab.]{1,9}(:(81|443|80|0|8443))?",
                "https?://([ab-]{1,2}\\.){0,4}(a\\.b|b\\.a|a\\.a\\.b|a|1\\.2\\.3\\.4|\\[::1\\])(:[0-9*]{0,5})?",
                "[ -~]{0,24}",
            ],
        ) {
            let (origins, patterns) = compiled(&chosen);
            let admitted = origins.admit(&HeaderValue::try_from(&origin).unwrap()).is_some();
            proptest::prop_assert_eq!(admitted, patterns.iter().any(|pattern| pattern.matches(&origin)));
        }
    }
}

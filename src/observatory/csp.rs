//! A `Content-Security-Policy` as the Observatory reads it: several policies become one, and a source
//! that a shorter one of the same policy covers is left out.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// One less than the shortest directive.
const SHORTEST: usize = 6;

/// Directives that may stand twice.
const REPORTING: &[&str] = &["report-uri", "report-to"];

/// The policies together. A directive without a source has `'none'`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Policies {
    pub(super) directives: BTreeMap<String, BTreeSet<String>>,
    /// Whether a reporting directive stands twice.
    pub(super) repeated: bool,
}

#[derive(Clone)]
struct Source {
    text: String,
    policy: usize,
    keep: bool,
}

/// `None`: a policy that the Observatory calls invalid.
pub(super) fn parse(policies: &[String]) -> Option<Policies> {
    let policies: Vec<&str> = policies.iter().map(|policy| policy.trim()).collect();
    if policies.iter().any(|policy| policy.chars().count() < SHORTEST) {
        return None;
    }
    let several = policies.len() > 1;
    let mut repeated = false;
    let mut held: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for entry in policy.split(';') {
            let mut words = entry.split_whitespace().map(str::to_lowercase);
            let Some(directive) = words.next() else { continue };
            if !seen.insert(directive.clone()) {
                if !REPORTING.contains(&&*directive) {
                    return None;
                }
                repeated = true;
            }
            let mut sources: Vec<Source> = words.map(|text| Source { text, policy: index, keep: index == 0 }).collect();
            if sources.is_empty() && directive.ends_with("-src") {
                sources.push(Source { text: "'none'".into(), policy: index, keep: index == 0 });
            }
            if index > 0 {
                let before = held.get(&directive).cloned().unwrap_or_default();
                sources = before.into_iter().chain(sources).collect();
            }
            let mut kept = joined(sources)?;
            if index == 0 && several {
                // What stands in one policy only is no longer allowed.
                for source in &mut kept {
                    source.keep = false;
                }
            }
            held.insert(directive, kept);
        }
    }
    let directives = held.into_iter().map(|(directive, sources)| (directive, texts(sources))).collect();
    Some(Policies { directives, repeated })
}

fn texts(sources: Vec<Source>) -> BTreeSet<String> {
    if sources.is_empty() {
        return BTreeSet::from(["'none'".to_owned()]);
    }
    sources.into_iter().map(|source| source.text).collect()
}

/// The sources that are worth keeping.
fn joined(mut sources: Vec<Source>) -> Option<Vec<Source>> {
    sources.sort_by(|a, b| collated(&a.text, &b.text));
    let mut before: Option<Source> = None;
    for source in &mut sources {
        if let Some(before) = &before {
            if before.policy == source.policy {
                source.keep &= !source.text.starts_with(&before.text);
            } else if covers(&before.text, &source.text)? {
                source.keep = true;
            }
        }
        before = Some(source.clone());
    }
    sources.retain(|source| source.keep);
    Some(sources)
}

/// Whether a path (CSP Level 3 §6.7.2.12) covers another; `None` where one cannot be decoded.
fn covers(wide: &str, narrow: &str) -> Option<bool> {
    if wide.is_empty() || (wide == "/" && narrow.is_empty()) {
        return Some(true);
    }
    let exact = !wide.ends_with('/');
    let (mut wide, narrow): (Vec<&str>, Vec<&str>) = (wide.split('/').collect(), narrow.split('/').collect());
    if wide.len() > narrow.len() || (exact && wide.len() != narrow.len()) {
        return Some(false);
    }
    if !exact {
        wide.pop();
    }
    for (wide, narrow) in wide.into_iter().zip(narrow) {
        if decoded(wide)? != decoded(narrow)? {
            return Some(false);
        }
    }
    Some(true)
}

/// JavaScript's `decodeURIComponent`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let byte = if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            rest = tail;
            let digits =
                std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()))?;
            u8::from_str_radix(digits, 16).ok()?
        } else {
            *first
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

/// The order of ICU's root collation, as far as policies need it: the Observatory sorts with it, and what a source is
/// compared with depends on the order.
fn collated(a: &str, b: &str) -> Ordering {
    const ORDER: &str = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";
    let weight = |c: char| ORDER.find(c).map_or((1, u32::from(c)), |at| (0, u32::try_from(at).unwrap_or(u32::MAX)));
    a.chars().map(weight).cmp(b.chars().map(weight))
}

//! `Content-Security-Policy` (CSP Level 3) as a value: it cannot be misspelt.

mod directive;
mod parse;
mod source;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

pub use self::{directive::Directive, source::Source};
use crate::config_error::{ConfigError, ConfigIssues};

/// What is wrong, and the cure.
pub(super) type Fault = (Cow<'static, str>, &'static str);

/// Flags that `sandbox` takes (HTML §7.1.5).
const SANDBOX: &[&str] = &[
    "allow-downloads",
    "allow-forms",
    "allow-modals",
    "allow-orientation-lock",
    "allow-pointer-lock",
    "allow-popups",
    "allow-popups-to-escape-sandbox",
    "allow-presentation",
    "allow-same-origin",
    "allow-scripts",
    "allow-storage-access-by-user-activation",
    "allow-top-navigation",
    "allow-top-navigation-by-user-activation",
    "allow-top-navigation-to-custom-protocols",
];

/// One directive of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Sources(Directive, Vec<Source>),
    /// Any other directive that is known, with its words.
    Other(&'static str, Vec<String>),
}

impl Rule {
    fn name(&self) -> &'static str {
        match self {
            Self::Sources(directive, _) => directive.as_str(),
            Self::Other(name, _) => name,
        }
    }
}

/// A `Content-Security-Policy`: what a page may load, run and be shown in.
///
/// Directives and sources are known by name, so that what would silently do nothing is a mistake: an
/// unknown directive, a keyword without its quotes, `'none'` beside something else. Mistakes are kept
/// until the layer is built, where all of them are listed.
///
/// ```
/// use portcullis::headers::{Csp, Directive, Source};
///
/// let policy = Csp::new()
///     .allow(Directive::DefaultSrc, [Source::SELF])
///     .allow(Directive::ScriptSrc, [Source::NONCE, "https://cdn.example".into()])
///     .allow(Directive::ObjectSrc, [Source::NONE])
///     .upgrade_insecure_requests();
/// assert_eq!(
///     policy.to_string(),
///     "default-src 'self'; script-src 'nonce-{}' https://cdn.example; object-src 'none'; upgrade-insecure-requests",
/// );
/// // The same, from text:
/// assert_eq!(Csp::parse(&policy.to_string())?, policy);
///
/// let error = Csp::parse("default-src self; scirpt-src 'none'").unwrap_err();
/// assert_eq!(error.issues().len(), 2);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Csp {
    pub(super) rules: Vec<Rule>,
    faults: Vec<Fault>,
}

impl Csp {
    /// No directive yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a policy as it stands in the header. `'nonce-{}'` stands for [`Source::NONCE`].
    ///
    /// # Errors
    /// Everything that would not do what it says: unknown directives, malformed sources, keywords
    /// without quotes, directives that stand twice.
    pub fn parse(policy: &str) -> Result<Self, ConfigError> {
        let parsed = Self::from(policy);
        let mut issues = ConfigIssues::new();
        for (reason, cure) in parsed.faults() {
            issues.add("content_security_policy", reason, cure);
        }
        issues.finish(parsed)
    }

    /// What a directive allows. Each directive stands once in a policy.
    pub fn allow<I>(mut self, directive: Directive, sources: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Source>,
    {
        let sources: Vec<Source> = sources.into_iter().map(Into::into).collect();
        self.faults.extend(source::check(directive, &sources));
        self.push(Rule::Sources(directive, sources))
    }

    /// Fetches by HTTPS what the page names with `http:`.
    pub fn upgrade_insecure_requests(self) -> Self {
        self.push(Rule::Other("upgrade-insecure-requests", Vec::new()))
    }

    /// Shuts the page in, but for these flags: `allow-scripts`, `allow-forms` …
    pub fn sandbox<'a>(self, flags: impl IntoIterator<Item = &'a str>) -> Self {
        self.other("sandbox", flags, |flag| {
            let known = SANDBOX.contains(&flag);
            (!known).then(|| (format!("sandbox has no flag {flag:?}").into(), "use a flag of HTML §7.1.5"))
        })
    }

    /// The group of `Reporting-Endpoints` that violations are sent to.
    pub fn report_to(self, group: &str) -> Self {
        self.other("report-to", [group], |group| {
            let named =
                !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            (!named).then(|| (format!("report-to cannot name {group:?}").into(), "name one group in ASCII"))
        })
    }

    /// The address that violations are sent to, for browsers that do not know `report-to`.
    pub fn report_uri(self, address: &str) -> Self {
        self.other("report-uri", [address], |address| {
            let fits = address.starts_with('/') || address.starts_with("https://");
            (!fits).then(|| (format!("report-uri cannot be {address:?}").into(), "use a path, or an https address"))
        })
    }

    /// Lets the page pass only typed values to what runs text as script (Trusted Types).
    pub fn require_trusted_types(self) -> Self {
        self.push(Rule::Other("require-trusted-types-for", vec!["'script'".into()]))
    }

    /// The names of the Trusted Types policies that the page may make.
    pub fn trusted_types<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.other("trusted-types", names, |name| {
            let quoted = ["'none'", "'allow-duplicates'"].contains(&name);
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-#=_/@.%*".contains(&byte));
            (name.is_empty() || !(quoted || plain))
                .then(|| (format!("trusted-types cannot name {name:?}").into(), "use letters, digits and `-#=_/@.%`"))
        })
    }

    fn other<'a>(
        mut self,
        name: &'static str,
        words: impl IntoIterator<Item = &'a str>,
        fault: impl Fn(&str) -> Option<Fault>,
    ) -> Self {
        let words: Vec<String> = words.into_iter().map(ToOwned::to_owned).collect();
        self.faults.extend(words.iter().filter_map(|word| fault(word)));
        self.push(Rule::Other(name, words))
    }

    fn push(mut self, rule: Rule) -> Self {
        if self.rules.iter().any(|held| held.name() == rule.name()) {
            let reason = format!("{} stands twice, and browsers ignore the second", rule.name());
            self.faults.push((reason.into(), "join the two"));
        }
        self.rules.push(rule);
        self
    }

    /// What a directive names itself.
    pub(super) fn sources(&self, wanted: Directive) -> Option<&[Source]> {
        self.rules.iter().find_map(|rule| match rule {
            Rule::Sources(directive, sources) if *directive == wanted => Some(&**sources),
            _ => None,
        })
    }

    /// What is allowed by a directive: by itself, or by what it falls back to.
    pub(super) fn effective(&self, directive: Directive) -> Option<&[Source]> {
        directive.chain().iter().find_map(|directive| self.sources(*directive))
    }

    /// Whether each response needs a nonce of its own.
    pub(super) fn wants_nonce(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Sources(_, sources) if sources.contains(&Source::NONCE)))
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        if self.rules.is_empty() && faults.is_empty() {
            faults.push(("is empty".into(), "name a directive, or use without()"));
        }
        faults
    }
}

/// As [`Csp::parse`]; mistakes are listed when the layer is built.
impl From<&str> for Csp {
    fn from(policy: &str) -> Self {
        parse::parse(policy)
    }
}

impl fmt::Display for Csp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            f.write_str(rule.name())?;
            match rule {
                Rule::Sources(_, sources) => sources.iter().try_for_each(|source| write!(f, " {source}"))?,
                Rule::Other(_, words) => words.iter().try_for_each(|word| write!(f, " {word}"))?,
            }
        }
        Ok(())
    }
}

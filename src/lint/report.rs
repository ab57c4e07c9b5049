use std::{borrow::Cow, fmt};

use serde::Serialize;

use crate::config_error::{ConfigError, ConfigIssues};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Untidy; has no effect on security.
    Low,
    /// Weakens a defence.
    Medium,
    /// Opens a way in for some. Fails `build()`.
    High,
    /// Opens the door for everybody. Fails `build()`.
    Critical,
}

impl Severity {
    /// Whether `build()` fails because of it, unless it is allowed.
    pub fn is_fatal(self) -> bool {
        self >= Self::High
    }

    /// The word for it: `"critical"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind of finding: one row of a table. Layers of your own may have theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Its stable name, kebab-case: what [`Lints::allow`](super::Lints::allow) takes.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What to do.
    pub fix: &'static str,
    /// The address of the specification, or of the advice, that says so.
    pub spec: &'static str,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Issue {
    /// The stable name of the kind.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Which setting: the setter's name, with an index or key where there are several.
    pub field: Cow<'static, str>,
    /// What is wrong.
    pub message: Cow<'static, str>,
    /// The value that is found fault with, where there is one. Never a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Cow<'static, str>>,
    /// What to do.
    pub fix: Cow<'static, str>,
    /// The address of the specification, or of the advice, that says so.
    pub spec: &'static str,
    /// Why the owner allows it, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Cow<'static, str>>,
}

impl Issue {
    /// Whether `build()` fails because of it.
    pub fn is_fatal(&self) -> bool {
        self.severity.is_fatal() && self.allowed.is_none()
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {} ({})", self.severity, self.code, self.field, self.message, self.fix)?;
        if let Some(reason) = &self.allowed {
            write!(f, " [allowed: {reason}]")?;
        }
        Ok(())
    }
}

/// The findings about a configuration, the gravest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    issues: Vec<Issue>,
}

impl Report {
    pub(super) fn new(mut issues: Vec<Issue>) -> Self {
        issues.sort_by_key(|issue| std::cmp::Reverse(issue.severity));
        Self { issues }
    }

    /// The findings, the gravest first; among equals in the order in which they were found.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    /// The findings of one kind.
    pub fn with_code<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Issue> {
        self.issues.iter().filter(move |issue| issue.code == code)
    }

    /// Takes in what was found about a part, with the part's name before each field.
    #[must_use]
    pub fn merged(mut self, part: &str, other: &Self) -> Self {
        self.issues.extend(other.issues.iter().cloned().map(|mut issue| {
            if !part.is_empty() {
                issue.field = format!("{part}.{}", issue.field).into();
            }
            issue
        }));
        Self::new(self.issues)
    }

    /// Whether a `build()` may go on.
    ///
    /// # Errors
    /// Every critical or high finding that is not allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut issues = ConfigIssues::new();
        self.add_to(&mut issues);
        issues.finish(())
    }

    /// Adds what fails a `build()` to the mistakes found otherwise.
    pub fn add_to(&self, issues: &mut ConfigIssues) {
        for issue in self.issues.iter().filter(|issue| issue.is_fatal()) {
            let cure = format!("{}; or allow_lint({:?}, why). See {}", issue.fix, issue.code, issue.spec);
            issues.add(issue.field.clone(), issue.message.clone(), cure);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.issues.iter().try_for_each(|issue| writeln!(f, "{issue}"))
    }
}

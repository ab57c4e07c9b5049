use std::fmt;

use serde::Serialize;

use crate::lint::{Issue, Report, Severity};

/// What [`check_edge`](super::check_edge) found.
#[derive(Clone, Debug, Serialize)]
#[must_use = "a report that nobody reads has found nothing"]
pub struct EdgeReport {
    #[serde(flatten)]
    report: Report,
    requests: usize,
}

impl EdgeReport {
    pub(super) fn new(report: Report, requests: usize) -> Self {
        Self { report, requests }
    }

    /// The findings, the gravest first. The field of each is the request that showed it.
    pub fn issues(&self) -> &[Issue] {
        self.report.issues()
    }

    /// The findings as a report, to be merged with others.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The findings of one kind.
    pub fn with_code<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Issue> {
        self.report.with_code(code)
    }

    /// How many requests were sent.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Whether there is nothing to mend: what is allowed does not count, nor does what is only worth
    /// knowing.
    pub fn is_ok(&self) -> bool {
        self.issues().iter().all(|issue| issue.severity == Severity::Info || issue.allowed.is_some())
    }

    /// Fails the test, listing every finding.
    ///
    /// # Panics
    /// If the report [is not ok](Self::is_ok).
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }
}

impl fmt::Display for EdgeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} findings after {} requests", self.issues().len(), self.requests)?;
        self.report.fmt(f)
    }
}

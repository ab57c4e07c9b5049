use std::borrow::Cow;

use super::report::{Issue, Lint, Report};

/// Collects findings while a builder looks at its settings.
#[derive(Clone, Debug, Default)]
pub struct Lints {
    issues: Vec<Issue>,
    allowed: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Lints {
    /// Nothing found, nothing allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a kind of finding, and says why. The reason stands in the report and in the audit log;
    /// an empty one allows nothing.
    #[must_use]
    pub fn allow(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.allowed.push((code.into(), why.into()));
        self
    }

    /// Adds a finding. The value is cut to 200 characters.
    pub fn add(
        &mut self,
        lint: &Lint,
        field: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
        value: Option<&str>,
    ) {
        self.issues.push(Issue {
            code: lint.code,
            severity: lint.severity,
            field: field.into(),
            message: message.into(),
            value: value.map(|text| text.chars().take(200).collect::<String>().into()),
            fix: lint.fix.into(),
            spec: lint.spec,
            allowed: None,
        });
    }

    /// What was found, with the reasons of what is allowed.
    #[must_use]
    pub fn report(&self) -> Report {
        let issues = self.issues.iter().cloned().map(|mut issue| {
            issue.allowed = self
                .allowed
                .iter()
                .find(|(code, why)| *code == issue.code && !why.trim().is_empty())
                .map(|(_, why)| why.clone());
            issue
        });
        Report::new(issues.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Severity, *};

    const HIGH: Lint = Lint { code: "high", severity: Severity::High, fix: "mend it", spec: "https://example.com" };
    const INFO: Lint = Lint { code: "info", severity: Severity::Info, ..HIGH };

    #[test]
    fn only_what_matters_fails_and_the_gravest_comes_first() {
        let mut lints = Lints::new();
        lints.add(&INFO, "a", "so it is", None);
        assert!(lints.report().check().is_ok());
        lints.add(&HIGH, "b", "is open", Some(&"x".repeat(300)));
        let report = lints.report();
        assert_eq!(report.issues().iter().map(|issue| issue.code).collect::<Vec<_>>(), ["high", "info"]);
        assert_eq!(report.issues()[0].value.as_ref().map(|value| value.len()), Some(200));
        assert_eq!(report.check().unwrap_err().issues().len(), 1);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["issues"][0]["severity"], "high");
        assert!(json["issues"][1].get("value").is_none());
    }

    #[test]
    fn a_finding_is_allowed_by_its_own_code_and_with_a_reason_only() {
        let mut lints = Lints::new();
        lints.add(&HIGH, "b", "is open", None);
        assert!(lints.clone().allow("other", "because").report().check().is_err());
        assert!(lints.clone().allow("high", "  ").report().check().is_err());
        assert!(lints.allow("high", "the tests need it").report().check().is_ok());
    }
}

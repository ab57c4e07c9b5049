//! What is wrong with a configuration: all of it at once.
//!
//! Every `build()` of this crate returns `Result<_, ConfigError>`. The error lists each mistake
//! with the field, the reason and the cure, so that one run shows everything there is to mend.
//! Builders collect with [`ConfigIssues`], which gates of your own may use, too.
//!
//! ```
//! use portcullis::config_error::{ConfigError, ConfigIssues};
//!
//! fn port(text: &str, limit: u32) -> Result<u16, ConfigError> {
//!     let mut issues = ConfigIssues::new();
//!     let port = text.parse().unwrap_or_else(|_| {
//!         issues.add("port", format!("{text:?} is not a port number"), "use a number from 1 to 65535");
//!         0
//!     });
//!     if limit == 0 {
//!         issues.add("limit", "zero lets nothing through", "use 1 or more");
//!     }
//!     issues.finish(port)
//! }
//! let error = port("http", 0).unwrap_err();
//! assert_eq!(error.issues().len(), 2);
//! assert!(error.to_string().contains("port: \"http\" is not a port number (use a number"));
//! ```

use std::{borrow::Cow, fmt};

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigIssue {
    /// Which setting: the setter's name, with an index or key where there are several.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
    /// What to do.
    pub cure: Cow<'static, str>,
}

impl fmt::Display for ConfigIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.reason, self.cure)
    }
}

/// Every mistake of one configuration. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    issues: Vec<ConfigIssue>,
}

impl ConfigError {
    /// An error with a single issue.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
        cure: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { issues: vec![ConfigIssue { field: field.into(), reason: reason.into(), cure: cure.into() }] }
    }

    /// The mistakes, in the order in which they were found.
    pub fn issues(&self) -> &[ConfigIssue] {
        &self.issues
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake", self.issues.len())?;
        if self.issues.len() != 1 {
            f.write_str("s")?;
        }
        for issue in &self.issues {
            write!(f, "\n  - {issue}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects mistakes while a builder looks at its settings.
#[derive(Clone, Debug, Default)]
pub struct ConfigIssues {
    issues: Vec<ConfigIssue>,
}

impl ConfigIssues {
    /// Nothing found yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one mistake.
    pub fn add(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
        cure: impl Into<Cow<'static, str>>,
    ) {
        self.issues.push(ConfigIssue { field: field.into(), reason: reason.into(), cure: cure.into() });
    }

    /// Adds all mistakes of a part, with the part's name before each field.
    pub fn merge(&mut self, part: &str, error: ConfigError) {
        self.issues.extend(error.issues.into_iter().map(|issue| ConfigIssue {
            field: if part.is_empty() { issue.field } else { format!("{part}.{}", issue.field).into() },
            ..issue
        }));
    }

    /// Takes the value of a part, or keeps its mistakes under the part's name.
    pub fn take<T>(&mut self, part: &str, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.merge(part, error)).ok()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    /// `value` if nothing was found.
    ///
    /// # Errors
    /// Everything that was found.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.issues.is_empty() { Ok(value) } else { Err(ConfigError { issues: self.issues }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_names() {
        let mut issues = ConfigIssues::new();
        assert_eq!(issues.take("auth", Err::<u8, _>(ConfigError::new("leeway", "too long", "use 60 s at most"))), None);
        assert_eq!(issues.take("cors", Ok(7)), Some(7));
        let error = issues.finish(()).unwrap_err();
        assert_eq!(error.to_string(), "the configuration has 1 mistake\n  - auth.leeway: too long (use 60 s at most)");
    }
}

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use super::{
    ApiVersionLayer, SupportedVersion, VersionSource, lints, path,
    served::{Compiled, Served},
    source::Kind,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    lint::{Lints, Report},
    request::ApiVersion,
    time::{Clock, SystemClock},
};

/// More versions than anybody serves at once.
const MOST_VERSIONS: usize = 64;
const CALLERS: usize = 10_000;
const MOST_CALLERS: usize = 1_000_000;

/// What becomes of a request that names no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithoutVersion {
    /// It is refused: 404 where the version belongs into the path, 400 where it belongs into a field.
    Refuse,
    /// It passes without a version: for routers that hold more than the API.
    Pass,
    /// It is served this version. Clients who name none stay with it, so that a new version breaks nobody;
    /// it is the hardest of all to end.
    Serve(ApiVersion),
}

/// Builds an [`ApiVersionLayer`]. See the [module](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct ApiVersionLayerBuilder {
    versions: Vec<SupportedVersion>,
    sources: Vec<VersionSource>,
    without: WithoutVersion,
    callers: usize,
    clock: Arc<dyn Clock>,
    allowed: Lints,
}

impl ApiVersionLayerBuilder {
    pub(super) fn new(versions: Vec<SupportedVersion>) -> Self {
        Self {
            versions,
            sources: vec![VersionSource::path()],
            without: WithoutVersion::Refuse,
            callers: CALLERS,
            clock: Arc::new(SystemClock::new()),
            allowed: Lints::new(),
        }
    }

    /// Where requests name the version; the first segment of the path by default. A request may name it in
    /// several places, if it is the same one. The first decides how a request without one is refused.
    pub fn sources(mut self, sources: impl IntoIterator<Item = VersionSource>) -> Self {
        self.sources = sources.into_iter().collect();
        self
    }

    /// What becomes of a request that names no version; it is refused by default.
    pub fn without_version(mut self, what: WithoutVersion) -> Self {
        self.without = what;
        self
    }

    /// How many callers of each version that ends are told apart: so many clients, subjects and networks
    /// each. 10,000 by default, a million at most.
    pub fn callers(mut self, most: usize) -> Self {
        self.callers = most;
        self
    }

    /// By which clock [`lint`](Self::lint) tells what ends soon; the machine's by default. Requests go by
    /// the clock of their context.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Allows a kind of finding, and says why.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.allowed = self.allowed.allow(code, why);
        self
    }

    /// What is doubtful about the settings, without building.
    pub fn lint(&self) -> Report {
        let mut lints = self.allowed.clone();
        lints::look(&self.versions, self.without, self.clock.now().wall, &mut lints);
        lints.report()
    }

    /// The layer.
    ///
    /// # Errors
    /// Everything that cannot work: no version or source, one of them twice, days that the calendar does
    /// not have, a sunset before the deprecation, a link that is none, a version for those who name none
    /// that is not served; and every critical or high finding that is not allowed.
    pub fn build(self) -> Result<ApiVersionLayer, ConfigError> {
        let report = self.lint();
        let mut issues = ConfigIssues::new();
        self.check_versions(&mut issues);
        self.check_sources(&mut issues);
        if self.callers == 0 || self.callers > MOST_CALLERS {
            issues.add("callers", "not between 1 and a million", "use 10000");
        }
        report.add_to(&mut issues);
        issues.finish(())?;
        let versions = self.versions.iter().map(Served::new).collect();
        let sources = self.sources.into_iter().map(|source| source.0).collect();
        Ok(ApiVersionLayer::new(Compiled::new(versions, sources, self.without), self.callers, report))
    }

    fn check_versions(&self, issues: &mut ConfigIssues) {
        if self.versions.is_empty() || self.versions.len() > MOST_VERSIONS {
            issues.add("versions", "there must be between 1 and 64 of them", "name those that are served");
        }
        let mut held = HashSet::new();
        for version in &self.versions {
            version.check(issues);
            if !held.insert(version.version) {
                issues.add(format!("versions[{}]", version.version), "it is here twice", "name it once");
            }
        }
        if let WithoutVersion::Serve(version) = self.without
            && !held.contains(&version)
        {
            issues.add("without_version", format!("{version} is not among the versions"), "serve one that there is");
        }
    }

    fn check_sources(&self, issues: &mut ConfigIssues) {
        if self.sources.is_empty() {
            issues.add("sources", "requests can name no version", "use VersionSource::path()");
        }
        let mut paths = 0_usize;
        let mut fields = HashSet::new();
        for (index, VersionSource(source)) in self.sources.iter().enumerate() {
            let field = format!("sources[{index}]");
            paths = paths.saturating_add(usize::from(matches!(source, Kind::Path { .. })));
            if matches!(source, Kind::Path { .. }) && paths > 1
                || source.vary().is_some_and(|name| !fields.insert(name))
            {
                issues.add(field.clone(), "there is such a source already", "name each place once");
            }
            match source {
                Kind::Path { prefix, .. } if !path::is_prefix(prefix) => {
                    issues.add(field, "no prefix of a path", "use one like /api, without a slash at the end");
                }
                Kind::Accept { vendor } if !is_vendor(vendor) => {
                    issues.add(field, "no name of a vendor", "use lower-case letters, digits, dots and hyphens");
                }
                _ => {}
            }
        }
    }
}

/// RFC 6838 §4.2, of which this is what people use.
fn is_vendor(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.len() <= 64 && name.split('.').all(is_part)
}

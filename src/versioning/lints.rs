//! What is doubtful about versions.

use std::time::Duration;

use super::{SupportedVersion, builder::WithoutVersion};
use crate::{
    lint::{Lint, Lints, Severity},
    request::ApiVersion,
    time::Timestamp,
};

/// The notice that callers are given at least.
const NOTICE: Duration = Duration::from_secs(180 * 24 * 3_600);

const RFC_8594: &str = "https://www.rfc-editor.org/rfc/rfc8594";
const RFC_9745: &str = "https://www.rfc-editor.org/rfc/rfc9745";

const SUNSET_SOON: Lint =
    Lint { code: "sunset-soon", severity: Severity::Low, fix: "give callers 180 days at least", spec: RFC_8594 };

const SUNSET_UNANNOUNCED: Lint = Lint {
    code: "sunset-without-deprecation",
    severity: Severity::Low,
    fix: "say with deprecated() from when on it should not be used",
    spec: RFC_9745,
};

const NO_SUNSET: Lint = Lint {
    code: "deprecated-without-sunset",
    severity: Severity::Info,
    fix: "say with sunset() until when it is served: nobody moves for a deprecation alone",
    spec: RFC_8594,
};

const NO_LINK: Lint = Lint {
    code: "ending-without-link",
    severity: Severity::Info,
    fix: "say with deprecation_link() or successor_link() where to go",
    spec: "https://www.rfc-editor.org/rfc/rfc9745#section-3",
};

const RETIRED: Lint = Lint {
    code: "version-retired",
    severity: Severity::Info,
    fix: "take its routes away; keep the version here as long as 410 is a better answer than 404",
    spec: "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.11",
};

const ALL_ENDING: Lint = Lint {
    code: "all-versions-end",
    severity: Severity::Medium,
    fix: "add the version that is to be used instead",
    spec: RFC_9745,
};

const SINGLE: Lint = Lint {
    code: "single-version",
    severity: Severity::Info,
    fix: "serve the next version beside it before this one ends",
    spec: RFC_9745,
};

const DEFAULT_ENDS: Lint = Lint {
    code: "default-version-ends",
    severity: Severity::Medium,
    fix: "serve a version that lasts, or refuse requests that name none",
    spec: RFC_9745,
};

pub(super) fn look(versions: &[SupportedVersion], without: WithoutVersion, now: Timestamp, lints: &mut Lints) {
    for version in versions {
        look_at(version, now, lints);
    }
    if let [only] = versions {
        lints.add(&SINGLE, "versions", "there is only one version", Some(&only.version.to_string()));
    }
    if !versions.is_empty() && versions.iter().all(SupportedVersion::is_ending) {
        lints.add(&ALL_ENDING, "versions", "the end of every version has been announced", None);
    }
    let ends = |version: &ApiVersion| versions.iter().any(|held| held.version == *version && held.is_ending());
    if let WithoutVersion::Serve(version) = without
        && ends(&version)
    {
        let message = "who names no version is served one that ends";
        lints.add(&DEFAULT_ENDS, "without_version", message, Some(&version.to_string()));
    }
}

fn look_at(version: &SupportedVersion, now: Timestamp, lints: &mut Lints) {
    let field = |name: &str| format!("versions[{}].{name}", version.version);
    if let Some((date, sunset)) = version.sunset.and_then(|date| Some((date, date.timestamp()?))) {
        let value = date.to_string();
        if sunset <= now {
            lints.add(&RETIRED, field("sunset"), "it is no longer served", Some(&value));
        } else if sunset < now.saturating_add(NOTICE) {
            lints.add(&SUNSET_SOON, field("sunset"), "it ends in less than 180 days", Some(&value));
        }
        if version.deprecated.is_none() {
            lints.add(&SUNSET_UNANNOUNCED, field("sunset"), "it ends without having been deprecated", Some(&value));
        }
    } else if let Some(date) = version.deprecated {
        let value = date.to_string();
        lints.add(&NO_SUNSET, field("deprecated"), "it is deprecated, but does not end", Some(&value));
    }
    if version.is_ending() && version.links.is_empty() {
        lints.add(&NO_LINK, field("link"), "its end is announced without a word on where to go", None);
    }
}

use std::borrow::Cow;

use http::Uri;

use super::UtcDate;
use crate::{config_error::ConfigIssues, request::ApiVersion, time::Timestamp};

/// A version of the API, and how long it lasts.
///
/// ```
/// use portcullis::versioning::{ApiVersion, SupportedVersion, UtcDate};
///
/// let first = SupportedVersion::new(ApiVersion::number(1))
///     .deprecated(UtcDate::new(2025, 6, 30))
///     .sunset(UtcDate::new(2026, 6, 30).end_of_day())
///     .deprecation_link("https://developer.example.com/v1-to-v2")
///     .successor_link("/v2");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SupportedVersion {
    pub(super) version: ApiVersion,
    pub(super) deprecated: Option<UtcDate>,
    pub(super) sunset: Option<UtcDate>,
    pub(super) brown_outs: Vec<(UtcDate, UtcDate)>,
    pub(super) links: Vec<(Relation, Cow<'static, str>)>,
}

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Deprecation,
    Sunset,
    Successor,
}

impl Relation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Deprecation => "deprecation",
            Self::Sunset => "sunset",
            Self::Successor => "successor-version",
        }
    }
}

impl SupportedVersion {
    /// A version that is served until further notice.
    pub const fn new(version: ApiVersion) -> Self {
        Self { version, deprecated: None, sunset: None, brown_outs: Vec::new(), links: Vec::new() }
    }

    /// From when on it should not be used any more, in the past or in the future: the header field
    /// `Deprecation` (RFC 9745).
    pub const fn deprecated(mut self, from: UtcDate) -> Self {
        self.deprecated = Some(from);
        self
    }

    /// Until when it is served: the header field `Sunset` (RFC 8594). From this second on every request for
    /// it is refused with 410, by itself. Must not be before the deprecation (RFC 9745 §4).
    pub const fn sunset(mut self, at: UtcDate) -> Self {
        self.sunset = Some(at);
        self
    }

    /// A time before the sunset in which it is refused as it will be afterwards, so that those notice who
    /// read no header fields: 410 with a `Retry-After`. Call it again for more of them, up to 32.
    pub fn brown_out(mut self, from: UtcDate, until: UtcDate) -> Self {
        self.brown_outs.push((from, until));
        self
    }

    /// Where it is explained why and how to move on: `Link` with `rel="deprecation"` (RFC 9745 §3).
    pub fn deprecation_link(self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.link(Relation::Deprecation, uri.into())
    }

    /// The policy by which versions end: `Link` with `rel="sunset"` (RFC 8594 §6).
    pub fn sunset_link(self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.link(Relation::Sunset, uri.into())
    }

    /// What takes its place: `Link` with `rel="successor-version"` (RFC 5829).
    pub fn successor_link(self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.link(Relation::Successor, uri.into())
    }

    fn link(mut self, relation: Relation, uri: Cow<'static, str>) -> Self {
        self.links.push((relation, uri));
        self
    }

    /// Whether its end has been announced.
    pub(super) fn is_ending(&self) -> bool {
        self.deprecated.is_some() || self.sunset.is_some()
    }

    /// Every mistake, under `versions[…]`.
    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        let field = |name: &str| format!("versions[{}].{name}", self.version);
        let mut point = |name: &str, date: Option<UtcDate>| {
            let found = date?.timestamp();
            if found.is_none() {
                issues.add(
                    field(name),
                    "the calendar has no such time, or it is before 1970",
                    "use a day that there is",
                );
            }
            found
        };
        let deprecated = point("deprecated", self.deprecated);
        let sunset = point("sunset", self.sunset);
        let windows: Vec<_> = self
            .brown_outs
            .iter()
            .map(|(from, until)| (point("brown_out", Some(*from)), point("brown_out", Some(*until))))
            .collect();
        if let (Some(deprecated), Some(sunset)) = (deprecated, sunset)
            && sunset < deprecated
        {
            issues.add(
                field("sunset"),
                "it ends before it is deprecated (RFC 9745 §4)",
                "deprecate it first, or let it end later",
            );
        }
        self.check_version(issues);
        check_windows(&windows, sunset, &field("brown_out"), issues);
        for (relation, uri) in &self.links {
            if !is_link(uri) {
                issues.add(
                    format!("versions[{}].link[{}]", self.version, relation.as_str()),
                    "no URI that a header field can hold",
                    "use https://…, or a path that begins with /",
                );
            }
        }
    }

    fn check_version(&self, issues: &mut ConfigIssues) {
        let Some((year, month, day)) = self.version.as_date() else { return };
        let date = i16::try_from(year).ok().zip(i8::try_from(month).ok()).zip(i8::try_from(day).ok());
        let exists = date.is_some_and(|((year, month), day)| UtcDate::new(year, month, day).timestamp().is_some());
        if !exists {
            issues.add(
                format!("versions[{}]", self.version),
                "the calendar has no such day",
                "use a day that there is",
            );
        }
    }
}

fn check_windows(
    windows: &[(Option<Timestamp>, Option<Timestamp>)],
    sunset: Option<Timestamp>,
    field: &str,
    issues: &mut ConfigIssues,
) {
    if windows.len() > 32 {
        issues.add(field.to_owned(), "more than 32 brown-outs", "end it instead");
    }
    for (from, until) in windows {
        let (Some(from), Some(until)) = (from, until) else { continue };
        if from >= until {
            issues.add(field.to_owned(), "it ends before it begins", "name the beginning first");
        }
        if sunset.is_none_or(|sunset| *until > sunset) {
            issues.add(field.to_owned(), "a brown-out announces a sunset, and lies before it", "set a later sunset");
        }
    }
}

/// An absolute https or http URI, or an absolute path; without what would end the `<…>` of a `Link`.
fn is_link(uri: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte);
    uri.bytes().all(is_plain)
        && uri.len() <= 1_024
        && uri.parse::<Uri>().is_ok_and(|uri| match uri.scheme_str() {
            Some("https" | "http") => uri.host().is_some_and(|host| !host.is_empty()),
            Some(_) => false,
            None => uri.authority().is_none(),
        })
        && (uri.starts_with('/') && !uri.starts_with("//") || uri.contains("://"))
}

impl From<ApiVersion> for SupportedVersion {
    fn from(version: ApiVersion) -> Self {
        Self::new(version)
    }
}

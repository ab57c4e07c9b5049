//! The settings, as requests need them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;

use super::{SupportedVersion, builder::WithoutVersion, source::Kind};
use crate::{
    rejection::{Lines, Rejection, RejectionKind},
    request::ApiVersion,
    time::Timestamp,
};

const X_API_VERSION: HeaderName = HeaderName::from_static("x-api-version");
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// All versions, and where they are named.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) versions: Box<[Served]>,
    pub(super) sources: Box<[Kind]>,
    pub(super) without: WithoutVersion,
    vary: Box<[(HeaderName, HeaderValue)]>,
    /// The same in one line.
    vary_all: Option<HeaderValue>,
    vary_lines: Arc<Lines>,
}

/// One version.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) version: ApiVersion,
    pub(super) is_ending: bool,
    sunset: Option<Timestamp>,
    brown_outs: Box<[(Timestamp, Timestamp)]>,
    /// `X-API-Version`.
    name: Option<HeaderValue>,
    /// `Deprecation` and `Sunset`.
    dates: Lines,
    link: Option<HeaderValue>,
}

impl Served {
    /// Of settings without mistakes.
    pub(super) fn new(settings: &SupportedVersion) -> Self {
        let deprecated = settings.deprecated.and_then(super::UtcDate::timestamp);
        let sunset = settings.sunset.and_then(super::UtcDate::timestamp);
        let mut dates = Lines::new();
        if let Some(value) = deprecated.and_then(|time| HeaderValue::try_from(format!("@{}", time.as_secs())).ok()) {
            dates.push((DEPRECATION, value));
        }
        if let Some(value) = sunset.and_then(|time| HeaderValue::try_from(time.to_http_date()).ok()) {
            dates.push((SUNSET, value));
        }
        let links: Vec<String> =
            settings.links.iter().map(|(relation, uri)| format!("<{uri}>; rel=\"{}\"", relation.as_str())).collect();
        let window = |(from, until): &(super::UtcDate, super::UtcDate)| Some((from.timestamp()?, until.timestamp()?));
        Self {
            version: settings.version,
            is_ending: settings.is_ending(),
            sunset,
            brown_outs: settings.brown_outs.iter().filter_map(window).collect(),
            name: HeaderValue::try_from(settings.version.to_string()).ok(),
            dates,
            link: (!links.is_empty()).then(|| HeaderValue::try_from(links.join(", ")).ok()).flatten(),
        }
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.sunset.is_some_and(|sunset| now >= sunset)
    }

    /// Whether it is refused at this time.
    pub(super) fn refusal(&self, now: Timestamp) -> Option<Rejection> {
        let rejection = if self.is_over(now) {
            Rejection::new(RejectionKind::Gone).with_detail("This version of the API is no longer served.")
        } else {
            let (_, until) = self.brown_outs.iter().find(|(from, until)| (*from..*until).contains(&now))?;
            Rejection::new(RejectionKind::Gone)
                .with_detail("This version of the API is switched off for a while, ahead of its end.")
                .with_retry_after(until.since(now))
        };
        let rejection = rejection.with_member("version", self.version.to_string());
        let lines = self.dates.iter().cloned().chain(self.link.clone().map(|link| (header::LINK, link)));
        Some(lines.fold(rejection, |rejection, (name, value)| rejection.with_header(name, value)))
    }

    /// What the handler has set stays.
    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        if let Some(name) = &self.name {
            headers.entry(X_API_VERSION).or_insert_with(|| name.clone());
        }
        for (name, value) in &self.dates {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if let Some(link) = &self.link {
            headers.append(header::LINK, link.clone());
        }
    }
}

impl Compiled {
    pub(super) fn new(versions: Box<[Served]>, sources: Box<[Kind]>, without: WithoutVersion) -> Self {
        let vary: Box<[_]> = sources
            .iter()
            .filter_map(Kind::vary)
            .filter_map(|name| Some((name.clone(), HeaderValue::from_str(name.as_str()).ok()?)))
            .collect();
        let names: Vec<&str> = vary.iter().map(|(name, _)| name.as_str()).collect();
        let vary_all = (!names.is_empty()).then(|| HeaderValue::try_from(names.join(", ")).ok()).flatten();
        let vary_lines = Arc::new(vary_all.iter().map(|value| (header::VARY, value.clone())).collect());
        Self { versions, sources, without, vary, vary_all, vary_lines }
    }

    pub(super) fn place_of(&self, version: ApiVersion) -> Option<usize> {
        self.versions.iter().position(|served| served.version == version)
    }

    /// The versions that are not over.
    pub(super) fn in_force(&self, now: Timestamp) -> Value {
        self.versions.iter().filter(|served| !served.is_over(now)).map(|served| served.version.to_string()).collect()
    }

    /// A refusal depends on the field, too.
    pub(super) fn varied(&self, rejection: Rejection) -> Rejection {
        if self.vary_lines.is_empty() { rejection } else { rejection.with_lines(&self.vary_lines) }
    }

    /// Adds to `Vary` what is not in it.
    pub(super) fn vary(&self, headers: &mut HeaderMap) {
        let Some(all) = &self.vary_all else { return };
        if !headers.contains_key(header::VARY) {
            headers.insert(header::VARY, all.clone());
            return;
        }
        for (name, value) in &self.vary {
            let listed = |line: &HeaderValue| {
                line.as_bytes().split(|byte| *byte == b',').any(|field| {
                    let field = field.trim_ascii();
                    field == b"*" || field.eq_ignore_ascii_case(name.as_str().as_bytes())
                })
            };
            if !headers.get_all(header::VARY).iter().any(listed) {
                headers.append(header::VARY, value.clone());
            }
        }
    }
}

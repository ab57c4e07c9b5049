//! Findings about a CORS configuration that is not ours: a file, a gateway's settings, what another
//! library was told.

use serde_json::Value;

use super::{
    OriginPattern, lints,
    settings::{Findings, Settings},
};
use crate::lint::{Lints, Report};

/// How a setting may be called, without `-` and `_` and in lower case.
const ORIGINS: &[&str] = &["alloworigin", "alloworigins", "allowedorigin", "allowedorigins", "origin", "origins"];
const LISTS: &[&str] =
    &["originwhitelist", "originallowlist", "originlist", "whitelist", "allowlist", "whitelistedorigins"];
const REFLECT: &[&str] = &["reflectorigin", "mirrororigin", "mirrorrequest", "echoorigin"];
const CREDENTIALS: &[&str] = &["allowcredentials", "credentials", "supportscredentials", "withcredentials"];
const METHODS: &[&str] = &["allowmethods", "allowedmethods", "methods"];
const HEADERS: &[&str] = &["allowheaders", "allowedheaders", "headers", "requestheaders"];
const EXPOSED: &[&str] = &["exposeheaders", "exposedheaders", "expose"];
const MAX_AGE: &[&str] = &["maxage"];

/// What is doubtful about a CORS configuration of any provenance: the seeds' `validateCORSConfiguration`,
/// with its four findings word for word, and with everything that [`CorsBuilder::lint`](super::CorsBuilder::lint)
/// finds.
///
/// The configuration is an object. Settings are known by the names that libraries and gateways have for
/// them (`allowOrigin`, `allow_origins`, `Access-Control-Allow-Methods` …), a text may stand for a list of one
/// or for a list with commas, `"true"` for `true`; what is absent is not found fault with. A setting that cannot
/// be read is a finding (`unreadable-setting`), and one that is not known is passed over.
///
/// ```
/// use portcullis::{cors::validate_configuration, lint::Severity};
/// use serde_json::json;
///
/// let report = validate_configuration(&json!({
///     "allowOrigin": ["*", "null", "https://app.example.com/"],
///     "allowCredentials": true,
///     "reflectOrigin": true,
///     "originWhitelist": [],
///     "allowMethods": ["*"],
/// }));
/// let codes: Vec<_> = report.issues().iter().map(|issue| issue.code).collect();
/// assert_eq!(codes, ["wildcard-origin-with-credentials", "origin-reflection", "null-origin", "unacceptable-origin",
///     "wildcard-methods"]);
/// assert_eq!(report.issues()[0].severity, Severity::Critical);
/// assert_eq!(report.issues()[0].message, "Wildcard origin (*) cannot be used with credentials");
/// assert_eq!(report.issues()[0].fix, "Specify exact allowed origins");
/// ```
pub fn validate_configuration(configuration: &Value) -> Report {
    let mut lints = Lints::new();
    let mut reader = Reader { configuration, lints: &mut lints };
    let settings = reader.settings();
    let reflects = reader.flag(REFLECT);
    let listed = reader.texts(LISTS).is_some_and(|origins| origins.iter().any(|origin| origin != "*"));
    Findings { lints: &mut lints }.examine(&settings);
    if reflects && !listed {
        let message = "Reflecting Origin header without validation allows any origin";
        lints.add(&lints::ORIGIN_REFLECTION, "reflectOrigin", message, None);
    }
    lints.report()
}

struct Reader<'a> {
    configuration: &'a Value,
    lints: &'a mut Lints,
}

impl Reader<'_> {
    fn settings(&mut self) -> Settings {
        if !self.configuration.is_object() {
            self.unreadable("configuration", self.configuration);
        }
        let mut origins = self.texts(ORIGINS).unwrap_or_default();
        if self.flag(REFLECT) {
            origins.extend(self.texts(LISTS).unwrap_or_default());
        }
        let mut methods = self.texts(METHODS);
        let mut request_headers = self.texts(HEADERS).unwrap_or_default();
        let exposed = self.texts(EXPOSED);
        let mut all_exposed = exposed.clone().unwrap_or_default();
        Settings {
            any_origin: take_wildcard(&mut origins),
            origins: origins.iter().map(|origin| OriginPattern::parse(origin)).collect(),
            credentials: self.flag(CREDENTIALS),
            any_method: methods.as_mut().is_some_and(take_wildcard),
            methods,
            any_request_header: take_wildcard(&mut request_headers),
            request_headers,
            any_exposed: take_wildcard(&mut all_exposed),
            only_listed: exposed.is_some(),
            exposed: all_exposed,
            max_age: self.seconds(),
            private_network: false,
            explains: false,
        }
    }

    /// The settings by one of these names.
    fn found<'b>(&self, names: &'static [&'static str]) -> Vec<(&'b str, &'b Value)>
    where
        Self: 'b,
    {
        let settings = self.configuration.as_object().into_iter().flatten();
        settings
            .filter(|(name, _)| names.contains(&known(name).as_str()))
            .map(|(name, value)| (name.as_str(), value))
            .collect()
    }

    /// The texts of a setting; `None` if it is absent.
    fn texts(&mut self, names: &'static [&'static str]) -> Option<Vec<String>> {
        let found = self.found(names);
        if found.is_empty() {
            return None;
        }
        let mut texts = Vec::new();
        for (name, value) in found {
            match value {
                Value::String(text) => texts.extend(split(text)),
                Value::Array(items) => {
                    for item in items {
                        match item {
                            Value::String(text) => texts.extend(split(text)),
                            // `null` where `"null"` is meant is a favourite of YAML.
                            Value::Null => texts.push("null".to_owned()),
                            _ => self.unreadable(name, item),
                        }
                    }
                }
                Value::Null => {}
                _ => self.unreadable(name, value),
            }
        }
        Some(texts)
    }

    fn flag(&mut self, names: &'static [&'static str]) -> bool {
        let mut set = false;
        for (name, value) in self.found(names) {
            set |= match value {
                Value::Bool(set) => *set,
                Value::Null => false,
                Value::String(text) if text.eq_ignore_ascii_case("true") => true,
                Value::String(text) if text.eq_ignore_ascii_case("false") => false,
                _ => {
                    self.unreadable(name, value);
                    false
                }
            };
        }
        set
    }

    fn seconds(&mut self) -> Option<u64> {
        let mut seconds = None;
        for (name, value) in self.found(MAX_AGE) {
            let number = match value {
                Value::Null => continue,
                Value::String(text) => text.trim().parse().ok(),
                value => value.as_u64(),
            };
            if number.is_none() {
                self.unreadable(name, value);
            }
            seconds = seconds.max(number);
        }
        seconds
    }

    fn unreadable(&mut self, name: &str, value: &Value) {
        let text = value.to_string();
        // A flag is looked at twice.
        let field: String = name.chars().take(100).collect();
        let known = self.lints.report();
        if !known.with_code(lints::UNREADABLE.code).any(|issue| issue.field == field) {
            self.lints.add(&lints::UNREADABLE, field, "cannot be read", Some(&text));
        }
    }
}

/// `Access-Control-Allow-Origin`, `allow_origin` and `allowOrigin` are one.
fn known(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    letters.strip_prefix("accesscontrol").map(ToOwned::to_owned).unwrap_or(letters)
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty())
}

fn take_wildcard(texts: &mut Vec<String>) -> bool {
    let before = texts.len();
    texts.retain(|text| text != "*");
    texts.len() < before
}

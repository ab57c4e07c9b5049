//! `Permissions-Policy` as a value: which features of the browser a page may use, and whose frames.

use std::{borrow::Cow, fmt};

type Fault = (Cow<'static, str>, &'static str);

/// The features that browsers know (<https://github.com/w3c/webappsec-permissions-policy/blob/main/features.md>).
const KNOWN: &[&str] = &[
    "accelerometer",
    "ambient-light-sensor",
    "attribution-reporting",
    "autoplay",
    "battery",
    "bluetooth",
    "browsing-topics",
    "camera",
    "captured-surface-control",
    "clipboard-read",
    "clipboard-write",
    "compute-pressure",
    "cross-origin-isolated",
    "deferred-fetch",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "identity-credentials-get",
    "idle-detection",
    "interest-cohort",
    "keyboard-map",
    "local-fonts",
    "local-network-access",
    "magnetometer",
    "microphone",
    "midi",
    "otp-credentials",
    "payment",
    "picture-in-picture",
    "publickey-credentials-create",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "speaker-selection",
    "storage-access",
    "sync-xhr",
    "unload",
    "usb",
    "web-share",
    "window-management",
    "xr-spatial-tracking",
];

/// Who may use a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Everybody,
    /// `self`, and quoted origins.
    These(Vec<String>),
}

/// A `Permissions-Policy`: which features of the browser a page, and the frames in it, may use.
///
/// ```
/// use portcullis::headers::PermissionsPolicy;
///
/// let policy = PermissionsPolicy::new()
///     .deny(["geolocation", "camera"])
///     .allow_self(["fullscreen"])
///     .allow("payment", ["https://pay.example"]);
/// assert_eq!(
///     policy.to_string(),
///     r#"geolocation=(), camera=(), fullscreen=(self), payment=(self "https://pay.example")"#,
/// );
/// assert_eq!(PermissionsPolicy::from("geolocation=(), camera=()"), PermissionsPolicy::new().deny(["geolocation", "camera"]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct PermissionsPolicy {
    features: Vec<(String, Allowed)>,
    /// Mistakes, kept until the layer is built.
    faults: Vec<Fault>,
}

impl PermissionsPolicy {
    /// Nothing said yet: browsers' own defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody may use these features.
    pub fn deny<'a>(self, features: impl IntoIterator<Item = &'a str>) -> Self {
        features.into_iter().fold(self, |policy, feature| policy.set(feature, Allowed::These(Vec::new())))
    }

    /// Pages of this origin may.
    pub fn allow_self<'a>(self, features: impl IntoIterator<Item = &'a str>) -> Self {
        features.into_iter().fold(self, |policy, feature| policy.set(feature, Allowed::These(vec!["self".into()])))
    }

    /// Pages of this origin may, and frames of these.
    pub fn allow<'a>(mut self, feature: &str, origins: impl IntoIterator<Item = &'a str>) -> Self {
        let mut allowed = vec!["self".to_owned()];
        for origin in origins {
            if !is_origin(origin) {
                self.faults.push((format!("{origin:?} is no origin").into(), "write https://host, without a path"));
            }
            allowed.push(format!("\"{origin}\""));
        }
        self.set(feature, Allowed::These(allowed))
    }

    fn set(mut self, feature: &str, allowed: Allowed) -> Self {
        let is_name = !feature.is_empty() && feature.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if !is_name {
            self.faults.push((format!("{feature:?} is no feature").into(), "use a name such as camera"));
        } else if self.features.iter().any(|(held, _)| held == feature) {
            self.faults.push((format!("{feature} stands twice").into(), "say it once"));
        }
        self.features.push((feature.to_owned(), allowed));
        self
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        if self.features.is_empty() && faults.is_empty() {
            faults.push(("is empty".into(), "name a feature, or use without()"));
        }
        faults
    }

    /// Features that no browser knows, as far as this crate knows.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|(feature, _)| &**feature).filter(|feature| !KNOWN.contains(feature))
    }

    /// Features that frames of any origin may use.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.features.iter().filter(|(_, allowed)| *allowed == Allowed::Everybody).map(|(feature, _)| &**feature)
    }

    /// `feature=()`, `feature=*`, `feature=self`, `feature=(self "https://a.example")`.
    fn entry(mut self, text: &str) -> Self {
        let Some((feature, value)) = text.split_once('=') else {
            self.faults.push((format!("{text:?} has no `=`").into(), "write camera=()"));
            return self;
        };
        let inner = match value {
            "*" => return self.set(feature, Allowed::Everybody),
            "self" => return self.set(feature, Allowed::These(vec!["self".into()])),
            list => list.strip_prefix('(').and_then(|list| list.strip_suffix(')')),
        };
        let Some(inner) = inner else {
            let reason = format!("{value:?} is no list");
            self.faults.push((reason.into(), "write (), (self), * or (self \"https://a.example\")"));
            return self;
        };
        let words: Vec<String> = inner.split_ascii_whitespace().map(ToOwned::to_owned).collect();
        for word in &words {
            let origin = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
            if word != "self" && word != "src" && !origin.is_some_and(is_origin) {
                let reason = format!("{feature}: {word:?} is neither self nor an origin in double quotes");
                self.faults.push((reason.into(), "write (self \"https://a.example\")"));
            }
        }
        self.set(feature, Allowed::These(words))
    }
}

/// As the header has it; mistakes are listed when the layer is built.
impl From<&str> for PermissionsPolicy {
    fn from(text: &str) -> Self {
        if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let fault: Fault = ("holds characters other than visible ASCII".into(), "write one line of ASCII");
            return Self { faults: vec![fault], ..Self::new() };
        }
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).fold(Self::new(), Self::entry)
    }
}

impl fmt::Display for PermissionsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (feature, allowed)) in self.features.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match allowed {
                Allowed::Everybody => write!(f, "{feature}=*")?,
                Allowed::These(words) => write!(f, "{feature}=({})", words.join(" "))?,
            }
        }
        Ok(())
    }
}

fn is_origin(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:*".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_would_ignore_is_a_mistake() {
        for text in ["", "camera", "camera=none", "Camera=()", "camera=(), camera=()", "camera=(https://a.example)"] {
            assert_eq!(PermissionsPolicy::from(text).faults().len(), 1, "{text:?}");
        }
        assert_eq!(PermissionsPolicy::new().allow("camera", ["a.example/x"]).faults().len(), 1);
        for text in ["camera=()", "camera=*, payment=(self \"https://a.example\")", "fullscreen=(self)"] {
            let policy = PermissionsPolicy::from(text);
            assert!(policy.faults().is_empty());
            assert_eq!(policy.to_string(), text);
        }
    }

    #[test]
    fn unknown_and_open_features_are_found() {
        let policy = PermissionsPolicy::from("camera=*, telepathy=()");
        assert!(policy.open().eq(["camera"]) && policy.unknown().eq(["telepathy"]));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = PermissionsPolicy::from(&*text).to_string();
        }
    }
}

//! The key set that an issuer's metadata names (OIDC Discovery 1.0 §4, RFC 8414 §3).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Url;
use serde::Deserialize;

use super::{FetchedKeys, KeySource, KeySourceError, jwks::HttpKeySource};
use crate::{
    config_error::ConfigError,
    store::BoxFuture,
    time::{Clock, Timestamp},
};

/// An issuer that moves its keys keeps the old place for a day at least.
const METADATA_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Asks the metadata where the keys are, and then there: each with the limits of a fetch.
pub(crate) struct DiscoveredKeys {
    issuer: Box<str>,
    /// In the order in which they are asked.
    places: Vec<HttpKeySource>,
    clock: Arc<dyn Clock>,
    found: Mutex<Option<Found>>,
}

#[derive(Clone)]
struct Found {
    keys: Arc<HttpKeySource>,
    at: Timestamp,
}

impl fmt::Debug for DiscoveredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscoveredKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What is read of the metadata.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl DiscoveredKeys {
    pub(crate) fn new(issuer: &str, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        const CURE: &str = "use the issuer's https:// URL, without query and fragment, or give jwks_url";
        let url = Url::parse(issuer).map_err(|_| ConfigError::new("discover", "the issuer is not a URL", CURE))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ConfigError::new("discover", "the issuer has a query or a fragment", CURE));
        }
        let mut places = Vec::new();
        for place in well_known(&url) {
            let source = HttpKeySource::new(place.as_str());
            places.push(source.map_err(|error| {
                let reason = error.issues().first().map_or_else(String::new, |issue| issue.reason.to_string());
                ConfigError::new("discover", reason, CURE)
            })?);
        }
        Ok(Self { issuer: issuer.into(), places, clock, found: Mutex::new(None) })
    }

    async fn get(&self) -> Result<FetchedKeys, KeySourceError> {
        if let Some(found) = self.known() {
            match found.keys.fetch().await {
                Ok(keys) => return Ok(keys),
                // It may have moved; if it has not, the second failure is the one to report.
                Err(_) => self.forget(),
            }
        }
        let keys = Arc::new(self.look_up().await?);
        let fetched = keys.fetch().await?;
        *self.lock() = Some(Found { keys, at: self.clock.now().monotonic });
        Ok(fetched)
    }

    /// The first place that has metadata is believed: another one may be somebody else's.
    async fn look_up(&self) -> Result<HttpKeySource, KeySourceError> {
        let mut absent = KeySourceError::Status(404);
        for place in &self.places {
            match place.fetch().await {
                Ok(document) => return self.keys_of(&document.jwks),
                Err(error @ KeySourceError::Status(400..=499)) => absent = error,
                Err(error) => return Err(error),
            }
        }
        Err(absent)
    }

    fn keys_of(&self, document: &[u8]) -> Result<HttpKeySource, KeySourceError> {
        let metadata: Metadata = serde_json::from_slice(document)
            .map_err(|_| KeySourceError::Metadata("it is not a JSON object with issuer and jwks_uri"))?;
        // Byte for byte (RFC 8414 §3.3): else one issuer could name its keys as those of another.
        if *metadata.issuer != *self.issuer {
            return Err(KeySourceError::Metadata("its issuer is not the one that it was asked for"));
        }
        if self.issuer.starts_with("https:") && !metadata.jwks_uri.starts_with("https:") {
            return Err(KeySourceError::Metadata("its jwks_uri is not https"));
        }
        HttpKeySource::new(&metadata.jwks_uri)
            .map_err(|_| KeySourceError::Metadata("its jwks_uri is neither https nor on the loopback interface"))
    }

    fn known(&self) -> Option<Found> {
        let now = self.clock.now().monotonic;
        self.lock().clone().filter(|found| now.since(found.at) < METADATA_LIFE)
    }

    fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for DiscoveredKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        Box::pin(self.get())
    }
}

/// Appended to the issuer (OIDC Discovery §4.1), then inserted before its path (RFC 8414
/// §3.1).
fn well_known(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let with = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        with(format!("{path}/.well-known/openid-configuration")),
        with(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_metadata_lies_rfc8414_3_1() {
        for (issuer, openid, oauth) in [
            (
                "https://id.example.com",
                "https://id.example.com/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://id.example.com/",
                "https://id.example.com/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://id.example.com:8443/realms/a/",
                "https://id.example.com:8443/realms/a/.well-known/openid-configuration",
                "https://id.example.com:8443/.well-known/oauth-authorization-server/realms/a",
            ),
        ] {
            let [first, second] = well_known(&Url::parse(issuer).unwrap());
            assert_eq!((first.as_str(), second.as_str()), (openid, oauth), "{issuer}");
        }
    }
}

use std::fmt;

use http::{HeaderMap, HeaderName, Uri};

use crate::{request::RequestContext, secret::fingerprint};

/// Where credentials are looked for.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) headers: Vec<HeaderName>,
    /// In the query.
    pub(super) parameters: Vec<String>,
}

impl Places {
    pub(super) fn found_in<'a>(
        &'a self,
        headers: &'a HeaderMap,
        uri: &'a Uri,
        context: &'a RequestContext,
    ) -> Option<Exposed<'a>> {
        let exposed = Exposed { places: self, headers, query: uri.query().unwrap_or_default(), context };
        exposed.places().next().is_some().then_some(exposed)
    }
}

/// What a request over plain HTTP has shown to everybody on its way.
#[derive(Clone, Copy)]
pub struct Exposed<'a> {
    places: &'a Places,
    headers: &'a HeaderMap,
    query: &'a str,
    context: &'a RequestContext,
}

impl<'a> Exposed<'a> {
    /// The credential headers that the request has.
    pub fn headers(&self) -> impl Iterator<Item = &'a HeaderName> + use<'a> {
        let held = self.headers;
        self.places.headers.iter().filter(move |name| held.contains_key(*name))
    }

    /// Every value of a header: what is to be revoked.
    pub fn values(&self, header: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.headers.get_all(header).iter().map(http::HeaderValue::as_bytes)
    }

    /// The credential parameters of the query, with their values as they stand there.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let known = &self.places.parameters;
        self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).filter(move |(name, value)| {
            !value.is_empty() && known.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// What else is known of the request: its id, the client's address.
    pub fn context(&self) -> &'a RequestContext {
        self.context
    }

    fn places(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.headers().map(HeaderName::as_str).chain(self.parameters().map(|(name, _)| name))
    }

    /// Puts on record what was shown, but not the thing itself.
    pub(super) fn note(&self) {
        let headers = self.headers().flat_map(|name| self.values(name).map(move |value| (name.as_str(), value)));
        let parameters = self.parameters().map(|(name, value)| (name, value.as_bytes()));
        let resources: Vec<(String, String)> = headers
            .chain(parameters)
            .map(|(name, value)| (name.to_ascii_lowercase(), fingerprint("exposed", value).as_str().to_owned()))
            .take(MAX_NOTED)
            .collect();
        self.context.note(|notes| {
            notes.action = Some("credential.exposed".into());
            notes.resources.extend(resources);
        });
    }
}

/// A client may repeat a header as often as it likes.
const MAX_NOTED: usize = 8;

/// Names only.
impl fmt::Debug for Exposed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposed").field("places", &self.places().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Is told of every credential that came over plain HTTP: a port with one method.
///
/// What it is told came from the client and was not verified: look it up before you act on it, and count
/// how often you do, for anybody may send anything. It is called within the request, so it must not
/// block: hand the work to a task.
///
/// ```
/// use std::sync::mpsc::Sender;
/// use portcullis::require_https::{Exposed, ExposureObserver, RequireHttpsLayer};
///
/// /// Hands API keys to the task that revokes them.
/// struct Revoke(Sender<Vec<u8>>);
///
/// impl ExposureObserver for Revoke {
///     fn exposed(&self, exposed: &Exposed<'_>) {
///         for header in exposed.headers().filter(|name| *name == "x-api-key") {
///             for key in exposed.values(header) {
///                 // The task is gone: the process is ending.
///                 let _ = self.0.send(key.to_vec());
///             }
///         }
///     }
/// }
/// let (sender, keys) = std::sync::mpsc::channel();
/// let layer = RequireHttpsLayer::builder().on_exposure(Revoke(sender)).build()?;
/// # let _ = keys;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub trait ExposureObserver: Send + Sync + 'static {
    /// A request with these credentials came over plain HTTP, and is refused.
    fn exposed(&self, exposed: &Exposed<'_>);
}

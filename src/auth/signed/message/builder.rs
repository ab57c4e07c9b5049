use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};

use super::{HttpSignatures, Inner, site::Origin};
use crate::{
    auth::{
        authenticator::BODY_TIMEOUT,
        signed::{SigningKeyStore, limits},
    },
    config_error::{ConfigError, ConfigIssues},
    store::SeenStore,
};

/// Builds [`HttpSignatures`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpSignaturesBuilder {
    keys: Arc<dyn SigningKeyStore>,
    fields: Vec<String>,
    window: Duration,
    label: Option<String>,
    tag: Option<String>,
    origin: Option<String>,
    nonces: Option<Arc<dyn SeenStore>>,
    service: Option<String>,
    max_body: usize,
    body_timeout: Duration,
}

impl HttpSignaturesBuilder {
    pub(super) fn new(keys: Arc<dyn SigningKeyStore>) -> Self {
        Self {
            keys,
            fields: Vec::new(),
            window: limits::WINDOW,
            label: None,
            tag: None,
            origin: None,
            nonces: None,
            service: None,
            max_body: limits::MAX_BODY,
            body_timeout: BODY_TIMEOUT,
        }
    }

    /// Header fields that must be covered where they are sent, such as `content-type`, beside what
    /// always must be: the method, the whole target, and the `Content-Digest` of a body.
    pub fn require_covered(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// How far `created` may lie in the past or the future: 1 s to 15 min. Default: 5 min.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// The label of the signature that counts, should there be several. Default: there must be one.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The `tag` of the signature that counts: what the application calls such signatures, so that
    /// one made for another purpose does not count. Default: any or none.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Scheme and authority under which clients know the service, such as `https://api.example.com`.
    /// Default: `Host`, and the scheme of the connection; HTTPS if nobody knows. Set it where a client
    /// uses one key with several services, and nothing in front refuses the `Host` of others: who gets a
    /// request for itself could else pass it on to this service, `Host` and all.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Demands a `nonce`, and remembers it for as long as the signature is good, and for as much longer as
    /// a body may take and clocks differ (60 s): each request counts once. Default: a nonce is not
    /// needed, and a request that is sent again within the window counts again.
    pub fn nonces(mut self, store: impl SeenStore) -> Self {
        self.nonces = Some(Arc::new(store));
        self
    }

    /// The name by which keys are restricted to services. Default: none, and keys that are
    /// restricted are refused.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// The largest body, in bytes: it is held in memory. Default: 1 MiB; at most 64 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How long the body may take to arrive. Default: 10 s; at most 5 min.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    /// If a name, label or tag cannot stand in a signature, the origin is none, or a limit is out of
    /// its range.
    pub fn build(self) -> Result<HttpSignatures, ConfigError> {
        let mut issues = ConfigIssues::new();
        limits::check(&mut issues, self.window, self.max_body, self.body_timeout);
        let mut fields = Vec::new();
        for (index, name) in self.fields.iter().enumerate() {
            if let Ok(name) = HeaderName::try_from(name.as_str()) {
                fields.push(name);
            } else {
                let cure = "use a name such as content-type; what is derived is covered anyway";
                issues.add(format!("require_covered[{index}]"), "it is no header name", cure);
            }
        }
        if self.label.as_ref().is_some_and(|label| sfv::KeyRef::from_str(label).is_err()) {
            issues.add("label", "it is no key of a structured field", "use lower-case letters, digits, - _ . *");
        }
        if self.tag.as_ref().is_some_and(|tag| tag.is_empty() || sfv::StringRef::from_str(tag).is_err()) {
            issues.add("tag", "it is empty, or not printable ASCII", "use a word such as my-app");
        }
        if self.service.as_ref().is_some_and(String::is_empty) {
            issues.add("service", "it is empty", "use the name by which keys are restricted, or leave it out");
        }
        let origin = self.origin.as_deref().map(Origin::parse);
        if origin == Some(None) {
            issues.add("origin", "it is not a scheme and an authority", "use https://api.example.com");
        }
        let wanted = wanted(self.label.as_deref(), self.tag.as_deref(), &fields, self.nonces.is_some());
        issues.finish(HttpSignatures {
            inner: Arc::new(Inner {
                keys: self.keys,
                fields,
                window: self.window,
                label: self.label,
                tag: self.tag,
                origin: origin.flatten(),
                nonces: self.nonces,
                service: self.service.map(Into::into),
                max_body: self.max_body,
                body_timeout: self.body_timeout,
                wanted,
            }),
        })
    }
}

/// RFC 9421 §5.1.
fn wanted(label: Option<&str>, tag: Option<&str>, fields: &[HeaderName], nonce: bool) -> Option<HeaderValue> {
    let names = ["@method", "@target-uri", "content-digest"].into_iter().chain(fields.iter().map(HeaderName::as_str));
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    let label = label.unwrap_or("sig1");
    let mut text = format!("{label}=({});created;keyid", names.join(" "));
    if nonce {
        text.push_str(";nonce");
    }
    if let Some(tag) = tag {
        text.extend([";tag=\"", &*tag.replace('\\', "\\\\").replace('"', "\\\""), "\""]);
    }
    HeaderValue::try_from(text).ok()
}

use std::{sync::Arc, time::Duration};

use http::HeaderName;

use super::{SigV4, canonical::Paths};
use crate::{
    auth::{
        authenticator::BODY_TIMEOUT,
        signed::{SignatureForm, SigningKeyStore, limits},
    },
    config_error::{ConfigError, ConfigIssues},
};

/// Builds a [`SigV4`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SigV4Builder {
    form: SignatureForm,
    keys: Arc<dyn SigningKeyStore>,
    region: String,
    service: String,
    paths: Paths,
    unresolved: bool,
    presigned: bool,
    unsigned: bool,
    window: Duration,
    required: Vec<String>,
    max_body: usize,
    body_timeout: Duration,
}

impl SigV4Builder {
    pub(super) fn new(form: SignatureForm, keys: Arc<dyn SigningKeyStore>, region: String, service: String) -> Self {
        Self {
            form,
            keys,
            region,
            service,
            paths: Paths::Normalized,
            unresolved: false,
            presigned: false,
            unsigned: false,
            window: limits::WINDOW,
            required: Vec::new(),
            max_body: limits::MAX_BODY,
            body_timeout: BODY_TIMEOUT,
        }
    }

    /// Paths as S3 signs them: encoded once, and not resolved. Default: as all other services of AWS
    /// do, encoded twice, `//` and dot segments resolved.
    pub fn s3_paths(mut self) -> Self {
        self.paths = Paths::Plain;
        self
    }

    /// Also accepts paths with `.`, `..` or empty segments, as AWS does. They are signed as if they were
    /// resolved, and no router resolves them: a signature of `/tmp/7` is then also one of
    /// `/files/../tmp/7`, which may be another route's. Only where something in front of the router
    /// resolves paths. Default: 400.
    pub fn dangerously_allow_unresolved_paths(mut self) -> Self {
        self.unresolved = true;
        self
    }

    /// Also accepts signatures in the query (`X-Amz-Signature` and the others), good for as long as
    /// they say, seven days at most. Whoever gets hold of such a URL can use it until then. Default:
    /// the query is not looked at.
    pub fn presigned_urls(mut self) -> Self {
        self.presigned = true;
        self
    }

    /// Also accepts `UNSIGNED-PAYLOAD`: anybody on the way can then exchange the body. The presigned
    /// URLs of S3 know nothing else. Default: the body is signed.
    pub fn dangerously_allow_unsigned_payload(mut self) -> Self {
        self.unsigned = true;
        self
    }

    /// How far the signature's time may lie in the past or the future: 1 s to 15 min, which is what
    /// AWS allows. Default: 5 min.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Header fields that must be signed where they are sent, beside `host` and the form's own.
    pub fn require_signed(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.required.extend(names.into_iter().map(Into::into));
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

    /// The authenticator.
    ///
    /// # Errors
    /// If a name cannot stand in a header, a limit is out of its range, or URLs of S3 are accepted
    /// while bodies must be signed.
    pub fn build(self) -> Result<SigV4, ConfigError> {
        let mut issues = ConfigIssues::new();
        self.form.check(&mut issues);
        for (field, word) in [("region", &self.region), ("service", &self.service)] {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            if !(1..=64).contains(&word.len()) || !word.bytes().all(fits) {
                issues.add(field, "it is not 1 to 64 letters, digits, - _ . :", "use a name such as eu-1 or orders");
            }
        }
        limits::check(&mut issues, self.window, self.max_body, self.body_timeout);
        if self.presigned && self.paths == Paths::Plain && !self.unsigned {
            let cure = "call dangerously_allow_unsigned_payload(), or leave presigned_urls() out";
            issues.add("presigned_urls", "the URLs of S3 never sign a body, and bodies must be signed", cure);
        }
        let mut required = Vec::new();
        for (index, name) in self.required.iter().enumerate() {
            match HeaderName::try_from(name.as_str()) {
                Ok(name) => required.push(name),
                Err(_) => issues.add(
                    format!("require_signed[{index}]"),
                    "it is no header name",
                    "use a name such as content-type",
                ),
            }
        }
        issues.finish(SigV4 {
            form: self.form,
            keys: self.keys,
            region: self.region.into(),
            service: self.service.into(),
            paths: self.paths,
            unresolved: self.unresolved,
            presigned: self.presigned,
            unsigned: self.unsigned,
            window: self.window,
            required,
            max_body: self.max_body,
            body_timeout: self.body_timeout,
        })
    }
}

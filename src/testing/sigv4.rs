//! Requests signed as AWS's clients sign them.

#![expect(clippy::expect_used, reason = "only tests come here, and a wrong test should say where")]

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri};
use sha2::{Digest as _, Sha256};

use crate::{
    auth::{
        Head,
        signed::{
            SignatureForm,
            derived::{Derivation, mac},
            sigv4::{
                canonical::{self, Canonical, Paths},
                signed_headers,
                time::to_stamp,
            },
            target,
        },
    },
    secret::Secret,
    time::{Clock as _, SystemClock, Timestamp},
};

/// Signs requests for [`SigV4`](crate::auth::signed::SigV4).
///
/// ```
/// use http::Request;
/// use portcullis::{secret::Secret, testing::SigV4Signer, time::Timestamp};
///
/// let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// let signer = SigV4Signer::new("AKIDEXAMPLE", secret, "us-east-1", "service");
/// let request = Request::get("/").header("host", "example.amazonaws.com").body("").unwrap();
/// let signed = signer.at(Timestamp::from_secs(1_440_938_160)).sign(request);
/// assert_eq!(signed.headers()["x-amz-date"], "20150830T123600Z");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SigV4Signer {
    form: SignatureForm,
    key_id: String,
    secret: Secret,
    region: String,
    service: String,
    paths: Paths,
    at: Option<Timestamp>,
    token: Option<String>,
    payload: Option<&'static str>,
}

impl SigV4Signer {
    /// A signer in AWS's own form.
    pub fn new(
        key_id: impl Into<String>,
        secret: impl Into<Secret>,
        region: impl Into<String>,
        service: impl Into<String>,
    ) -> Self {
        Self {
            form: SignatureForm::aws(),
            key_id: key_id.into(),
            secret: secret.into(),
            region: region.into(),
            service: service.into(),
            paths: Paths::Normalized,
            at: None,
            token: None,
            payload: None,
        }
    }

    /// Another form.
    pub fn form(mut self, form: SignatureForm) -> Self {
        self.form = form;
        self
    }

    /// Paths as S3 signs them.
    pub fn s3_paths(mut self) -> Self {
        self.paths = Paths::Plain;
        self
    }

    /// The time of the signature. Default: the machine's.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// A session token, which is signed.
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Leaves the body out of the signature.
    pub fn unsigned_payload(mut self) -> Self {
        self.payload = Some("UNSIGNED-PAYLOAD");
        self
    }

    /// Signs the request and all its header fields, in `Authorization`.
    ///
    /// # Panics
    /// If the request names no host, or a name cannot stand in a header.
    pub fn sign(&self, request: Request<impl Into<Bytes>>) -> Request<Body> {
        let (mut parts, body) = request.into_parts();
        let body: Bytes = body.into();
        let stamp = self.stamp();
        let payload = self.payload.map_or_else(|| hex(&Sha256::digest(&body)), str::to_owned);
        let mut put = |name: &str, value: &str| {
            let name = HeaderName::try_from(name).expect("a header name");
            parts.headers.insert(name, HeaderValue::try_from(value).expect("a header value"));
        };
        put(self.form.date_header(), &stamp);
        put(self.form.digest_header(), &payload);
        if let Some(token) = &self.token {
            put(self.form.token_header(), token);
        }
        let mut names: Vec<String> = parts.headers.keys().map(ToString::to_string).chain(["host".into()]).collect();
        names.sort_unstable();
        names.dedup();
        let signed = names.join(";");
        let signature = self.signature(&Head::from(&parts), &signed, &payload, &stamp);
        let value = format!(
            "{} Credential={}/{}, SignedHeaders={signed}, Signature={signature}",
            self.form.algorithm(),
            self.key_id,
            self.scope(&stamp)
        );
        parts.headers.insert(http::header::AUTHORIZATION, HeaderValue::try_from(value).expect("a header value"));
        Request::from_parts(parts, Body::from(body))
    }

    /// Signs the request in its query: the URL is good for so long. The body is signed, unless
    /// [`unsigned_payload`](Self::unsigned_payload) says otherwise.
    ///
    /// # Panics
    /// If the request names no host.
    pub fn presign(&self, request: Request<impl Into<Bytes>>, lifetime: Duration) -> Request<Body> {
        let (mut parts, body) = request.into_parts();
        let body: Bytes = body.into();
        let (stamp, prefix) = (self.stamp(), self.form.query_prefix());
        let payload = self.payload.map_or_else(|| hex(&Sha256::digest(&body)), str::to_owned);
        let credential = format!("{}/{}", self.key_id, self.scope(&stamp)).replace('/', "%2F");
        let mut query = parts.uri.query().map_or_else(String::new, |query| format!("{query}&"));
        query = format!(
            "{query}{prefix}Algorithm={}&{prefix}Credential={credential}&{prefix}Date={stamp}&{prefix}Expires={}\
             &{prefix}SignedHeaders=host",
            self.form.algorithm(),
            lifetime.as_secs(),
        );
        if self.payload.is_some() {
            query = format!("{query}&{prefix}Content-Sha256={payload}");
        }
        if let Some(token) = &self.token {
            let token = canonical::query(&token.replace('=', "%3D"), None);
            query = format!("{query}&{prefix}Security-Token={}", token.trim_end_matches('='));
        }
        parts.uri = with_query(&parts.uri, &query);
        let signature = self.signature(&Head::from(&parts), "host", &payload, &stamp);
        parts.uri = with_query(&parts.uri, &format!("{query}&{prefix}Signature={signature}"));
        Request::from_parts(parts, Body::from(body))
    }

    fn stamp(&self) -> String {
        to_stamp(self.at.unwrap_or_else(|| SystemClock::new().now().wall))
    }

    fn scope(&self, stamp: &str) -> String {
        let date = stamp.get(..8).unwrap_or_default();
        format!("{date}/{}/{}/{}", self.region, self.service, self.form.terminator())
    }

    fn signature(&self, head: &Head<'_>, signed: &str, payload: &str, stamp: &str) -> String {
        let uri = target::uri(head);
        let canonical = Canonical {
            method: head.method.as_str(),
            path: &canonical::path(uri.path(), self.paths),
            query: &canonical::query(uri.query().unwrap_or_default(), None),
            headers: &signed_headers(head, signed).expect("the request names its host"),
            signed,
            payload,
        };
        let text = canonical.string_to_sign(self.form.algorithm(), stamp, &self.scope(stamp));
        let derivation = Derivation {
            prefix: self.form.key_prefix(),
            date: stamp.get(..8).unwrap_or_default(),
            region: &self.region,
            service: &self.service,
            terminator: self.form.terminator(),
        };
        hex(&*mac(&*derivation.derive(self.secret.expose()), text.as_bytes()))
    }
}

fn with_query(uri: &Uri, query: &str) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}", uri.path()).parse().expect("a query"));
    Uri::from_parts(parts).expect("the rest is as it was")
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

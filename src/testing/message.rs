//! Requests signed as RFC 9421 says.

#![expect(clippy::expect_used, reason = "only tests come here, and a wrong test should say where")]

use std::time::Duration;

use axum::body::Body;
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use sha2::{Digest as _, Sha256};

#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
use super::signing_key::SigningKey;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
use crate::auth::jwt::Algorithm;
use crate::{
    auth::{
        Head,
        signed::{
            derived::mac,
            message::{Message, parse_input, signature_base, signature_params},
            target,
        },
    },
    secret::Secret,
    time::{Clock as _, SystemClock, Timestamp},
};

/// Signs requests for [`HttpSignatures`](crate::auth::signed::HttpSignatures).
///
/// ```
/// use http::Request;
/// use portcullis::{secret::Secret, testing::MessageSigner};
///
/// let signer = MessageSigner::hmac("key-1", Secret::new("a secret with 32 bytes or more, random"));
/// let request = Request::post("/orders").header("host", "api.example.com").body("{}").unwrap();
/// let signed = signer.nonce("4711").sign(request);
/// assert!(signed.headers()["signature-input"].to_str().unwrap().contains("\"content-digest\""));
/// ```
#[derive(Clone)]
#[must_use]
pub struct MessageSigner {
    key_id: String,
    key: PrivateKey,
    label: String,
    components: Option<Vec<String>>,
    at: Option<Timestamp>,
    parameters: String,
    origin: Option<(String, String)>,
}

#[derive(Clone)]
enum PrivateKey {
    Secret(Secret),
    #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
    Pair(SigningKey),
}

impl std::fmt::Debug for MessageSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageSigner").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl MessageSigner {
    /// A signer with `hmac-sha256`.
    pub fn hmac(key_id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new(key_id.into(), PrivateKey::Secret(secret.into()))
    }

    /// A signer with a key of its own, whose public half is [`jwk`](Self::jwk).
    #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
    pub fn generate(key_id: impl Into<String>, algorithm: Algorithm) -> Self {
        Self::new(key_id.into(), PrivateKey::Pair(SigningKey::generate(algorithm)))
    }

    fn new(key_id: String, key: PrivateKey) -> Self {
        let parameters = String::new();
        Self { key_id, key, label: "sig1".into(), components: None, at: None, parameters, origin: None }
    }

    /// The public key, as the text of a JWK.
    ///
    /// # Panics
    /// If the key is a shared secret.
    #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
    pub fn jwk(&self) -> String {
        let jwk = match &self.key {
            PrivateKey::Pair(key) => key.jwk.as_ref(),
            PrivateKey::Secret(_) => None,
        };
        jwk.expect("a shared secret has no public half").to_string()
    }

    /// The signature's label. Default: `sig1`.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// What is covered, as `Signature-Input` writes it: `"@method"`, `"x-field";bs`. Default:
    /// `"@method"`, `"@target-uri"`, and of `Content-Digest` (which is added where there is a body),
    /// `Authorization` and `X-API-Key` those that are there.
    pub fn components(mut self, components: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.components = Some(components.into_iter().map(Into::into).collect());
        self
    }

    /// The time of the signature. Default: the machine's.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// A nonce.
    pub fn nonce(self, nonce: &str) -> Self {
        self.parameter(&format!("nonce=\"{nonce}\""))
    }

    /// A tag.
    pub fn tag(self, tag: &str) -> Self {
        self.parameter(&format!("tag=\"{tag}\""))
    }

    /// The end of the signature, so long after the Unix epoch.
    pub fn expires(self, since_epoch: Duration) -> Self {
        self.parameter(&format!("expires={}", since_epoch.as_secs()))
    }

    /// Any other parameter, as `Signature-Input` writes it: `alg="ed25519"`.
    pub fn parameter(mut self, parameter: &str) -> Self {
        self.parameters = format!("{};{parameter}", self.parameters);
        self
    }

    /// Scheme and authority of the target. Default: `https`, and the request's host.
    pub fn origin(mut self, scheme: &str, authority: &str) -> Self {
        self.origin = Some((scheme.into(), authority.into()));
        self
    }

    /// Signs the request. A signature that is there already stays, under its own label.
    ///
    /// # Panics
    /// If the request names no host, or lacks what is to be covered.
    pub fn sign(&self, request: Request<impl Into<Bytes>>) -> Request<Body> {
        let (mut parts, body) = request.into_parts();
        let body: Bytes = body.into();
        let mut put = |name: &'static str, value: String| {
            let value = HeaderValue::try_from(value).expect("a header value");
            parts.headers.append(HeaderName::from_static(name), value);
        };
        if !body.is_empty() {
            put("content-digest", format!("sha-256=:{}:", Base64::encode_string(&Sha256::digest(&body))));
        }
        let components = self.components.clone().unwrap_or_else(|| {
            let fields = ["content-digest", "authorization", "x-api-key"].into_iter();
            let fields = fields.filter(|name| parts.headers.contains_key(*name));
            ["@method", "@target-uri"].into_iter().chain(fields).map(|name| format!("\"{name}\"")).collect()
        });
        let created = self.at.unwrap_or_else(|| SystemClock::new().now().wall).as_secs();
        let input = format!(
            "{}=({});created={created};keyid=\"{}\"{}",
            self.label,
            components.join(" "),
            self.key_id,
            self.parameters
        );
        let input = parse_input(input.as_bytes()).and_then(|mut inputs| inputs.pop()).expect("a signature's input");
        let head = Head::from(&parts);
        let (scheme, authority) = self.origin.clone().unwrap_or_else(|| {
            let authority = target::authority(&head).expect("the request names its host");
            ("https".into(), authority.to_ascii_lowercase())
        });
        let message = Message { head, scheme: &scheme, authority: &authority };
        let base = signature_base(&message, &input).expect("everything that is covered is there");
        let signature = Base64::encode_string(&self.key.sign(base.as_bytes()));
        let params = signature_params(&input).expect("a signature's input");
        let mut put = |name: &'static str, value: String| {
            let value = HeaderValue::try_from(value).expect("a header value");
            parts.headers.append(HeaderName::from_static(name), value);
        };
        put("signature-input", format!("{}={params}", self.label));
        put("signature", format!("{}=:{signature}:", self.label));
        Request::from_parts(parts, Body::from(body))
    }
}

impl PrivateKey {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Secret(secret) => mac(secret.expose(), message).to_vec(),
            #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
            Self::Pair(key) => key.sign(message),
        }
    }
}

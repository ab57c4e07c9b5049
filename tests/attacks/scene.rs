//! A service that accepts every kind of credential, and those who may use it.

use std::net::SocketAddr;

use axum::{Router, body::Body, extract::ConnectInfo, response::Response, routing::any};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use portcullis::{
    auth::{
        AuthLayer, Verified,
        api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeyRecordBuilder, ApiKeys, KeyHasher},
        dpop::Dpop,
        introspection::{Introspection, IntrospectionError, Introspector},
        jwt::Algorithm,
        mtls::{CertificateTable, ClientCertificates},
        revocation::{Revocation, RevocationStore as _},
        signed::{HttpSignatures, SigV4, SigningKey},
    },
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    identity::Principal,
    request::TrustedProxies,
    secret::Secret,
    store::BoxFuture,
    testing::{MessageSigner, SigV4Signer, TestDpopKey, TestDpopProof, TestIssuer, TestToken},
    time::{ManualClock, Timestamp},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt as _};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const AUDIENCE: &str = "https://api.test";
/// What attackers write where it must not come back.
pub(crate) const NEEDLE: &str = "needle-4f1c9d";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [192, 0, 2, 1];

/// One thing that must fail, after what must not.
pub(crate) struct Attack {
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) before: Vec<Request<Body>>,
    pub(crate) request: Request<Body>,
}

impl Attack {
    pub(crate) fn new(class: &'static str, name: impl Into<String>, request: Request<Body>) -> Self {
        Self { class, name: name.into(), before: Vec::new(), request }
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) struct Scene {
    app: Router,
    /// RS256 and ES256.
    pub(crate) issuers: [TestIssuer; 2],
    pub(crate) keys: ApiKeys,
    pub(crate) api_key: String,
    pub(crate) dpop: TestDpopKey,
    pub(crate) certificate: Vec<u8>,
}

/// Knows no token.
#[derive(Debug)]
struct Nobody;

impl Introspector for Nobody {
    fn introspect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Bytes, IntrospectionError>> {
        Box::pin(async { Ok(Bytes::from_static(br#"{"active":false}"#)) })
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::build(false).await
    }

    pub(crate) async fn optional() -> Self {
        Self::build(true).await
    }

    async fn build(optional: bool) -> Self {
        let clock = ManualClock::at(NOW);
        let issuer = |url: &str, algorithm| TestIssuer::with_algorithm(url, algorithm).clock(clock.clone());
        let issuers = [issuer("https://rs.test", Algorithm::Rs256), issuer("https://es.test", Algorithm::Es256)];
        let store = MemoryStore::new();
        let revoked =
            Revocation::token("https://rs.test", "revoked", NOW.saturating_add(std::time::Duration::from_secs(900)));
        store.revoke(revoked, NOW).await.unwrap();
        let keys =
            ApiKeys::new(store.clone(), ApiKeyFormat::new("acme", "live").unwrap(), hasher()).clock(clock.clone());
        let api_key = issue(&keys, ApiKeyRecord::builder("usr_key")).await;
        let signing = SigningKey::secret("AKIDEXAMPLE", "svc_signed", Secret::new(SECRET));
        store.insert_signing_key(signing.build().unwrap()).unwrap();
        let certificate = certificate(|params| params.subject_alt_names = vec![spiffe("billing")]);
        let table = CertificateTable::builder()
            .spiffe_id("spiffe://example.org/billing", Verified::by_certificate("svc_cert"))
            .dns_name("reports.internal", Verified::by_certificate("svc_dns"));
        let opaque = Introspection::with("https://opaque.test", Nobody).audience(AUDIENCE).clock(clock.clone());
        let mut auth = AuthLayer::builder()
            .jwt(issuers[0].verifier())
            .jwt(issuers[1].verifier())
            .api_keys(&keys)
            .opaque_tokens(opaque.calls_per_second(10_000.try_into().unwrap()).build().unwrap())
            .dpop(Dpop::new(AUDIENCE, store.clone()))
            .authenticator(ClientCertificates::new(table.build().unwrap()))
            .client_cert_header()
            .authenticator(SigV4::builder(store.clone(), "eu-1", "orders").presigned_urls().build().unwrap())
            .authenticator(HttpSignatures::builder(store.clone()).nonces(store.clone()).build().unwrap())
            .revocations(store.clone());
        if optional {
            auth = auth.optional();
        }
        let context =
            RequestContextLayer::new().clock(clock).trusted_proxies(TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap());
        let app = Router::new()
            .fallback(any(whoami))
            .layer(ServiceBuilder::new().layer(context).layer(auth.build().unwrap()));
        Self { app, issuers, keys, api_key, dpop: TestDpopKey::generate().at(NOW), certificate }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// What no answer may hold.
    pub(crate) fn secrets(&self) -> Vec<String> {
        vec![SECRET.into(), self.api_key.clone()]
    }

    pub(crate) fn issuer(&self) -> &TestIssuer {
        &self.issuers[1]
    }

    pub(crate) fn token(&self) -> TestToken {
        self.issuer().token("usr_1")
    }

    /// A token that is bound to the key of [`proof`](Self::proof).
    pub(crate) fn bound(&self) -> String {
        self.token().claim("cnf", json!({ "jkt": self.dpop.thumbprint() })).sign()
    }

    /// A proof for `GET /orders`.
    pub(crate) fn proof(&self, token: &str) -> TestDpopProof {
        self.dpop.proof("GET", "https://api.test/orders", token)
    }

    /// One request for each kind of credential, each with names that are not its owner's to give.
    pub(crate) fn honest(&self) -> Vec<(&'static str, Request<Body>)> {
        let bound = self.bound();
        let proof = self.proof(&bound).sign();
        let mut requests = vec![
            ("RS256", bearer(&self.issuers[0].token("usr_1").sign())),
            ("ES256", bearer(&self.issuers[1].token("usr_1").sign())),
            ("API key", get(&[("x-api-key", &self.api_key)])),
            ("API key as bearer token", bearer(&self.api_key)),
            ("DPoP", get(&[("authorization", &format!("DPoP {bound}")), ("dpop", &proof)])),
            ("certificate", proxied(&self.certificate)),
            ("SigV4", sigv4().sign(order())),
            ("presigned", sigv4().presign(order(), std::time::Duration::from_secs(60))),
            ("RFC 9421", message().nonce(&self.proof("").sign()[60..90]).sign(order())),
        ];
        for (_, request) in &mut requests {
            for name in ["x-user-id", "x_user_id", "x-user-scopes", "x-user-tier"] {
                request.headers_mut().insert(name, HeaderValue::from_static("admin"));
            }
        }
        requests
    }
}

/// Whom the handler sees, and what stands in the names that are ours.
async fn whoami(caller: Option<Principal>, headers: HeaderMap) -> String {
    let spoofed = headers.iter().filter(|(name, _)| name.as_str().replace('_', "-").starts_with("x-user-"));
    let spoofed: Vec<_> = spoofed.map(|(_, value)| value.to_str().unwrap_or_default()).collect();
    let caller = caller.map_or("nobody".into(), |caller| caller.subject().to_owned());
    format!("{caller}{}", spoofed.concat())
}

pub(crate) fn hasher() -> KeyHasher {
    KeyHasher::hmac(Secret::new(vec![7_u8; 32])).unwrap()
}

pub(crate) async fn issue(keys: &ApiKeys, record: ApiKeyRecordBuilder) -> String {
    let key = keys.issue(record).await.unwrap();
    String::from_utf8(key.secret.expose().to_vec()).unwrap()
}

/// `GET /orders` with these header fields.
pub(crate) fn get(headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get("/orders").header("host", "api.test").body(Body::empty()).unwrap();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    from(request, STRANGER)
}

pub(crate) fn bearer(token: &str) -> Request<Body> {
    get(&[("authorization", &format!("Bearer {token}"))])
}

pub(crate) fn from(mut request: Request<Body>, peer: [u8; 4]) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    request
}

/// What a trusted proxy sends for a client with this certificate.
pub(crate) fn proxied(der: &[u8]) -> Request<Body> {
    from(get(&[("client-cert", &client_cert(der))]), PROXY)
}

pub(crate) fn client_cert(der: &[u8]) -> String {
    use base64ct::{Base64, Encoding as _};
    format!(":{}:", Base64::encode_string(der))
}

pub(crate) fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new([]).unwrap();
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

pub(crate) fn spiffe(name: &str) -> SanType {
    SanType::URI(format!("spiffe://example.org/{name}").as_str().try_into().unwrap())
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

pub(crate) fn common_name(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.push(DnType::CommonName, name);
}

pub(crate) fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

/// What is signed in the attacks on signatures.
pub(crate) fn order() -> Request<&'static str> {
    let request = Request::post("/orders?b=2&a=1").header("host", "api.test");
    request.header("content-type", "application/json").body("{\"n\":1}").unwrap()
}

pub(crate) fn sigv4() -> SigV4Signer {
    SigV4Signer::new("AKIDEXAMPLE", SECRET, "eu-1", "orders").at(NOW)
}

pub(crate) fn sigv4_for(key: &str, secret: Option<&str>, region: &str, service: &str) -> SigV4Signer {
    SigV4Signer::new(key, secret.unwrap_or(SECRET), region, service).at(NOW)
}

pub(crate) fn message() -> MessageSigner {
    message_by("AKIDEXAMPLE", SECRET)
}

pub(crate) fn message_by(key: &str, secret: &str) -> MessageSigner {
    MessageSigner::hmac(key, secret.to_owned()).at(NOW)
}

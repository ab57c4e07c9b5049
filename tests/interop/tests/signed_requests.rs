//! Requests that foreign code signs, and we accept: AWS's own signer for Rust (`aws-sigv4`), the one
//! of its command line (`botocore`), curl, and `httpsig` for RFC 9421.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use axum::{
    Router,
    body::{Body, Bytes},
    routing::any,
};
use base64ct::{Base64, Encoding as _};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureParams, SecretKey, SharedKey,
    message_component::HttpMessageComponent,
};
use portcullis::{
    auth::{
        AuthLayer, AuthLayerBuilder,
        signed::{HttpSignatures, SigV4, SignatureForm, SigningKey},
    },
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    identity::Principal,
    secret::Secret,
    time::{ManualClock, Timestamp},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tower::{ServiceBuilder, ServiceExt as _};

/// 2026-11-21T08:05:00Z.
const SENT: u64 = 1_795_248_300;
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const HOST: &str = "api.example.com";
const BODY: &str = "{\"name\":\"Zoë 🦀\"}";

/// What people sign: order, emptiness and repetition in queries, encoded and bare letters, paths that
/// are not in their simplest form.
const TARGETS: &[&str] = &[
    "/",
    "/?",
    "/orders",
    "/orders/",
    "/orders?b=2&a=1",
    "/orders?a=2&a=1&A=0",
    "/orders?flag&empty=",
    "/orders?a-=1&a=2",
    "/orders?q=a%20b%2Bc",
    "/orders?q=%E1%88%B4&%E1%88%B4=1",
    "/orders?q=a%3Db%26c",
    "/orders?path=/a/b:c@d",
    "/orders?tilde=~&star=%2A",
    "/orders/a%20b",
    "/orders/%E1%88%B4",
    "/orders/a%2Fb",
    "/orders/a+b@c:d",
];

/// Paths that all services but S3 resolve.
const UNRESOLVED: &[&str] =
    &["//", "//orders//7", "/orders//", "/./orders", "/orders/../billing", "/orders/./7", "/a/b/../../c/"];

fn keys() -> MemoryStore {
    let keys = MemoryStore::new();
    let key = SigningKey::secret(KEY_ID, "svc_billing", Secret::from(SECRET)).build().unwrap();
    keys.insert_signing_key(key).unwrap();
    keys
}

fn app(auth: AuthLayerBuilder) -> Router {
    let context = RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(SENT)));
    let handler = |caller: Principal, body: Bytes| async move {
        assert_eq!(caller.subject(), "svc_billing");
        body
    };
    Router::new().fallback(any(handler)).layer(ServiceBuilder::new().layer(context).layer(auth.build().unwrap()))
}

fn aws(s3: bool) -> Router {
    let verifier = SigV4::builder(keys(), "eu-central-1", "orders").presigned_urls();
    let verifier = if s3 {
        verifier.s3_paths().dangerously_allow_unsigned_payload()
    } else {
        verifier.dangerously_allow_unresolved_paths()
    };
    app(AuthLayer::builder().authenticator(verifier.build().unwrap()))
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The same request with other bytes in its body.
fn forged(request: &Request<Body>) -> Request<Body> {
    let mut forged = Request::new(Body::from("{}"));
    *forged.method_mut() = request.method().clone();
    *forged.uri_mut() = request.uri().clone();
    *forged.headers_mut() = request.headers().clone();
    forged
}

async fn accepted(app: &Router, request: Request<Body>, body_is_signed: bool, what: &str) {
    accepted_with(app, request, BODY, body_is_signed, what).await;
}

async fn accepted_with(app: &Router, request: Request<Body>, expected: &str, body_is_signed: bool, what: &str) {
    let other = forged(&request);
    let (status, body) = send(app, request).await;
    assert_eq!((status, &*body), (StatusCode::OK, expected), "{what}");
    if body_is_signed {
        assert_eq!(send(app, other).await.0, StatusCode::UNAUTHORIZED, "{what}, forged");
    }
}

fn targets(s3: bool) -> impl Iterator<Item = &'static str> {
    // S3's client signs paths as they are, so they must be written as S3 writes them.
    let plain = move |target: &&str| !s3 || !target.contains("a+b@c:d");
    TARGETS.iter().copied().filter(plain).chain(UNRESOLVED.iter().copied())
}

fn with_aws_sigv4(target: &str, s3: bool, presigned: bool) -> Request<Body> {
    let identity = Credentials::new(KEY_ID, SECRET, Some("opaque/session+token==".into()), None, "test").into();
    let mut settings = SigningSettings::default();
    if s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("orders")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(SENT))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("https://{HOST}{target}");
    let headers = [("host", HOST), ("content-type", "application/json"), ("x-amz-meta-note", "  two   spaces ")];
    let body = if presigned && s3 { SignableBody::UnsignedPayload } else { SignableBody::Bytes(BODY.as_bytes()) };
    let signable = SignableRequest::new("POST", &*url, headers.into_iter(), body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();

    let mut request = Request::post(&*url);
    for (name, value) in headers {
        request = request.header(name, value.trim());
    }
    let mut request = request.body(Body::from(BODY)).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    // HTTP/1.1 sends the path alone.
    *request.uri_mut() = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
    request
}

#[tokio::test]
async fn we_accept_what_aws_sigv4_signs() {
    for s3 in [false, true] {
        let app = aws(s3);
        for target in targets(s3) {
            for presigned in [false, true] {
                let request = with_aws_sigv4(target, s3, presigned);
                let what = format!("{target}, s3: {s3}, presigned: {presigned}");
                accepted(&app, request, !(s3 && presigned), &what).await;
            }
        }
    }
}

#[derive(Serialize)]
struct Job {
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    style: &'static str,
    time: u64,
    key_id: &'static str,
    secret: &'static str,
    service: &'static str,
    region: &'static str,
}

#[derive(Deserialize)]
struct Signed {
    url: String,
    headers: Vec<(String, String)>,
}

fn with_botocore(jobs: &[Job]) -> Vec<Signed> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sign.py");
    let mut python = Command::new(portcullis_interop::python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let jobs: Vec<_> = jobs.iter().map(|job| serde_json::to_value(job).unwrap()).map(with_named_headers).collect();
    python.stdin.take().unwrap().write_all(&serde_json::to_vec(&jobs).unwrap()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "sign.py failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// botocore takes header fields as an object.
fn with_named_headers(mut job: serde_json::Value) -> serde_json::Value {
    let pairs = job["headers"].as_array().unwrap().clone();
    let named = pairs.into_iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone()));
    job["headers"] = serde_json::Value::Object(named.collect());
    job
}

#[tokio::test]
async fn we_accept_what_botocore_signs() {
    for (style, s3) in [("header", false), ("query", false), ("s3", true), ("s3-query", true)] {
        let app = aws(s3);
        // Into a query botocore would put the body, too.
        let body = if style == "query" { "" } else { BODY };
        // botocore ends a path that ends in a dot segment without a slash; none of these does. And it
        // signs what should have been encoded in a query as it is.
        let jobs: Vec<Job> = targets(s3)
            .filter(|target| !target.contains("path=/"))
            .map(|target| Job {
                method: "POST",
                url: format!("https://{HOST}{target}"),
                headers: vec![("content-type", "application/json"), ("x-amz-meta-note", "two   spaces")],
                body,
                style,
                time: SENT,
                key_id: KEY_ID,
                secret: SECRET,
                service: "orders",
                region: "eu-central-1",
            })
            .collect();
        for (job, signed) in jobs.iter().zip(with_botocore(&jobs)) {
            let path = signed.url.strip_prefix(&format!("https://{HOST}")).unwrap();
            let mut request = Request::post(path).header("host", HOST).body(Body::from(body)).unwrap();
            for (name, value) in &signed.headers {
                let name = HeaderName::try_from(name).unwrap();
                request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
            }
            accepted_with(&app, request, body, style != "s3-query", &format!("{style} {}", job.url)).await;
        }
    }
}

/// The keys of RFC 9421, Appendix B.1.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";
const ED25519_JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
const P256_SCALAR: &str = "UpuF81l+kOxbjf7T4mNSv0r5tN67Gim7rnf6EFpcYDs=";
const P256_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA","y":"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}"#;

#[tokio::test]
async fn we_accept_what_httpsig_signs() {
    let keys = MemoryStore::new();
    for key in [
        SigningKey::secret("shared", "svc_billing", Secret::from(SECRET)),
        SigningKey::jwk("ed25519", "svc_billing", ED25519_JWK),
        SigningKey::jwk("p256", "svc_billing", P256_JWK),
    ] {
        keys.insert_signing_key(key.build().unwrap()).unwrap();
    }
    let verifier = HttpSignatures::builder(keys).build().unwrap();
    let app = app(AuthLayer::builder().authenticator(verifier));

    let shared = SharedKey::from_base64(&AlgorithmName::HmacSha256, &Base64::encode_string(SECRET.as_bytes())).unwrap();
    let ed25519 = SecretKey::from_pem(&AlgorithmName::Ed25519, ED25519).unwrap();
    let scalar = Base64::decode_vec(P256_SCALAR).unwrap();
    let p256 = SecretKey::from_bytes(&AlgorithmName::EcdsaP256Sha256, &scalar).unwrap();
    for target in ["/", "/orders?b=2&a=1", "/orders?pet=d%20og", "/orders/%E1%88%B4?"] {
        let base = |key_id: &str, algorithm: &AlgorithmName| message(target, key_id, algorithm);
        let (hmac, edwards, curve) = (
            base("shared", &AlgorithmName::HmacSha256),
            base("ed25519", &AlgorithmName::Ed25519),
            base("p256", &AlgorithmName::EcdsaP256Sha256),
        );
        for headers in [
            hmac.build_signature_headers(&shared, Some("sig")).unwrap(),
            edwards.build_signature_headers(&ed25519, Some("sig")).unwrap(),
            curve.build_signature_headers(&p256, Some("sig")).unwrap(),
        ] {
            let request = Request::post(target)
                .header("host", HOST)
                .header("content-type", "application/json")
                .header("content-digest", content_digest())
                .header("signature-input", headers.signature_input_header_value())
                .header("signature", headers.signature_header_value())
                .body(Body::from(BODY))
                .unwrap();
            accepted(&app, request, true, &format!("{target} {}", headers.signature_input_header_value())).await;
        }
    }
}

fn content_digest() -> String {
    format!("sha-256=:{}:", Base64::encode_string(&Sha256::digest(BODY)))
}

fn message(target: &str, key_id: &str, algorithm: &AlgorithmName) -> HttpSignatureBase {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let lines = [
        ("@method", "POST".to_owned()),
        ("@authority", HOST.to_owned()),
        ("@path", path.to_owned()),
        ("@query", format!("?{}", query.unwrap_or_default())),
        ("content-type", "application/json".to_owned()),
        ("content-digest", content_digest()),
    ];
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| HttpMessageComponent::try_from(&*format!("\"{name}\": {value}")).unwrap())
        .collect();
    let covered = r#"("@method" "@authority" "@path" "@query" "content-type" "content-digest")"#;
    let mut params = HttpSignatureParams::try_from(covered).unwrap();
    params
        .set_created(SENT)
        .set_expires(SENT + 60)
        .set_keyid(key_id)
        .set_alg(algorithm)
        .set_nonce("n-1")
        .set_tag("app");
    HttpSignatureBase::try_new(&lines, &params).unwrap()
}

/// curl signs in AWS's form and, given another name than `aws` and `amz`, in a form that works alike:
/// that of [`SigV4::generic`]. It goes by the machine's clock, and over a real connection. Before
/// version 8.3 it signs a query in the order in which it was given, so these are sorted.
#[tokio::test(flavor = "multi_thread")]
async fn we_accept_what_curl_signs() {
    let forms = [("aws:amz", SignatureForm::aws()), ("acme:acme", SignatureForm::new("ACME4-HMAC-SHA256", "x-acme-"))];
    for (provider, form) in forms {
        let verifier = SigV4::generic(form, keys(), "eu-central-1", "orders").build().unwrap();
        let auth = AuthLayer::builder().authenticator(verifier).build().unwrap();
        let app = Router::new().fallback(any(|body: Bytes| async { body })).layer(ServiceBuilder::new().layer(auth));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        for target in ["/", "/orders?a=1&b=2", "/orders/7?q=x%20y", "/orders?empty=&flag="] {
            for (secret, expected) in [(SECRET, "200"), ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ", "401")] {
                let url = format!("http://{address}{target}");
                let signed = format!("{provider}:eu-central-1:orders");
                let user = format!("{KEY_ID}:{secret}");
                let arguments = ["--aws-sigv4", &signed, "--user", &user, "--data-binary", BODY, &url];
                let curl = tokio::task::spawn_blocking({
                    let arguments = arguments.map(str::to_owned);
                    move || Command::new("curl").args(["-s", "-w", "\n%{http_code}"]).args(arguments).output()
                });
                let output = curl.await.unwrap().expect("curl (7.75 or later) is needed for this test");
                let text = String::from_utf8(output.stdout).unwrap();
                let (body, status) = text.rsplit_once('\n').unwrap();
                assert_eq!(status, expected, "{provider} {target}: {body}");
                assert!(status == "401" || body == BODY, "{provider} {target}: {body}");
            }
        }
        server.abort();
    }
}

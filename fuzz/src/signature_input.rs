//! `Signature-Input`, `Signature`, `Content-Digest` and a body: once as they come, once signed, and
//! once signed and then changed.

use std::sync::LazyLock;

use axum::body::Body;
use http::{HeaderValue, Request};
use portcullis::{
    auth::{
        AuthLayer,
        signed::{HttpSignatures, SigningKey},
    },
    backend::memory::MemoryStore,
    secret::Secret,
    testing::MessageSigner,
};

use crate::door::{Door, NOW, parts, with};

const KEY: &str = "key-1";
const SECRET: &str = "a secret of the fuzzer, of 32 bytes at least";

/// What can be covered of each request here, and is there once.
const COMPONENTS: [&str; 12] = [
    "\"@authority\"",
    "\"@scheme\"",
    "\"@path\"",
    "\"@query\"",
    "\"@request-target\"",
    "\"@query-param\";name=\"b\"",
    "\"host\"",
    "\"x-field\"",
    "\"x-field\";bs",
    "\"priority\";sf",
    "\"priority\";key=\"u\"",
    "\"host\";bs",
];

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::new(|| {
        let store = MemoryStore::new();
        let key = SigningKey::secret(KEY, "svc", Secret::new(SECRET)).build().expect("a key");
        store.insert_signing_key(key).expect("room for a key");
        let signatures = HttpSignatures::builder(store).build().expect("a verifier");
        AuthLayer::builder().authenticator(signatures).build().expect("a layer")
    })
});

pub fn run(data: &[u8]) {
    let [input, signature, digest, body, field] = parts(data);
    let request = Request::post("/a?b=c").header("host", "api.test").body(Body::from(body.to_vec()));
    let fields = [("signature-input", input), ("signature", signature), ("content-digest", digest)];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
    if let Some(request) = with(request.expect("a request"), fields) {
        let status = DOOR.send(request);
        assert!(status.is_client_error(), "nobody signed that: {status}");
    }
    signed(input, body, field);
}

fn signed(choice: &[u8], body: &[u8], field: &[u8]) {
    if field.iter().any(|byte| !matches!(byte, b' '..=b'~')) {
        return;
    }
    let mut components = vec!["\"@method\"", "\"@target-uri\""];
    components.extend((!body.is_empty()).then_some("\"content-digest\""));
    for byte in choice {
        let component = COMPONENTS[usize::from(*byte) % COMPONENTS.len()];
        if !components.contains(&component) {
            components.push(component);
        }
    }
    let request = Request::post("/a?b=c").header("host", "api.test").header("priority", "u=1, i;x");
    let request = request.header("x-field", HeaderValue::from_bytes(field).expect("printable"));
    let nonce: String = field.iter().take(200).map(|byte| char::from(*byte)).filter(|c| !"\"\\".contains(*c)).collect();
    let mut signer = MessageSigner::hmac(KEY, SECRET).at(NOW).components(components);
    if !nonce.is_empty() {
        signer = signer.nonce(&nonce);
    }
    let signed = || signer.sign(request_of(&request, body));
    assert!(DOOR.send(signed()).is_success(), "it was signed");
    let mut other = signed();
    *other.uri_mut() = "/a?b=d".parse().expect("a target");
    assert!(DOOR.send(other).is_client_error(), "that was not signed");
    let mut other = signed();
    *other.body_mut() = Body::from([body, b"!"].concat());
    assert!(DOOR.send(other).is_client_error(), "that was not signed");
}

fn request_of(head: &http::request::Builder, body: &[u8]) -> Request<Vec<u8>> {
    let mut request = Request::post("/a?b=c").body(body.to_vec()).expect("a request");
    *request.headers_mut() = head.headers_ref().expect("a good request").clone();
    request
}

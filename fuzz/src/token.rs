//! A bearer token: once as it comes, once as header and claims that a key of ours has signed, for
//! nobody guesses base64url, let alone a signature.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis::{
    auth::{
        AuthLayer,
        jwt::{Issuer, StaticKeys},
    },
    secret::Secret,
};
use sha2::Sha256;

use crate::door::{Door, parts};

const SECRET: &str = "a secret of the fuzzer, of 32 bytes at least";

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::new(|| {
        let keys = StaticKeys::new().secret(Secret::new(SECRET));
        let tokens = Issuer::new("https://id.test").audience("api").keys(keys).build().expect("a verifier");
        AuthLayer::builder().jwt(tokens).build().expect("a layer")
    })
});

pub fn run(data: &[u8]) {
    if let Some(status) = DOOR.knock([("authorization", data)]) {
        assert!(status.is_client_error(), "nobody signed that: {status}");
    }
    let [header, claims] = parts(data);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    let tag = mac.finalize().into_bytes();
    let token = format!("Bearer {signed}.{}", encode(&tag));
    // Claims that are right may pass: they were signed.
    DOOR.knock([("authorization", token.as_bytes())]);
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

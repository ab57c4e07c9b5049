//! A proof of possession: header and claims that the key of the token has signed; then a proof and a
//! token as they come.

use std::{num::NonZeroUsize, sync::LazyLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portcullis::{
    auth::{AuthLayer, dpop::Dpop},
    backend::memory::MemoryStore,
};
use sha2::{Digest as _, Sha256};

use crate::door::{Door, base64url, parts, sign, verifier};

/// Fixed, so that its public half can stand in a corpus.
static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed is a key"));

/// A token that is bound to the key.
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(KEY.public_key().as_ref()));
    let thumbprint = base64url(&Sha256::digest(thumbprint));
    let claims = format!(
        r#"{{"iss":"https://id.test","aud":"api","sub":"usr_1","iat":1800000000,"exp":1800000600,"cnf":{{"jkt":"{thumbprint}"}}}}"#
    );
    sign(br#"{"alg":"HS256"}"#, claims.as_bytes())
});

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::new(|| {
        let seen = MemoryStore::new().seen_capacity(NonZeroUsize::new(1 << 21).expect("not zero"));
        let dpop = Dpop::new("https://api.test", seen);
        AuthLayer::builder().jwt(verifier()).dpop(dpop).build().expect("a layer")
    })
});

pub fn run(data: &[u8]) {
    let [header, claims, raw, token] = parts(data);
    let authorization = format!("DPoP {}", *TOKEN);
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let proof = format!("{signed}.{}", base64url(KEY.sign(signed.as_bytes()).as_ref()));
    // A proof that is right may pass, once.
    DOOR.knock([("authorization", authorization.as_bytes()), ("dpop", proof.as_bytes())]);

    let raw = [("authorization", authorization.as_bytes()), ("dpop", raw)];
    let bare = [("authorization", [b"DPoP ", token].concat()), ("dpop", proof.into_bytes())];
    let bare = bare.each_ref().map(|(name, value)| (*name, value.as_slice()));
    for headers in [raw, bare] {
        if let Some(status) = DOOR.knock(headers) {
            assert!(status.is_client_error(), "nobody signed that: {status}");
        }
    }
}

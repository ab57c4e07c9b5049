//! The vendors' libraries sign as their documents say: what is computed here from the documents
//! alone is what they send.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_interop::{Webhook, sign};
use sha2::Sha256;

/// 2026-11-21T08:05:00Z.
const SENT: u64 = 1_795_248_300;

/// Nothing, ASCII, line ends, more than one byte a character, and what JSON escapes.
const BODIES: &[&str] = &["", "{\"id\":\"evt_1\"}", "a\r\nb\n", "{\"name\":\"Zoë 🦀\"}", "\u{0}\u{7f}\"\\"];

fn mac(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}

fn signed(provider: &'static str, secret: &str) -> Vec<(&'static str, BTreeMap<String, String>)> {
    let webhooks: Vec<_> = BODIES
        .iter()
        .map(|body| Webhook { provider, secret, timestamp: SENT, id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", body })
        .collect();
    BODIES.iter().copied().zip(sign(&webhooks)).collect()
}

/// The key is the secret as it stands, prefix and all; signed is `timestamp.body`.
#[test]
fn stripe() {
    let secret = "whsec_Zm9yIHRlc3RzIG9ubHk";
    for (body, headers) in signed("stripe", secret) {
        let mac = base16ct::lower::encode_string(&mac(secret.as_bytes(), &[&SENT.to_string(), ".", body]));
        assert_eq!(headers["stripe-signature"], format!("t={SENT},v1={mac}"), "{body:?}");
    }
}

/// The key is the secret as it stands; signed is the body alone.
#[test]
fn github() {
    // The library refuses to sign nothing.
    let secret = "It's a Secret to Everybody";
    let webhooks: Vec<_> = BODIES
        .iter()
        .filter(|body| !body.is_empty())
        .map(|body| Webhook { provider: "github", secret, timestamp: SENT, id: "72d3162e", body })
        .collect();
    for (webhook, headers) in webhooks.iter().zip(sign(&webhooks)) {
        let mac = base16ct::lower::encode_string(&mac(secret.as_bytes(), &[webhook.body]));
        assert_eq!(headers["x-hub-signature-256"], format!("sha256={mac}"), "{:?}", webhook.body);
        assert_eq!(headers["x-github-delivery"], "72d3162e");
    }
}

/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
#[test]
fn github_published_vector() {
    let webhook = Webhook {
        provider: "github",
        secret: "It's a Secret to Everybody",
        timestamp: SENT,
        id: "72d3162e",
        body: "Hello, World!",
    };
    assert_eq!(
        sign(&[webhook])[0]["x-hub-signature-256"],
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
}

/// The key is the secret without its prefix, out of base64; signed is `id.timestamp.body`.
#[test]
fn standard_webhooks() {
    let key = b"twenty-four bytes of key";
    for secret in [format!("whsec_{}", Base64::encode_string(key)), Base64::encode_string(key)] {
        for (body, headers) in signed("standard", &secret) {
            let id = &headers["webhook-id"];
            let mac = Base64::encode_string(&mac(key, &[id, ".", &SENT.to_string(), ".", body]));
            assert_eq!(headers["webhook-signature"], format!("v1,{mac}"), "{body:?}");
            assert_eq!(headers["webhook-timestamp"], SENT.to_string());
        }
    }
}

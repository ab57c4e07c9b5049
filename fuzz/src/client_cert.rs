//! `Client-Cert`: the header of a trusted proxy as it comes, and the input as the certificate in it;
//! from anybody else, both.

use std::sync::LazyLock;

use axum::body::Body;
use base64ct::{Base64, Encoding as _};
use http::Request;
use portcullis::auth::{
    AuthLayer, Verified,
    mtls::{CertificateTable, ClientCertificates},
};

use crate::door::{Door, from, with};

const NAMES: [&str; 3] = ["spiffe://example.org/", "reports.internal", "reports-2.internal"];

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::new(|| {
        let table = CertificateTable::builder()
            .spiffe_id("spiffe://example.org/ns/shop/sa/billing", Verified::by_certificate("billing"))
            .spiffe_trust_domain("example.org")
            .dns_name("reports.internal", Verified::by_certificate("reports"))
            .dns_name("reports-2.internal", Verified::by_certificate("reports"))
            .build()
            .expect("a table");
        let certificates = ClientCertificates::new(table);
        AuthLayer::builder().authenticator(certificates).client_cert_header().build().expect("a layer")
    })
});

pub fn run(data: &[u8]) {
    let certificate = format!(":{}:", Base64::encode_string(data));
    for header in [data, certificate.as_bytes()] {
        let request = || with(Request::get("/").body(Body::empty()).expect("a request"), [("client-cert", header)]);
        let (Some(ours), Some(theirs)) = (request(), request()) else { continue };
        let status = DOOR.send(from([10, 0, 0, 1], ours));
        if status.is_success() {
            assert!(NAMES.iter().any(|name| holds(header, name)), "nobody has such a certificate");
        }
        let status = DOOR.send(from([192, 0, 2, 1], theirs));
        assert!(status.is_client_error(), "anybody can write that: {status}");
    }
}

/// Whether the certificate has this text somewhere.
fn holds(header: &[u8], name: &str) -> bool {
    let text = std::str::from_utf8(header).unwrap_or_default().trim_matches([' ', ':']);
    let der = Base64::decode_vec(text).unwrap_or_default();
    der.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name.as_bytes()))
}

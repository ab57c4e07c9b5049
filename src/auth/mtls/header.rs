//! `Client-Cert` (RFC 9440 §2.1): one structured field, a byte sequence (RFC 9651 §3.3.5). Pure.

use base64ct::{Base64, Encoding as _};

/// A longer one is no certificate that a proxy would send: they are one to four KiB.
const MAX_HEADER: usize = 16 * 1024;

/// The DER bytes in `:base64:`, with padding, and without parameters or anything else around it.
pub(super) fn client_cert(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > MAX_HEADER {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?.trim_matches(' ');
    let inner = text.strip_prefix(':')?.strip_suffix(':')?;
    let der = Base64::decode_vec(inner).ok()?;
    // Every certificate is a SEQUENCE of definite, long length: cheap, and ends most of the garbage.
    matches!(der.as_slice(), [0x30, 0x81..=0x84, _, ..]).then_some(der)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 9440 §A (figure 1), whose line breaks are not part of it.
    pub(in crate::auth::mtls) const EXAMPLE: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

    #[test]
    fn the_example_of_the_standard_is_read_rfc9440_a() {
        let der = client_cert(EXAMPLE.as_bytes()).unwrap();
        assert_eq!((der.len(), &der[..4]), (428, &[0x30, 0x82, 0x01, 0xa8][..]));
        assert_eq!(client_cert(format!("  {EXAMPLE} ").as_bytes()), Some(der));
    }

    #[test]
    fn only_a_byte_sequence_is_a_certificate_rfc9440_2_1() {
        let inner = EXAMPLE.trim_matches(':');
        for value in [
            String::new(),
            ":".into(),
            "::".into(),
            inner.into(),
            format!(":{inner}"),
            format!("\"{inner}\""),
            format!(":{}:", inner.trim_end_matches('=')),
            format!(":{}:", inner.replace('/', "_").replace('+', "-")),
            format!("{EXAMPLE};a=1"),
            format!("{EXAMPLE}, {EXAMPLE}"),
            format!(":{inner} :"),
            format!(": {inner}:"),
            ":AQID:".into(),
            ":-----BEGIN CERTIFICATE-----:".into(),
            format!(":{}:", "MIIB".repeat(4_096)),
        ] {
            assert_eq!(client_cert(value.as_bytes()), None, "{value}");
        }
        assert_eq!(client_cert(b":\xff:"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ":[A-Za-z0-9+/=]{0,80}:") {
            let _ = client_cert(&bytes);
            if let Some(der) = client_cert(text.as_bytes()) {
                prop_assert_eq!(format!(":{}:", Base64::encode_string(&der)), text);
            }
        }
    }
}

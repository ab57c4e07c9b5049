//! What a certificate says, read with x509-parser. Nothing is verified here: TLS has.

use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use crate::{request::CertificateFacts, time::Timestamp};

/// `None` if it is no certificate, something follows it, an extension is there twice, or a name in it
/// is not one.
pub(super) fn read(der: &[u8]) -> Option<CertificateFacts> {
    let (rest, certificate) = parse_x509_certificate(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let date = |secs: i64| Timestamp::from_secs(u64::try_from(secs).unwrap_or(0));
    let constraints = certificate.basic_constraints().ok()?;
    let mut facts = CertificateFacts {
        not_before: date(certificate.validity().not_before.timestamp()),
        not_after: date(certificate.validity().not_after.timestamp()),
        is_authority: constraints.is_some_and(|constraints| constraints.value.ca),
        ..CertificateFacts::default()
    };
    for name in certificate.subject_alternative_name().ok()?.iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::URI(uri) => facts.uris.push((*uri).into()),
            GeneralName::DNSName(name) => facts.dns.push(name.to_ascii_lowercase().into()),
            GeneralName::Invalid(..) => return None,
            _ => {}
        }
    }
    Some(facts)
}

use std::collections::HashMap;

use super::{CertificateMapping, ClientCertificate, SpiffeId, spiffe::is_trust_domain};
use crate::{
    auth::Verified,
    config_error::{ConfigError, ConfigIssues},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Whose certificates are known, as a table of the configuration.
///
/// A certificate is looked up by its fingerprint, then by its SPIFFE ID, then by its DNS names; names
/// of which two belong to different callers, or to one under different terms, are nobody's.
///
/// ```
/// use portcullis::auth::{Verified, mtls::CertificateTable};
///
/// let table = CertificateTable::builder()
///     .spiffe_id("spiffe://example.org/ns/shop/sa/billing", Verified::by_certificate("billing").scopes(["read:orders"])?)
///     .dns_name("reports.internal", Verified::by_certificate("reports"))
///     .build();
/// assert_eq!(table.is_ok(), cfg!(feature = "mtls"), "names are read with the feature mtls");
///
/// let by_hash = "ad:b0:46:b0:26:14:ae:88:e8:53:d4:58:41:98:a4:69:c3:5c:d1:62:75:0d:a3:fb:c8:9e:31:dd:f2:ac:d6:0f";
/// let table = CertificateTable::builder().fingerprint(by_hash, Verified::by_certificate("door-7")).build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CertificateTable {
    fingerprints: HashMap<[u8; 32], Verified>,
    spiffe_ids: HashMap<Box<str>, Verified>,
    trust_domains: Vec<Box<str>>,
    dns_names: HashMap<Box<str>, Verified>,
}

impl CertificateTable {
    /// A builder. It needs at least one row.
    pub fn builder() -> CertificateTableBuilder {
        CertificateTableBuilder::default()
    }

    fn holder(&self, certificate: ClientCertificate<'_>) -> Option<Verified> {
        if let Some(holder) = self.fingerprints.get(certificate.sha256()) {
            return Some(holder.clone());
        }
        if let Some(id) = certificate.spiffe_id() {
            if let Some(holder) = self.spiffe_ids.get(id.as_str()) {
                return Some(holder.clone());
            }
            if self.trust_domains.iter().any(|domain| **domain == *id.trust_domain()) {
                let issuer = format!("spiffe://{}", id.trust_domain());
                return Some(Verified::by_certificate(id.as_str()).issuer(issuer));
            }
        }
        let mut known = certificate.dns_names().filter_map(|name| self.dns_names.get(name));
        let first = known.next()?;
        known.all(|other| other.is_same(first)).then(|| first.clone())
    }
}

/// Answers at once.
impl CertificateMapping for CertificateTable {
    fn find<'a>(
        &'a self,
        certificate: ClientCertificate<'a>,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Verified>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.holder(certificate))))
    }

    fn find_now(
        &self,
        certificate: ClientCertificate<'_>,
        _: Timestamp,
    ) -> Option<Result<Option<Verified>, StoreError>> {
        Some(Ok(self.holder(certificate)))
    }
}

/// Builds a [`CertificateTable`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CertificateTableBuilder {
    rows: Vec<(Name, String, Verified)>,
    trust_domains: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Fingerprint,
    SpiffeId,
    Dns,
}

impl CertificateTableBuilder {
    /// The holder of the certificate with this SHA-256: 64 hexadecimal digits, with or without colons.
    pub fn fingerprint(self, sha256: impl Into<String>, holder: Verified) -> Self {
        self.row(Name::Fingerprint, sha256, holder)
    }

    /// The workload with this SPIFFE ID. Needs the feature `mtls`.
    pub fn spiffe_id(self, id: impl Into<String>, holder: Verified) -> Self {
        self.row(Name::SpiffeId, id, holder)
    }

    /// Every workload of a SPIFFE trust domain: its subject is the whole id, its issuer the domain,
    /// and it has no scopes. Needs the feature `mtls`.
    pub fn spiffe_trust_domain(mut self, domain: impl Into<String>) -> Self {
        self.trust_domains.push(domain.into());
        self
    }

    /// Who has a certificate for this DNS name, which is compared whole: a wildcard in a certificate
    /// covers nothing here. Needs the feature `mtls`.
    pub fn dns_name(self, name: impl Into<String>, holder: Verified) -> Self {
        self.row(Name::Dns, name, holder)
    }

    fn row(mut self, name: Name, value: impl Into<String>, holder: Verified) -> Self {
        self.rows.push((name, value.into(), holder));
        self
    }

    /// The table.
    ///
    /// # Errors
    /// Every row whose fingerprint, id, domain or name is none or is there twice, an empty table, and
    /// names without the feature `mtls`, which reads them.
    pub fn build(self) -> Result<CertificateTable, ConfigError> {
        let mut issues = ConfigIssues::new();
        let mut table = CertificateTable {
            fingerprints: HashMap::new(),
            spiffe_ids: HashMap::new(),
            trust_domains: Vec::new(),
            dns_names: HashMap::new(),
        };
        if self.rows.is_empty() && self.trust_domains.is_empty() {
            issues.add("rows", "there is none", "add a fingerprint, a SPIFFE ID or trust domain, or a DNS name");
        }
        let names = self.rows.iter().any(|(name, ..)| !matches!(name, Name::Fingerprint));
        if !cfg!(feature = "mtls") && (names || !self.trust_domains.is_empty()) {
            issues.add("rows", "names in certificates are not read", "enable the feature mtls, or use fingerprints");
        }
        for (name, value, holder) in self.rows {
            if let Err((field, reason)) = table.add(name, &value, holder) {
                issues.add(field, format!("{value:?} {reason}"), "correct the row, or leave it out");
            }
        }
        for domain in self.trust_domains {
            if !is_trust_domain(&domain) {
                issues.add("spiffe_trust_domain", format!("{domain:?} is none"), "write it as in example.org");
            }
            table.trust_domains.push(domain.into());
        }
        issues.finish(table)
    }
}

impl CertificateTable {
    fn add(&mut self, name: Name, value: &str, holder: Verified) -> Result<(), (&'static str, &'static str)> {
        const TWICE: &str = "is there twice";
        let (field, before) = match name {
            Name::Fingerprint => {
                let mut digest = [0; 32];
                let digits = value.replace(':', "");
                base16ct::mixed::decode(&digits, &mut digest)
                    .ok()
                    .filter(|bytes| bytes.len() == 32)
                    .ok_or(("fingerprint", "is not a SHA-256 of 64 hexadecimal digits"))?;
                ("fingerprint", self.fingerprints.insert(digest, holder))
            }
            Name::SpiffeId => {
                let id = SpiffeId::parse(value).ok_or(("spiffe_id", "is not a SPIFFE ID"))?;
                ("spiffe_id", self.spiffe_ids.insert(id.as_str().into(), holder))
            }
            Name::Dns => {
                let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                if value.is_empty() || !value.bytes().all(letter) {
                    return Err(("dns_name", "is not a DNS name without wildcards"));
                }
                ("dns_name", self.dns_names.insert(value.to_ascii_lowercase().into(), holder))
            }
        };
        if before.is_some() { Err((field, TWICE)) } else { Ok(()) }
    }
}

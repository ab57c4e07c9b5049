//! What a request says of its signature, in a header or in the query.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    SigV4,
    authorization::{self, Credential, has_scheme, is_list, parse_credential, parse_signature},
    canonical::{self, Canonical, Paths, parameter},
    time::{self, is_within},
};
use crate::{
    auth::{
        Head, Presence,
        signed::{refused::Refused, target},
    },
    rejection::{Rejection, RejectionKind},
    time::Timestamp,
};

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A signature and what it is said to be of. Nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct Envelope {
    credential: String,
    pub(super) signed: String,
    pub(super) signature: [u8; 32],
    /// The time as it was signed.
    pub(super) stamp: String,
    time: Timestamp,
    pub(super) payload: Payload,
    sent: Sent,
}

/// What is signed of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// What the request says is its digest.
    Declared(String),
    /// Its digest, of which the request says nothing.
    OfBody,
    /// Nothing.
    Unsigned,
}

/// Where the signature stands.
#[derive(Debug)]
enum Sent {
    Header { by_date: bool },
    Query { lifetime: Duration },
}

/// Whether the request carries such a signature at all.
pub(super) fn presence(verifier: &SigV4, head: &Head<'_>) -> Presence {
    let algorithm = verifier.form.algorithm();
    let in_header =
        head.headers.get_all(header::AUTHORIZATION).iter().any(|value| has_scheme(value.as_bytes(), algorithm));
    let in_query = verifier.presigned && {
        let query = query(head);
        let named = |end: &str| parameter(query, &verifier.parameter(end)) != Ok(None);
        named("Signature") || named("Algorithm")
    };
    match (in_header, in_query) {
        (false, false) => Presence::Absent,
        (true, true) => Presence::Malformed(
            Rejection::new(RejectionKind::InvalidRequest).with_detail("Send exactly one credential, exactly once."),
        ),
        _ => Presence::Present,
    }
}

fn query<'a>(head: &Head<'a>) -> &'a str {
    target::uri(head).query().unwrap_or_default()
}

impl Envelope {
    pub(super) fn read(verifier: &SigV4, head: &Head<'_>) -> Result<Self, Refused> {
        let authorization = single(head.headers, header::AUTHORIZATION.as_str())?;
        match authorization.filter(|value| has_scheme(value.as_bytes(), verifier.form.algorithm())) {
            Some(value) => Self::of_header(verifier, head, value),
            None => Self::of_query(verifier, head),
        }
    }

    fn of_header(verifier: &SigV4, head: &Head<'_>, value: &HeaderValue) -> Result<Self, Refused> {
        const MALFORMED: &str =
            "The Authorization header must hold Credential, SignedHeaders and Signature, once each.";
        const DATE: &str = "The request must carry the time of its signature, once.";
        let form = &verifier.form;
        let parsed = authorization::parse(value.as_bytes(), form.algorithm()).ok_or(Refused::Malformed(MALFORMED))?;
        let (by_date, date) = match single(head.headers, form.date_header())? {
            Some(date) => (false, date.to_str().ok().and_then(|text| Some((time::of_stamp(text)?, text.to_owned())))),
            None => (true, single(head.headers, "date")?.and_then(|date| time::of_date(date.as_bytes()))),
        };
        let (time, stamp) = date.ok_or(Refused::Malformed(DATE))?;
        let payload = match single(head.headers, form.digest_header())? {
            Some(value) => payload(value.as_bytes())?,
            None => Payload::OfBody,
        };
        Ok(Self {
            credential: format!("{}/{}", parsed.credential.key_id, parsed.credential.scope),
            signed: parsed.signed.to_owned(),
            signature: parsed.signature,
            stamp,
            time,
            payload,
            sent: Sent::Header { by_date },
        })
    }

    fn of_query(verifier: &SigV4, head: &Head<'_>) -> Result<Self, Refused> {
        const MALFORMED: Refused =
            Refused::Malformed("A parameter of the signature is missing, repeated or malformed.");
        let query = query(head);
        let optional = |end: &str| parameter(query, &verifier.parameter(end)).map_err(|_| MALFORMED);
        let required = |end: &str| optional(end)?.ok_or(MALFORMED);
        if required("Algorithm")? != verifier.form.algorithm() {
            return Err(MALFORMED);
        }
        let (credential, signed, stamp) = (required("Credential")?, required("SignedHeaders")?, required("Date")?);
        if !is_list(&signed) || parse_credential(&credential).is_none() {
            return Err(MALFORMED);
        }
        let declared = match single(head.headers, verifier.form.digest_header())? {
            Some(value) => Some(payload(value.as_bytes())?),
            None => optional("Content-Sha256")?.map(|value| payload(value.as_bytes())).transpose()?,
        };
        // The signers of S3 never sign the body of a URL, and say so nowhere.
        let silent = if verifier.paths == Paths::Plain { Payload::Unsigned } else { Payload::OfBody };
        Ok(Self {
            signature: parse_signature(&required("Signature")?).ok_or(MALFORMED)?,
            time: time::of_stamp(&stamp).ok_or(MALFORMED)?,
            sent: Sent::Query { lifetime: time::lifetime(&required("Expires")?).ok_or(MALFORMED)? },
            payload: declared.unwrap_or(silent),
            credential,
            signed,
            stamp,
        })
    }

    /// Its parts; the text was looked at when it was read.
    pub(super) fn credential(&self) -> Result<Credential<'_>, Refused> {
        parse_credential(&self.credential).ok_or(Refused::Malformed("The credential is malformed."))
    }

    /// Everything that can be wrong with it before the key is asked.
    pub(super) fn check(&self, verifier: &SigV4, head: &Head<'_>, now: Timestamp) -> Result<(), Refused> {
        let credential = self.credential()?;
        let (expected, named) = (
            [&*verifier.region, &*verifier.service, verifier.form.terminator()],
            [credential.region, credential.service, credential.terminator],
        );
        if expected != named {
            return Err(Refused::Uncovered("The credential's scope is not that of this service."));
        }
        let ambiguous = verifier.paths == Paths::Normalized && !canonical::is_resolved(target::uri(head).path());
        if ambiguous && !verifier.unresolved {
            return Err(Refused::Malformed("The path must not have empty segments, nor . and .. among them."));
        }
        if !self.stamp.starts_with(credential.date) {
            return Err(Refused::Malformed("The credential's scope is of another day than the signature."));
        }
        let past = match self.sent {
            Sent::Header { .. } => verifier.window,
            Sent::Query { lifetime } => lifetime,
        };
        if !is_within(self.time, now, past, verifier.window) {
            return Err(Refused::Stale { signed: self.time });
        }
        if self.payload == Payload::Unsigned && !verifier.unsigned {
            return Err(Refused::Uncovered("The body must be signed."));
        }
        self.check_signed(verifier, head.headers)
    }

    /// `Host` and all fields of the form must be signed, and what the builder was told.
    fn check_signed(&self, verifier: &SigV4, headers: &HeaderMap) -> Result<(), Refused> {
        let is_signed = |name: &str| self.signed.split(';').any(|signed| signed == name);
        let by_date = matches!(self.sent, Sent::Header { by_date: true });
        let must_be = |name: &&HeaderName| {
            name.as_str().starts_with(verifier.form.header_prefix()) || verifier.required.contains(name)
        };
        let all = is_signed("host") && (!by_date || is_signed("date"));
        if all && headers.keys().filter(must_be).all(|name| is_signed(name.as_str())) {
            return Ok(());
        }
        Err(Refused::Uncovered("A header field that must be signed is not."))
    }

    /// The text whose MAC the signature is. `digest` is that of the body, in hexadecimal.
    pub(super) fn string_to_sign(&self, verifier: &SigV4, head: &Head<'_>, digest: &str) -> Result<String, Refused> {
        let signature = verifier.parameter("Signature");
        let without = matches!(self.sent, Sent::Query { .. }).then_some(&*signature);
        let canonical = Canonical {
            method: head.method.as_str(),
            path: &canonical::path(target::uri(head).path(), verifier.paths),
            query: &canonical::query(query(head), without),
            headers: &signed_headers(head, &self.signed)?,
            signed: &self.signed,
            payload: match &self.payload {
                Payload::Declared(declared) => declared,
                Payload::OfBody => digest,
                Payload::Unsigned => UNSIGNED,
            },
        };
        Ok(canonical.string_to_sign(verifier.form.algorithm(), &self.stamp, self.credential()?.scope))
    }
}

/// The signed fields, as they are signed.
pub(crate) fn signed_headers(head: &Head<'_>, signed: &str) -> Result<Vec<u8>, Refused> {
    let mut text = Vec::with_capacity(256);
    for name in signed.split(';') {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        if name == "host" {
            let host =
                target::authority(head).ok_or(Refused::Malformed("The request must name its host, and only one."))?;
            canonical::add_value(&mut text, host.as_bytes());
        } else {
            let mut lines = head.headers.get_all(name).iter();
            let first = lines.next().ok_or(Refused::Malformed("A signed header field is missing."))?;
            canonical::add_value(&mut text, first.as_bytes());
            for line in lines {
                text.push(b',');
                canonical::add_value(&mut text, line.as_bytes());
            }
        }
        text.push(b'\n');
    }
    Ok(text)
}

fn payload(value: &[u8]) -> Result<Payload, Refused> {
    match std::str::from_utf8(value) {
        Ok(UNSIGNED) => Ok(Payload::Unsigned),
        Ok(text) if text.starts_with("STREAMING-") => {
            Err(Refused::Malformed("Signatures of streams are not supported: sign the whole body."))
        }
        Ok(text) if parse_signature(text).is_some() => Ok(Payload::Declared(text.to_owned())),
        _ => Err(Refused::Malformed("The digest of the body is not 64 lower-case hexadecimal digits.")),
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Refused> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (line, None) => Ok(line),
        _ => Err(Refused::Malformed("A header field of the signature stands there more than once.")),
    }
}

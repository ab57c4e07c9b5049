//! What the headers alone say: all that can be refused before a byte of the body is read.

use http::{HeaderMap, HeaderName};

use super::{
    fields::is_token,
    signature::{self, Tag},
    spec::{Part, Spec, TimeSource},
    timestamp::{is_fresh, parse_secs},
};
use crate::{rejection::RejectionKind, time::Timestamp};

/// Sixteen signatures fit; what is longer is not parsed.
const MAX_VALUE: usize = 4_096;

/// The scheme's headers, read.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) candidates: Vec<Tag>,
    /// The text that is signed, and what it says.
    pub(super) timestamp: Option<(Box<str>, Timestamp)>,
    pub(super) id: Option<Box<str>>,
    pub(super) event_type: Option<Box<str>>,
}

/// The headers of a webhook, or why they are none.
pub(super) fn open(spec: &Spec, headers: &HeaderMap, now: Timestamp) -> Result<Envelope, RejectionKind> {
    const MALFORMED: RejectionKind = RejectionKind::MalformedSignature;
    let value = single(headers, &spec.signature)?.ok_or(MALFORMED)?;
    let parsed = signature::parse(value, &spec.format, spec.encoding).ok_or(MALFORMED)?;
    let timestamp = match &spec.time {
        None => None,
        Some(TimeSource::InSignature) => Some(parsed.timestamp.ok_or(MALFORMED)?),
        Some(TimeSource::Header(name)) => {
            let value = single(headers, name)?.ok_or(MALFORMED)?;
            Some(std::str::from_utf8(value).map_err(|_| MALFORMED)?)
        }
    };
    let timestamp = match timestamp {
        None => None,
        Some(text) => Some((text, parse_secs(text).ok_or(MALFORMED)?)),
    };
    let id = token(headers, spec.id_header.as_ref())?;
    if spec.signs(&Part::Id) {
        let id = id.ok_or(MALFORMED)?;
        if spec.after_id().is_some_and(|border| id.contains(border)) {
            return Err(MALFORMED);
        }
    }
    let event_type = token(headers, spec.type_header.as_ref())?;
    // Last, so that 401 means "a well-formed webhook that is not (or no longer) genuine".
    if timestamp.is_some_and(|(_, secs)| !is_fresh(secs, now, spec.window)) {
        return Err(RejectionKind::StaleTimestamp);
    }
    Ok(Envelope {
        candidates: parsed.candidates,
        timestamp: timestamp.map(|(text, secs)| (text.into(), Timestamp::from_secs(secs))),
        id: id.map(Into::into),
        event_type: event_type.map(Into::into),
    })
}

/// Two lines of one header are refused, even if they agree: which one a parser takes is its own
/// affair, and a proxy in front may take the other.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h [u8]>, RejectionKind> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if value.len() <= MAX_VALUE => Ok(Some(value.as_bytes())),
        _ => Err(RejectionKind::MalformedSignature),
    }
}

/// An optional header that, if it is there, must be usable.
fn token<'h>(headers: &'h HeaderMap, name: Option<&HeaderName>) -> Result<Option<&'h str>, RejectionKind> {
    let Some(value) = name.map(|name| single(headers, name)).transpose()?.flatten() else { return Ok(None) };
    let text = std::str::from_utf8(value).ok().filter(|text| is_token(text));
    text.map(Some).ok_or(RejectionKind::MalformedSignature)
}

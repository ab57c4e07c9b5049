use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::redact::{self, Author};
use crate::{
    rejection::Rejection,
    request::{DataAccess, MAX_NOTES, Place, RequestContext},
};

const MAX_TEXT: usize = 128;

/// Lets a handler add to the request's record what only it knows: what was done, with which
/// objects, how much data.
///
/// Each text is redacted (credentials, e-mail addresses, card numbers) and cut at 128 bytes; of
/// resources and accesses sixteen each are kept. If no `AuditLayer` stands outside, the request
/// fails with 500 `misconfigured`: what must be on record must not be done off the record.
///
/// ```
/// use portcullis::{audit::Audit, request::DataAccess};
///
/// async fn refund(audit: Audit) -> &'static str {
///     audit.action("order.refund").resource("order", "ord_7").accessed(DataAccess::Update, 1);
///     "refunded"
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Audit {
    context: Arc<RequestContext>,
}

impl Audit {
    /// What is done, in the application's words: `order.refund`. The last call counts.
    pub fn action(&self, action: &str) -> &Self {
        let action = redact::text(action, Author::Application, MAX_TEXT);
        self.context.note(|notes| notes.action = Some(action));
        self
    }

    /// Which object is concerned: its kind and its id.
    pub fn resource(&self, kind: &str, id: &str) -> &Self {
        let [kind, id] = [kind, id].map(|text| redact::text(text, Author::Application, MAX_TEXT));
        self.context.note(|notes| {
            if notes.resources.len() < MAX_NOTES {
                notes.resources.push((kind, id));
            }
        });
        self
    }

    /// That data was read or changed, and how many records.
    pub fn accessed(&self, access: DataAccess, records: u64) -> &Self {
        self.context.note(|notes| {
            if notes.accesses.len() < MAX_NOTES {
                notes.accesses.push((access, records));
            }
        });
        self
    }
}

impl<S: Sync> FromRequestParts<S> for Audit {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let context = RequestContext::from_parts(parts)?;
        if context.marks() & Place::Audit.bit() == 0 {
            return Err(Rejection::misconfigured(
                "the Audit extractor is used, but no AuditLayer stands outside: put AuditLayer outermost",
            ));
        }
        Ok(Self { context: Arc::clone(context) })
    }
}

//! A record while its request is under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use http::{HeaderMap, StatusCode, Uri, header};

use super::{
    queue::Queue,
    record::{Ending, Record, Subject},
    redact::{self, Author},
};
use crate::{
    gate::{BodyEnd, Watch},
    rejection::Rejection,
    request::RequestContext,
    time::micros_ceil,
};

const MAX_USER_AGENT: usize = 256;
const MAX_SUBJECT: usize = 256;

/// What a client asked for, as far as it may be written down.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: Box<str>,
    pub(super) query: Option<Box<str>>,
    pub(super) user_agent: Option<Box<str>>,
}

impl Asked {
    pub(super) fn new(uri: &Uri, headers: &HeaderMap, shown: &[Box<str>]) -> Self {
        let user_agent = headers.get(header::USER_AGENT).map(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            redact::text(&value, Author::Client, MAX_USER_AGENT).into_boxed_str()
        });
        Self {
            path: redact::path(uri.path()).into_boxed_str(),
            query: uri.query().map(|query| redact::query(query, shown).into_boxed_str()),
            user_agent,
        }
    }
}

/// Owes one record. Whoever holds it last pays: by `end`, or by dropping it.
pub(super) struct Ticket {
    debt: Option<Debt>,
}

struct Debt {
    queue: Arc<Queue>,
    context: Arc<RequestContext>,
    asked: Asked,
    request_bytes: Option<Arc<AtomicU64>>,
    response_bytes: u64,
    status: Option<StatusCode>,
    rejection: Option<Rejection>,
}

impl Ticket {
    pub(super) fn new(
        queue: Arc<Queue>,
        context: Arc<RequestContext>,
        asked: Asked,
        request_bytes: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            debt: Some(Debt { queue, context, asked, request_bytes, response_bytes: 0, status: None, rejection: None }),
        }
    }

    pub(super) fn see_response(&mut self, status: StatusCode, rejection: Option<&Rejection>) {
        if let Some(debt) = &mut self.debt {
            debt.status = Some(status);
            debt.rejection = rejection.cloned();
        }
    }

    pub(super) fn settle(&mut self, ending: Ending) {
        if let Some(debt) = self.debt.take() {
            debt.pay(ending);
        }
    }
}

/// The client has gone, or something panicked while this was held.
impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(if thread::panicking() { Ending::Panicked } else { Ending::Aborted });
    }
}

impl Watch for Ticket {
    fn pass(&mut self, bytes: usize) {
        if let Some(debt) = &mut self.debt {
            debt.response_bytes = debt.response_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    fn end(mut self, end: BodyEnd) {
        match end {
            BodyEnd::Complete => self.settle(Ending::Completed),
            BodyEnd::Failed => self.settle(Ending::Failed),
            BodyEnd::Dropped => drop(self),
        }
    }
}

impl Debt {
    fn pay(self, ending: Ending) {
        let Self { queue, context, asked, request_bytes, response_bytes, status, rejection } = self;
        let elapsed = context.clock().now().monotonic.since(context.now().monotonic);
        // What a credential says of a person is masked here, too: the queue holds no address.
        let principal = context.principal();
        let email = principal.and_then(|principal| principal.email()).map(|email| redact::email(email).into());
        let subject = principal.map_or(Subject::Nobody, |principal| subject(principal.subject()));
        queue.accept(Record {
            asked,
            ending,
            status,
            rejection,
            email,
            subject,
            request_bytes: request_bytes.map_or(0, |bytes| bytes.load(Relaxed)),
            response_bytes,
            duration_us: micros_ceil(elapsed),
            lost_before: 0,
            context,
        });
    }
}

fn subject(verified: &str) -> Subject {
    if redact::is_shown_whole(verified, Author::Application, MAX_SUBJECT) {
        Subject::AsVerified
    } else {
        Subject::Masked(redact::text(verified, Author::Application, MAX_SUBJECT).into_boxed_str())
    }
}

/// Counts what the handler reads of a request's body.
pub(super) struct RequestBytes(pub(super) Arc<AtomicU64>);

impl Watch for RequestBytes {
    fn pass(&mut self, bytes: usize) {
        self.0.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }

    fn end(self, _: BodyEnd) {}
}

//! What becomes of a body: it is read, judged, shown to the filters, and handed on.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, request::Parts};
use serde_json::Value;
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};

use super::{
    FilterVerdict, Inspected, RequestFilter,
    filter::Refused,
    finding,
    head::{Expected, missing, surprise},
    json,
    layer::{ValidationGate, hand_on},
    rule::{Compiled, Look, Presence},
};
use crate::{
    gate::{Collected, Reading, Waited},
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
    store::StoreError,
};

/// More than this is parsed where it holds up nobody else: it takes a millisecond or more.
const QUICK: usize = 256 * 1024;

/// What was decided by the head of a request.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) rule: Arc<Compiled>,
    pub(super) expected: Expected,
    pub(super) limit: usize,
    pub(super) routed: bool,
}

/// Whether what was read is judged in no time.
pub(super) fn is_quick(read: &Reading) -> bool {
    read.length() <= QUICK
}

impl Course {
    /// A byte where none was expected is no matter of size.
    pub(super) fn refusal(&self, rejection: Rejection, method: &Method) -> Rejection {
        match self.expected {
            Expected::Nothing(what) if rejection.kind() == RejectionKind::PayloadTooLarge => {
                surprise(what, &self.rule, method)
            }
            _ => rejection,
        }
    }

    /// What the whole body is.
    pub(super) fn judge(&self, method: &Method, body: &Bytes) -> Result<Option<Value>, Rejection> {
        if body.is_empty() {
            let required = self.rule.presence(method) == Presence::Required;
            return if required { Err(missing()) } else { Ok(None) };
        }
        let Expected::Content(index) = self.expected else { return Ok(None) };
        let Some(Look::Json(schema)) = self.rule.contents.get(index).map(|content| &content.kind) else {
            return Ok(None);
        };
        let value = json::parse(body, self.rule.bounds).map_err(|fault| {
            let rejection = Rejection::new(RejectionKind::InvalidRequest).with_detail(fault.detail());
            rejection.with_member("offset", fault.offset)
        })?;
        let findings = schema.as_ref().map(|schema| schema.findings(&value, body.len())).unwrap_or_default();
        if findings.is_empty() { Ok(Some(value)) } else { Err(finding::refuse(self.rule.status, findings)) }
    }

    /// The same, without holding up other requests where it takes long.
    async fn judge_anywhere(&self, method: &Method, body: &Bytes) -> Result<Option<Value>, Rejection> {
        if body.len() <= QUICK || Handle::try_current().is_err() {
            return self.judge(method, body);
        }
        let (course, method, body) = (self.clone(), method.clone(), body.clone());
        let judged = spawn_blocking(move || course.judge(&method, &body)).await;
        judged.unwrap_or_else(|error| Err(Rejection::new(RejectionKind::InternalError).with_source(error)))
    }
}

impl ValidationGate {
    pub(super) async fn wait(
        &self,
        request: Request<Body>,
        reading: Option<Reading>,
        course: Course,
        context: &RequestContext,
    ) -> Waited<Body, bool> {
        let (parts, body) = request.into_parts();
        match self.judge(&parts, reading, &course, context).await {
            Err(rejection) => Waited::Reject(rejection),
            Ok(None) => Waited::Pass(Request::from_parts(parts, body), course.routed),
            Ok(Some((read, parsed))) => {
                let mut request = Request::from_parts(parts, body);
                hand_on(&mut request, read, parsed, course.limit);
                Waited::Pass(request, course.routed)
            }
        }
    }

    async fn judge(
        &self,
        parts: &Parts,
        reading: Option<Reading>,
        course: &Course,
        context: &RequestContext,
    ) -> Result<Option<(Collected, Option<Value>)>, Rejection> {
        let wants = |filter: &&Arc<dyn RequestFilter>| filter.wants_body(parts);
        for filter in self.filters.iter().filter(|filter| !wants(filter)) {
            if let Err(rejection) = self.ask(&**filter, Inspected { head: parts, body: None, context }).await {
                if let Some(reading) = reading {
                    reading.give_up();
                }
                return Err(rejection);
            }
        }
        let mut judged = None;
        if let Some(mut reading) = reading {
            if let Err(rejection) = reading.rest(course.rule.pace).await {
                reading.give_up();
                return Err(course.refusal(rejection, &parts.method));
            }
            let read = reading.into_collected();
            let parsed = course.judge_anywhere(&parts.method, read.bytes()).await?;
            judged = Some((read, parsed));
        }
        let body = judged.as_ref().map(|(read, _)| read.bytes()).filter(|body| !body.is_empty());
        for filter in self.filters.iter().filter(wants) {
            self.ask(&**filter, Inspected { head: parts, body, context }).await?;
        }
        Ok(judged)
    }

    async fn ask(&self, filter: &dyn RequestFilter, seen: Inspected<'_>) -> Result<(), Rejection> {
        let verdict = timeout(self.filter_timeout, filter.inspect(seen)).await.unwrap_or(Err(StoreError::TimedOut));
        match verdict.map_err(Rejection::backend)? {
            FilterVerdict::Pass => Ok(()),
            FilterVerdict::Refuse(reason) => Err(Rejection::new(RejectionKind::Forbidden).with_source(Refused(reason))),
        }
    }
}

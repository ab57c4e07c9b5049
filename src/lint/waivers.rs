use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use super::report::{Issue, Report};

/// Nobody has been told.
const NEW: u8 = 0;
/// The log has been told, the audit log has not.
const DUE: u8 = 1;
/// An audit log has them in hand.
const TAKEN: u8 = 2;
/// They are on record.
const ON_RECORD: u8 = 3;

/// What the owner of a layer has allowed, on its way to the audit log.
///
/// A gate whose layer has any hands them to [`RequestContext::announce`] on the way in, until an
/// [`AuditLayer`](crate::audit::AuditLayer) outside has delivered them to its sink: one line for each
/// finding, once for each layer and process. A gate of yours may do so, too.
///
/// ```
/// use std::sync::Arc;
/// use http::Request;
/// use portcullis::{
///     gate::{Entry, Gate},
///     lint::Waivers,
///     request::RequestContext,
/// };
///
/// struct Door {
///     /// From [`Report::waivers`](portcullis::lint::Report::waivers).
///     waivers: Option<Arc<Waivers>>,
/// }
///
/// impl<B> Gate<B> for Door {
///     const NAME: &'static str = "door";
///     type Pass = ();
///
///     fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
///         context.announce(self.waivers.as_ref());
///         Entry::Pass(())
///     }
/// }
/// ```
///
/// [`RequestContext::announce`]: crate::request::RequestContext::announce
pub struct Waivers {
    part: &'static str,
    issues: Box<[Issue]>,
    state: AtomicU8,
}

impl Waivers {
    /// The layer's name.
    pub fn part(&self) -> &'static str {
        self.part
    }

    /// The findings, each with its reason in [`Issue::allowed`].
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Whether they still have to be put on record. Costs one load.
    pub(crate) fn are_due(&self) -> bool {
        self.state.load(Relaxed) < TAKEN
    }

    /// Tells the log, the first time.
    pub(crate) fn tell(&self) {
        if self.state.compare_exchange(NEW, DUE, Relaxed, Relaxed).is_err() {
            return;
        }
        for issue in &self.issues {
            tracing::warn!(
                target: "portcullis",
                layer = self.part,
                code = issue.code,
                severity = issue.severity.as_str(),
                field = &*issue.field,
                reason = issue.allowed.as_deref(),
                "a finding about the configuration is allowed"
            );
        }
    }

    /// Whether the caller is the one who writes them.
    pub(crate) fn take(&self) -> bool {
        self.state.fetch_update(Relaxed, Relaxed, |state| (state < TAKEN).then_some(TAKEN)).is_ok()
    }

    /// Whoever took them says whether they are on record; if not, they are due again.
    pub(crate) fn settle(&self, delivered: bool) {
        self.state.store(if delivered { ON_RECORD } else { DUE }, Relaxed);
    }
}

impl fmt::Debug for Waivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waivers").field("part", &self.part).field("issues", &self.issues).finish_non_exhaustive()
    }
}

impl Report {
    /// What is allowed, for the audit log; `part` is the layer's name. `None` if nothing is, which is the usual case.
    pub fn waivers(&self, part: &'static str) -> Option<Arc<Waivers>> {
        let issues: Box<[Issue]> = self.issues().iter().filter(|issue| issue.allowed.is_some()).cloned().collect();
        (!issues.is_empty()).then(|| Arc::new(Waivers { part, issues, state: AtomicU8::new(NEW) }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lint, Lints, Severity};

    const LINT: Lint = Lint { code: "open", severity: Severity::High, fix: "shut it", spec: "https://example.com" };

    #[test]
    fn one_takes_them_until_they_are_on_record() {
        let mut lints = Lints::new().allow("open", "it is the museum's");
        assert!(lints.report().waivers("door").is_none());
        lints.add(&LINT, "door", "is open", None);
        let waivers = lints.report().waivers("door").unwrap();
        assert_eq!((waivers.part(), waivers.issues().len(), waivers.are_due()), ("door", 1, true));
        waivers.tell();
        assert!(waivers.take() && !waivers.take() && !waivers.are_due());
        waivers.settle(false);
        assert!(waivers.are_due() && waivers.take());
        waivers.settle(true);
        assert!(!waivers.are_due() && !waivers.take());
    }
}

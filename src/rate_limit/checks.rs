//! What layers by key check that stand beside `RateLimitLayer`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Key;
use crate::{
    config_error::ConfigIssues,
    request::{Place, RequestContext},
};

/// Whether it is still to be found out that no `AuthLayer` stands outside, where one must.
#[derive(Debug)]
pub(super) struct Unplaced(AtomicBool);

impl Unplaced {
    pub(super) fn new(needs_principal: bool) -> Self {
        Self(AtomicBool::new(needs_principal))
    }

    /// A limit that goes by who calls is silent where nobody found that out: that must not go unseen.
    pub(super) fn check(&self, context: &RequestContext, layer: &'static str) {
        if self.0.load(Relaxed)
            && context.marks() & Place::Auth.bit() == 0
            && context.principal().is_none()
            && self.0.swap(false, Relaxed)
        {
            tracing::warn!(
                target: "portcullis",
                layer,
                consequence = "its limits by API key, principal, credential, tenant or plan apply to nobody",
                cure = "put AuthLayer outside it",
                "no AuthLayer stands outside a layer that goes by who calls; this is said once"
            );
        }
    }
}

/// A name that clients are shown, and a key that can be.
pub(super) fn check_names(name: &str, key: &Key, issues: &mut ConfigIssues) {
    let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if name.is_empty() || name.len() > 64 || !printable {
        issues.add("name", "it is no name that a header could show", "use 1 to 64 printable ASCII characters");
    }
    if let Some((reason, cure)) = key.fault() {
        issues.add("key", reason, cure);
    }
    if key.needs_request() {
        let reason =
            "it goes by a header, a parameter or a function, which are not looked at again when a place is left";
        issues.add("key", reason, "use a key that the context knows: a caller, an address, a route");
    }
}

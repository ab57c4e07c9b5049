//! Everything that a stranger can write into a request, fed to the layers by libFuzzer. One program
//! for all targets: `PORTCULLIS_FUZZ` names the one, `scripts/fuzz` builds and runs them.
//!
//! Whatever comes, a layer answers with a refusal: a panic, a 5xx, or a request that gets through
//! without a credential that was made for it, is a crash.
#![no_main]

mod api_key;
mod authorization_details;
mod client_cert;
mod content_types;
mod door;
mod dpop;
mod forwarded;
mod graphql;
mod json_body;
mod logout_token;
mod naive;
mod origin;
mod pages;
mod request_headers;
mod signature_input;
mod sigv4;
mod token;
mod versions;

use std::sync::{OnceLock, atomic::Ordering::Relaxed};

use door::LET_IN;
use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 16] = [
    ("token", token::run),
    ("api_key", api_key::run),
    ("dpop", dpop::run),
    ("signature_input", signature_input::run),
    ("sigv4", sigv4::run),
    ("client_cert", client_cert::run),
    ("logout_token", logout_token::run),
    ("authorization_details", authorization_details::run),
    ("forwarded", forwarded::forwarded),
    ("x_forwarded_for", forwarded::x_forwarded_for),
    ("content_types", content_types::run),
    ("json_body", json_body::run),
    ("versions", versions::run),
    ("graphql", graphql::run),
    ("origin", origin::run),
    ("request_headers", request_headers::run),
];

fn target() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("PORTCULLIS_FUZZ").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        let names = TARGETS.map(|(name, _)| name).join(", ");
        found.unwrap_or_else(|| panic!("PORTCULLIS_FUZZ={name:?}: there are {names}")).1
    })
}

/// Whether the input is one that must get in: else nothing but refusals would be tested.
fn is_good() -> bool {
    static GOOD: OnceLock<bool> = OnceLock::new();
    *GOOD.get_or_init(|| std::env::var_os("PORTCULLIS_FUZZ_GOOD").is_some())
}

fuzz_target!(|data: &[u8]| {
    target()(data);
    // libFuzzer begins with an input of its own, which is empty.
    if is_good() && !data.is_empty() {
        assert!(LET_IN.load(Relaxed) > 0, "nobody was let in");
    }
});

//! What is doubtful about a configuration, each finding with its severity, its cure and a link.
//!
//! A [`ConfigError`](crate::config_error::ConfigError) lists what cannot work. A [`Report`] also lists
//! what works and should not be done, or need not: it holds [`Issue`]s from [`Severity::Info`] to
//! [`Severity::Critical`], and serialises. Those that are critical or high fail the `build()` of their
//! layer, unless the owner allows the code and says why: then the reason stands in the report, and in
//! the audit log ([`Waivers`]).
//!
//! ```
//! use portcullis::lint::{Lint, Lints, Severity};
//!
//! const WIDE_OPEN: Lint = Lint {
//!     code: "wide-open",
//!     severity: Severity::High,
//!     fix: "name who may come in",
//!     spec: "https://example.com/doors",
//! };
//!
//! let mut lints = Lints::new();
//! lints.add(&WIDE_OPEN, "door", "everybody may come in", Some("*"));
//! let report = lints.report();
//! assert_eq!(report.issues()[0].code, "wide-open");
//! assert!(report.check().unwrap_err().to_string().contains("door: everybody may come in (name who may come in"));
//!
//! let allowed = lints.allow("wide-open", "it is the museum's").report();
//! assert!(allowed.check().is_ok());
//! assert_eq!(allowed.issues()[0].allowed.as_deref(), Some("it is the museum's"));
//! ```

mod lints;
mod report;
mod waivers;

pub use self::{
    lints::Lints,
    report::{Issue, Lint, Report, Severity},
    waivers::Waivers,
};

//! Policies: decisions by attributes of the caller, the resource and the circumstances (ABAC).
//!
//! Scopes say what a credential is good for; some rules need more: whose department the invoice
//! belongs to, what time it is, how much money it is about. Each rule is a [`Policy`], which answers
//! for itself; a [`PolicySet`] asks all of them and makes one [`Decision`]:
//!
//! | the policies say | decision | answer |
//! |---|---|---|
//! | at least one `Veto` | denied | 403 `forbidden` |
//! | else, something `Indeterminate` | undetermined | 503 `backend_unavailable` |
//! | else, a `StepUp` and a `Grant` | step up | 401 `insufficient_user_authentication`, with a challenge |
//! | else, a `Grant` and no `StepUp` | allowed | |
//! | else (all abstain) | denied | 403 `forbidden` |
//!
//! Deny overrides: a new policy can take away what others grant, and never gives away what another
//! one denies. The order does not matter. What cannot be known is no denial: whoever asks again in a
//! minute may be let through.
//!
//! # The three rules of the workflow document
//! ```
//! use portcullis::{
//!     authz::{StepUp, policy::{Effect, Env, Hours, PolicySet, PolicyVerdict, Question, Zone, policy, when}},
//!     testing::principal,
//!     time::Timestamp,
//! };
//! use serde::Deserialize;
//!
//! /// What there is to decide about, with the attributes that decide.
//! enum Resource {
//!     Invoice { department: String },
//!     Record { is_sensitive: bool },
//!     /// In cents.
//!     Transaction { amount: u64 },
//! }
//!
//! #[derive(Deserialize)]
//! struct Department { department: String }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let office = Hours::workdays(Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3")?, 9..17)?;
//! let policies = PolicySet::builder()
//!     // An invoice is read by its department. Who has no department reads none.
//!     .policy(policy("department", |question: &Question<'_, Resource>| {
//!         match (question.action, question.resource, question.subject.claims::<Department>()) {
//!             ("read", Resource::Invoice { department }, Ok(own)) if own.department == *department => {
//!                 Effect::grant("the invoice is the department's")
//!             }
//!             _ => Effect::Abstain,
//!         }
//!     }))
//!     // Records are deleted by administrators …
//!     .policy(policy("administrators", |question: &Question<'_, Resource>| {
//!         match (question.action, question.resource) {
//!             ("delete", Resource::Record { .. }) if question.subject.roles().any(|role| role == "admin") => {
//!                 Effect::grant("an administrator deletes")
//!             }
//!             _ => Effect::Abstain,
//!         }
//!     }))
//!     // … and sensitive ones in office hours only.
//!     .policy(when(
//!         |question: &Question<'_, Resource>| {
//!             question.action == "delete" && matches!(question.resource, Resource::Record { is_sensitive: true })
//!         },
//!         policy("office-hours", move |question: &Question<'_, Resource>| {
//!             if office.include(question.env.now()) { Effect::Abstain } else { Effect::veto("it is not office hours") }
//!         }),
//!     ))
//!     // Transactions are approved by approvers …
//!     .policy(policy("approvers", |question: &Question<'_, Resource>| {
//!         match (question.action, question.resource) {
//!             ("approve", Resource::Transaction { .. }) if question.subject.scopes().satisfies("approve:transactions") => {
//!                 Effect::grant("an approver approves")
//!             }
//!             _ => Effect::Abstain,
//!         }
//!     }))
//!     // … who, above 10,000, have proved twice who they are.
//!     .policy(policy("mfa-over-10000", |question: &Question<'_, Resource>| match question.resource {
//!         Resource::Transaction { amount } if *amount > 10_000_00 && !question.mfa_verified() => {
//!             Effect::step_up(StepUp::new().acr_values(["urn:example:mfa"]).amr(["mfa"]), "more than 10,000")
//!         }
//!         _ => Effect::Abstain,
//!     }))
//!     .build()?;
//!
//! let caller = principal("usr_1").claim("department", "legal").scopes(["approve:transactions"]).build();
//! let env = Env::at(Timestamp::from_secs(1_700_000_000));
//! let invoice = Resource::Invoice { department: "legal".into() };
//! let decision = policies.decide(&Question::new(&caller, "read", &invoice, &env)).await;
//! assert_eq!((decision.policy(), decision.is_allowed()), (Some("department"), true));
//!
//! let small = Resource::Transaction { amount: 10_000_00 };
//! assert!(policies.decide(&Question::new(&caller, "approve", &small, &env)).await.is_allowed());
//! let large = Resource::Transaction { amount: 10_000_01 };
//! let decision = policies.decide(&Question::new(&caller, "approve", &large, &env)).await;
//! assert_eq!((decision.policy(), decision.verdict()), (Some("mfa-over-10000"), PolicyVerdict::StepUp));
//! # Ok(()) }
//! ```
//!
//! An attribute that is missing must not match another one that is missing: here a caller without the
//! claim has no department, and no two of those are of one.
//!
//! # In a handler, and in a layer
//! A handler that has loaded the resource asks with its own type, and takes [`Env`] as an extractor:
//!
//! ```
//! use axum::{Extension, Router, body::Body, routing::get};
//! use http::Request;
//! use portcullis::{
//!     authz::policy::{Effect, Env, PolicySet, Question, policy},
//!     identity::Principal,
//!     rejection::Rejection,
//!     testing::{principal, with_principal},
//! };
//! use tower::ServiceExt;
//!
//! struct Invoice { owner: String }
//!
//! async fn invoice(
//!     caller: Principal,
//!     env: Env,
//!     Extension(policies): Extension<PolicySet<Invoice>>,
//! ) -> Result<&'static str, Rejection> {
//!     let invoice = Invoice { owner: "usr_1".into() };
//!     policies.decide(&Question::new(&caller, "read", &invoice, &env)).await.into_result()?;
//!     Ok("an invoice")
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policies = PolicySet::builder()
//!     .policy(policy("owner", |question: &Question<'_, Invoice>| {
//!         if question.resource.owner == question.subject.subject() { Effect::grant("own") } else { Effect::Abstain }
//!     }))
//!     .build()?;
//! for (subject, status) in [("usr_1", 200), ("usr_2", 403)] {
//!     let app = Router::new()
//!         .route("/invoices/7", get(invoice).layer(Extension(policies.clone())))
//!         .layer(with_principal(principal(subject).build()));
//!     assert_eq!(app.oneshot(Request::get("/invoices/7").body(Body::empty())?).await?.status(), status);
//! }
//! # Ok(()) }
//! ```
//!
//! [`PolicyLayer`] asks about the request itself: its resource is the head of the request
//! (`http::request::Parts`), with [`path_param`](crate::authz::path_param).
//!
//! # In the context
//! Reads the principal, the clock's reading, the client's address. The layer leaves a
//! [`Grant`](crate::identity::Grant) that names the [policy](crate::identity::Grant::policies).
//!
//! # In the stack
//! [`PolicyLayer`] stands inside `AuthLayer` and `ScopeLayer`: what costs least comes first.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | a policy vetoes, or none grants | `forbidden`; policy and reason in the log only | 403 |
//! | a stronger authentication would help | `insufficient_user_authentication` | 401 |
//! | a data source fails, or the budget (1 s) is used up | `backend_unavailable`, with `Retry-After` | 503 |
//! | anonymous caller | `missing_credentials` | 401 |
//! | no `AuthLayer` outside | `misconfigured` | 500 |
//!
//! Every decision is an event of `tracing` at level `DEBUG` (target `portcullis`), with policy, reason
//! and action; refusals are events of their own, as those of every layer.
//!
//! # Cost
//! One call of each policy. Allocates for the decision and the grant. Policies that wait are asked one
//! after the other, and only if none that need not wait vetoes.

mod combine;
mod env;
mod hours;
mod lattice;
mod layer;
mod rule;
mod set;

pub use self::{
    combine::{all_of, required, when},
    env::Env,
    hours::{Hours, LocalTime, Weekday, Zone},
    layer::{PolicyGate, PolicyLayer},
    rule::{Effect, Policy, Question, policy},
    set::{Decision, PolicySet, PolicySetBuilder, PolicyVerdict},
};

#[cfg(test)]
mod tests;

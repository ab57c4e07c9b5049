//! Who is calling: [`Principal`], and what it may do: [`Scopes`].
//!
//! A [`Principal`] is a proof: only a layer that verified a credential can make one (in tests,
//! `portcullis::testing::principal()` does). A handler takes it as an extractor; `Option<Principal>`
//! where anonymous callers are allowed.

mod details;
mod grant;
mod principal;
mod role_table;
mod scopes;

#[allow(unused_imports, reason = "proof of possession comes next")]
pub(crate) use self::principal::{Confirmation, PrincipalParts};
pub(crate) use self::role_table::{RoleTable, Written};
pub use self::{
    details::{AuthorizationDetail, DetailsError},
    grant::Grant,
    principal::{AuthMethod, ClaimsError, Principal},
    scopes::{ScopeError, Scopes},
};

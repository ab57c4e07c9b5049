//! Who is calling: [`Principal`], and what it may do: [`Scopes`].
//!
//! A [`Principal`] is a proof: only a layer that verified a credential can make one (in tests,
//! `portcullis::testing::principal()` does). A handler takes it as an extractor; `Option<Principal>`
//! where anonymous callers are allowed.

mod grant;
mod principal;
mod scopes;

// What layers ask of a credential, beyond its scopes.
mod details;
mod role_table;

pub use self::details::{AuthorizationDetail, DetailsError};
pub(crate) use self::role_table::{RoleTable, Written};

#[allow(unused_imports, reason = "proof of possession comes next")]
pub(crate) use self::principal::{Confirmation, PrincipalParts};
pub use self::{
    grant::Grant,
    principal::{AuthMethod, ClaimsError, Principal},
    scopes::{ScopeError, Scopes},
};

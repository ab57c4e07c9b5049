//! Who is calling: [`Principal`], and what it may do: [`Scopes`].
//!
//! A [`Principal`] is a proof: only a layer that verified a credential can make one (in tests,
//! `portcullis::testing::principal()` does). A handler takes it as an extractor; `Option<Principal>`
//! where anonymous callers are allowed.

mod claims;
mod details;
mod grant;
mod hash_once;
mod principal;
mod role_table;
mod scopes;
mod text;
mod word_index;

pub(crate) use self::hash_once::HashOnce;
pub(crate) use self::principal::{Confirmation, PrincipalParts};
pub(crate) use self::role_table::{RoleTable, Written};
#[allow(unused_imports, reason = "named where a principal is made")]
pub(crate) use self::text::Text;
pub use self::{
    claims::Claims,
    details::{AuthorizationDetail, DetailsError},
    grant::{Grant, Reach},
    principal::{AuthMethod, ClaimsError, Principal},
    scopes::{ScopeError, Scopes},
};

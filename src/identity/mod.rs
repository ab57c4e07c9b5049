//! Who is calling: [`Principal`], and what it may do: [`Scopes`].
//!
//! A [`Principal`] is a proof: only a layer that verified a credential can make one (in tests,
//! `portcullis::testing::principal()` does). A handler takes it as an extractor; `Option<Principal>`
//! where anonymous callers are allowed.

mod grant;
mod principal;
mod scopes;

pub(crate) use self::principal::{Confirmation, PrincipalParts};
pub use self::{
    grant::Grant,
    principal::{AuthMethod, ClaimsError, Principal},
    scopes::{ScopeError, Scopes},
};

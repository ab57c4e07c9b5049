use std::{future::Future, str::FromStr, sync::Arc};

use axum::extract::RawPathParams;

use super::{Asker, Opinion};
use crate::store::StoreError;

/// A kind of object of which a caller may have some and not others.
///
/// ```
/// use portcullis::authz::object::{Resource, Tenancy};
///
/// struct Order {
///     customer: String,
///     shop: String,
/// }
///
/// impl Resource for Order {
///     type Id = u64;
///     const KIND: &'static str = "orders";
///     const TENANCY: Tenancy = Tenancy::Separate;
///
///     fn owner(&self) -> &str {
///         &self.customer
///     }
///
///     fn tenant(&self) -> Option<&str> {
///         Some(&self.shop)
///     }
///
///     fn override_scopes(action: &str) -> &'static [&'static str] {
///         match action {
///             "read" => &["read:orders", "admin:orders"],
///             _ => &["admin:orders"],
///         }
///     }
/// }
/// ```
pub trait Resource: Send + Sync + 'static {
    /// What the path names it by: read with `FromStr`. What cannot be read is no object, so 404.
    type Id: FromStr + Send + Sync;

    /// The kind, as in the scopes: `orders`. For logs.
    const KIND: &'static str;

    /// The path parameter that holds the id, as it stands in the route: `{id}`.
    const PARAMETER: &'static str = "id";

    /// Whether the objects belong to tenants. There is no default: a wrong one would be a leak, or
    /// would close everything.
    const TENANCY: Tenancy;

    /// What a caller is told of an object that it may not have.
    const EXISTENCE: Existence = Existence::Hidden;

    /// The subject of the owner. An empty one is nobody.
    fn owner(&self) -> &str;

    /// The issuer of the owner's subject. Say it where callers come from more than one issuer: a
    /// subject is unique at its issuer only (`OpenID` Connect Core §2). `None` is any issuer.
    fn owner_issuer(&self) -> Option<&str> {
        None
    }

    /// The tenant that it belongs to. Asked only with [`Tenancy::Separate`]; `None` is then a tenant
    /// that nobody is in.
    fn tenant(&self) -> Option<&str> {
        None
    }

    /// The scopes of which one is enough to do `action` ([`Action::NAME`]) with everybody's objects,
    /// within the caller's tenant. Default: none, the owner only.
    ///
    /// A text that is no scope, has a `*`, or ends with `:own` overrides nothing.
    fn override_scopes(action: &str) -> &'static [&'static str] {
        let _ = action;
        &[]
    }

    /// The same, in every tenant: for the platform's own staff. Default: none.
    fn cross_tenant_scopes(action: &str) -> &'static [&'static str] {
        let _ = action;
        &[]
    }

    /// Whether it lies where the path says: of `/users/{user}/orders/{id}`, that the order is that
    /// user's. If not, it is not found. Default: yes.
    fn is_at(&self, path: &PathValues<'_>) -> bool {
        let _ = path;
        true
    }

    /// What a policy says beyond ownership and scopes: departments, amounts, shares. What it needs to
    /// know of the object, [`Load::load`] loads with it. Default: nothing.
    fn opinion(&self, asker: &Asker<'_>) -> Opinion {
        let _ = asker;
        Opinion::Abstain
    }
}

/// Whether objects of a kind belong to tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tenancy {
    /// Each belongs to one, and for callers of another it does not exist. A caller without a tenant
    /// has none of them.
    Separate,
    /// There are no tenants, or they share the objects. Callers' tenants are not looked at.
    Shared,
}

/// What a caller is told of an object that exists and that it may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Existence {
    /// What it would be told if there were none: 404, byte for byte.
    Hidden,
    /// That it may not: 403. Objects of other tenants stay hidden.
    Revealed,
}

/// Loads objects, for [`Authorized`](super::Authorized). Implement it for the router's state (an
/// `Arc` of an implementation is one, too).
///
/// ```
/// use std::{collections::BTreeMap, sync::Arc};
/// use portcullis::{authz::object::{Load, Resource, Tenancy}, store::StoreError};
///
/// #[derive(Clone)]
/// struct Order { owner: String }
///
/// impl Resource for Order {
///     type Id = u64;
///     const KIND: &'static str = "orders";
///     const TENANCY: Tenancy = Tenancy::Shared;
///
///     fn owner(&self) -> &str {
///         &self.owner
///     }
/// }
///
/// #[derive(Clone)]
/// struct AppState { orders: Arc<BTreeMap<u64, Order>> }
///
/// impl Load<Order> for AppState {
///     async fn load(&self, id: &u64, _tenant: Option<&str>) -> Result<Option<Order>, StoreError> {
///         Ok(self.orders.get(id).cloned())
///     }
/// }
/// ```
pub trait Load<R: Resource>: Send + Sync {
    /// The object, whoever it belongs to; `None` if there is none.
    ///
    /// `tenant` is the caller's, where the objects are [separate](Tenancy::Separate) and it reaches
    /// no others: put it into the query (`WHERE id = $1 AND tenant = $2`). It is checked again
    /// afterwards, so a loader that has no use for it may leave it. Never filter by owner here: what
    /// the caller may do with it is not yours to say.
    ///
    /// # Errors
    /// If the store cannot answer: 503, not 404.
    fn load(&self, id: &R::Id, tenant: Option<&str>) -> impl Future<Output = Result<Option<R>, StoreError>> + Send;
}

impl<R: Resource, L: Load<R>> Load<R> for Arc<L> {
    fn load(&self, id: &R::Id, tenant: Option<&str>) -> impl Future<Output = Result<Option<R>, StoreError>> + Send {
        L::load(self, id, tenant)
    }
}

/// What a handler does with an object: a type of its own for each, so that it stands in the
/// handler's signature.
///
/// ```
/// use portcullis::authz::object::Action;
///
/// #[derive(Debug)]
/// struct Refund;
///
/// impl Action for Refund {
///     const NAME: &'static str = "refund";
/// }
/// ```
pub trait Action: Send + Sync + 'static {
    /// The name, which [`Resource::override_scopes`] goes by: `refund`.
    const NAME: &'static str;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $action;

        impl Action for $action {
            const NAME: &'static str = $name;
        }
    )*};
}

actions! {
    /// `read`: look at it.
    Read = "read";
    /// `create`: make one.
    Create = "create";
    /// `write`: change it.
    Write = "write";
    /// `delete`: do away with it.
    Delete = "delete";
}

/// The values of a path's parameters, percent-decoded.
#[derive(Clone, Copy, Debug)]
pub struct PathValues<'a>(&'a RawPathParams);

impl<'a> PathValues<'a> {
    pub(super) fn new(params: &'a RawPathParams) -> Self {
        Self(params)
    }

    /// The value of `{name}`, or of `{*name}`; `None` if the route has no such parameter.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(held, _)| *held == name).map(|(_, value)| value)
    }
}

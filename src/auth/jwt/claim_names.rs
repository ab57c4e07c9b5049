/// Under which names a provider puts what [`Principal`](crate::identity::Principal) has fields for.
///
/// The defaults are those of RFC 9068 and of common providers. Of several names the first that the
/// token has counts. The registered claims `iss`, `sub`, `aud`, `exp`, `nbf`, `iat` and `jti` have
/// no other name.
///
/// ```
/// use portcullis::auth::jwt::ClaimNames;
///
/// let names = ClaimNames::default().tenant(["org_id"]).roles(["roles", "groups"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ClaimNames {
    pub(crate) scope: Vec<Box<str>>,
    pub(crate) roles: Vec<Box<str>>,
    pub(crate) tenant: Vec<Box<str>>,
    pub(crate) plan: Vec<Box<str>>,
    pub(crate) client: Vec<Box<str>>,
    pub(crate) email: Vec<Box<str>>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            scope: list(["scope", "scp"]),
            roles: list(["roles"]),
            tenant: list(["tenant_id"]),
            plan: list(["subscription_tier"]),
            client: list(["client_id", "azp"]),
            email: list(["email"]),
        }
    }
}

fn list<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<Box<str>> {
    names.into_iter().map(|name| name.into().into_boxed_str()).collect()
}

impl ClaimNames {
    /// Scopes: one string with spaces between them, or an array. Default `scope`, then `scp`.
    pub fn scope<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.scope = list(names);
        self
    }

    /// Roles: one string, or an array. Default `roles`.
    pub fn roles<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.roles = list(names);
        self
    }

    /// The tenant. Default `tenant_id`.
    pub fn tenant<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.tenant = list(names);
        self
    }

    /// The plan. Default `subscription_tier`.
    pub fn plan<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.plan = list(names);
        self
    }

    /// The OAuth client. Default `client_id`, then `azp`.
    pub fn client<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.client = list(names);
        self
    }

    /// The e-mail address. Default `email`.
    pub fn email<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.email = list(names);
        self
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (Field, &[Box<str>])> {
        [
            (Field::Scope, &*self.scope),
            (Field::Roles, &*self.roles),
            (Field::Tenant, &*self.tenant),
            (Field::Plan, &*self.plan),
            (Field::Client, &*self.client),
            (Field::Email, &*self.email),
        ]
        .into_iter()
    }

    /// Which field a claim fills, and how many names come before this one.
    pub(crate) fn find(&self, claim: &str) -> impl Iterator<Item = (Field, usize)> {
        self.each()
            .filter_map(move |(field, names)| names.iter().position(|name| **name == *claim).map(|rank| (field, rank)))
    }
}

/// What a configurable claim fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Scope,
    Roles,
    Tenant,
    Plan,
    Client,
    Email,
}

use std::fmt;

/// Under which names a provider puts what [`Principal`](crate::identity::Principal) has fields for.
///
/// The defaults are those of RFC 9068 and of common providers. Of several names the first that the
/// token has counts. Claims that are registered for something (`iss`, `sub`, `sid`, `cnf` …) have
/// no other name and no other meaning.
///
/// A name is that of a claim, or the way to a member of one:
///
/// | written | the claim |
/// |---|---|
/// | `roles` | `roles` |
/// | `realm_access.roles` | the member `roles` of the claim `realm_access` |
/// | `/resource_access/my.client/roles` | the same way as a JSON pointer (RFC 6901), for names with dots in them; `~1` is `/`, `~0` is `~` |
/// | `/acme.roles` | the claim whose name is `acme.roles` |
/// | `https://acme.example/roles` | the claim whose name is this URL |
///
/// ```
/// use portcullis::auth::jwt::ClaimNames;
///
/// let keycloak = ClaimNames::default().roles(["realm_access.roles", "/resource_access/orders.api/roles"]);
/// let auth0 = ClaimNames::default().roles(["https://acme.example/roles"]).tenant(["org_id"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ClaimNames {
    pub(crate) scope: Vec<ClaimPath>,
    pub(crate) roles: Vec<ClaimPath>,
    pub(crate) tenant: Vec<ClaimPath>,
    pub(crate) plan: Vec<ClaimPath>,
    pub(crate) client: Vec<ClaimPath>,
    pub(crate) email: Vec<ClaimPath>,
}

/// The way to a claim; at most [`MAX_PATHS`] of them are looked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClaimPath {
    written: Box<str>,
    segments: Vec<Box<str>>,
}

/// As many as a set of them has bits.
pub(crate) const MAX_PATHS: usize = 64;

impl ClaimPath {
    fn parse(written: String) -> Self {
        let segments = if let Some(pointer) = written.strip_prefix('/') {
            pointer.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~").into_boxed_str()).collect()
        } else if written.contains("://") {
            vec![written.as_str().into()]
        } else {
            written.split('.').map(Into::into).collect()
        };
        Self { written: written.into_boxed_str(), segments }
    }

    pub(crate) fn segments(&self) -> &[Box<str>] {
        &self.segments
    }
}

impl fmt::Debug for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
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

fn list<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<ClaimPath> {
    names.into_iter().map(|name| ClaimPath::parse(name.into())).collect()
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

    /// All paths: the field that one fills, how many come before it for that field, and it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (Field, usize, &ClaimPath)> {
        [
            (Field::Scope, &self.scope),
            (Field::Roles, &self.roles),
            (Field::Tenant, &self.tenant),
            (Field::Plan, &self.plan),
            (Field::Client, &self.client),
            (Field::Email, &self.email),
        ]
        .into_iter()
        .flat_map(|(field, paths)| paths.iter().enumerate().map(move |(rank, path)| (field, rank, path)))
    }

    /// Those of the paths in `among` whose segment `depth` is `name`, as a set of their numbers.
    pub(crate) fn matching(&self, among: u64, depth: usize, name: &str) -> u64 {
        let mut found = 0;
        for (bit, (_, _, path)) in bits().zip(self.paths()) {
            if among & bit != 0 && path.segments.get(depth).is_some_and(|segment| **segment == *name) {
                found |= bit;
            }
        }
        found
    }

    /// The paths in `set`.
    pub(crate) fn chosen(&self, set: u64) -> impl Iterator<Item = (u64, Field, usize, &ClaimPath)> {
        bits()
            .zip(self.paths())
            .filter(move |(bit, _)| set & bit != 0)
            .map(|(bit, (field, rank, path))| (bit, field, rank, path))
    }
}

/// Those of the names that name a claim itself, and not a member of one.
#[derive(Clone, Debug)]
pub(crate) struct PlainNames(Box<[(Box<str>, Field, usize)]>);

impl PlainNames {
    pub(crate) fn of(names: &ClaimNames) -> Self {
        let plain = names.paths().filter_map(|(field, rank, path)| match path.segments() {
            [name] => Some((name.clone(), field, rank)),
            _ => None,
        });
        Self(plain.collect())
    }

    /// Which fields the claim fills, each with the rank of its name.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = (Field, usize)> {
        self.0.iter().filter(move |(held, ..)| **held == *name).map(|(_, field, rank)| (*field, *rank))
    }
}

fn bits() -> impl Iterator<Item = u64> {
    (0..64).map(|at| 1_u64.wrapping_shl(at))
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

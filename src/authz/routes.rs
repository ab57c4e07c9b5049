//! A router on which no route can stand without saying who may call it.

use std::{collections::BTreeMap, fmt};

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter},
};
use http::Method;

use super::{AuthInventory, Requirement, RoleMap, ScopeCatalogue, ScopeLayer, ScopeTableBuilder, object::Objects};
use crate::config_error::{ConfigError, ConfigIssues};

/// Builds an axum router together with the table of what each route requires: deny by default (OWASP
/// API5:2023). There is no way to add a route without a [`Requirement`] or the word `public`.
///
/// axum cannot say which routes a router has, so a table beside a router can only refuse what it does
/// not know. Here route and row are one call, so neither can be forgotten; what was registered is
/// listed by [`SecuredRoutes::inventory`].
///
/// ```
/// use axum::{Router, body::Body};
/// use http::{Method, Request, StatusCode};
/// use portcullis::{
///     authz::{Requirement, SecuredRouter},
///     testing::{principal, with_principal},
/// };
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = SecuredRouter::new()
///     .get("/", || async { "all orders" }, Requirement::all(["read:orders"]))
///     .post("/", || async { "ordered" }, Requirement::all(["write:orders"]));
/// let routes = SecuredRouter::new()
///     .nest("/orders", orders)
///     .public(Method::GET, "/health", || async { "well" })
///     .build()?;
/// println!("{}", routes.inventory());
///
/// // `with_principal` stands for an AuthLayer, which goes outside.
/// let caller = principal("usr_1").scopes(["read:orders"]).build();
/// let app: Router = routes.into_router().layer(with_principal(caller));
/// for (method, path, status) in [("GET", "/orders", 200), ("POST", "/orders", 403), ("GET", "/health", 200)] {
///     let request = Request::builder().method(method).uri(path).body(Body::empty())?;
///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
/// }
/// # Ok(()) }
/// ```
///
/// What is merged or nested into the finished router afterwards is outside of the table, and so open:
/// add it before [`build`](Self::build). Other layers of one route go onto its handler
/// (`handler.layer(…)` of axum's `Handler`) or onto a
/// [`MethodRouter`](Self::method_router).
#[must_use]
pub struct SecuredRouter<S = ()> {
    routes: Vec<Route<S>>,
    roles: Option<RoleMap>,
    catalogue: Option<ScopeCatalogue>,
    objects: Objects,
}

struct Route<S> {
    path: String,
    /// Each method, with what it requires.
    rows: Vec<(Method, Option<Requirement>)>,
    methods: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> SecuredRouter<S> {
    /// A router without routes.
    pub fn new() -> Self {
        Self { routes: Vec::new(), roles: None, catalogue: None, objects: Objects::default() }
    }

    /// A route for one method. `GET` answers `HEAD`, too. A method that axum cannot route (an
    /// extension method) is reported by [`build`](Self::build).
    pub fn route<H, T>(self, method: Method, path: impl Into<String>, handler: H, requirement: Requirement) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(method, path.into(), handler, Some(requirement))
    }

    /// A route that everybody may call, anonymous callers included.
    pub fn public<H, T>(self, method: Method, path: impl Into<String>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(method, path.into(), handler, None)
    }

    /// A `GET` route.
    pub fn get<H: Handler<T, S>, T: 'static>(
        self,
        path: impl Into<String>,
        handler: H,
        requirement: Requirement,
    ) -> Self {
        self.route(Method::GET, path, handler, requirement)
    }

    /// A `POST` route.
    pub fn post<H: Handler<T, S>, T: 'static>(
        self,
        path: impl Into<String>,
        handler: H,
        requirement: Requirement,
    ) -> Self {
        self.route(Method::POST, path, handler, requirement)
    }

    /// A `PUT` route.
    pub fn put<H: Handler<T, S>, T: 'static>(
        self,
        path: impl Into<String>,
        handler: H,
        requirement: Requirement,
    ) -> Self {
        self.route(Method::PUT, path, handler, requirement)
    }

    /// A `PATCH` route.
    pub fn patch<H: Handler<T, S>, T: 'static>(
        self,
        path: impl Into<String>,
        handler: H,
        requirement: Requirement,
    ) -> Self {
        self.route(Method::PATCH, path, handler, requirement)
    }

    /// A `DELETE` route.
    pub fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: impl Into<String>,
        handler: H,
        requirement: Requirement,
    ) -> Self {
        self.route(Method::DELETE, path, handler, requirement)
    }

    /// A method router that exists already, with the requirement of each method that it answers. A
    /// method that it answers and that is not named here is refused.
    pub fn method_router(
        mut self,
        path: impl Into<String>,
        rows: impl IntoIterator<Item = (Method, Requirement)>,
        methods: MethodRouter<S>,
    ) -> Self {
        let rows = rows.into_iter().map(|(method, requirement)| (method, Some(requirement))).collect();
        self.routes.push(Route { path: path.into(), rows, methods });
        self
    }

    /// All routes of another router, under a prefix. The other's roles and catalogue are not taken
    /// over: set them on the outermost. That its routes [owe the check](Self::object_level) is.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        let prefix = prefix.trim_end_matches('/');
        let owes = other.objects == Objects::Each;
        self.routes.extend(other.routes.into_iter().map(|mut route| {
            if route.path != "/" || prefix.is_empty() {
                route.path.insert_str(0, prefix);
            } else {
                prefix.clone_into(&mut route.path);
            }
            for (_, requirement) in route.rows.iter_mut().filter(|_| owes) {
                *requirement = requirement.take().map(|requirement| requirement.at(&route.path));
            }
            route
        }));
        self
    }

    /// All routes of another router. The other's roles and catalogue are not taken over.
    pub fn merge(self, other: Self) -> Self {
        self.nest("", other)
    }

    /// What the callers' roles stand for. Default: roles stand for nothing.
    pub fn roles(mut self, roles: RoleMap) -> Self {
        self.roles = Some(roles);
        self
    }

    /// The scopes that there are: another one in a requirement is a mistake. Default: any is taken.
    pub fn catalogue(mut self, catalogue: &ScopeCatalogue) -> Self {
        self.catalogue = Some(catalogue.clone());
        self
    }

    /// On every route with a parameter in its path the handler must show that the caller may have the
    /// object: as [`ScopeTableBuilder::object_level`]. Default: only where a requirement says so.
    pub fn object_level(mut self) -> Self {
        self.objects = Objects::Each;
        self
    }

    fn on<H: Handler<T, S>, T: 'static>(
        mut self,
        method: Method,
        path: String,
        handler: H,
        requirement: Option<Requirement>,
    ) -> Self {
        // A method that axum does not know gets no handler; `build` says so.
        let methods = MethodFilter::try_from(method.clone())
            .map_or_else(|_| MethodRouter::new(), |filter| MethodRouter::new().on(filter, handler));
        self.routes.push(Route { path, rows: vec![(method, requirement)], methods });
        self
    }

    /// The router and its table.
    ///
    /// # Errors
    /// If there is no route; a route comes twice, or twice with parameters of other names; a path or
    /// a method cannot be routed; or a requirement names no scope, or one that is none or not in the
    /// catalogue.
    ///
    /// # Panics
    /// axum panics if a [`method_router`](Self::method_router) answers a method that another route of
    /// the same path answers, too, and was not named for it.
    pub fn build(self) -> Result<SecuredRoutes<S>, ConfigError> {
        let mut issues = ConfigIssues::new();
        let mut table = ScopeTableBuilder::default();
        if self.objects == Objects::Each {
            table = table.object_level();
        }
        let mut shapes = BTreeMap::new();
        for route in &self.routes {
            if let Some(other) = shapes.insert(shape(&route.path), &route.path).filter(|other| **other != route.path) {
                let cure = "give the parameters the same names everywhere";
                issues.add(format!("route[{}]", route.path), format!("{other} matches the same paths"), cure);
            }
            for (method, requirement) in &route.rows {
                if MethodFilter::try_from(method.clone()).is_err() {
                    let field = format!("route[{method} {}]", route.path);
                    issues.add(field, "axum cannot route this method", "use a method of RFC 9110 or PATCH");
                }
                table = match requirement {
                    Some(requirement) => table.route(method.clone(), &route.path, requirement.clone()),
                    None => table.public(method.clone(), &route.path),
                };
            }
            check_segments(&route.path, &mut issues);
        }
        table = self.roles.into_iter().fold(table, ScopeTableBuilder::roles);
        table = self.catalogue.iter().fold(table, ScopeTableBuilder::catalogue);
        let scopes = match table.build() {
            Ok(scopes) => issues.finish(scopes)?,
            Err(error) => {
                issues.merge("", error.clone());
                issues.finish(())?;
                return Err(error);
            }
        };
        let inventory = scopes.inventory().cloned().unwrap_or_default();
        let add = |router: Router<S>, route: Route<S>| router.route(&route.path, route.methods);
        Ok(SecuredRoutes { router: self.routes.into_iter().fold(Router::new(), add), scopes, inventory })
    }
}

impl<S: Clone + Send + Sync + 'static> Default for SecuredRouter<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for SecuredRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.iter().map(|route| (&route.path, &route.rows));
        f.debug_struct("SecuredRouter").field("routes", &routes.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Two paths of one shape cannot be told apart: `/orders/{id}` and `/orders/{order}`.
fn shape(path: &str) -> String {
    let blank = |segment: &str| match segment.strip_prefix('{') {
        Some(parameter) if parameter.starts_with('*') => "{*}".to_owned(),
        Some(_) => "{}".to_owned(),
        None => segment.to_owned(),
    };
    path.split('/').map(blank).collect::<Vec<_>>().join("/")
}

/// What axum's router would panic at.
fn check_segments(path: &str, issues: &mut ConfigIssues) {
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let wrong = match name.map(|name| name.strip_prefix('*').map_or((name, false), |name| (name, true))) {
            Some((name, rest)) => {
                name.is_empty() || name.contains(['{', '}', '*']) || rest && segments.peek().is_some()
            }
            None => segment.contains(['{', '}']),
        };
        if wrong {
            let cure = "a parameter is a whole segment, {id}, or the rest of the path, {*rest}";
            issues.add(format!("route[{path}]"), format!("{segment:?} cannot be routed"), cure);
        }
    }
}

/// A router, and the layer that knows what each of its routes requires.
#[must_use]
pub struct SecuredRoutes<S = ()> {
    router: Router<S>,
    scopes: ScopeLayer,
    inventory: AuthInventory,
}

impl<S: Clone + Send + Sync + 'static> SecuredRoutes<S> {
    /// Every route, with what it requires.
    pub fn inventory(&self) -> &AuthInventory {
        &self.inventory
    }

    /// The router with its table around it. Layers that are added to it stand outside the table, as
    /// `AuthLayer` must.
    pub fn into_router(self) -> Router<S> {
        self.router.layer(self.scopes)
    }

    /// The bare router, and the layer: for those who stack all layers in one `ServiceBuilder` or a
    /// [`Stack`](crate::stack::Stack), which costs less. Without the layer every route is open.
    pub fn into_parts(self) -> (Router<S>, ScopeLayer) {
        (self.router, self.scopes)
    }
}

impl<S> fmt::Debug for SecuredRoutes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecuredRoutes").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

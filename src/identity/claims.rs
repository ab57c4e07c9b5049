use std::{any::Any, fmt, ops::Deref, sync::Arc};

use serde::de::DeserializeOwned;

use super::{ClaimsError, Principal};

/// The caller's claims in a type of yours, as an extractor. Read once for each credential and type,
/// however many layers and extractors ask.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::{identity::Claims, testing::{principal, with_principal}};
/// use tower::ServiceExt;
///
/// #[derive(serde::Deserialize)]
/// struct Employee { department: String }
///
/// async fn department(employee: Claims<Employee>) -> String {
///     employee.department.clone()
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let app = |caller| Router::new().route("/", get(department)).layer(with_principal(caller));
/// let request = || Request::get("/").body(Body::empty()).unwrap();
///
/// let legal = principal("usr_1").claim("department", "legal").build();
/// assert_eq!(app(legal).oneshot(request()).await.unwrap().status(), StatusCode::OK);
///
/// let nobody = principal("usr_2").build();
/// assert_eq!(app(nobody).oneshot(request()).await.unwrap().status(), StatusCode::UNAUTHORIZED);
/// # }
/// ```
///
/// # How it fails
/// | situation | kind | status |
/// |---|---|---|
/// | the claims lack a field of `T`, or have it in another shape | `invalid_token` | 401 |
/// | nobody is authenticated (`Option<Claims<T>>` is then `None`) | `missing_credentials` | 401 |
/// | no `AuthLayer` stands outside | `misconfigured` | 500 |
///
/// [`AuthLayerBuilder::typed_claims`](crate::auth::AuthLayerBuilder::typed_claims) has the layer
/// refuse such tokens, before limits and quotas count the request. An API key has no claims.
pub struct Claims<T>(Arc<T>);

impl<T: DeserializeOwned + Send + Sync + 'static> Claims<T> {
    /// The claims of a principal.
    ///
    /// # Errors
    /// [`ClaimsError`] if they do not have the shape of `T`.
    pub fn of(principal: &Principal) -> Result<Self, ClaimsError> {
        principal.remembered().map(Self)
    }
}

impl<T> Claims<T> {
    /// The claims, shared with whoever else asks for this type.
    pub fn into_inner(self) -> Arc<T> {
        self.0
    }
}

impl<T> Deref for Claims<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Claims<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Never the claims: what a handler takes often ends up in a log.
impl<T> fmt::Debug for Claims<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims<{}>(..)", std::any::type_name::<T>())
    }
}

/// The types that one principal's claims have been read into: rarely more than two.
#[derive(Default)]
pub(super) struct Remembered(Vec<Arc<dyn Any + Send + Sync>>);

impl Remembered {
    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.iter().find_map(|claims| Arc::clone(claims).downcast().ok())
    }

    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, claims: Arc<T>) {
        self.0.push(claims);
    }
}

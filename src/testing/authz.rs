//! Asks a router what it lets whom do.

use std::fmt;

use axum::{Router, body::Body};
use http::{Method, Request, StatusCode};
use tower::ServiceExt as _;

use super::{PrincipalLayer, anonymous, principal, with_principal};
use crate::authz::{AuthInventory, AuthMatrix, Expected, MatrixCaller, filled};

/// What a check found: everything that was not as expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthReport {
    checked: usize,
    mismatches: Vec<AuthMismatch>,
}

/// One answer that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthMismatch {
    /// Who asked.
    pub caller: String,
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// What was expected.
    pub expected: Expected,
    /// What came.
    pub got: StatusCode,
}

impl AuthReport {
    /// How many questions were asked.
    pub fn checked(&self) -> usize {
        self.checked
    }

    /// Every answer that was not as expected.
    pub fn mismatches(&self) -> &[AuthMismatch] {
        &self.mismatches
    }

    /// Whether all was as expected, and something was asked at all.
    pub fn is_ok(&self) -> bool {
        self.mismatches.is_empty() && self.checked > 0
    }

    /// Fails the test, listing every answer that was not as expected.
    ///
    /// # Panics
    /// If the report [is not ok](Self::is_ok).
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }

    async fn ask(&mut self, app: Router, caller: &str, request: Request<Body>, expected: Expected, known: bool) {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let got = match app.oneshot(request).await {
            Ok(response) => response.status(),
            Err(never) => match never {},
        };
        self.checked = self.checked.saturating_add(1);
        if !is_expected(expected, got, known) {
            self.mismatches.push(AuthMismatch { caller: caller.into(), method, path, expected, got });
        }
    }
}

/// `known`: there is a credential. Without one a denial is 401, with one 403.
fn is_expected(expected: Expected, got: StatusCode, known: bool) -> bool {
    match expected {
        Expected::Allowed => !matches!(got.as_u16(), 401 | 403 | 404 | 405 | 500..),
        Expected::Denied if known => got == StatusCode::FORBIDDEN,
        Expected::Denied => got == StatusCode::UNAUTHORIZED,
        Expected::Status(status) => got.as_u16() == status,
    }
}

impl fmt::Display for AuthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} answers were not as expected", self.mismatches.len(), self.checked)?;
        for mismatch in &self.mismatches {
            let AuthMismatch { caller, method, path, expected, got } = mismatch;
            let status = if caller == "anonymous" { 401 } else { 403 };
            let expected = match expected {
                Expected::Allowed => "allowed".into(),
                Expected::Denied => format!("denied ({status})"),
                Expected::Status(status) => status.to_string(),
            };
            write!(f, "\n  - {caller} {method} {path}: expected {expected}, got {}", got.as_u16())?;
            if expected == "allowed" && matches!(*got, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
                f.write_str(" (is the route there, and the example of its parameter?)")?;
            }
        }
        Ok(())
    }
}

impl AuthMatrix {
    /// Asks a service every question of the matrix, and reports all answers that are not as expected.
    ///
    /// `app` makes the service with a layer that stands where `AuthLayer` stands in production; it is
    /// called once for each question. Bodies are empty: what the handler then says of them (400, 415,
    /// 422) counts as allowed.
    pub async fn check(&self, app: impl Fn(PrincipalLayer) -> Router) -> AuthReport {
        let mut report = AuthReport::default();
        for check in self.checks() {
            let request = request(&check.method, &check.path);
            let known = !check.caller.is_anonymous();
            report.ask(app(layer(&check.caller)), &check.name, request, check.expected, known).await;
        }
        report
    }

    /// The same with real credentials: `credential` adds one to the request of each caller, by name.
    /// (`anonymous` and `without roles` are callers, too.)
    pub async fn check_requests(
        &self,
        app: &Router,
        credential: impl Fn(&str, Request<Body>) -> Request<Body>,
    ) -> AuthReport {
        let mut report = AuthReport::default();
        for check in self.checks() {
            let request = credential(&check.name, request(&check.method, &check.path));
            report.ask(app.clone(), &check.name, request, check.expected, !check.caller.is_anonymous()).await;
        }
        report
    }
}

impl AuthInventory {
    /// Sends each route a request without a credential, and reports every route that is not public
    /// and answers anything but 401 or 403, and every public one that does so or is not there.
    ///
    /// A row whose route does not exist answers 404, and is reported as well. `examples` are values
    /// for the parameters of paths; `1` stands for those that are not named.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use http::Method;
    /// use portcullis::{authz::{Requirement, ScopeLayer}, testing::anonymous};
    /// use tower::ServiceBuilder;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let scopes = ScopeLayer::table()
    ///     .route(Method::GET, "/orders/{id}", Requirement::all(["read:orders"]))
    ///     .public(Method::GET, "/health")
    ///     .build()?;
    /// let inventory = scopes.inventory().expect("it is a table").clone();
    /// let app = Router::new()
    ///     .route("/orders/{id}", get(|| async { "an order" }))
    ///     .route("/health", get(|| async { "well" }))
    ///     .layer(ServiceBuilder::new().layer(anonymous()).layer(scopes));
    /// inventory.check(&app, &[("id", "ord_7")]).await.assert_ok();
    /// # Ok(()) }
    /// ```
    pub async fn check(&self, app: &Router, examples: &[(&str, &str)]) -> AuthReport {
        let examples: Vec<_> = examples.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut report = AuthReport::default();
        for row in self.rows() {
            let request = request(&row.method, &filled(&row.path, &examples));
            let before = report.mismatches.len();
            let expected = if row.requirement.is_none() { Expected::Allowed } else { Expected::Denied };
            report.ask(app.clone(), "anonymous", request, expected, false).await;
            // A layer that knows no challenges refuses an anonymous caller with 403.
            let refused = report.mismatches.last().is_some_and(|last| last.got == StatusCode::FORBIDDEN);
            if expected == Expected::Denied && refused {
                report.mismatches.truncate(before);
            }
        }
        report
    }
}

fn layer(caller: &MatrixCaller) -> PrincipalLayer {
    if caller.is_anonymous() {
        return anonymous();
    }
    let caller =
        principal("matrix").scopes(caller.held_scopes().iter().cloned()).roles(caller.held_roles().iter().cloned());
    with_principal(caller.build())
}

#[expect(clippy::expect_used, reason = "only tests call this, and a wrong test should say where")]
fn request(method: &Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).expect("the path of a check")
}

//! Tokens of several issuers, whose keys are fetched: discovery, typed claims, health, metadata, revocation.
//!
//! `cargo run --example jwt_jwks`, then the lines that it prints: without settings it plays its two
//! issuers itself. With issuers of yours:
//!
//! ```sh
//! ISSUERS=https://id.example.com,https://id.partner.example AUDIENCE=https://api.example.com \
//!     cargo run --example jwt_jwks
//! ```
//!
//! Revocations live as long as the process; a service of several processes takes
//! `portcullis::backend::redis::RedisStore` in place of the `MemoryStore`.

use std::{collections::BTreeMap, env, error::Error, io::Write as _, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    routing::{delete, get},
};
use http::StatusCode;
use portcullis::{
    auth::{
        AuthLayer, ProtectedResource,
        jwt::{Issuer, JwtVerifier},
        logout::BackChannelLogout,
        revocation::{Revocation, RevocationStore},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    config_error::ConfigError,
    identity::{Claims, Principal},
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
    testing::TestIssuer,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// What this application is called at its issuers: the audience of their logout tokens.
const CLIENT: &str = "orders-app";
/// The longest life of an access token, and both clocks' tolerance.
const LIFETIME: Duration = Duration::from_secs(15 * 60 + 60);

/// What this service reads of the claims beside what every token has.
#[derive(Deserialize)]
struct Employee {
    department: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    // Lives as long as the service.
    let own = if env::var_os("ISSUERS").is_none() { Some(Demo::start(&url).await?) } else { None };
    let verifiers = match &own {
        Some(demo) => demo.verifiers(&url)?,
        None => configured(&env::var("ISSUERS")?, &env::var("AUDIENCE")?)?,
    };
    let (app, auth) = app(&url, &verifiers)?;
    // The first requests need not wait for keys. An issuer that is down does not keep the service down.
    if let Err(error) = auth.warm_up().await {
        writeln!(std::io::stderr(), "not all keys are there yet: {error}")?;
    }
    writeln!(std::io::stdout(), "curl -i {url}/health")?;
    if let Some(demo) = &own {
        demo.announce(&url)?;
    }
    axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}

/// Issuers whose metadata says where their keys are.
fn configured(issuers: &str, audience: &str) -> Result<Vec<JwtVerifier>, ConfigError> {
    issuers.split(',').map(|issuer| Issuer::new(issuer.trim()).audience(audience).discover().build()).collect()
}

/// The service: who has a token of one of the issuers is let in, with the scope that a route needs.
fn app(resource: &str, verifiers: &[JwtVerifier]) -> Result<(Router, AuthLayer), ConfigError> {
    let revoked = MemoryStore::new();
    let named = ProtectedResource::builder(resource).scopes(["read:orders", "end:sessions"]);
    let resource = verifiers.iter().fold(named, |all, one| all.authorization_server(one.issuer())).build()?;
    let auth = verifiers
        .iter()
        .fold(AuthLayer::builder(), |all, one| all.jwt(one.clone()))
        .revocations(revoked.clone())
        .protected_resource(&resource)
        .realm("orders")
        .build()?;
    let api = Router::new()
        .route("/orders", get(orders).layer(ScopeLayer::all(["read:orders"])?))
        .route("/subjects/{subject}/tokens", delete(end_sessions).layer(ScopeLayer::all(["end:sessions"])?))
        .with_state(revoked.clone())
        .layer(ServiceBuilder::new().layer(auth.clone()));
    // What follows is public: whoever asks for it has no token yet, or brings one of another kind.
    let mut app = api.route("/health", get(health).with_state(auth.clone())).merge(resource.router());
    for (number, verifier) in verifiers.iter().enumerate() {
        let logout = BackChannelLogout::builder(verifier.clone(), CLIENT, revoked.clone()).build()?;
        app = app.route(&format!("/backchannel-logout/{number}"), logout.route());
    }
    Ok((app, auth))
}

async fn orders(caller: Principal, employee: Claims<Employee>) -> String {
    let department = employee.department.as_deref().unwrap_or("nowhere");
    format!("the orders of {} at {}, in {department}\n", caller.subject(), caller.issuer().unwrap_or_default())
}

/// Somebody's laptop was stolen: nothing that was issued to them until now is good any more. An
/// administrator ends sessions at its own issuer only.
async fn end_sessions(
    State(revoked): State<MemoryStore>,
    Extension(context): Extension<Arc<RequestContext>>,
    administrator: Principal,
    Path(subject): Path<String>,
) -> Result<StatusCode, Rejection> {
    let issuer = administrator.issuer().ok_or(RejectionKind::Forbidden)?;
    let now = context.now().wall;
    // `iat` has whole seconds: what was issued in this one ends, too.
    let before = now.saturating_add(Duration::from_secs(1));
    let revocation = Revocation::subject(issuer, &subject, before, now.saturating_add(LIFETIME));
    revoked.revoke(revocation, now).await.map_err(Rejection::backend)?;
    Ok(StatusCode::NO_CONTENT)
}

/// For the orchestrator: not ready while the tokens of an issuer cannot be verified. That the last
/// fetch failed is told, and no reason to take the service away: known keys go on working.
async fn health(State(auth): State<AuthLayer>) -> (StatusCode, Json<Value>) {
    let health = auth.health();
    let status = if health.is_usable() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let issuers = health.issuers.iter().map(|issuer| {
        let keys = &issuer.keys;
        let row = json!({
            "usable": keys.usable,
            "keys": keys.keys,
            "age_seconds": keys.age.map(|age| age.as_secs()),
            "last_fetch": if keys.last_error.is_some() { "failed" } else { "ok" },
        });
        (issuer.issuer.clone(), row)
    });
    (status, Json(json!(issuers.collect::<BTreeMap<_, _>>())))
}

/// Two issuers in this process: a company, found by discovery, and a partner, by the URL of its keys.
struct Demo {
    company: TestIssuer,
    partner: TestIssuer,
    partner_keys: portcullis::testing::TestServer,
}

impl Demo {
    /// `audience` is the service, as tokens name it.
    async fn start(audience: &str) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        // Discovery: the metadata lie under the issuer's own URL.
        let company = TestIssuer::new(format!("http://{}", listener.local_addr()?)).audience(audience);
        let metadata = company.jwks_router();
        tokio::spawn(async move { axum::serve(listener, metadata).await });
        let partner = TestIssuer::new("https://id.partner.example").audience(audience);
        let partner_keys = partner.serve().await?;
        Ok(Self { company, partner, partner_keys })
    }

    fn verifiers(&self, audience: &str) -> Result<Vec<JwtVerifier>, ConfigError> {
        let company = Issuer::new(self.company.url()).audience(audience).discover().build()?;
        let partner = Issuer::new(self.partner.url()).audience(audience);
        Ok(vec![company, partner.jwks_url(self.partner_keys.jwks_url()).build()?])
    }

    fn employee(&self) -> String {
        let token = self.company.token("usr_1").claim("department", "legal").claim("sid", "session-1");
        token.scopes(["read:orders"]).sign()
    }

    /// What the company posts when the employee has logged out.
    fn logout(&self) -> String {
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        let word = self.company.token("usr_1").typ("logout+jwt").audience(CLIENT);
        word.claim("events", events).claim("sid", "session-1").sign()
    }

    fn announce(&self, url: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        let (employee, logout) = (self.employee(), self.logout());
        let partner = self.partner.token("usr_7").scopes(["read:orders"]).sign();
        let administrator = self.partner.token("usr_8").scopes(["end:sessions"]).sign();
        writeln!(out, "curl -i {url}/orders   # 401, which says where the metadata are")?;
        writeln!(out, "curl -i {url}/.well-known/oauth-protected-resource")?;
        writeln!(out, "curl -i {url}/orders -H 'Authorization: Bearer {employee}'")?;
        writeln!(out, "curl -i {url}/backchannel-logout/0 -d 'logout_token={logout}'   # now the same is 401")?;
        writeln!(out, "curl -i {url}/orders -H 'Authorization: Bearer {partner}'")?;
        writeln!(
            out,
            "curl -i -X DELETE {url}/subjects/usr_7/tokens -H 'Authorization: Bearer {administrator}'   # and this"
        )
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::{HeaderMap, Method, Request};
    use tower::ServiceExt as _;

    use super::*;

    const URL: &str = "http://127.0.0.1:3000";

    async fn service() -> (Demo, Router, AuthLayer) {
        let demo = Demo::start(URL).await.unwrap();
        let (app, auth) = app(URL, &demo.verifiers(URL).unwrap()).unwrap();
        auth.warm_up().await.unwrap();
        (demo, app, auth)
    }

    async fn ask(app: &Router, method: Method, path: &str, token: &str, body: &str) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn orders_of(app: &Router, token: &str) -> (u16, String) {
        let (status, _, body) = ask(app, Method::GET, "/orders", token, "").await;
        (status, body)
    }

    #[tokio::test]
    async fn each_issuers_tokens_are_taken_and_nobody_elses() {
        let (demo, app, auth) = service().await;
        let (status, body) = orders_of(&app, &demo.employee()).await;
        assert_eq!((status, body.contains("usr_1") && body.contains("legal")), (200, true));
        let partner = demo.partner.token("usr_7").scopes(["read:orders"]);
        assert_eq!(orders_of(&app, &partner.sign()).await.0, 200);
        let forged = demo.company.token("usr_1").scopes(["read:orders"]).signed_by(&demo.partner);
        assert_eq!(orders_of(&app, &forged.sign()).await.0, 401);
        assert_eq!(orders_of(&app, &demo.company.token("usr_1").sign()).await.0, 403);
        let misshapen = demo.company.token("usr_1").scopes(["read:orders"]).claim("department", 7);
        assert_eq!(orders_of(&app, &misshapen.sign()).await.0, 401);
        // A new key is found while the request waits.
        demo.company.rotate();
        assert_eq!(orders_of(&app, &demo.employee()).await.0, 200);
        assert_eq!(auth.health().issuers.len(), 2);
    }

    #[tokio::test]
    async fn a_client_without_a_token_finds_the_issuers() {
        let (demo, app, _) = service().await;
        let (status, headers, _) = ask(&app, Method::GET, "/orders", "", "").await;
        let challenge = headers["www-authenticate"].to_str().unwrap();
        let place = challenge.split("resource_metadata=\"").nth(1).unwrap().trim_end_matches('"');
        assert_eq!((status, place.strip_prefix(URL)), (401, Some("/.well-known/oauth-protected-resource")));
        let (status, _, document) = ask(&app, Method::GET, place.strip_prefix(URL).unwrap(), "", "").await;
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!((status, &document["resource"]), (200, &json!(URL)));
        assert_eq!(document["authorization_servers"], json!([demo.company.url(), demo.partner.url()]));
    }

    #[tokio::test]
    async fn a_logout_at_the_issuer_ends_the_session_here() {
        let (demo, app, _) = service().await;
        let token = demo.employee();
        assert_eq!(orders_of(&app, &token).await.0, 200);
        let logout = format!("logout_token={}", demo.logout());
        // Of the two routes only the company's takes the company's word.
        assert_eq!(ask(&app, Method::POST, "/backchannel-logout/1", "", &logout).await.0, 400);
        assert_eq!(orders_of(&app, &token).await.0, 200);
        assert_eq!(ask(&app, Method::POST, "/backchannel-logout/0", "", &logout).await.0, 200);
        assert_eq!(orders_of(&app, &token).await.0, 401);
    }

    #[tokio::test]
    async fn an_administrator_ends_what_its_own_issuer_has_issued() {
        let (demo, app, _) = service().await;
        let token = demo.employee();
        let path = "/subjects/usr_1/tokens";
        let of = |issuer: &TestIssuer| issuer.token("root").scopes(["end:sessions"]).sign();
        assert_eq!(ask(&app, Method::DELETE, path, &token, "").await.0, 403);
        // The partner's usr_1 is somebody else.
        assert_eq!(ask(&app, Method::DELETE, path, &of(&demo.partner), "").await.0, 204);
        assert_eq!(orders_of(&app, &token).await.0, 200);
        assert_eq!(ask(&app, Method::DELETE, path, &of(&demo.company), "").await.0, 204);
        assert_eq!(orders_of(&app, &token).await.0, 401);
    }

    #[tokio::test]
    async fn the_health_endpoint_says_whose_tokens_cannot_be_verified() {
        let (demo, app, _) = service().await;
        let (status, _, body) = ask(&app, Method::GET, "/health", "", "").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body[demo.company.url()]["usable"]), (200, &json!(true)));

        let nobody = Issuer::new("https://nobody.example").audience(URL).jwks_url("http://127.0.0.1:9/jwks");
        let (app, auth) = super::app(URL, &[nobody.build().unwrap()]).unwrap();
        auth.warm_up().await.unwrap_err();
        let (status, _, body) = ask(&app, Method::GET, "/health", "", "").await;
        assert_eq!((status, body.contains("failed")), (503, true));
        // Whose token it is, nobody can tell: that is no verdict on the caller.
        assert_eq!(orders_of(&app, &demo.employee()).await.0, 503);
    }
}

use std::sync::Arc;

use http::{HeaderValue, Request};
use serde_json::{Map, Value, json};

use crate::{
    gate::{Entry, Gate, GateLayer, VerdictCounts, layer_of_gate},
    identity::{AuthMethod, Principal, PrincipalParts, Scopes},
    request::{Place, RequestContext},
    secret::Fingerprint,
    time::Timestamp,
};

/// A caller with this subject, of whom nothing else is known yet.
///
/// ```
/// use portcullis::testing::principal;
///
/// let caller = principal("usr_1").scopes(["read:orders"]).roles(["customer"]).tenant("t1").plan("pro").build();
/// assert!(caller.scopes().satisfies("read:orders:own"));
/// assert_eq!(caller.tenant(), Some("t1"));
/// ```
pub fn principal(subject: impl Into<String>) -> PrincipalBuilder {
    let subject = subject.into();
    let mut claims = Map::new();
    claims.insert("sub".into(), Value::String(subject.clone()));
    let parts = PrincipalParts {
        subject: subject.into(),
        method: Some(AuthMethod::Jwt),
        credential_id: Some("test-credential".into()),
        fingerprint: Some(Fingerprint::ZERO),
        ..PrincipalParts::default()
    };
    PrincipalBuilder { parts, scopes: Vec::new(), claims }
}

/// Makes a [`Principal`]; see [`principal`].
#[derive(Clone)]
#[must_use]
pub struct PrincipalBuilder {
    parts: PrincipalParts,
    scopes: Vec<String>,
    claims: Map<String, Value>,
}

impl PrincipalBuilder {
    fn noting(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.into(), value.into());
        self
    }

    /// The scopes, in place of those before. `read:*` is a wildcard here, as in API-key records.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        let text = self.scopes.join(" ");
        self.noting("scope", text)
    }

    /// The roles, in place of those before.
    pub fn roles<S: Into<String>>(mut self, roles: impl IntoIterator<Item = S>) -> Self {
        let roles: Vec<String> = roles.into_iter().map(Into::into).collect();
        self.parts.roles = roles.iter().map(|role| role.as_str().into()).collect();
        self.noting("roles", roles)
    }

    /// The issuer.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        self.parts.issuer = Some(issuer.as_str().into());
        self.noting("iss", issuer)
    }

    /// The tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        let tenant = tenant.into();
        self.parts.tenant = Some(tenant.as_str().into());
        self.noting("tenant_id", tenant)
    }

    /// The plan.
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        let plan = plan.into();
        self.parts.plan = Some(plan.as_str().into());
        self.noting("subscription_tier", plan)
    }

    /// The OAuth client.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        let client = client.into();
        self.parts.client = Some(client.as_str().into());
        self.noting("client_id", client)
    }

    /// The e-mail address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        let email = email.into();
        self.parts.email = Some(email.as_str().into());
        self.noting("email", email)
    }

    /// How the caller proved who it is. Default: a token.
    pub fn method(mut self, method: AuthMethod) -> Self {
        self.parts.method = Some(method);
        self
    }

    /// The token's `jti` or the API key's id. Default `test-credential`.
    pub fn credential_id(mut self, id: impl Into<String>) -> Self {
        self.parts.credential_id = Some(id.into().into());
        self
    }

    /// When the credential ends. Default: never.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.parts.expires_at = Some(at);
        self.noting("exp", json!(at.as_secs()))
    }

    /// How strongly the caller was authenticated (`acr`).
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        let acr = acr.into();
        self.parts.acr = Some(acr.as_str().into());
        self.noting("acr", acr)
    }

    /// By which methods the caller was authenticated (`amr`), in place of those before.
    pub fn amr<S: Into<String>>(mut self, methods: impl IntoIterator<Item = S>) -> Self {
        let methods: Vec<String> = methods.into_iter().map(Into::into).collect();
        self.parts.amr = methods.iter().map(|method| method.as_str().into()).collect();
        self.noting("amr", methods)
    }

    /// When the caller was last authenticated in person (`auth_time`).
    pub fn auth_time(mut self, at: Timestamp) -> Self {
        self.parts.auth_time = Some(at);
        self.noting("auth_time", json!(at.as_secs()))
    }

    /// Any other claim, for [`Principal::claims`].
    pub fn claim(self, name: &str, value: impl Into<Value>) -> Self {
        self.noting(name, value)
    }

    /// The principal.
    ///
    /// # Panics
    /// If a scope is not one: the test is wrong.
    #[expect(clippy::expect_used, reason = "only tests call this, and a wrong test should say where")]
    pub fn build(mut self) -> Principal {
        let scopes = Scopes::from_own_data(self.scopes.iter().map(String::as_str));
        self.parts.scopes = scopes.expect("scopes of a test principal");
        self.parts.claims = Value::Object(self.claims).to_string();
        Principal::new(self.parts)
    }
}

impl std::fmt::Debug for PrincipalBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrincipalBuilder").field("claims", &self.claims).finish_non_exhaustive()
    }
}

/// A layer that says of every request that `principal` sent it. See the [module](super).
pub fn with_principal(principal: Principal) -> PrincipalLayer {
    PrincipalLayer { gate: GateLayer::new(PrincipalGate { principal: Some(principal) }) }
}

/// A layer that says of every request that nobody known sent it: a handler that takes a
/// [`Principal`] answers 401 with a `Bearer` challenge, one that takes `Option<Principal>` gets `None`.
pub fn anonymous() -> PrincipalLayer {
    PrincipalLayer { gate: GateLayer::new(PrincipalGate { principal: None }) }
}

/// Stands where `AuthLayer` would; see [`with_principal`].
#[derive(Clone, Debug)]
pub struct PrincipalLayer {
    gate: GateLayer<PrincipalGate>,
}

impl PrincipalLayer {
    /// How many requests passed.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(PrincipalLayer => PrincipalGate, |layer| layer.gate.clone());

/// The gate of [`PrincipalLayer`].
#[derive(Debug)]
pub struct PrincipalGate {
    principal: Option<Principal>,
}

impl<B> Gate<B> for PrincipalGate {
    const NAME: &'static str = "test_principal";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        if let Some(principal) = &self.principal {
            context.set_principal(principal.clone());
        } else {
            let challenges: Arc<[HeaderValue]> = Arc::new([HeaderValue::from_static("Bearer realm=\"test\"")]);
            context.set_challenges(&challenges);
        }
        Entry::Pass(())
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    async fn status(layer: PrincipalLayer) -> StatusCode {
        let strict = |caller: Principal| async move { caller.subject().to_owned() };
        let app: Router = Router::new().route("/", get(strict)).layer(layer.clone());
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status() == StatusCode::UNAUTHORIZED, response.headers().contains_key("www-authenticate"));
        response.status()
    }

    #[tokio::test]
    async fn a_handler_sees_the_caller() {
        assert_eq!(status(with_principal(principal("usr_1").build())).await, StatusCode::OK);
        assert_eq!(status(anonymous()).await, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn anonymous_is_none_where_it_is_asked_for() {
        let lax = |caller: Option<Principal>| async move { caller.is_none().to_string() };
        let app: Router = Router::new().route("/", get(lax)).layer(anonymous());
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn claims_agree_with_the_fields() {
        let caller = principal("usr_1")
            .scopes(["read:a", "write:a"])
            .roles(["clerk"])
            .tenant("t")
            .plan("pro")
            .email("a@example.com")
            .claim("department", "legal")
            .build();
        let claims: Value = caller.claims().unwrap();
        assert_eq!(
            claims,
            json!({"sub": "usr_1", "scope": "read:a write:a", "roles": ["clerk"], "tenant_id": "t",
                "subscription_tier": "pro", "email": "a@example.com", "department": "legal"})
        );
        assert_eq!(caller.roles().collect::<Vec<_>>(), ["clerk"]);
    }
}

use std::sync::Arc;

use axum::{Router, routing::get};
use http::{HeaderValue, Uri, header};
use serde_json::{Map, Value, json};

use crate::config_error::{ConfigError, ConfigIssues};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What this service is called and which authorization servers it trusts, as a document that
/// clients find by themselves (RFC 9728).
///
/// The application mounts [`router`](Self::router) outside its `AuthLayer`, for the document is
/// public, and names the document in the layer's challenges with
/// [`protected_resource`](super::AuthLayerBuilder::protected_resource).
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use portcullis::{auth::{AuthLayer, ProtectedResource, jwt::{Issuer, StaticKeys}}, secret::Secret};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let resource = ProtectedResource::builder("https://api.example.com/orders")
///     .authorization_server("https://id.example.com")
///     .scopes(["read:orders", "write:orders"])
///     .build()?;
/// let tokens = Issuer::new("https://id.example.com")
///     .audience("https://api.example.com/orders")
///     .keys(StaticKeys::new().secret(Secret::new("a secret of the service, 32 bytes at least")))
///     .build()?;
/// let auth = AuthLayer::builder().jwt(tokens).protected_resource(&resource).build()?;
/// let app = Router::new().route("/orders", get(|| async { "orders" })).layer(auth).merge(resource.router());
///
/// let refused = app.clone().oneshot(Request::get("/orders").body(Body::empty())?).await?;
/// assert_eq!(
///     refused.headers()["www-authenticate"],
///     "Bearer realm=\"api\", \
///      resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource/orders\"",
/// );
///
/// let document = Request::get("/.well-known/oauth-protected-resource/orders").body(Body::empty())?;
/// let document = axum::body::to_bytes(app.oneshot(document).await?.into_body(), 4096).await?;
/// let document: serde_json::Value = serde_json::from_slice(&document)?;
/// assert_eq!(document["resource"], "https://api.example.com/orders");
/// assert_eq!(document["bearer_methods_supported"][0], "header");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ProtectedResource(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    path: String,
    document: Value,
    json: String,
}

impl ProtectedResource {
    /// A resource with this identifier: the `https` URL of the API, which tokens name as `aud`.
    pub fn builder(resource: impl Into<String>) -> ProtectedResourceBuilder {
        ProtectedResourceBuilder {
            resource: resource.into(),
            servers: Vec::new(),
            scopes: Vec::new(),
            other: Map::new(),
        }
    }

    /// Where clients look for the document (RFC 9728 §3.1): the well-known name stands between host
    /// and path of the resource.
    pub fn metadata_url(&self) -> &str {
        &self.0.url
    }

    /// The document.
    pub fn document(&self) -> &Value {
        &self.0.document
    }

    /// A router with the one route that serves the document, for an hour of caching.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let inner = Arc::clone(&self.0);
        let answer = move || {
            let json = inner.json.clone();
            async move {
                let headers = [
                    (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                    (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
                ];
                (headers, json)
            }
        };
        Router::new().route(&self.0.path, get(answer))
    }
}

/// Builds a [`ProtectedResource`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ProtectedResourceBuilder {
    resource: String,
    servers: Vec<String>,
    scopes: Vec<String>,
    other: Map<String, Value>,
}

impl ProtectedResourceBuilder {
    /// An authorization server whose tokens are accepted, by its issuer identifier. Call it again
    /// for another.
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        self.servers.push(issuer.into());
        self
    }

    /// The scopes that calls may need (`scopes_supported`): those of a
    /// [`ScopeLayer`](crate::authz::ScopeLayer) or of the application's catalogue.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// A name for people.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.member("resource_name", name.into())
    }

    /// Where developers read about the API.
    pub fn documentation(self, url: impl Into<String>) -> Self {
        self.member("resource_documentation", url.into())
    }

    /// The algorithms of `DPoP` proofs that are accepted, in JOSE's names (RFC 9449).
    pub fn dpop_algorithms<T: Into<String>>(self, algorithms: impl IntoIterator<Item = T>) -> Self {
        let algorithms: Vec<String> = algorithms.into_iter().map(Into::into).collect();
        self.member("dpop_signing_alg_values_supported", algorithms)
    }

    /// Says that only `DPoP`-bound tokens are accepted.
    pub fn dpop_required(self) -> Self {
        self.member("dpop_bound_access_tokens_required", true)
    }

    /// Says that certificate-bound tokens (RFC 8705) are checked.
    pub fn certificate_bound_tokens(self) -> Self {
        self.member("tls_client_certificate_bound_access_tokens", true)
    }

    /// The types of `authorization_details` (RFC 9396) that are understood.
    pub fn authorization_details_types<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        let types: Vec<String> = types.into_iter().map(Into::into).collect();
        self.member("authorization_details_types_supported", types)
    }

    /// Any other member that RFC 9728 §2 or an extension defines.
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.other.insert(name.into(), value.into());
        self
    }

    /// The resource.
    ///
    /// # Errors
    /// If the resource, or an authorization server, is not an `https` URL (or `http` on the
    /// loopback interface) without fragment, there is no authorization server, or a member is set
    /// that the builder sets itself.
    pub fn build(self) -> Result<ProtectedResource, ConfigError> {
        let mut issues = ConfigIssues::new();
        let place = check_url("resource", &self.resource, &mut issues);
        if self.servers.is_empty() {
            issues.add("authorization_server", "there is none", "name the issuer whose tokens are accepted");
        }
        for server in &self.servers {
            check_url("authorization_server", server, &mut issues);
        }
        let own = json!({
            "resource": self.resource,
            "authorization_servers": self.servers,
            "scopes_supported": self.scopes,
            "bearer_methods_supported": ["header"],
        });
        let mut document = match own {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        if self.scopes.is_empty() {
            document.remove("scopes_supported");
        }
        for (name, value) in self.other {
            if ["resource", "authorization_servers", "scopes_supported", "bearer_methods_supported"].contains(&&*name) {
                issues.add("member", format!("{name} is set by the builder"), "use the setter of that name");
            } else {
                document.insert(name, value);
            }
        }
        let (origin, path) = place.unwrap_or_default();
        let document = Value::Object(document);
        issues.finish(ProtectedResource(Arc::new(Inner {
            url: format!("{origin}{path}"),
            path: path.split_once('?').map_or(&*path, |(path, _)| path).to_owned(),
            json: document.to_string(),
            document,
        })))
    }
}

/// Origin and well-known path of an acceptable identifier.
fn check_url(field: &'static str, text: &str, issues: &mut ConfigIssues) -> Option<(String, String)> {
    const CURE: &str = "use an https:// URL without a fragment, or http:// with 127.0.0.1, [::1] or localhost";
    let mut refuse = |reason: &'static str| {
        issues.add(field, reason, CURE);
        None
    };
    if text.contains('#') {
        return refuse("it has a fragment (RFC 9728 §1.2)");
    }
    let Ok(uri) = text.parse::<Uri>() else { return refuse("it is not a URL") };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refuse("it is not an absolute URL");
    };
    if authority.as_str().contains(['@', '"', '\\']) {
        return refuse("it has a user name or a character that no host has");
    }
    let loopback = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
    if scheme != "https" && !(scheme == "http" && loopback) {
        return refuse("it is not an https URL");
    }
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    if path.contains(['"', '\\', '{', '}']) {
        return refuse("its path has a character that must be percent-encoded");
    }
    let path = if path == "/" { "" } else { path };
    Some((format!("{scheme}://{authority}"), format!("{WELL_KNOWN}{path}")))
}

//! Customers manage their own API keys: issue, list, rotate, revoke.
//!
//! `cargo run --example api_keys`, then the lines that it prints. The keys live as long as the process;
//! a service that keeps them takes `portcullis::backend::sql::SqlStore` in place of the `MemoryStore`
//! (feature `sqlite` or `postgres`), and a pepper from its configuration in place of the ephemeral one.

use std::{error::Error, io::Write as _, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{delete, get, post},
};
use portcullis::{
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyError, ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    config_error::ConfigError,
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    time::Timestamp,
};
use serde_json::{Value, json};
use tower::ServiceBuilder;

/// A week in which the old key and the new one both work.
const OVERLAP: Duration = Duration::from_secs(7 * 24 * 3_600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let keys = ApiKeys::new(MemoryStore::new(), ApiKeyFormat::new("demo", "live")?, KeyHasher::ephemeral());
    let first = keys.issue(ApiKeyRecord::builder("usr_1").scopes(["admin:keys", "read:me"])).await?;
    let writing = keys.spawn_flush();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let key = String::from_utf8_lossy(first.secret.expose()).into_owned();
    writeln!(std::io::stdout(), "curl -i {url}/me -H 'X-API-Key: {key}'")?;
    writeln!(std::io::stdout(), "curl -i -X POST {url}/keys -H 'X-API-Key: {key}'")?;
    writeln!(std::io::stdout(), "curl -i -X POST {url}/keys/{}/rotation -H 'X-API-Key: {key}'", first.record.id())?;
    axum::serve(listener, app(&keys)?).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    writing.shutdown().await;
    Ok(())
}

/// Everybody is asked for a key; who manages keys needs a scope for that.
fn app(keys: &ApiKeys) -> Result<Router, ConfigError> {
    let manage = Router::new()
        .route("/keys", get(list).post(issue))
        .route("/keys/{id}", delete(revoke))
        .route("/keys/{id}/rotation", post(rotate))
        .with_state(keys.clone())
        .layer(ScopeLayer::all(["admin:keys"])?);
    let auth = AuthLayer::builder().api_keys(keys).realm("demo").build()?;
    Ok(Router::new().route("/me", get(me)).merge(manage).layer(ServiceBuilder::new().layer(auth)))
}

async fn me(caller: Principal) -> String {
    caller.subject().to_owned()
}

/// A key that reads, for the caller's scripts.
async fn issue(State(keys): State<ApiKeys>, caller: Principal) -> Result<Json<Value>, Rejection> {
    let key = keys.issue(ApiKeyRecord::builder(caller.subject()).read_only()).await.map_err(refusal)?;
    Ok(shown_once(&key))
}

async fn list(State(keys): State<ApiKeys>, caller: Principal) -> Result<Json<Value>, Rejection> {
    let records = keys.list(caller.subject()).await.map_err(refusal)?;
    let records = records.iter().map(|key| {
        json!({
            "id": key.id(),
            "scopes": key.scopes().iter().collect::<Vec<_>>(),
            "created_at": key.created_at().map(Timestamp::to_rfc3339),
            "expires_at": key.expires_at().map(Timestamp::to_rfc3339),
            "last_used_at": key.last_used_at().map(Timestamp::to_rfc3339),
            "revoked": key.revoked_at().is_some(),
        })
    });
    Ok(Json(records.collect()))
}

async fn rotate(
    State(keys): State<ApiKeys>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Rejection> {
    own(&keys, &caller, &id).await?;
    Ok(shown_once(&keys.rotate(&id, OVERLAP).await.map_err(refusal)?))
}

async fn revoke(State(keys): State<ApiKeys>, caller: Principal, Path(id): Path<String>) -> Result<(), Rejection> {
    own(&keys, &caller, &id).await?;
    keys.revoke(&id, "its owner asked for it").await.map_err(refusal)?;
    Ok(())
}

/// Somebody else's key is not there.
async fn own(keys: &ApiKeys, caller: &Principal, id: &str) -> Result<(), Rejection> {
    let found = keys.find(id).await.map_err(refusal)?;
    if found.is_some_and(|key| key.owner() == caller.subject()) { Ok(()) } else { Err(RejectionKind::NotFound.into()) }
}

/// The one time that the key is seen.
fn shown_once(key: &ApiKey) -> Json<Value> {
    Json(json!({ "id": key.record.id(), "key": String::from_utf8_lossy(key.secret.expose()) }))
}

fn refusal(error: ApiKeyError) -> Rejection {
    match error {
        ApiKeyError::Unknown => RejectionKind::NotFound.into(),
        ApiKeyError::NotInForce => RejectionKind::Conflict.into(),
        ApiKeyError::Store(error) => Rejection::backend(error),
        error => Rejection::new(RejectionKind::InternalError).with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::{Method, Request, StatusCode};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(app: &Router, method: Method, path: &str, key: &str) -> (StatusCode, bool, Value) {
        let request = Request::builder().method(method).uri(path).header("x-api-key", key).body(Body::empty());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        let (status, ends) = (response.status(), response.headers().contains_key("sunset"));
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, ends, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_customer_manages_its_own_keys_and_nobody_elses() {
        let keys = ApiKeys::new(MemoryStore::new(), ApiKeyFormat::new("demo", "live").unwrap(), KeyHasher::ephemeral());
        let app = app(&keys).unwrap();
        let admin = async |owner: &str| {
            let key = keys.issue(ApiKeyRecord::builder(owner).scopes(["admin:keys"])).await.unwrap();
            (key.record.id().to_owned(), String::from_utf8(key.secret.expose().to_vec()).unwrap())
        };
        let ((_, one), (other_id, other)) = (admin("usr_1").await, admin("usr_2").await);
        let (status, _, issued) = ask(&app, Method::POST, "/keys", &one).await;
        assert_eq!(status, StatusCode::OK);
        let (id, key) = (issued["id"].as_str().unwrap(), issued["key"].as_str().unwrap());
        assert_eq!(ask(&app, Method::GET, "/me", key).await.0, StatusCode::OK);
        // It reads, and manages nothing.
        assert_eq!(ask(&app, Method::POST, "/keys", key).await.0, StatusCode::FORBIDDEN);
        // Somebody else's key is not there.
        for path in [format!("/keys/{other_id}"), "/keys/nobodynobody".to_owned()] {
            assert_eq!(ask(&app, Method::DELETE, &path, &one).await.0, StatusCode::NOT_FOUND);
        }
        let rotation = format!("/keys/{id}/rotation");
        let (status, _, new) = ask(&app, Method::POST, &rotation, &one).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(ask(&app, Method::POST, &rotation, &one).await.0, StatusCode::CONFLICT);
        assert!(ask(&app, Method::GET, "/me", key).await.1, "the old key is told its end");
        assert!(!ask(&app, Method::GET, "/me", new["key"].as_str().unwrap()).await.1);
        assert_eq!(ask(&app, Method::DELETE, &format!("/keys/{id}"), &one).await.0, StatusCode::OK);
        assert_eq!(ask(&app, Method::GET, "/me", key).await.0, StatusCode::UNAUTHORIZED);
        let (_, _, listed) = ask(&app, Method::GET, "/keys", &one).await;
        assert_eq!((listed.as_array().unwrap().len(), listed.to_string().contains(key)), (3, false));
        assert_eq!(ask(&app, Method::GET, "/keys", &other).await.2.as_array().unwrap().len(), 1);
    }
}

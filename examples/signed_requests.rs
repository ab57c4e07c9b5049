//! A service that takes requests signed with AWS Signature Version 4, from anything that can sign so.
//!
//! ```sh
//! cargo run --example signed_requests
//! curl --aws-sigv4 aws:amz:eu-1:orders --user AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY \
//!     --data '{"item":"book"}' http://127.0.0.1:3000/orders
//! ```

use axum::{Router, routing::post};
use portcullis::{
    auth::{
        AuthLayer,
        signed::{SigV4, SigningKey},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    identity::Principal,
    secret::Secret,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

async fn order(caller: Principal, body: String) -> String {
    format!("{} orders {body}\n", caller.subject())
}

/// The service: its keys would lie in a store of your own.
fn app(keys: MemoryStore) -> Result<Router, Box<dyn std::error::Error>> {
    let signed = SigV4::builder(keys, "eu-1", "orders").build()?;
    let auth = AuthLayer::builder().authenticator(signed).realm("orders").build()?;
    let layers = ServiceBuilder::new().layer(auth).layer(ScopeLayer::all(["write:orders"])?);
    Ok(Router::new().route("/orders", post(order)).layer(layers))
}

fn keys() -> Result<MemoryStore, Box<dyn std::error::Error>> {
    // AWS's example: everybody knows it.
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let key = SigningKey::secret("AKIDEXAMPLE", "svc_billing", secret).scopes(["write:orders"]).build()?;
    let keys = MemoryStore::new();
    keys.insert_signing_key(key)?;
    Ok(keys)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(keys()?)?).await?;
    Ok(())
}

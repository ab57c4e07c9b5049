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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use portcullis::testing::SigV4Signer;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_signed_is_taken_and_nothing_else() {
        let app = app(keys().unwrap()).unwrap();
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let send = async |region: &str, change: fn(&mut Request<Body>)| {
            let request =
                Request::post("/orders").header("host", "127.0.0.1:3000").body("{\"item\":\"book\"}").unwrap();
            let signer = SigV4Signer::new("AKIDEXAMPLE", secret.clone(), region, "orders");
            let mut request = signer.sign(request).map(Body::from);
            change(&mut request);
            app.clone().oneshot(request).await.unwrap().status()
        };
        assert_eq!(send("eu-1", |_| {}).await, StatusCode::OK);
        assert_eq!(send("eu-2", |_| {}).await, StatusCode::UNAUTHORIZED);
        let other = |request: &mut Request<Body>| *request.body_mut() = Body::from("{\"item\":\"gold\"}");
        assert_eq!(send("eu-1", other).await, StatusCode::UNAUTHORIZED);
        let unsigned = |request: &mut Request<Body>| drop(request.headers_mut().remove("authorization"));
        assert_eq!(send("eu-1", unsigned).await, StatusCode::UNAUTHORIZED);
    }
}

use std::sync::Arc;

use super::*;
use crate::{
    auth::signed::{SigV4, SigningKeyStore},
    store::{BoxFuture, StoreError},
    testing::SigV4Signer,
};

/// Answers as it is told.
#[derive(Debug)]
enum Odd {
    Down,
    Silent,
    /// Finds the same key under every id.
    Careless(Arc<SigningKey>),
}

impl SigningKeyStore for Odd {
    fn find<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Option<Arc<SigningKey>>, StoreError>> {
        Box::pin(async move {
            match self {
                Self::Down => Err(StoreError::TimedOut),
                Self::Silent => std::future::pending().await,
                Self::Careless(key) => Ok(Some(Arc::clone(key))),
            }
        })
    }
}

async fn ask(store: Odd, key_id: &str) -> Answer {
    let verifier = SigV4::builder(store, "eu-1", "orders").build().unwrap();
    let app = app(AuthLayer::builder().authenticator(verifier), NOW);
    let request = Request::get("/").header("host", "a").body("").unwrap();
    send(&app, SigV4Signer::new(key_id, SECRET, "eu-1", "orders").at(NOW).sign(request)).await
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_no_verdict() {
    assert!(ask(Odd::Down, KEY_ID).await.is(503, "backend_unavailable"));
    let within = async |millis| {
        let patience = std::time::Duration::from_millis(millis);
        tokio::time::timeout(patience, ask(Odd::Silent, KEY_ID)).await.ok()
    };
    assert!(within(2_999).await.is_none());
    assert!(within(3_001).await.is_some_and(|answer| answer.is(503, "backend_unavailable")));
}

#[tokio::test]
async fn a_careless_store_does_not_make_one_key_of_another() {
    let careless = || Odd::Careless(Arc::new(key().build().unwrap()));
    assert_eq!(ask(careless(), KEY_ID).await.status, 200);
    assert!(ask(careless(), "akidexample").await.is(401, "invalid_signature"));
}

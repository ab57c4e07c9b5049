use super::{
    AuthLayer,
    jwt::{KeySetHealth, KeySourceError},
};

/// How it stands with what an [`AuthLayer`] verifies tokens with: for health endpoints and metrics.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuthHealth {
    /// Each issuer whose tokens are accepted.
    pub issuers: Vec<IssuerHealth>,
}

/// How it stands with one issuer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuerHealth {
    /// Its `iss`.
    pub issuer: String,
    /// Its keys.
    pub keys: KeySetHealth,
    /// How many of its tokens are remembered as verified.
    pub cached_tokens: usize,
}

impl AuthHealth {
    /// Whether the tokens of every issuer can be verified now. A key source that is down does not
    /// matter yet: the keys that are there go on working.
    pub fn is_usable(&self) -> bool {
        self.issuers.iter().all(|issuer| issuer.keys.usable)
    }
}

impl AuthLayer {
    /// Waits until the keys of all issuers are there, so that the first request need not: call it
    /// before the service takes traffic. With static keys there is nothing to wait for.
    ///
    /// ```
    /// use portcullis::{auth::AuthLayer, testing::TestIssuer};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let auth = AuthLayer::builder().jwt(TestIssuer::new("https://issuer.test").verifier()).build()?;
    /// auth.warm_up().await?;
    /// assert!(auth.health().is_usable());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Why the first fetch of an issuer failed: [`health`](Self::health) tells whose. The fetching
    /// goes on in the background all the same.
    pub async fn warm_up(&self) -> Result<(), KeySourceError> {
        let mut result = Ok(());
        // All of them are being fetched since they were built: one after the other is all at once.
        for verifier in self.verifiers() {
            result = result.and(verifier.warm_up().await);
        }
        result
    }

    /// How it stands with the keys of all issuers. Asks nobody.
    pub fn health(&self) -> AuthHealth {
        let issuers = self.verifiers().into_iter().map(|verifier| IssuerHealth {
            issuer: verifier.issuer().to_owned(),
            keys: verifier.key_set_health(),
            cached_tokens: verifier.cached_tokens(),
        });
        AuthHealth { issuers: issuers.collect() }
    }
}

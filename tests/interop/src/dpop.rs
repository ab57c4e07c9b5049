//! Proofs of possession (RFC 9449) that another implementation makes: npm's jose.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A client's key, and how it makes proofs.
#[derive(Clone, Debug)]
pub struct Client {
    algorithm: &'static str,
    key: Value,
    thumbprint: String,
}

#[derive(Serialize)]
struct Job<'a> {
    alg: &'a str,
    key: Option<&'a Value>,
    htm: &'a str,
    htu: &'a str,
    token: Option<&'a str>,
    nonce: Option<&'a str>,
}

#[derive(Deserialize)]
struct Made {
    proof: String,
    key: Value,
    thumbprint: String,
}

impl Client {
    /// One with a new key; `ES256` or `EdDSA`.
    ///
    /// # Panics
    /// If node or the packages are not installed.
    pub fn new(algorithm: &'static str) -> Self {
        let job = Job { alg: algorithm, key: None, htm: "GET", htu: "https://nowhere.test", token: None, nonce: None };
        let made = made(&job);
        Self { algorithm, key: made.key, thumbprint: made.thumbprint }
    }

    /// RFC 7638.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A proof for one request: to the token endpoint without a token, else with it.
    ///
    /// # Panics
    /// If node fails.
    pub fn proof(&self, method: &str, url: &str, token: Option<&str>, nonce: Option<&str>) -> String {
        made(&Job { alg: self.algorithm, key: Some(&self.key), htm: method, htu: url, token, nonce }).proof
    }
}

fn made(job: &Job<'_>) -> Made {
    crate::run("dpop.mjs", std::slice::from_ref(job)).pop().expect("one proof for each job")
}

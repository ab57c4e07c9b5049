//! A real identity provider: npm's oidc-provider, run by `provider.mjs`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde::Deserialize;
use serde_json::Value;

/// A resource whose access tokens are JWTs, signed with RS256. With `/PS256`, `/ES256` or `/EdDSA`
/// after it, with that algorithm.
pub const JWT: &str = "https://api.example.com";
/// A resource whose access tokens are opaque.
pub const OPAQUE: &str = "https://opaque.example.com";

/// A provider on a free port of this machine, which ends with this value.
///
/// Its clients are `machine` (whose tokens name the tenant `acme`), `dpop` and `mtls` (whose tokens
/// are bound), `web` (for users' tokens) and `api` (which may introspect); the secret of each is its
/// name and `-secret-of-at-least-thirty-two-bytes`. The scopes are `read:orders` and `write:orders`.
#[derive(Debug)]
pub struct Provider {
    issuer: String,
    http: reqwest::Client,
    node: Child,
}

/// What a client asks for: a token by its own credentials.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub client: &'a str,
    /// For which resource.
    pub resource: &'a str,
    /// Separated by spaces.
    pub scope: &'a str,
    /// A DPoP proof for the token endpoint.
    pub proof: Option<&'a str>,
    /// The client's certificate, in PEM.
    pub certificate: Option<&'a str>,
    /// RFC 9396; the type is `payment_initiation`.
    pub details: Option<Value>,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self { client: "machine", resource: JWT, scope: "read:orders", proof: None, certificate: None, details: None }
    }
}

/// What the token endpoint said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// The header `DPoP-Nonce`.
    pub nonce: Option<String>,
    /// The response.
    pub body: Value,
}

#[derive(Deserialize)]
struct Ready {
    issuer: String,
}

impl Provider {
    /// # Panics
    /// If node or the packages are not installed, or the provider does not start.
    pub fn start() -> Self {
        let folder = crate::folder_with_packages();
        let mut node = Command::new("node")
            .arg("provider.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("node (20 or later) is needed for these tests: {error}"));
        let mut line = String::new();
        let mut said = BufReader::new(node.stdout.take().expect("it is piped"));
        said.read_line(&mut line).expect("the provider says where it is");
        let ready: Ready = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("`node provider.mjs` in tests/interop does not start: {line:?}: {error}"));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { issuer: ready.issuer, http, node }
    }

    /// The issuer's URL, under which everything else is.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        self.url("/jwks")
    }

    /// `path` at the provider.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The secret of a client.
    pub fn secret(client: &str) -> String {
        format!("{client}-secret-of-at-least-thirty-two-bytes")
    }

    /// An access token.
    ///
    /// # Panics
    /// If the provider refuses.
    pub async fn token(&self, ask: &Ask<'_>) -> String {
        let said = self.ask(ask).await;
        assert_eq!(said.status, 200, "{}", said.body);
        said.body["access_token"].as_str().expect("a token").to_owned()
    }

    /// What the token endpoint says.
    ///
    /// # Panics
    /// If the provider does not answer.
    pub async fn ask(&self, ask: &Ask<'_>) -> Said {
        let mut form = vec![("grant_type", "client_credentials".to_owned()), ("resource", ask.resource.to_owned())];
        form.push(("scope", ask.scope.to_owned()));
        form.extend(ask.details.as_ref().map(|details| ("authorization_details", details.to_string())));
        let mut request = self.http.post(self.url("/token")).form(&form);
        request = request.basic_auth(ask.client, Some(Self::secret(ask.client)));
        if let Some(proof) = ask.proof {
            request = request.header("dpop", proof);
        }
        if let Some(pem) = ask.certificate {
            request = request.header("x-client-cert", pem.replace('+', "%2B").replace('\n', "%0A"));
        }
        let response = request.send().await.expect("the provider answers");
        let status = response.status().as_u16();
        let nonce = response.headers().get("dpop-nonce").and_then(|nonce| Some(nonce.to_str().ok()?.to_owned()));
        Said { status, nonce, body: response.json().await.expect("JSON") }
    }

    /// From now on a new key signs; the old ones stay in the key set. Gives back the ids of all.
    ///
    /// # Panics
    /// If the provider fails.
    pub async fn rotate(&self) -> Vec<String> {
        let said = self.admin("rotate", &[]).await;
        serde_json::from_value(said["kids"].clone()).expect("the ids of the keys")
    }

    /// Takes all keys but the current ones out of the key set.
    ///
    /// # Panics
    /// If the provider fails.
    pub async fn retire(&self) {
        self.admin("retire", &[]).await;
    }

    /// A JWT for a user, of the client `web`, with a session.
    ///
    /// # Panics
    /// If the provider fails.
    pub async fn user_token(&self, subject: &str, session: &str) -> String {
        let said = self.admin("user-token", &[("sub", subject), ("sid", session)]).await;
        said["access_token"].as_str().expect("a token").to_owned()
    }

    /// Has the provider send a logout token to `uri` (OIDC back-channel logout).
    ///
    /// # Panics
    /// If whoever listens there does not answer 200 or 204.
    pub async fn logout(&self, subject: &str, session: &str, uri: &str) {
        self.admin("logout", &[("sub", subject), ("sid", session), ("uri", uri)]).await;
    }

    /// Makes an opaque token invalid.
    ///
    /// # Panics
    /// If the provider refuses.
    pub async fn revoke(&self, client: &str, token: &str) {
        let request = self.http.post(self.url("/token/revocation")).form(&[("token", token)]);
        let response = request.basic_auth(client, Some(Self::secret(client))).send().await;
        assert!(response.is_ok_and(|response| response.status().is_success()), "the token is revoked");
    }

    async fn admin(&self, action: &str, form: &[(&str, &str)]) -> Value {
        let response = self.http.post(self.url(&format!("/admin/{action}"))).form(form).send().await;
        let response = response.expect("the provider answers");
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        assert!(status.is_success(), "{action}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.node.kill());
        drop(self.node.wait());
    }
}

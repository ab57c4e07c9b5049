use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{
    AuthLayer, Authenticator,
    api_key::{ApiKeyFormat, ApiKeyStore, ApiKeyVerifier},
    challenge::Challenges,
    condition::Condition,
    jwt::{Issuers, JwtVerifier},
    layer::{AuthGate, Mode, TokenVerifier},
    typed_claims::TypedClaims,
};
use crate::config_error::{ConfigError, ConfigIssues};

const DEFAULT_REALM: &str = "api";
const MAX_REALM: usize = 128;

/// Builds an [`AuthLayer`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AuthLayerBuilder {
    jwts: Vec<JwtVerifier>,
    tokens: Vec<Arc<dyn TokenVerifier>>,
    keys: Vec<Arc<dyn ApiKeyStore>>,
    key_format: Option<ApiKeyFormat>,
    others: Vec<Arc<dyn Authenticator>>,
    conditions: Vec<Arc<dyn Condition>>,
    mode: Mode,
    realm: Option<String>,
}

impl AuthLayerBuilder {
    /// Accepts JWTs of this issuer as bearer tokens. Call it again for another issuer: each token is
    /// shown to the verifier of the `iss` that it names, and to no other.
    pub fn jwt(mut self, verifier: JwtVerifier) -> Self {
        self.jwts.push(verifier);
        self
    }

    /// Accepts only tokens whose claims have the shape of `T`: others are refused as `invalid_token`
    /// here, rather than by the [`Claims<T>`](crate::identity::Claims) of a handler. API keys,
    /// certificates and signed requests have no claims, and are not asked.
    pub fn typed_claims<T: DeserializeOwned + Send + Sync + 'static>(mut self) -> Self {
        self.conditions.push(Arc::new(TypedClaims::<T>::new()));
        self
    }

    /// Accepts API keys, as `X-API-Key` or as bearer token, whose records lie in `store`.
    pub fn api_keys(mut self, store: impl ApiKeyStore + 'static) -> Self {
        self.keys.push(Arc::new(store));
        self
    }

    /// Accepts only API keys of this brand and environment; others are refused without asking the
    /// store. Default: every brand and environment of which the store has a record.
    pub fn api_key_format(mut self, format: ApiKeyFormat) -> Self {
        self.key_format = Some(format);
        self
    }

    /// Accepts another kind of credential. Call it again for a further one.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.others.push(Arc::new(authenticator));
        self
    }

    /// Demands, beside every credential, a signature of the request as RFC 9421 says: by a key whose
    /// subject is the credential's subject or client, and over the credential (`Authorization`,
    /// `X-API-Key`, `Cookie` and `Sec-WebSocket-Protocol`, where they are sent) as well as method,
    /// target and body. A token that was stolen is then good for
    /// nothing. Call it once.
    #[cfg(feature = "http-signatures")]
    pub fn require_signature(mut self, signatures: super::signed::HttpSignatures) -> Self {
        self.conditions.push(Arc::new(super::signed::message::Proof(signatures)));
        self
    }

    /// Lets callers without any credential through as anonymous. A credential that is there is
    /// verified all the same, and refused if it does not hold. Default: a credential is required.
    pub fn optional(mut self) -> Self {
        self.mode = Mode::Optional;
        self
    }

    /// The realm in the challenges: 1 to 128 printable ASCII characters, no `"` and no `\`.
    /// Default: `api`.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// If there is neither a verifier nor a store, two verifiers of one issuer, two stores, a key format
    /// without a store, or an unusable realm.
    pub fn build(mut self) -> Result<AuthLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        if let Some(issuers) = Issuers::new(std::mem::take(&mut self.jwts), &mut issues) {
            self.tokens.push(Arc::new(issuers));
        }
        let (tokens, keys) = (self.tokens.pop(), self.keys.pop());
        if !self.tokens.is_empty() {
            issues.add("jwt", "there are two verifiers, and only one would be asked", "call jwt(…) once");
        }
        if !self.keys.is_empty() {
            issues.add("api_keys", "there are two stores, and only one would be asked", "call api_keys(…) once");
        }
        if tokens.is_none() && keys.is_none() && self.others.is_empty() {
            issues.add("jwt", "no kind of credential is accepted", "call jwt(…), api_keys(…) or authenticator(…)");
        }
        if self.key_format.is_some() && keys.is_none() {
            issues.add("api_key_format", "no API keys are accepted", "call api_keys(…), or drop the format");
        }
        let realm = self.realm.as_deref().unwrap_or(DEFAULT_REALM);
        if realm.is_empty() || realm.len() > MAX_REALM || !realm.bytes().all(is_quotable) {
            issues.add(
                "realm",
                "a realm is 1 to 128 printable ASCII characters without \" and \\",
                "use a short name such as \"api\"",
            );
        }
        let challenges = if issues.is_empty() { realm } else { DEFAULT_REALM };
        let others = self.others.iter().filter_map(|other| other.challenge(challenges)).collect();
        let challenges = Challenges::new(challenges, keys.is_some(), others);
        let format = self.key_format;
        let api_keys = keys.map(|store| ApiKeyVerifier::new(store, format));
        let (others, conditions) = (self.others, self.conditions);
        issues.finish(AuthLayer::new(AuthGate { tokens, api_keys, others, conditions, mode: self.mode, challenges }))
    }

    #[cfg(test)]
    pub(super) fn tokens(mut self, verifier: impl TokenVerifier) -> Self {
        self.tokens.push(Arc::new(verifier));
        self
    }
}

fn is_quotable(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E) && byte != b'"' && byte != b'\\'
}

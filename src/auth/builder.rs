use std::sync::Arc;

use super::{
    AuthLayer, Authenticator,
    api_key::ApiKeyVerifier,
    challenge::Challenges,
    condition::Condition,
    jwt::JwtVerifier,
    layer::{AuthGate, Mode, TokenVerifier},
};
use crate::config_error::{ConfigError, ConfigIssues};

const DEFAULT_REALM: &str = "api";
const MAX_REALM: usize = 128;

/// Builds an [`AuthLayer`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AuthLayerBuilder {
    tokens: Vec<Arc<dyn TokenVerifier>>,
    keys: Vec<ApiKeyVerifier>,
    others: Vec<Arc<dyn Authenticator>>,
    conditions: Vec<Arc<dyn Condition>>,
    mode: Mode,
    realm: Option<String>,
}

impl AuthLayerBuilder {
    /// Accepts JWTs as bearer tokens. One verifier, of one issuer.
    pub fn jwt(mut self, verifier: JwtVerifier) -> Self {
        self.tokens.push(Arc::new(verifier));
        self
    }

    /// Accepts API keys, as `X-API-Key` or as bearer token: those of an
    /// [`ApiKeys`](super::api_key::ApiKeys), of an [`ApiKeyVerifier`], or of a
    /// [`MemoryStore`](crate::backend::memory::MemoryStore) whose keys die with the process.
    pub fn api_keys(mut self, keys: impl Into<ApiKeyVerifier>) -> Self {
        self.keys.push(keys.into());
        self
    }

    /// Accepts another kind of credential. Call it again for a further one.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.others.push(Arc::new(authenticator));
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
    /// If there is no kind of credential, two verifiers of one kind, or an unusable realm.
    pub fn build(mut self) -> Result<AuthLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let (tokens, keys) = (self.tokens.pop(), self.keys.pop());
        if !self.tokens.is_empty() {
            issues.add("jwt", "there are two verifiers, and only one would be asked", "call jwt(…) once");
        }
        if !self.keys.is_empty() {
            issues.add("api_keys", "there are two verifiers, and only one would be asked", "call api_keys(…) once");
        }
        if tokens.is_none() && keys.is_none() && self.others.is_empty() {
            issues.add("jwt", "no kind of credential is accepted", "call jwt(…), api_keys(…) or authenticator(…)");
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
        let (others, conditions) = (self.others, self.conditions);
        issues.finish(AuthLayer::new(AuthGate {
            tokens,
            api_keys: keys,
            others,
            conditions,
            mode: self.mode,
            challenges,
        }))
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

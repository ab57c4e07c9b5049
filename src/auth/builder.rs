use std::sync::Arc;

use super::{
    AuthLayer, Authenticator,
    api_key::{ApiKeyFormat, ApiKeyStore, ApiKeyVerifier},
    binding::{Binding, Unbound},
    challenge::{Challenges, Offered},
    condition::Condition,
    dpop::Dpop,
    jwt::JwtVerifier,
    layer::{AuthGate, Mode, TokenVerifier},
    mtls::ClientCert,
};
use crate::config_error::{ConfigError, ConfigIssues};

const DEFAULT_REALM: &str = "api";
const MAX_REALM: usize = 128;

/// Builds an [`AuthLayer`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AuthLayerBuilder {
    tokens: Vec<Arc<dyn TokenVerifier>>,
    keys: Vec<Arc<dyn ApiKeyStore>>,
    key_format: Option<ApiKeyFormat>,
    others: Vec<Arc<dyn Authenticator>>,
    conditions: Vec<Arc<dyn Condition>>,
    dpop: Option<Dpop>,
    unbound: Unbound,
    client_cert: ClientCert,
    mode: Mode,
    realm: Option<String>,
}

impl AuthLayerBuilder {
    /// Accepts JWTs as bearer tokens. One verifier, of one issuer.
    pub fn jwt(mut self, verifier: JwtVerifier) -> Self {
        self.tokens.push(Arc::new(verifier));
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

    /// Accepts tokens that are bound to a key (RFC 9449) from who proves to hold it: under the scheme
    /// `DPoP`, with a proof. Without this, and always under the scheme `Bearer`, they are refused.
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Refuses tokens that are bound neither to a `DPoP` key nor to a client certificate: what is
    /// stolen is then of no use to the thief (RFC 9700 §2.2.1). API keys are not concerned.
    pub fn only_bound_tokens(mut self) -> Self {
        self.unbound = Unbound::Refused;
        self
    }

    /// Takes the client's certificate from `Client-Cert` (RFC 9440), if the TCP peer is one of the
    /// trusted proxies; the certificate that such a proxy itself shows is then nobody's. From anyone
    /// else, and without this setting from everybody, `Client-Cert` and `Client-Cert-Chain` are
    /// removed from the request unread. See [`mtls`](super::mtls).
    pub fn client_cert_header(mut self) -> Self {
        self.client_cert = ClientCert::FromTrustedProxies;
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
    /// If there is neither a verifier nor a store, two of one kind, a key format without a store, or an unusable
    /// realm, or an unusable setting of `DPoP`.
    pub fn build(mut self) -> Result<AuthLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
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
        let dpop = self.dpop.and_then(|dpop| issues.take("dpop", dpop.build())).map(Arc::new);
        let algorithms = dpop.as_ref().map(|dpop| dpop.algorithm_list());
        let challenges = Challenges::new(challenges, Offered { dpop: algorithms, api_keys: keys.is_some(), others });
        let format = self.key_format;
        let api_keys = keys.map(|store| ApiKeyVerifier::new(store, format));
        let (others, mut conditions) = (self.others, self.conditions);
        let offers_dpop = dpop.is_some();
        conditions.insert(0, Arc::new(Binding { dpop, unbound: self.unbound }));
        issues.finish(AuthLayer::new(AuthGate {
            tokens,
            api_keys,
            others,
            conditions,
            dpop: offers_dpop,
            client_cert: self.client_cert,
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

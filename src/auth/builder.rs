use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{
    AuthLayer, Authenticator, CookieSource, IdentityHeaders, ProtectedResource,
    api_key::ApiKeyVerifier,
    binding::{Binding, Unbound},
    challenge::{Challenges, Offered},
    condition::Condition,
    dpop::Dpop,
    forward::Forwarding,
    introspection::IntrospectionVerifier,
    jwt::{Issuers, JwtVerifier},
    layer::{AuthGate, Mode, TokenVerifier},
    mtls::ClientCert,
    revocation::RevocationSettings,
    sources::Sources,
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
    opaque: Vec<IntrospectionVerifier>,
    keys: Vec<ApiKeyVerifier>,
    others: Vec<Arc<dyn Authenticator>>,
    conditions: Vec<Arc<dyn Condition>>,
    dpop: Option<Dpop>,
    unbound: Unbound,
    client_cert: ClientCert,
    pub(super) revocation: RevocationSettings,
    mode: Mode,
    sources: Sources,
    forwarding: Forwarding,
    metadata: Option<ProtectedResource>,
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

    /// Accepts opaque tokens, about which the authorization server is asked. One verifier.
    pub fn opaque_tokens(mut self, verifier: IntrospectionVerifier) -> Self {
        self.opaque.push(verifier);
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

    /// Also accepts a token as WebSocket sub-protocol, `Sec-WebSocket-Protocol: bearer, <token>`:
    /// browsers let a page set no other header of the handshake. The handler sees the list without
    /// the token, and `bearer` is chosen if it chooses nothing. The connection outlives the token
    /// unless the handler ends it at [`Principal::expires_at`](crate::identity::Principal::expires_at).
    /// Default: not read.
    pub fn websocket_protocol(mut self) -> Self {
        self.sources.websocket = true;
        self
    }

    /// Also accepts a token in a cookie, where nothing else was sent. Default: cookies are not read.
    pub fn cookie(mut self, cookie: CookieSource) -> Self {
        self.sources.cookie = Some(cookie);
        self
    }

    /// Writes the verified caller into `X-User-ID`, `X-User-Scopes` and `X-User-Tier`. Default: not
    /// written. What a caller sends under these names is removed in any case.
    pub fn identity_headers(mut self, headers: IdentityHeaders) -> Self {
        self.forwarding.identity = Some(headers);
        self
    }

    /// Removes `Authorization`, `X-API-Key` and the cookie of [`cookie`](Self::cookie) from requests
    /// that are let through: who forwards a request does not hand on the credential with it.
    /// Default: they stay, marked sensitive.
    pub fn remove_credentials(mut self) -> Self {
        self.forwarding.remove_credentials = true;
        self
    }

    /// Names the metadata of this resource in every bearer challenge (`resource_metadata`, RFC 9728
    /// §5.1), so that a client finds the authorization server by itself.
    pub fn protected_resource(mut self, resource: &ProtectedResource) -> Self {
        self.metadata = Some(resource.clone());
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
    /// If there is no kind of credential, two verifiers of one issuer or of API keys, an unusable realm, or an
    /// unusable setting of `DPoP`.
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
            issues.add("api_keys", "there are two verifiers, and only one would be asked", "call api_keys(…) once");
        }
        let opaque = self.opaque.pop();
        if !self.opaque.is_empty() {
            issues.add("opaque_tokens", "there are two verifiers, and only one would be asked", "give it once");
        }
        if tokens.is_none() && opaque.is_none() && keys.is_none() && self.others.is_empty() {
            issues.add(
                "jwt",
                "no kind of credential is accepted",
                "call jwt(…), opaque_tokens(…), api_keys(…) or authenticator(…)",
            );
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
        let offered = Offered {
            dpop: dpop.as_ref().map(|dpop| dpop.algorithm_list()),
            api_keys: keys.is_some(),
            others,
            metadata: self.metadata.as_ref().map(|metadata| metadata.metadata_url().to_owned()),
        };
        let challenges = Challenges::new(challenges, offered);
        let sources = Sources { api_keys: keys.is_some(), dpop: dpop.is_some(), ..self.sources };
        let mut conditions = self.conditions;
        conditions.insert(0, Arc::new(Binding { dpop, unbound: self.unbound }));
        conditions.extend(self.revocation.condition(&mut issues));
        issues.finish(AuthLayer::new(AuthGate {
            tokens,
            opaque: opaque.map(|opaque| Arc::new(opaque) as _),
            api_keys: keys,
            others: self.others,
            conditions,
            client_cert: self.client_cert,
            mode: self.mode,
            challenges,
            sources,
            forwarding: self.forwarding,
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

//! What a response says (RFC 7662 §2.2). That the server calls a token active is the beginning: whom
//! it is for, when it holds and what it is bound to is ours to check (§4).

use serde_json::{Map, Value};

use super::IntrospectionError;
use crate::{
    auth::jwt::parts::{Claims, Distinct, Expectations, Fault, object},
    identity::{AuthMethod, PrincipalParts},
    time::Timestamp,
};

/// A real one is a few KiB.
pub(super) const MAX_RESPONSE: usize = 64 * 1024;

/// How responses are judged.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) expected: Expectations,
    /// What counts as the audience of a token whose response names none; `None` refuses it.
    pub(super) audience: Option<Box<str>>,
}

/// Why a token is refused: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the authorization server does not call the token active")]
    Inactive,
    #[error("the token is of a type that is no access token's")]
    Type,
    #[error("the authorization server calls it a DPoP token, and does not say to which key it is bound")]
    Unbound,
    #[error(transparent)]
    Claims(#[from] Fault),
}

impl Judge {
    /// The caller, or why there is none; `Err` if it is no response at all.
    pub(super) fn read(
        &self,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Result<PrincipalParts, Refused>, IntrospectionError> {
        if body.len() > MAX_RESPONSE {
            return Err(IntrospectionError::TooLarge);
        }
        object(body, Distinct).map_err(|_| IntrospectionError::Malformed)?;
        let claims: Map<String, Value> = serde_json::from_slice(body).map_err(|_| IntrospectionError::Malformed)?;
        match claims.get("active") {
            Some(Value::Bool(true)) => Ok(self.judge(claims, now)),
            Some(Value::Bool(false)) => Ok(Err(Refused::Inactive)),
            _ => Err(IntrospectionError::Malformed),
        }
    }

    /// Judged as the claims of a JWT are. What RFC 7662 lets a server leave out, and a JWT must have,
    /// is filled in before: the issuer is who was asked, the subject of a client's own token is the
    /// client, and a token without an end is asked about again soon.
    fn judge(&self, mut claims: Map<String, Value>, now: Timestamp) -> Result<PrincipalParts, Refused> {
        claims.remove("active");
        claims.retain(|_, value| !value.is_null());
        let is_dpop = token_type(&claims)?;
        let names = self.expected.issuer.as_ref();
        claims.entry("iss").or_insert_with(|| names.into());
        if let Some(audience) = &self.audience {
            claims.entry("aud").or_insert_with(|| audience.as_ref().into());
        }
        if !claims.contains_key("sub")
            && let Some(client) = claims.get("client_id").cloned()
        {
            // A user's, then: the client is not the caller, and a username may be another's tomorrow.
            if claims.contains_key("username") {
                return Err(Fault::Claim("sub").into());
            }
            claims.insert("sub".into(), client);
        }
        let has_end = claims.contains_key("exp");
        if !has_end {
            claims.insert("exp".into(), now.as_secs().saturating_add(1).into());
        }
        let text = serde_json::to_string(&claims).unwrap_or_default();
        let parts = Claims::parse(text.as_bytes(), &self.expected.names)?.judge(&self.expected, now)?;
        if is_dpop && parts.confirmation.as_ref().is_none_or(|bound| bound.dpop.is_none()) {
            return Err(Refused::Unbound);
        }
        let expires_at = parts.expires_at.filter(|_| has_end);
        Ok(PrincipalParts { method: Some(AuthMethod::OpaqueToken), expires_at, claims: text, ..parts })
    }
}

/// Whether it is a `DPoP` token; anything but that and `Bearer`, such as a refresh token, is refused.
fn token_type(claims: &Map<String, Value>) -> Result<bool, Refused> {
    match claims.get("token_type") {
        None => Ok(false),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => Ok(false),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("dpop") => Ok(true),
        Some(_) => Err(Refused::Type),
    }
}

//! The house types as axum extractors. What is missing because of wrong wiring is a 500 that names
//! the missing layer in the log, never a silent 401 or 200.

use std::{convert::Infallible, sync::Arc};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{HeaderValue, request::Parts};
use serde::de::DeserializeOwned;

use super::{ClientIp, Place, QuotaStatus, RateLimitStatus, RequestContext, RequestId, VerifiedWebhook};
use crate::{
    identity::{Claims, ClaimsError, Grant, Principal},
    rejection::{Rejection, RejectionKind},
};

impl RequestContext {
    /// The context from a request's parts, for extractors of your own.
    ///
    /// # Errors
    /// `misconfigured` if no portcullis layer stands outside.
    pub fn from_parts(parts: &Parts) -> Result<&Arc<Self>, Rejection> {
        Self::in_extensions(&parts.extensions).ok_or_else(|| {
            Rejection::misconfigured(
                "no portcullis layer stands outside this handler: add the layers to the router that holds it",
            )
        })
    }

    /// The caller, or the rejection of an anonymous one: 401 with the layer's challenges, or 500 if
    /// no `AuthLayer` stands outside.
    pub(crate) fn require_principal(&self) -> Result<&Principal, Rejection> {
        if let Some(principal) = self.principal() {
            return Ok(principal);
        }
        if self.marks() & Place::Auth.bit() == 0 {
            return Err(Rejection::misconfigured(
                "a Principal is needed, but no AuthLayer stands outside: add AuthLayer before (outside) this layer or handler",
            ));
        }
        let rejection = Rejection::new(RejectionKind::MissingCredentials);
        Err(self
            .challenges()
            .iter()
            .fold(rejection, |rejection, challenge| rejection.with_challenge(challenge.clone())))
    }

    /// A token of another shape than the handler needs, told as RFC 6750 §3.1 tells of a bad token.
    pub(crate) fn unfit_claims(&self, error: ClaimsError) -> Rejection {
        let rejection = Rejection::new(RejectionKind::InvalidToken).with_source(error);
        self.challenges().iter().fold(rejection, |rejection, challenge| {
            let named = challenge
                .to_str()
                .ok()
                .filter(|line| line.starts_with("Bearer "))
                .and_then(|line| HeaderValue::try_from(format!("{line}, error=\"invalid_token\"")).ok());
            rejection.with_challenge(named.unwrap_or_else(|| challenge.clone()))
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        RequestContext::from_parts(parts)?.require_principal().cloned()
    }
}

/// `None` is an anonymous caller; a missing `AuthLayer` is still a 500.
impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        match RequestContext::from_parts(parts)?.require_principal() {
            Ok(principal) => Ok(Some(principal.clone())),
            Err(rejection) if rejection.kind() == RejectionKind::MissingCredentials => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static, S: Sync> FromRequestParts<S> for Claims<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let context = RequestContext::from_parts(parts)?;
        Self::of(context.require_principal()?).map_err(|error| context.unfit_claims(error))
    }
}

/// `None` is an anonymous caller; a token of another shape is still a 401, a missing `AuthLayer` a 500.
impl<T: DeserializeOwned + Send + Sync + 'static, S: Sync> OptionalFromRequestParts<S> for Claims<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(claims) => Ok(Some(claims)),
            Err(rejection) if rejection.kind() == RejectionKind::MissingCredentials => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Grant {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let context = RequestContext::from_parts(parts)?;
        context.grants().last().cloned().ok_or_else(|| {
            Rejection::misconfigured(
                "a Grant is needed, but no ScopeLayer stands outside: add ScopeLayer to this route",
            )
        })
    }
}

impl<S: Sync> FromRequestParts<S> for VerifiedWebhook {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        RequestContext::from_parts(parts)?.webhook().cloned().ok_or_else(|| {
            Rejection::misconfigured(
                "a VerifiedWebhook is needed, but no WebhookVerifyLayer stands outside: add it to this route",
            )
        })
    }
}

impl<S: Sync> FromRequestParts<S> for RateLimitStatus {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        RequestContext::from_parts(parts)?.rate_limit().cloned().ok_or_else(|| {
            Rejection::misconfigured(
                "a RateLimitStatus is needed, but no rule of a RateLimitLayer applied to this request",
            )
        })
    }
}

impl<S: Sync> FromRequestParts<S> for QuotaStatus {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        RequestContext::from_parts(parts)?.quota().ok_or_else(|| {
            Rejection::misconfigured("a QuotaStatus is needed, but no QuotaLayer stands outside: add it to this router")
        })
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Ok(RequestContext::from_parts(parts)?.request_id())
    }
}

/// Unknown where no portcullis layer stands outside.
impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(RequestContext::in_extensions(&parts.extensions).map_or(Self::UNKNOWN, |context| context.client_ip()))
    }
}

//! What most applications name: `use portcullis::prelude::*;`.

#[cfg(feature = "graphql")]
pub use crate::graphql::GraphQlLimitLayer;
pub use crate::{
    audit::{Audit, AuditLayer, JsonLines},
    auth::{
        AuthLayer,
        jwt::{Issuer, JwtVerifier, StaticKeys},
    },
    authz::{
        Requirement, RoleMap, ScopeLayer, SecuredRouter,
        object::{Access, Authorized, ListScope, Read, Write},
    },
    backend::memory::MemoryStore,
    config_error::ConfigError,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    identity::{Grant, Principal},
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    rejection::{Rejection, RejectionKind},
    request::{QuotaStatus, RateLimitStatus, RequestId, VerifiedWebhook},
    secret::{Secret, SecretSet},
    stack::Stack,
    versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate, VersionSource},
    webhook::{Provider, WebhookVerifyLayer},
};

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
    blocks::BlockList,
    config_error::ConfigError,
    cors::CorsSecurityLayer,
    headers::{CspNonce, SecurityHeaders, SecurityHeadersLayer},
    identity::{Grant, Principal},
    ip_filter::IpFilterLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    rejection::{Rejection, RejectionKind},
    request::{ClientIp, QuotaStatus, RateLimitStatus, RequestId, TrustedProxies, VerifiedWebhook},
    require_https::RequireHttpsLayer,
    secret::{Secret, SecretSet},
    stack::Stack,
    validate::{RequestValidationLayer, ValidatedJson},
    versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate, VersionSource},
    webhook::{Provider, WebhookVerifyLayer},
};

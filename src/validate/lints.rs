//! What works and is doubtful.

use crate::lint::{Lint, Severity};

pub(super) const BODY_LIMIT_UNBOUNDED: Lint = Lint {
    code: "body-limit-unbounded",
    severity: Severity::High,
    fix: "use 100 MiB or less; large uploads belong on a route of their own that streams them",
    spec: "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
};

pub(super) const ENCODED_SLASHES: Lint = Lint {
    code: "encoded-slashes-allowed",
    severity: Severity::Medium,
    fix: "send ids that hold slashes in the query or the body",
    spec: "https://www.rfc-editor.org/rfc/rfc3986#section-2.2",
};

pub(super) const UNLISTED_ROUTES: Lint = Lint {
    code: "unlisted-routes-pass",
    severity: Severity::Low,
    fix: "call refuse_unlisted(), so that a route that is added and not described is noticed",
    spec: "https://owasp.org/API-Security/editions/2023/en/0xa9-improper-inventory-management/",
};

pub(super) const NO_SCHEMA: Lint = Lint {
    code: "json-without-schema",
    severity: Severity::Info,
    fix: "give the rule a schema, or check in the handler what the members may be",
    spec: "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
};

#[cfg(feature = "json-schema")]
pub(super) use self::schemas::{OPEN_OBJECT, READ_ONLY, UNBOUNDED};

#[cfg(feature = "json-schema")]
mod schemas {
    use super::{Lint, Severity};

    pub(in super::super) const OPEN_OBJECT: Lint = Lint {
        code: "schema-open-object",
        severity: Severity::Medium,
        fix: "add \"additionalProperties\": false, or \"unevaluatedProperties\": false beside allOf",
        spec: "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/",
    };

    pub(in super::super) const UNBOUNDED: Lint = Lint {
        code: "schema-unbounded",
        severity: Severity::Low,
        fix: "add maxLength to strings and maxItems to arrays",
        spec: "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
    };

    pub(in super::super) const READ_ONLY: Lint = Lint {
        code: "schema-read-only-member",
        severity: Severity::Medium,
        fix: "give requests a schema of their own, without the member: readOnly is an annotation, and refuses nothing",
        spec: "https://spec.openapis.org/oas/v3.1.1.html#fixed-fields-and-considerations-by-usage",
    };
}

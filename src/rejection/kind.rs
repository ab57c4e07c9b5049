use http::StatusCode;

/// How grave a rejection is, for logs and audit records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Expected in daily traffic.
    Low,
    /// Worth counting: a rise is a sign of abuse.
    Medium,
    /// Worth looking at: somebody forges, or the service cannot do its work.
    High,
}

/// One row of the table.
struct Row {
    kind: RejectionKind,
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
    advice: &'static str,
    severity: Severity,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident =>
        $status:ident, $code:literal, $severity:ident, $title:literal, $detail:literal, $advice:literal;)*) => {
        /// Why a request was refused. One row each in `docs/problems.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$doc])* $kind,)*
        }

        const TABLE: &[Row] = &[$(Row {
            kind: RejectionKind::$kind,
            status: StatusCode::$status,
            code: $code,
            title: $title,
            detail: $detail,
            advice: $advice,
            severity: Severity::$severity,
        },)*];

        impl RejectionKind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            pub(crate) const COUNT: usize = Self::ALL.len();

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$kind => const { row_of(RejectionKind::$kind) },)*
                }
            }
        }
    };
}

kinds! {
    /// No credential was sent.
    MissingCredentials => UNAUTHORIZED, "missing_credentials", Low,
        "Authentication required", "This resource needs a credential.",
        "Send a credential of one of the schemes named in `WWW-Authenticate`.";
    /// A credential is malformed, or not meant for this service.
    InvalidToken => UNAUTHORIZED, "invalid_token", Medium,
        "Invalid token", "The access token is malformed, or not meant for this service.",
        "Obtain a new token for this service; the same token is refused again.";
    /// The token's `exp` lies in the past.
    TokenExpired => UNAUTHORIZED, "token_expired", Low,
        "Token expired", "The access token has expired.",
        "Refresh the token, then send the request again.";
    /// The token's `nbf` or `iat` lies in the future.
    TokenNotYetValid => UNAUTHORIZED, "token_not_yet_valid", Low,
        "Token not yet valid", "The access token is not valid yet.",
        "Set the clock of the client or of the token's issuer, then send the request again.";
    /// A signature does not verify.
    InvalidSignature => UNAUTHORIZED, "invalid_signature", High,
        "Invalid signature", "The signature does not verify.",
        "Check which key, and which bytes, are signed; the same request is refused again.";
    /// The token's algorithm is not one that its key is used with.
    UnsupportedAlgorithm => UNAUTHORIZED, "unsupported_algorithm", High,
        "Unsupported algorithm", "The signature algorithm is not accepted.",
        "Sign with an algorithm that this service documents.";
    /// The API key is unknown, revoked or expired.
    InvalidApiKey => UNAUTHORIZED, "invalid_api_key", Medium,
        "Invalid API key", "The API key is not valid.",
        "Use a key that is in force; the same key is refused again.";
    /// The client's certificate is unknown, or not in force.
    InvalidClientCertificate => UNAUTHORIZED, "invalid_client_certificate", Medium,
        "Invalid client certificate", "The client certificate is not that of a known caller.",
        "Connect with a certificate that is in force and known to the service.";
    /// A proof of possession (RFC 9449) is missing or does not hold.
    InvalidDpopProof => UNAUTHORIZED, "invalid_dpop_proof", Medium,
        "Invalid DPoP proof", "The DPoP proof is missing, or does not hold for this request.",
        "Make a new proof for each request, with the key that the token is bound to.";
    /// The proof of possession lacks a nonce of this service (RFC 9449 §9).
    UseDpopNonce => UNAUTHORIZED, "use_dpop_nonce", Low,
        "DPoP nonce required", "The DPoP proof needs a nonce of this service.",
        "Put the value of `DPoP-Nonce` into the claim `nonce` of a new proof, then send the request again.";
    /// A signed timestamp lies outside the window.
    StaleTimestamp => UNAUTHORIZED, "timestamp_out_of_window", Medium,
        "Timestamp out of window", "The signed timestamp is too old, or in the future.",
        "Set the client's clock, sign anew with the present time, and send at once.";
    /// The caller was not authenticated strongly or recently enough (RFC 9470).
    StepUpRequired => UNAUTHORIZED, "insufficient_user_authentication", Low,
        "Stronger authentication required", "A stronger or more recent authentication is required.",
        "Have the user authenticate again with what `acr_values` and `max_age` in `WWW-Authenticate` say.";
    /// The request is malformed: two credentials, a repeated header, an unreadable value.
    InvalidRequest => BAD_REQUEST, "invalid_request", Low,
        "Invalid request", "The request is malformed.",
        "Correct the request; the same request is refused again.";
    /// A signature header is missing, repeated or malformed.
    MalformedSignature => BAD_REQUEST, "malformed_signature", Medium,
        "Malformed signature", "A signature header is missing, repeated or malformed.",
        "Send each signature header once, in the documented form.";
    /// The caller lacks a scope.
    InsufficientScope => FORBIDDEN, "insufficient_scope", Medium,
        "Insufficient scope", "The credential lacks a required scope.",
        "Obtain a token with the scopes named in `WWW-Authenticate`, if the owner grants them.";
    /// The caller may not do this.
    Forbidden => FORBIDDEN, "forbidden", Medium,
        "Forbidden", "The caller may not do this.",
        "Do not repeat the request with this credential.";
    /// The request came over plain HTTP.
    HttpsRequired => FORBIDDEN, "https_required", Medium,
        "HTTPS required", "This service answers over HTTPS only.",
        "Use the `https` address; the same request over plain HTTP is refused again.";
    /// A credential came over plain HTTP.
    CredentialExposed => FORBIDDEN, "credential_exposed", High,
        "Credential exposed", "A credential was sent over plain HTTP, where others can read it. Replace it.",
        "Use the `https` address, and a new credential: treat the one that was sent as known to others.";
    /// Nobody from this address may come in, or not now.
    AddressRefused => FORBIDDEN, "address_refused", Medium,
        "Address refused", "Requests from this address are not accepted.",
        "Send from another network, or after `Retry-After` where there is one; another credential does not help.";
    /// There is nothing here, or nothing that the caller may know of.
    NotFound => NOT_FOUND, "not_found", Low,
        "Not found", "There is nothing here.",
        "Check the address; do not repeat the request.";
    /// The resource does not know the method.
    MethodNotAllowed => METHOD_NOT_ALLOWED, "method_not_allowed", Low,
        "Method not allowed", "The resource does not support this method.",
        "Use one of the methods named in `Allow`.";
    /// Nothing that the client accepts can be served.
    NotAcceptable => NOT_ACCEPTABLE, "not_acceptable", Low,
        "Not acceptable", "Nothing that `Accept` names can be served.",
        "Accept a media type, and with it a version, that the resource has.";
    /// The client was too slow.
    RequestTimeout => REQUEST_TIMEOUT, "request_timeout", Low,
        "Request timeout", "The request was not received in time.",
        "Send the request again, over a new connection.";
    /// Somebody else is at work on the same thing.
    Conflict => CONFLICT, "conflict", Low,
        "Conflict", "The request conflicts with one in progress.",
        "Wait for the other request to end, look at the state, then decide.";
    /// The same event is being processed.
    EventInFlight => CONFLICT, "event_in_flight", Low,
        "Event in flight", "The same event is being processed; send it again later.",
        "Deliver the event again later; it will not be processed twice.";
    /// What was here has been taken away for good, as versions of an API are.
    Gone => GONE, "gone", Low,
        "Gone", "What was here is no longer served.",
        "Move to what `Link` names, with `rel=\"successor-version\"`; do not repeat the request.";
    /// The body is larger than allowed.
    PayloadTooLarge => PAYLOAD_TOO_LARGE, "payload_too_large", Medium,
        "Content too large", "The request body is larger than allowed.",
        "Send less at once; the same body is refused again.";
    /// The body has a media type or encoding that is not accepted.
    UnsupportedMediaType => UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", Low,
        "Unsupported media type", "The body has a type or encoding that is not accepted.",
        "Send the body in a media type and encoding that the resource accepts.";
    /// The body is well-formed, but not what is expected.
    UnprocessableContent => UNPROCESSABLE_ENTITY, "unprocessable_content", Low,
        "Unprocessable content", "The body is well-formed, but not what is expected.",
        "Correct the body; the same body is refused again.";
    /// A query asks for more at once than is allowed.
    QueryTooComplex => UNPROCESSABLE_ENTITY, "query_too_complex", Medium,
        "Query too complex", "The query asks for more at once than is allowed.",
        "Ask for less: `limit` says how much of what `exceeded` names is allowed; the same query is refused again.";
    /// Too many requests in a short time.
    RateLimited => TOO_MANY_REQUESTS, "rate_limit_exceeded", Medium,
        "Rate limit exceeded", "Too many requests; retry later.",
        "Wait for `Retry-After`, then send again; slow down before `remaining` is 0.";
    /// The plan's allowance is used up.
    QuotaExceeded => PAYMENT_REQUIRED, "quota_exceeded", Low,
        "Quota exceeded", "The plan's allowance is used up.",
        "Wait for the period to end (`reset_at`), or ask for a larger plan.";
    /// A limit on all clients together is reached.
    Overloaded => SERVICE_UNAVAILABLE, "service_unavailable", High,
        "Service temporarily overloaded", "The service is temporarily overloaded; retry later.",
        "Wait for `Retry-After`, then send again, more slowly with each attempt.";
    /// A backend could not answer.
    BackendUnavailable => SERVICE_UNAVAILABLE, "backend_unavailable", High,
        "Service unavailable", "The service cannot decide on this request at the moment; retry later.",
        "Send again after `Retry-After`; this is no judgement of the request.";
    /// The handler took too long.
    GatewayTimeout => GATEWAY_TIMEOUT, "gateway_timeout", High,
        "Timeout", "The request took too long.",
        "Look whether the request had an effect before sending it again.";
    /// A layer is missing or misplaced.
    Misconfigured => INTERNAL_SERVER_ERROR, "misconfigured", High,
        "Internal server error", "The service is misconfigured.",
        "Report the `request_id` to the service's owner; nothing that the client does helps.";
    /// A handler answered without checking whether the caller may have the object.
    AuthorizationNotChecked => INTERNAL_SERVER_ERROR, "authorization_not_checked", High,
        "Internal server error", "The service could not show that the answer is meant for the caller.",
        "Report the `request_id` to the service's owner; look whether the request had an effect before repeating it.";
    /// The service failed.
    InternalError => INTERNAL_SERVER_ERROR, "internal_error", High,
        "Internal server error", "The service failed.",
        "Report the `request_id` to the service's owner; repeat only what may happen twice.";
}

/// A kind without a row does not compile.
const fn row_of(kind: RejectionKind) -> &'static Row {
    const FIRST: &Row = match TABLE {
        [row, ..] => row,
        [] => unreachable!(),
    };
    let mut rest = TABLE;
    while let [row, tail @ ..] = rest {
        if row.kind as usize == kind as usize {
            return row;
        }
        rest = tail;
    }
    FIRST
}

impl RejectionKind {
    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// The stable code: `error` in the document, the label in metrics and audit records.
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// The problem's `title`.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// The problem's `detail`, where the layer has nothing more precise to say.
    pub const fn detail(self) -> &'static str {
        self.row().detail
    }

    /// What the client should do, in `docs/problems.md`. It is never sent: a client is written
    /// long before it is refused.
    pub const fn advice(self) -> &'static str {
        self.row().advice
    }

    /// How grave it is.
    pub const fn severity(self) -> Severity {
        self.row().severity
    }

    /// The problem's `type`: the registered type of draft-ietf-httpapi-ratelimit-headers where
    /// there is one, else a URN of our own.
    pub fn problem_type(self) -> String {
        match self {
            Self::RateLimited | Self::QuotaExceeded => {
                "https://iana.org/assignments/http-problem-types#quota-exceeded".into()
            }
            Self::Overloaded => "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity".into(),
            _ => format!("urn:portcullis:problem:{}", self.code().replace('_', "-")),
        }
    }

    /// The kind that stands for a bare status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::MissingCredentials,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::SERVICE_UNAVAILABLE => Self::Overloaded,
            StatusCode::BAD_REQUEST => Self::InvalidRequest,
            StatusCode::INTERNAL_SERVER_ERROR => Self::InternalError,
            _ => TABLE
                .iter()
                .find(|row| row.status == status)
                .map_or(if status.is_client_error() { Self::InvalidRequest } else { Self::InternalError }, |row| {
                    row.kind
                }),
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

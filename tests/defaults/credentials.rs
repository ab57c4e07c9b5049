//! Defaults of the credentials that nothing shows but the source.

use super::source::Quotation;

const URL: &str = "Keys from a URL";
const SEEN: &str = "Tokens that were seen before";
const REVOCATION: &str = "Revocation";
const PROOFS: &str = "Proofs of possession";
const OPAQUE: &str = "Opaque tokens";
const CERTIFICATES: &str = "Client certificates";

pub(crate) const CREDENTIALS: &[Quotation] = &[
    (
        PROOFS,
        "tokens that are bound to nothing",
        "accepted",
        &[("src/auth/binding.rs", "    #[default]\n    Accepted,")],
    ),
    (PROOFS, "proofs of `DPoP`", "not accepted", &[("src/auth/builder.rs", "dpop: Option<Dpop>,")]),
    (
        PROOFS,
        "age of a proof",
        "60 s",
        &[("src/auth/dpop/builder.rs", "const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);")],
    ),
    (
        PROOFS,
        "oldest proof that can be allowed",
        "5 min",
        &[("src/auth/dpop/builder.rs", "const LONGEST_AGE: Duration = Duration::from_secs(300);")],
    ),
    (
        PROOFS,
        "proof of the future",
        "5 s",
        &[("src/auth/dpop/check.rs", "const FUTURE: Duration = Duration::from_secs(5);")],
    ),
    (
        PROOFS,
        "proofs remembered for longer than they are good",
        "60 s",
        &[("src/time/mod.rs", "pub(crate) const SKEW: Duration = Duration::from_secs(60);")],
    ),
    (
        "Signed requests",
        "nonces remembered for longer than signatures are good",
        "60 s, and the time for the body",
        &[
            ("src/time/mod.rs", "pub(crate) const SKEW: Duration = Duration::from_secs(60);"),
            ("src/auth/signed/message/mod.rs", "self.inner.body_timeout.saturating_add(SKEW)"),
        ],
    ),
    (PROOFS, "nonces of the service", "none", &[("src/auth/dpop/builder.rs", "nonces: None,")]),
    (
        PROOFS,
        "life of a nonce",
        "1 min, and 1 min as the previous one",
        &[("src/auth/dpop/nonce.rs", "const DEFAULT_ROTATION: Duration = Duration::from_secs(60);")],
    ),
    (
        PROOFS,
        "proofs remembered in memory",
        "262,144",
        &[("src/backend/memory/seen.rs", "const DEFAULT_CAPACITY: usize = 262_144;")],
    ),
    (CERTIFICATES, "`Client-Cert`", "removed, unread", &[("src/auth/mtls/source.rs", "    #[default]\n    Never,")]),
    (
        CERTIFICATES,
        "longest `Client-Cert`",
        "16 KiB",
        &[("src/auth/mtls/header.rs", "const MAX_HEADER: usize = 16 * 1024;")],
    ),
    (
        OPAQUE,
        "life of an answer",
        "60 s, never past `exp`",
        &[("src/auth/introspection/builder.rs", "const DEFAULT_TTL: Duration = Duration::from_secs(60);")],
    ),
    (
        OPAQUE,
        "longest life of an answer that can be set",
        "5 min",
        &[("src/auth/introspection/builder.rs", "const MAX_TTL: Duration = Duration::from_secs(300);")],
    ),
    (
        OPAQUE,
        "life of a refusal",
        "30 s",
        &[("src/auth/introspection/verifier.rs", "const REFUSED_FOR: Duration = Duration::from_secs(30);")],
    ),
    (
        OPAQUE,
        "answers held",
        "10,000; refusals 1,000",
        &[
            ("src/auth/introspection/verifier.rs", "const HELD: usize = 10_000;"),
            ("src/auth/introspection/verifier.rs", "const REFUSED: usize = 1_000;"),
        ],
    ),
    (
        OPAQUE,
        "questions to the server",
        "100 in a second, 64 at once",
        &[
            ("src/auth/introspection/builder.rs", "NonZeroU32::new(100)"),
            ("src/auth/introspection/budget.rs", "const AT_ONCE: usize = 64;"),
        ],
    ),
    (
        OPAQUE,
        "time for an answer",
        "5 s",
        &[("src/auth/introspection/verifier.rs", "const DEADLINE: Duration = Duration::from_secs(5);")],
    ),
    (
        OPAQUE,
        "largest answer",
        "64 KiB",
        &[("src/auth/introspection/response.rs", "const MAX_RESPONSE: usize = 64 * 1024;")],
    ),
    (
        OPAQUE,
        "rest after a failure",
        "1 s",
        &[("src/auth/introspection/budget.rs", "const REST: Duration = Duration::from_secs(1);")],
    ),
    (
        "Authentication",
        "longest bearer token",
        "8 KiB",
        &[
            ("src/auth/grammar.rs", "const MAX_TOKEN: usize = 8 * 1024;"),
            ("src/auth/jwt/token.rs", "if text.len() > MAX_TOKEN {"),
        ],
    ),
    (
        "Tokens",
        "RSA keys",
        "2048 to 8192 bits",
        &[("src/auth/jwt/key.rs", "const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;")],
    ),
    (
        "Tokens",
        "longest `kid`",
        "256 bytes",
        &[("src/auth/jwt/header.rs", "const MAX_KID: usize = 256;"), ("src/auth/jwt/key.rs", "kid.len() > MAX_KID")],
    ),
    (
        URL,
        "life of a key set, if the response does not say",
        "10 min",
        &[("src/auth/jwt/jwks/flight.rs", "const DEFAULT_TTL: Duration = Duration::from_secs(600);")],
    ),
    (
        URL,
        "life of a key set, if it does",
        "1 min to 24 h",
        &[
            ("src/auth/jwt/jwks/flight.rs", "const MIN_TTL: Duration = Duration::from_secs(60);"),
            ("src/auth/jwt/jwks/flight.rs", "const MAX_TTL: Duration = Duration::from_secs(24 * 3_600);"),
        ],
    ),
    (
        URL,
        "refresh ahead",
        "at 80 % of the life",
        &[("src/auth/jwt/jwks/flight.rs", "// At 80 %, so that a request never finds the set expired.")],
    ),
    (
        URL,
        "use of old keys while the source is down",
        "24 h",
        &[("src/auth/jwt/jwks/mod.rs", "const DEFAULT_MAX_AGE: Duration = Duration::from_secs(24 * 3_600);")],
    ),
    (
        URL,
        "wait of a request for a fetch",
        "2 s",
        &[("src/auth/jwt/jwks/mod.rs", "const PATIENCE: Duration = Duration::from_secs(2);")],
    ),
    (
        URL,
        "requests that wait for an unknown key",
        "64",
        &[("src/auth/jwt/jwks/mod.rs", "const MAX_WAITERS: usize = 64;")],
    ),
    (
        SEEN,
        "remembered tokens",
        "10,000 of 1 KiB",
        &[
            ("src/auth/jwt/cache_settings.rs", "match NonZeroUsize::new(10_000)"),
            ("src/auth/jwt/cache.rs", "size.div_ceil(1024)"),
        ],
    ),
    (
        SEEN,
        "how long a token is remembered",
        "60 s",
        &[("src/auth/jwt/cache_settings.rs", "const DEFAULT_TTL: Duration = Duration::from_secs(60);")],
    ),
    (
        SEEN,
        "never remembered",
        "tokens with `cnf`, shared secrets",
        &[
            ("src/auth/jwt/cache.rs", "filter(|_| !principal.is_bound())"),
            ("src/auth/jwt/cache.rs", "let Material::Public(verifier) = &key.material else { return };"),
        ],
    ),
    (
        REVOCATION,
        "store of revocations",
        "none",
        &[("src/auth/revocation/builder.rs", "#[derive(Clone, Debug, Default)]")],
    ),
    (REVOCATION, "when the store fails", "503", &[("src/auth/revocation/condition.rs", "#[default]\n    Closed,")]),
    (
        REVOCATION,
        "wait for the store",
        "2 s",
        &[("src/auth/revocation/condition.rs", "const PATIENCE: Duration = Duration::from_secs(2);")],
    ),
    (
        REVOCATION,
        "memory of a back-channel logout",
        "24 h",
        &[("src/auth/logout/route.rs", "const DEFAULT_MEMORY: Duration = Duration::from_secs(24 * 3_600);")],
    ),
    (
        REVOCATION,
        "body of a back-channel logout",
        "16 KiB within 5 s",
        &[
            ("src/auth/logout/route.rs", "const MAX_BODY: usize = 16 * 1024;"),
            ("src/auth/logout/route.rs", "const BODY_TIMEOUT: Duration = Duration::from_secs(5);"),
        ],
    ),
    (
        URL,
        "fetches for unknown `kid`s",
        "1 in 30 s, 2 at once",
        &[
            ("src/auth/jwt/jwks/budget.rs", "const PERIOD: Duration = Duration::from_secs(30);"),
            ("src/auth/jwt/jwks/budget.rs", "match NonZeroU32::new(2)"),
        ],
    ),
    (
        URL,
        "memory for unknown `kid`s",
        "30 s, 1,024 of them",
        &[
            ("src/auth/jwt/jwks/budget.rs", "const PERIOD: Duration = Duration::from_secs(30);"),
            ("src/auth/jwt/jwks/budget.rs", "const FORGOTTEN_AFTER: Duration = PERIOD;"),
            ("src/auth/jwt/jwks/budget.rs", "const MAX_UNKNOWN: usize = 1_024;"),
        ],
    ),
    (
        URL,
        "back-off after failures",
        "1 s to 60 s",
        &[
            ("src/auth/jwt/jwks/flight.rs", "const FIRST_BACKOFF: Duration = Duration::from_secs(1);"),
            ("src/auth/jwt/jwks/flight.rs", "const MAX_BACKOFF: Duration = Duration::from_secs(60);"),
        ],
    ),
    (
        URL,
        "time for a fetch",
        "5 s",
        &[
            ("src/auth/jwt/jwks/fetch.rs", "const LIMIT: Duration = Duration::from_secs(5);"),
            ("src/auth/jwt/jwks/flight.rs", "const FETCH_LIMIT: Duration = Duration::from_secs(10);"),
        ],
    ),
    (
        URL,
        "largest key set",
        "1 MiB, 100 keys",
        &[
            ("src/auth/jwt/jwks/flight.rs", "const MAX_BYTES: usize = 1024 * 1024;"),
            ("src/auth/jwt/jwks/fetch.rs", "> MAX_BYTES"),
            ("src/auth/jwt/key_set.rs", "const MAX_KEYS: usize = 100;"),
        ],
    ),
    (
        URL,
        "life of discovered metadata",
        "24 h",
        &[("src/auth/jwt/discovery.rs", "const METADATA_LIFE: Duration = Duration::from_secs(24 * 3_600);")],
    ),
    (URL, "redirects", "none", &[("src/auth/jwt/jwks/fetch.rs", ".redirect(redirect::Policy::none())")]),
    (
        URL,
        "plain HTTP",
        "loopback only",
        &[("src/auth/jwt/jwks/fetch.rs", "(\"http\", Some(addresses)) => plain(builder, &url, &addresses),")],
    ),
    (
        "API keys",
        "digest of a key",
        "HMAC-SHA-256, required: a pepper, or another hasher by name",
        &[
            ("src/auth/api_key/keys.rs", "format: ApiKeyFormat, hasher: KeyHasher) -> Self {"),
            ("src/auth/api_key/hasher.rs", "pub fn hmac(pepper: impl Into<SecretSet>)"),
        ],
    ),
    (
        "API keys",
        "wait of a request for the store",
        "2 s",
        &[("src/auth/api_key/verifier_builder.rs", "const PATIENCE: Duration = Duration::from_secs(2);")],
    ),
    (
        "API keys",
        "time between two slow hashes of one key",
        "5 min",
        &[("src/auth/api_key/verifier_builder.rs", "const VERIFIED_FOR: Duration = Duration::from_secs(300);")],
    ),
    (
        "API keys",
        "slow hashes for one id",
        "10, then 1 in 6 s",
        &[
            ("src/auth/api_key/slow_guard.rs", "const ID_BURST: u32 = 10;"),
            ("src/auth/api_key/slow_guard.rs", "const ID_PERIOD: Duration = Duration::from_secs(6);"),
        ],
    ),
    (
        "API keys",
        "slow hashes for one network",
        "30, then 1 in 2 s",
        &[
            ("src/auth/api_key/slow_guard.rs", "const NETWORK_BURST: u32 = 30;"),
            ("src/auth/api_key/slow_guard.rs", "const NETWORK_PERIOD: Duration = Duration::from_secs(2);"),
        ],
    ),
    (
        "API keys",
        "slow hashes at once",
        "one for each core, 16 waiting for each",
        &[
            ("src/auth/api_key/slow_guard.rs", "const WAITING: usize = 16;"),
            ("src/auth/api_key/slow_guard.rs", "cores: Arc::new(Semaphore::new(cores)),"),
        ],
    ),
    (
        "API keys",
        "last uses written",
        "every 60 s",
        &[("src/auth/api_key/flush.rs", "const EVERY: Duration = Duration::from_secs(60);")],
    ),
    (
        "API keys",
        "reports of leaks in one request",
        "100, 256 KiB",
        &[
            ("src/auth/api_key/leak.rs", "const MAX_REPORTS: usize = 100;"),
            ("src/auth/api_key/leak.rs", "const MAX_BODY: usize = 256 * 1024;"),
        ],
    ),
    (
        "API keys",
        "longest key",
        "100 characters",
        &[
            ("src/auth/grammar.rs", "const MAX_API_KEY: usize = 100;"),
            ("src/auth/api_key/format.rs", "const MAX_LEN: usize = 100;"),
        ],
    ),
];

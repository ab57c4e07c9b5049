//! The list. A demand is one sentence; its tests have the document's tag in their names.

use super::{
    Clause, Standard,
    issuers::{LOGOUT, RFC_7662, RFC_8414, RFC_9396, RFC_9470, RFC_9700, RFC_9728},
    proofs::{RFC_8705, RFC_9421, RFC_9449, SIGV4},
    tokens::{FAPI_2, RFC_6750, RFC_7515, RFC_7519, RFC_8725, RFC_9068},
};

const fn standard(title: &'static str, tags: &'static [&'static str], clauses: &'static [Clause]) -> Standard {
    Standard { title, tags, clauses, beside: "" }
}

const fn with(beside: &'static str, standard: &Standard) -> Standard {
    let Standard { title, tags, clauses, .. } = *standard;
    Standard { title, tags, clauses, beside }
}

pub(super) const STANDARDS: &[Standard] = &[
    with(
        "The lists of challenges in other schemes follow the same rules.",
        &standard("RFC 6750: bearer tokens", &["rfc6750"], RFC_6750),
    ),
    standard("RFC 7515: signed objects", &["rfc7515"], RFC_7515),
    standard("RFC 7519 and 7517: tokens and keys", &["rfc7519", "rfc7517", "rfc8037", "rfc9864"], RFC_7519),
    standard("RFC 8725 and 7518: best practice for tokens", &["rfc8725", "rfc7518", "rfc8017"], RFC_8725),
    standard("RFC 9068: access tokens", &["rfc9068"], RFC_9068),
    with(
        "JWT responses (RFC 9701) are not read.",
        &standard("RFC 7662: introspection", &["rfc7662", "rfc6749"], RFC_7662),
    ),
    standard("RFC 8705 and 9440: client certificates", &["rfc8705", "rfc9440", "rfc5280", "rfc7800"], RFC_8705),
    standard("RFC 9449: proof of possession", &["rfc9449", "rfc7638", "rfc3986"], RFC_9449),
    standard("RFC 9396: authorization details", &["rfc9396"], RFC_9396),
    standard("RFC 9470: step-up", &["rfc9470"], RFC_9470),
    standard("RFC 9728: metadata of the resource", &["rfc9728"], RFC_9728),
    standard("RFC 8414 and OpenID Connect Discovery: metadata of the issuer", &["rfc8414"], RFC_8414),
    standard("OpenID Connect Back-Channel Logout", &["oidc_back_channel"], LOGOUT),
    with(
        "PKCE, redirect URIs, refresh tokens and the `iss` of the authorization response (RFC 9207) concern \
         clients and authorization servers.",
        &standard("RFC 9700: best practice for OAuth", &["rfc9700"], RFC_9700),
    ),
    with("That tokens cannot be guessed is the issuer's part.", &standard("FAPI 2.0", &["fapi2"], FAPI_2)),
    standard("RFC 9421 and 9530: signed messages", &["rfc9421", "rfc9530"], RFC_9421),
    standard("AWS Signature Version 4", &["sigv4"], SIGV4),
];

use std::time::Duration;

use super::{Algorithm, header::AcceptedTypes};

/// How much a token must say of itself. Chosen with [`Issuer::profile`](super::Issuer::profile).
///
/// | | `Lenient` | `Rfc9068` | `Fapi2` |
/// |---|---|---|---|
/// | `typ` | `at+jwt`, `JWT`, or none | `at+jwt` | `at+jwt` |
/// | claims | `iss`, `aud`, `exp`, `sub` | and `client_id`, `iat`, `jti` | and `cnf` |
/// | algorithms | those of the keys | those of the keys | `PS256`, `ES256`, `EdDSA` |
/// | leeway | up to 60 s | up to 60 s | 10 s to 60 s |
///
/// `application/` before the `typ` means the same, and case does not matter, in every profile. Every
/// profile refuses tokens that say that they are no access token: by their `typ`, by a claim that none
/// has (`at_hash`, `c_hash`, `events`), or as Keycloak (`typ`) and Cognito (`token_use`) mark theirs. An ID
/// token that says nothing of the kind, for the same audience, `Lenient` cannot tell from an access
/// token; only `Rfc9068` and `Fapi2` refuse all. So let the API have an audience that is no client's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// What most identity providers issue, checked as far as it goes.
    #[default]
    Lenient,
    /// The JWT profile for access tokens (RFC 9068 §2.2, §4).
    Rfc9068,
    /// The FAPI 2.0 security profile: RFC 9068, and a token must be bound to a key or certificate
    /// (`DPoP` or mutual TLS), so that a stolen one is of no use (§5.3.3, §5.4.1).
    Fapi2,
}

impl Profile {
    /// Which values of `typ` are access tokens, unless the issuer is told.
    pub(crate) fn types(self) -> AcceptedTypes {
        match self {
            Self::Lenient => AcceptedTypes::default(),
            Self::Rfc9068 | Self::Fapi2 => AcceptedTypes { names: vec!["at+jwt".into()], absent: false },
        }
    }

    pub(crate) const fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Lenient | Self::Rfc9068 => Algorithm::ALL,
            Self::Fapi2 => &[Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa],
        }
    }

    /// FAPI 2.0 §5.3.2.1: dates up to 10 s in the future are to be accepted.
    pub(crate) const fn least_leeway(self) -> Duration {
        match self {
            Self::Lenient | Self::Rfc9068 => Duration::ZERO,
            Self::Fapi2 => Duration::from_secs(10),
        }
    }
}

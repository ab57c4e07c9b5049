//! What is revoked, and by which keys a store knows it.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{
    identity::{AuthMethod, Principal},
    time::Timestamp,
};

/// What a revocation concerns: a digest of its kind and its names. Of fixed size, whatever an issuer
/// writes into its tokens, so it fits any store's key; equal on every machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey([u8; 32]);

impl RevocationKey {
    /// One token of an issuer, by its `jti`.
    pub fn token(issuer: &str, jti: &str) -> Self {
        Self::of(["token", issuer, jti])
    }

    /// All tokens of one session at an issuer, by their `sid`.
    pub fn session(issuer: &str, sid: &str) -> Self {
        Self::of(["session", issuer, sid])
    }

    /// All tokens of one subject at an issuer.
    pub fn subject(issuer: &str, subject: &str) -> Self {
        Self::of(["subject", issuer, subject])
    }

    /// An API key, by its id.
    pub fn api_key(id: &str) -> Self {
        Self::credential(AuthMethod::ApiKey, id)
    }

    /// Any other credential, by the id that its principal carries.
    pub fn credential(method: AuthMethod, id: &str) -> Self {
        Self::of(["credential", method.as_str(), id])
    }

    /// The mark of a logout token that has been obeyed.
    pub(in crate::auth) fn logout(issuer: &str, jti: &str) -> Self {
        Self::of(["logout", issuer, jti])
    }

    /// Each part is preceded by its length, so that no two triples share a key.
    fn of(parts: [&str; 3]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationKey({self})")
    }
}

/// That what `key` stands for no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What is revoked.
    pub key: RevocationKey,
    /// Credentials that were issued before this (`iat`), or do not say when: those of one subject
    /// until it logs in again. [`Timestamp::MAX`] is all of them.
    pub issued_before: Timestamp,
    /// How long it must be remembered, in wall time: as long as what is revoked could be used
    /// otherwise. A longer time costs room in the store, a shorter one brings a credential back to life.
    pub until: Timestamp,
}

impl Revocation {
    /// One token. `until` is its `exp`, plus the leeway of its issuer.
    pub fn token(issuer: &str, jti: &str, until: Timestamp) -> Self {
        Self::whole(RevocationKey::token(issuer, jti), until)
    }

    /// A session: every token with this `sid`, whenever it was issued.
    pub fn session(issuer: &str, sid: &str, until: Timestamp) -> Self {
        Self::whole(RevocationKey::session(issuer, sid), until)
    }

    /// Every token of a subject with an `iat` before `issued_before`. A token without `iat` counts
    /// as issued before. `iat` has whole seconds: to hit a token that was issued a moment ago, give
    /// the next second.
    pub fn subject(issuer: &str, subject: &str, issued_before: Timestamp, until: Timestamp) -> Self {
        Self { key: RevocationKey::subject(issuer, subject), issued_before, until }
    }

    /// An API key. [`Timestamp::MAX`] for one that never expires.
    pub fn api_key(id: &str, until: Timestamp) -> Self {
        Self::whole(RevocationKey::api_key(id), until)
    }

    /// Any other credential, by the id that its principal carries.
    pub fn credential(method: AuthMethod, id: &str, until: Timestamp) -> Self {
        Self::whole(RevocationKey::credential(method, id), until)
    }

    /// Everything that `key` stands for.
    pub const fn whole(key: RevocationKey, until: Timestamp) -> Self {
        Self { key, issued_before: Timestamp::MAX, until }
    }

    /// What two revocations of one key amount to: the later of both bounds. A revocation can be
    /// added to, never weakened.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            key: self.key,
            issued_before: self.issued_before.max(other.issued_before),
            until: self.until.max(other.until),
        }
    }
}

/// The question whether a credential is revoked.
#[derive(Clone, Copy, Debug)]
pub struct RevocationQuery<'a>(Asked<'a>);

#[derive(Clone, Copy, Debug)]
enum Asked<'a> {
    Principal(&'a Principal),
    Key { key: RevocationKey, issued_at: Option<Timestamp> },
}

/// The ways in which one credential may be revoked.
#[derive(Clone, Copy, Debug)]
enum By {
    Itself,
    Session,
    Subject,
}

impl<'a> RevocationQuery<'a> {
    /// About the credential of a principal: by itself, its session and its subject.
    pub const fn of(principal: &'a Principal) -> Self {
        Self(Asked::Principal(principal))
    }

    /// About one key.
    pub const fn key(key: RevocationKey, issued_at: Option<Timestamp>) -> Self {
        Self(Asked::Key { key, issued_at })
    }

    /// The keys to look for, at most three: each is a digest that is made when it is asked for.
    /// None at all if nothing about the credential has a name.
    pub fn keys(&self) -> impl Iterator<Item = RevocationKey> + use<'a> {
        let asked = self.0;
        [By::Itself, By::Session, By::Subject].into_iter().filter_map(move |by| match (asked, by) {
            (Asked::Key { key, .. }, By::Itself) => Some(key),
            (Asked::Key { .. }, _) => None,
            (Asked::Principal(principal), by) => key_of(principal, by),
        })
    }

    /// Whether an entry that a store holds for one of the keys concerns this credential.
    pub fn is_hit_by(&self, issued_before: Timestamp) -> bool {
        let issued_at = match self.0 {
            Asked::Principal(principal) => principal.issued_at(),
            Asked::Key { issued_at, .. } => issued_at,
        };
        issued_before == Timestamp::MAX || issued_at.is_none_or(|at| at < issued_before)
    }
}

fn key_of(principal: &Principal, by: By) -> Option<RevocationKey> {
    let issuer = principal.issuer();
    match by {
        By::Itself => {
            let id = principal.credential_id()?;
            Some(match (principal.method(), issuer) {
                (AuthMethod::Jwt | AuthMethod::OpaqueToken, Some(issuer)) => RevocationKey::token(issuer, id),
                (method, _) => RevocationKey::credential(method, id),
            })
        }
        By::Session => Some(RevocationKey::session(issuer?, principal.session()?)),
        By::Subject => Some(RevocationKey::subject(issuer?, principal.subject())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::PrincipalParts;

    fn principal(method: AuthMethod, issuer: Option<&str>, issued_at: Option<Timestamp>) -> Principal {
        Principal::new(PrincipalParts {
            subject: "usr_1".into(),
            issuer: issuer.map(Into::into),
            method: Some(method),
            credential_id: Some("c1".into()),
            session: Some("s1".into()),
            issued_at,
            ..PrincipalParts::default()
        })
    }

    #[test]
    fn a_credential_is_asked_for_by_everything_that_names_it() {
        let token = principal(AuthMethod::Jwt, Some("i"), None);
        let keys: Vec<_> = RevocationQuery::of(&token).keys().collect();
        let expected =
            [RevocationKey::token("i", "c1"), RevocationKey::session("i", "s1"), RevocationKey::subject("i", "usr_1")];
        assert_eq!(keys, expected);
        let key = principal(AuthMethod::ApiKey, None, None);
        assert_eq!(RevocationQuery::of(&key).keys().collect::<Vec<_>>(), [RevocationKey::api_key("c1")]);
        let nobody = Principal::new(PrincipalParts::default());
        assert_eq!(RevocationQuery::of(&nobody).keys().count(), 0);
    }

    /// Another issuer's subject, session or token of the same name is another one.
    #[test]
    fn no_two_things_share_a_key() {
        let keys = [
            RevocationKey::token("i", "x"),
            RevocationKey::token("j", "x"),
            RevocationKey::token("ix", ""),
            RevocationKey::session("i", "x"),
            RevocationKey::subject("i", "x"),
            RevocationKey::logout("i", "x"),
            RevocationKey::api_key("x"),
            RevocationKey::credential(AuthMethod::Custom("i"), "x"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(keys[0].to_string().len(), 64);
    }

    #[test]
    fn a_token_that_does_not_say_when_it_was_issued_counts_as_old() {
        let at = Timestamp::from_secs;
        let issued = |issued_at| principal(AuthMethod::Jwt, Some("i"), issued_at);
        for (issued_at, hit) in [(None, true), (Some(at(9)), true), (Some(at(10)), false), (Some(at(11)), false)] {
            assert_eq!(RevocationQuery::of(&issued(issued_at)).is_hit_by(at(10)), hit, "{issued_at:?}");
            assert!(RevocationQuery::of(&issued(issued_at)).is_hit_by(Timestamp::MAX));
        }
        assert!(RevocationQuery::of(&issued(Some(Timestamp::MAX))).is_hit_by(Timestamp::MAX));
    }
}

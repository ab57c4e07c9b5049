//! The JOSE header (RFC 7515 §4), of which four members are read and the rest is ignored: `jku`,
//! `jwk`, `x5u` and `x5c` would let the sender choose the key (RFC 8725 §3.10).

use std::{borrow::Cow, fmt};

use serde::de::{MapAccess, Visitor};

use super::{
    fault::Fault,
    json::{self, Distinct, Names, Texts},
};

/// A longer `kid` is nobody's.
pub(crate) const MAX_KID: usize = 256;

/// What a header says.
#[derive(Debug, Default)]
pub(crate) struct Header<'de> {
    pub(crate) algorithm: Cow<'de, str>,
    pub(crate) kid: Option<Cow<'de, str>>,
    pub(crate) typ: Option<Cow<'de, str>>,
}

impl<'de> Header<'de> {
    pub(crate) fn parse(bytes: &'de [u8]) -> Result<Self, Fault> {
        let members = json::object(bytes, HeaderVisitor).map_err(|_| Fault::HeaderJson)?;
        if members.critical {
            // None of the extensions is understood here, and an empty list is malformed (§4.1.11).
            return Err(Fault::Critical);
        }
        let algorithm = required(members.algorithm)?;
        let kid = optional(members.kid)?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(Fault::HeaderShape);
        }
        Ok(Self { algorithm, kid, typ: optional(members.typ)? })
    }
}

fn required(texts: Option<Texts<'_>>) -> Result<Cow<'_, str>, Fault> {
    texts.and_then(Texts::into_one).ok_or(Fault::HeaderShape)
}

/// Absent is fine; `null`, a list or an empty string is not.
fn optional(texts: Option<Texts<'_>>) -> Result<Option<Cow<'_, str>>, Fault> {
    texts.map(|texts| texts.into_one().ok_or(Fault::HeaderShape)).transpose()
}

#[derive(Debug, Default)]
struct Members<'de> {
    algorithm: Option<Texts<'de>>,
    kid: Option<Texts<'de>>,
    typ: Option<Texts<'de>>,
    critical: bool,
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut names = Names::new();
        let mut members = Members::default();
        while let Some(name) = names.next(&mut map)? {
            match name {
                "alg" => members.algorithm = Some(map.next_value()?),
                "kid" => members.kid = Some(map.next_value()?),
                "typ" => members.typ = Some(map.next_value()?),
                "crit" => {
                    map.next_value::<Distinct>()?;
                    members.critical = true;
                }
                _ => {
                    map.next_value::<Distinct>()?;
                }
            }
        }
        Ok(members)
    }
}

/// Which `typ` values are access tokens (RFC 9068 §2.1, RFC 8725 §3.11).
#[derive(Clone, Debug)]
pub(crate) struct AcceptedTypes {
    /// Lower case, without `application/`.
    pub(crate) names: Vec<Box<str>>,
    pub(crate) absent: bool,
}

impl Default for AcceptedTypes {
    fn default() -> Self {
        Self { names: vec!["at+jwt".into(), "jwt".into()], absent: true }
    }
}

impl AcceptedTypes {
    pub(crate) fn check(&self, header: &Header<'_>) -> Result<(), Fault> {
        let right = match header.typ.as_deref() {
            None => self.absent,
            Some(typ) => {
                let bare = without_application(typ);
                self.names.iter().any(|name| name.eq_ignore_ascii_case(bare))
            }
        };
        if right { Ok(()) } else { Err(Fault::Type) }
    }
}

/// Media types compare without case, and `application/` is implied (RFC 7515 §4.1.9).
pub(crate) fn without_application(typ: &str) -> &str {
    const PREFIX: usize = "application/".len();
    match typ.split_at_checked(PREFIX) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') => rest,
        _ => typ,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        Header::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn any_crit_is_refused_rfc7515_4_1_11() {
        for crit in [r#"["exp"]"#, r#"["b64"],"b64":false"#, "[]", "null", r#""x""#, r#"["alg"]"#] {
            assert_eq!(fault(&format!(r#"{{"alg":"RS256","crit":{crit}}}"#)), Fault::Critical, "{crit}");
        }
    }

    #[test]
    fn members_have_their_types_rfc7515_4_1() {
        for text in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":1}"#,
            r#"{"alg":""}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":"RS256","kid":1}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":"RS256","kid":["a"]}"#,
            r#"{"alg":"RS256","typ":{}}"#,
        ] {
            assert_eq!(fault(text), Fault::HeaderShape, "{text}");
        }
        assert_eq!(fault(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257))), Fault::HeaderShape);
    }

    #[test]
    fn duplicate_members_are_refused_rfc7515_4() {
        for text in [
            r#"{"alg":"RS256","alg":"RS256"}"#,
            r#"{"alg":"none","al\u0067":"RS256"}"#,
            r#"{"alg":"RS256","x":1,"x":1}"#,
            r#"{"alg":"RS256","jwk":{"kty":"RSA","kty":"oct"}}"#,
            r#"{"alg":"RS256"} x"#,
            "[]",
        ] {
            assert_eq!(fault(text), Fault::HeaderJson, "{text}");
        }
    }

    #[test]
    fn senders_do_not_choose_the_key_rfc8725_3_10() {
        let text = r#"{"alg":"RS256","kid":"a\"b","jku":"https://evil","jwk":{"kty":"RSA"},"x5u":"u","x5c":["c"],"typ":"at+jwt"}"#;
        let header = Header::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (&*header.algorithm, header.kid.as_deref(), header.typ.as_deref()),
            ("RS256", Some("a\"b"), Some("at+jwt"))
        );
    }

    #[test]
    fn types_are_told_apart_rfc8725_3_11_rfc9068_4() {
        let accepts = |types: &AcceptedTypes, typ: Option<&str>| {
            types.check(&Header { typ: typ.map(Into::into), ..Header::default() }).is_ok()
        };
        let usual = AcceptedTypes::default();
        for typ in [
            None,
            Some("at+jwt"),
            Some("AT+JWT"),
            Some("application/at+jwt"),
            Some("Application/AT+jwt"),
            Some("JWT"),
            Some("jwt"),
        ] {
            assert!(accepts(&usual, typ), "{typ:?}");
        }
        for typ in [
            "dpop+jwt",
            "logout+jwt",
            "secevent+jwt",
            "token-introspection+jwt",
            "id+jwt",
            "at+jwt ",
            "text/at+jwt",
            "application/x/at+jwt",
            "ätäjwtäjwtäjwt",
        ] {
            assert!(!accepts(&usual, Some(typ)), "{typ}");
        }
        let strict = AcceptedTypes { names: vec!["at+jwt".into()], absent: false };
        assert!(accepts(&strict, Some("application/at+jwt")));
        assert!(!accepts(&strict, Some("JWT")) && !accepts(&strict, None));
    }
}

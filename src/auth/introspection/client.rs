use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

use crate::{
    secret::{Secret, SecretSet},
    time::Timestamp,
};

/// How this service shows the authorization server who it is (RFC 7662 §2.1, RFC 6749 §2.3.1). With
/// a [`SecretSet`] the secret can be rotated while the service runs: the current one is sent.
#[derive(Clone, Debug)]
pub struct IntrospectionClient(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Basic { id: String, secret: SecretSet },
    Post { id: String, secret: SecretSet },
    Bearer(SecretSet),
}

impl IntrospectionClient {
    /// `client_secret_basic`: id and secret as user name and password.
    pub fn basic(id: impl Into<String>, secret: impl Into<SecretSet>) -> Self {
        Self(Kind::Basic { id: id.into(), secret: secret.into() })
    }

    /// `client_secret_post`: id and secret in the form, for servers that cannot do otherwise.
    pub fn post(id: impl Into<String>, secret: impl Into<SecretSet>) -> Self {
        Self(Kind::Post { id: id.into(), secret: secret.into() })
    }

    /// An access token of this service's own.
    pub fn bearer(token: impl Into<SecretSet>) -> Self {
        Self(Kind::Bearer(token.into()))
    }

    /// What is wrong with it.
    pub(super) fn mistake(&self) -> Option<&'static str> {
        let (id, secret) = match &self.0 {
            Kind::Basic { id, secret } | Kind::Post { id, secret } => (Some(id), secret),
            Kind::Bearer(token) => (None, token),
        };
        if id.is_some_and(String::is_empty) {
            return Some("the client id is empty");
        }
        secret.valid_at(Timestamp::EPOCH).iter().any(Secret::is_empty).then_some("the secret is empty")
    }

    /// The value of `Authorization`, and the body of the request about `token`.
    pub(super) fn write(&self, token: &str) -> (Option<Zeroizing<Vec<u8>>>, Zeroizing<Vec<u8>>) {
        let mut form = Zeroizing::new(b"token_type_hint=access_token&token=".to_vec());
        encode(token.as_bytes(), &mut form);
        let authorization = match &self.0 {
            Kind::Basic { id, secret } => {
                // Both parts are form-encoded first, which most servers' users never notice.
                let mut pair = Zeroizing::new(Vec::new());
                encode(id.as_bytes(), &mut pair);
                pair.push(b':');
                encode(secret.current().expose(), &mut pair);
                let text = Zeroizing::new(Base64::encode_string(&pair));
                Some(Zeroizing::new([b"Basic ", text.as_bytes()].concat()))
            }
            Kind::Post { id, secret } => {
                form.extend_from_slice(b"&client_id=");
                encode(id.as_bytes(), &mut form);
                form.extend_from_slice(b"&client_secret=");
                encode(secret.current().expose(), &mut form);
                None
            }
            Kind::Bearer(token) => Some(Zeroizing::new([b"Bearer ", token.current().expose()].concat())),
        };
        (authorization, form)
    }
}

/// `application/x-www-form-urlencoded` (RFC 6749 appendix B).
fn encode(bytes: &[u8], to: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0xF)).copied().unwrap_or(b'0');
    for byte in bytes {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._*".contains(byte) => to.push(*byte),
            b' ' => to.push(b'+'),
            byte => to.extend([b'%', digit(byte.wrapping_shr(4)), digit(*byte)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(client: &IntrospectionClient) -> (Option<String>, String) {
        let (authorization, form) = client.write("a+b/c= d");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (authorization.map(|value| text(&value)), text(&form))
    }

    #[test]
    fn the_client_shows_who_it_is_rfc6749_2_3_1() {
        const FORM: &str = "token_type_hint=access_token&token=a%2Bb%2Fc%3D+d";
        let secret = || Secret::new("p:w &\u{e9}");
        let basic = written(&IntrospectionClient::basic("orders api", secret()));
        // orders+api:p%3Aw+%26%C3%A9
        assert_eq!(basic, (Some("Basic b3JkZXJzK2FwaTpwJTNBdyslMjYlQzMlQTk=".into()), FORM.into()));
        let post = written(&IntrospectionClient::post("orders", secret()));
        assert_eq!(post, (None, format!("{FORM}&client_id=orders&client_secret=p%3Aw+%26%C3%A9")));
        let bearer = written(&IntrospectionClient::bearer(Secret::new("its.own")));
        assert_eq!(bearer, (Some("Bearer its.own".into()), FORM.into()));
    }

    #[test]
    fn a_rotated_secret_is_the_one_that_is_sent() {
        let set = SecretSet::new(Secret::new("old"));
        let client = IntrospectionClient::bearer(set.clone());
        set.rotate(Secret::new("new"), Timestamp::MAX);
        assert_eq!(written(&client).0.as_deref(), Some("Bearer new"));
    }

    #[test]
    fn what_is_empty_is_a_mistake_and_nothing_is_shown() {
        assert!(IntrospectionClient::basic("", Secret::new("x")).mistake().is_some());
        assert!(IntrospectionClient::post("x", Secret::new("")).mistake().is_some());
        let client = IntrospectionClient::bearer(Secret::new("6f1ed002ab5595859014ebf0951522d9"));
        assert!(client.mistake().is_none());
        assert!(!format!("{client:?}").contains("6f1ed002ab5595859014ebf0951522d9"));
    }
}

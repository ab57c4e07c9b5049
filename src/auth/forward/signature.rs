use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;

use super::{ID, SCOPES, SIGNATURE, TIER};
use crate::{
    secret::{Secret, SecretSet},
    time::Timestamp,
};

const VERSION: &str = "portcullis-identity-v1";
/// Clocks of two services of one owner.
const FUTURE: Duration = Duration::from_secs(5);

/// The caller, as a portcullis layer in another service vouches for it.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Body, extract::Request, routing::get};
/// use portcullis::{
///     auth::{AuthLayer, ForwardedIdentity, IdentityHeaders, api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher}},
///     backend::memory::MemoryStore,
///     secret::{Secret, SecretSet},
///     time::{Clock, SystemClock},
/// };
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = ApiKey::issue(&ApiKeyFormat::new("acme", "live")?, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_42").scopes(["read:orders"]).plan("pro"))?;
/// # let store = MemoryStore::new();
/// # store.insert_api_key(key.record)?;
/// let shared = SecretSet::new(Secret::new("a secret that only the two services know"));
/// let auth = AuthLayer::builder()
///     .api_keys(store)
///     .identity_headers(IdentityHeaders::new().signed(shared.clone()))
///     .remove_credentials()
///     .build()?;
///
/// // The service behind: here the handler plays it.
/// let behind = move |request: Request| async move {
///     let now = SystemClock::new().now().wall;
///     let caller = ForwardedIdentity::verify(request.headers(), &shared, now, Duration::from_secs(60)).unwrap();
///     assert!(!request.headers().contains_key("x-api-key"));
///     format!("{} {} {}", caller.subject().unwrap(), caller.scopes().next().unwrap(), caller.tier().unwrap())
/// };
/// let app = Router::new().route("/", get(behind)).layer(auth);
///
/// let request = Request::get("/").header("x-api-key", key.secret.expose()).header("X-User-ID", "admin");
/// let response = app.oneshot(request.body(Body::empty())?).await?;
/// assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, "usr_42 read:orders pro");
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardedIdentity {
    subject: Option<String>,
    scopes: Option<String>,
    tier: Option<String>,
}

/// The identity headers cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// `X-User-Signature` is missing, repeated or malformed, or another of the headers is.
    #[error("an identity header is missing, repeated or malformed")]
    Malformed,
    /// The signature was not made with one of the secrets, or for other values.
    #[error("the signature of the identity headers does not verify")]
    Signature,
    /// The signature is too old, or lies in the future.
    #[error("the signature of the identity headers is too old, or lies in the future")]
    Stale,
}

impl ForwardedIdentity {
    /// Reads the identity headers, if they were signed with one of `secrets` at most `max_age` ago.
    ///
    /// The signature covers the three values, the time and the request's id, so that the values
    /// cannot be taken apart; it does not cover what is asked. Within `max_age` whoever reads the
    /// headers can send them again: keep it short, and the way between the services encrypted.
    ///
    /// # Errors
    /// [`IdentityError`]. Refuse the request then: it is not an anonymous one.
    pub fn verify(
        headers: &HeaderMap,
        secrets: &SecretSet,
        now: Timestamp,
        max_age: Duration,
    ) -> Result<Self, IdentityError> {
        let text = single(headers, &SIGNATURE)?.ok_or(IdentityError::Malformed)?;
        let (time, rest) = text.strip_prefix("t=").and_then(|rest| rest.split_once(",id=")).ok_or(Self::MALFORMED)?;
        let (id, tag) = rest.split_once(",v1=").ok_or(Self::MALFORMED)?;
        let mut presented = [0; 32];
        if tag.len() != 64 || base16ct::lower::decode(tag, &mut presented).is_err() {
            return Err(IdentityError::Malformed);
        }
        let values = [single(headers, &ID)?, single(headers, &SCOPES)?, single(headers, &TIER)?];
        let matches =
            |secret: &Secret| mac(secret, time, id, values).is_some_and(|mac| mac.verify_slice(&presented).is_ok());
        if !secrets.valid_at(now).iter().any(matches) {
            return Err(IdentityError::Signature);
        }
        let at = time.parse().map(Timestamp::from_secs).map_err(|_| IdentityError::Malformed)?;
        if now > at.saturating_add(max_age) || at > now.saturating_add(FUTURE) {
            return Err(IdentityError::Stale);
        }
        let [subject, scopes, tier] = values.map(|value| value.map(decoded));
        Ok(Self { subject: subject.transpose()?, scopes: scopes.transpose()?, tier: tier.transpose()? })
    }

    const MALFORMED: IdentityError = IdentityError::Malformed;

    /// The caller; `None` for an anonymous one.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The scopes.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.as_deref().unwrap_or_default().split(' ').filter(|scope| !scope.is_empty())
    }

    /// The plan.
    pub fn tier(&self) -> Option<&str> {
        self.tier.as_deref()
    }
}

impl std::fmt::Debug for ForwardedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardedIdentity")
            .field("scopes", &self.scopes)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

pub(super) fn sign(values: [Option<&str>; 3], secret: &Secret, now: Timestamp, request_id: &str) -> String {
    let time = now.as_secs().to_string();
    let tag = mac(secret, &time, request_id, values).map(|mac| mac.finalize().into_bytes());
    format!("t={time},id={request_id},v1={}", base16ct::lower::encode_string(tag.as_deref().unwrap_or_default()))
}

/// One line for each part, and what is absent told from what is empty: no part can hold a line
/// break, so no two identities are signed alike.
fn mac(secret: &Secret, time: &str, id: &str, values: [Option<&str>; 3]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).ok()?;
    for part in [VERSION, time, id] {
        mac.update(part.as_bytes());
        mac.update(b"\n");
    }
    for value in values {
        mac.update(if value.is_some() { b"+" } else { b"-" });
        mac.update(value.unwrap_or_default().as_bytes());
        mac.update(b"\n");
    }
    Some(mac)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, IdentityError> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => line.to_str().map(Some).map_err(|_| IdentityError::Malformed),
        _ => Err(IdentityError::Malformed),
    }
}

fn decoded(text: &str) -> Result<String, IdentityError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit().ok_or(IdentityError::Malformed)?, digit().ok_or(IdentityError::Malformed)?);
        out.push(u8::try_from((high << 4) | low).map_err(|_| IdentityError::Malformed)?);
    }
    String::from_utf8(out).map_err(|_| IdentityError::Malformed)
}

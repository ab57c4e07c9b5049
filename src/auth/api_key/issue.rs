use zeroize::Zeroizing;

use super::{
    ApiKeyFormat, ApiKeyRecord, ApiKeyRecordBuilder, KeyHasher,
    format::{ALPHABET, ID_LEN, SECRET_LEN},
};
use crate::{config_error::ConfigError, secret::Secret};

/// A key that has just been issued: the one moment at which it is known in plain text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApiKey {
    /// The key, to be shown to its owner once and kept nowhere.
    pub secret: Secret,
    /// What is to be kept.
    pub record: ApiKeyRecord,
}

impl ApiKey {
    /// Issues a key: an id of twelve characters and a secret of 256 bits from the operating
    /// system's random numbers, each character drawn without bias. [`ApiKeys`](super::ApiKeys) does
    /// this, and keeps the record, too.
    ///
    /// With a slow hasher it takes as long as one hash: call it from `spawn_blocking`.
    ///
    /// ```
    /// use portcullis::{auth::api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher}, time::Timestamp};
    ///
    /// let format = ApiKeyFormat::new("acme", "live")?;
    /// let record = ApiKeyRecord::builder("usr_42").plan("pro").scopes(["read:orders", "write:*"]);
    /// # let from_configuration = portcullis::secret::Secret::new(vec![7_u8; 32]);
    /// let hasher = KeyHasher::hmac(from_configuration)?;
    /// let key = ApiKey::issue(&format, &hasher, record.expires_at(Timestamp::from_secs(1_900_000_000)))?;
    /// assert!(key.secret.expose().starts_with(b"acme_live_"));
    /// assert_eq!(key.record.owner(), "usr_42");
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the record, as [`ApiKeyRecordBuilder::build`] says it, or that it ends before it begins; or that the
    /// operating system has no random numbers.
    pub fn issue(format: &ApiKeyFormat, hasher: &KeyHasher, record: ApiKeyRecordBuilder) -> Result<Self, ConfigError> {
        let (id, secret) = (random_letters(ID_LEN)?, random_letters(SECRET_LEN)?);
        let key = format.compose(&id, &secret);
        record.check_window()?;
        let record = record.build(&id, format.environment(), hasher.digest(&key)?)?;
        Ok(Self { secret: Secret::new(key), record })
    }
}

/// Letters of the alphabet, each as likely as the next: bytes that would favour the first letters
/// are thrown away.
fn random_letters(count: usize) -> Result<Zeroizing<String>, ConfigError> {
    let mut letters = Zeroizing::new(String::with_capacity(count));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while letters.len() < count {
        getrandom::fill(&mut *bytes).map_err(|error| {
            ConfigError::new("random", format!("the system has no random numbers: {error}"), "run where it has")
        })?;
        let wanted = count.saturating_sub(letters.len());
        letters.extend(bytes.iter().filter_map(|byte| letter(*byte)).take(wanted));
    }
    Ok(letters)
}

fn letter(byte: u8) -> Option<char> {
    // 248 is the largest multiple of 62 that a byte holds.
    if byte >= 248 {
        return None;
    }
    ALPHABET.get(usize::from(byte % 62)).map(|letter| char::from(*letter))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_letter_is_favoured() {
        let mut counts = HashMap::new();
        for letter in (0..=255).filter_map(letter) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4));
    }

    #[test]
    fn no_two_keys_share_a_part_and_no_log_shows_one() {
        let format = ApiKeyFormat::new("acme", "test").unwrap();
        let issue = || ApiKey::issue(&format, &KeyHasher::sha256(), ApiKeyRecord::builder("usr_1")).unwrap();
        let (one, two) = (issue(), issue());
        let text = |key: &ApiKey| String::from_utf8(key.secret.expose().to_vec()).unwrap();
        assert_ne!(text(&one)[10..], text(&two)[10..]);
        assert_ne!(one.record.id(), two.record.id());
        assert!(!text(&one).contains(one.record.owner()));
        let shown = format!("{one:?}");
        assert!(!shown.contains(&text(&one)[23..40]) && !shown.contains("usr_1"), "{shown}");
    }

    #[test]
    fn every_mistake_in_a_record_is_named() {
        let format = ApiKeyFormat::new("acme", "test").unwrap();
        let error = ApiKey::issue(&format, &KeyHasher::sha256(), ApiKeyRecord::builder("").scopes(["*"])).unwrap_err();
        let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
        assert_eq!(fields, ["owner", "scopes"]);
        let digest = KeyHasher::sha256().digest("x").unwrap();
        let error = ApiKeyRecord::builder("usr_1").build("short", "a b", digest).unwrap_err();
        assert_eq!(error.issues().len(), 2);
    }
}

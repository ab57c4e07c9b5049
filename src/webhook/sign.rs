use http::{HeaderMap, HeaderValue};

use super::{
    Provider, fields,
    mac::{self, Message},
    signature,
    spec::{Part, TimeSource},
};
use crate::{config_error::ConfigError, secret::Secret, time::Timestamp};

impl Provider {
    /// The headers with which this provider would send `body`: for tests, and for senders of one's
    /// own. Made from the same row that the layer verifies with.
    ///
    /// `event_id` goes into the provider's id header if it has one; where the id is in the body,
    /// it is the caller's to put it there.
    ///
    /// # Errors
    /// A secret that is no key for this provider, or an id that cannot stand in its header.
    ///
    /// ```
    /// use portcullis::{secret::Secret, time::Timestamp, webhook::Provider};
    ///
    /// // The example of GitHub's documentation.
    /// let secret = Secret::new("It's a Secret to Everybody");
    /// let headers = Provider::github().sign(&secret, "guid-1", Timestamp::EPOCH, b"Hello, World!").unwrap();
    /// assert_eq!(
    ///     headers["x-hub-signature-256"],
    ///     "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    /// );
    /// ```
    pub fn sign(
        &self,
        secret: &Secret,
        event_id: &str,
        timestamp: Timestamp,
        body: &[u8],
    ) -> Result<HeaderMap, ConfigError> {
        let spec = &self.spec;
        let border = spec.after_id().filter(|_| spec.signs(&Part::Id));
        if spec.id_header.is_some()
            && (!fields::is_token(event_id) || border.is_some_and(|text| event_id.contains(text)))
        {
            let cure = "use 1 to 256 visible ASCII characters, without the separator of the signed parts";
            return Err(ConfigError::new("event_id", "it cannot stand in its header", cure));
        }
        let time = timestamp.as_secs().to_string();
        let message = Message { id: event_id, timestamp: &time, body };
        let tag = mac::sign(secret, &spec.secret, &spec.signed, message)
            .map_err(|(reason, cure)| ConfigError::new("secret", reason, cure))?;
        let mut headers = HeaderMap::new();
        let mut put = |name: &http::HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        put(&spec.signature, &signature::write(&tag, &time, &spec.format, spec.encoding));
        if let Some(TimeSource::Header(name)) = &spec.time {
            put(name, &time);
        }
        if let Some(name) = &spec.id_header {
            put(name, event_id);
        }
        Ok(headers)
    }
}

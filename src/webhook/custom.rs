use std::{borrow::Cow, sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    Provider,
    spec::{Part, SecretEncoding, SignatureEncoding, SignatureFormat, Spec, TimeSource, Window},
    table::{DEFAULT_WINDOW, TABLE},
};
use crate::config_error::{ConfigError, ConfigIssues};

/// The longest name of a provider, in bytes.
const MAX_NAME: usize = 32;

/// A provider's scheme, written down: HMAC-SHA256 over a template of the request's parts.
///
/// Without setters: a bare hexadecimal signature over the body, no timestamp, no event id.
///
/// ```
/// use portcullis::webhook::{Provider, SecretEncoding, SignatureEncoding, SignatureFormat};
///
/// # fn main() -> Result<(), portcullis::config_error::ConfigError> {
/// let zoom = Provider::custom("zoom", "x-zm-signature")
///     .format(SignatureFormat::Prefixed("v0=".into()))
///     .timestamp_header("x-zm-request-timestamp")
///     .signed("v0:{timestamp}:{body}")
///     .event_id_header("x-zm-trackingid")
///     .build()?;
/// assert_eq!(zoom.name(), "zoom");
///
/// // Every mistake is named.
/// let error = Provider::custom("Acme", "x acme").signed("{timestamp}").build().unwrap_err();
/// assert_eq!(error.issues().len(), 4);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a scheme does nothing until it is built"]
pub struct CustomProvider {
    name: String,
    signature_header: String,
    format: SignatureFormat,
    encoding: SignatureEncoding,
    signed: String,
    timestamp_header: Option<String>,
    window: Window,
    id_header: Option<String>,
    id_field: Option<String>,
    type_header: Option<String>,
    type_field: Option<String>,
    secret: SecretEncoding,
    retry_span: Duration,
}

impl CustomProvider {
    pub(super) fn new(name: String, signature_header: String) -> Self {
        Self {
            name,
            signature_header,
            format: SignatureFormat::Bare,
            encoding: SignatureEncoding::Hex,
            signed: "{body}".into(),
            timestamp_header: None,
            window: DEFAULT_WINDOW,
            id_header: None,
            id_field: None,
            type_header: None,
            type_field: None,
            secret: SecretEncoding::Raw,
            retry_span: Duration::ZERO,
        }
    }

    /// How the signature header is built. Default: [`SignatureFormat::Bare`].
    pub fn format(mut self, format: SignatureFormat) -> Self {
        self.format = format;
        self
    }

    /// How the signature is written. Default: [`SignatureEncoding::Hex`].
    pub fn encoding(mut self, encoding: SignatureEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The signed bytes, with `{id}`, `{timestamp}` and `{body}` in their places; what stands
    /// between them is taken literally. Default: `{body}`.
    pub fn signed(mut self, template: impl Into<String>) -> Self {
        self.signed = template.into();
        self
    }

    /// The header with the signed timestamp, in seconds since the Unix epoch. Not needed where the
    /// signature header itself has it ([`SignatureFormat::KeyValues`]).
    pub fn timestamp_header(mut self, name: impl Into<String>) -> Self {
        self.timestamp_header = Some(name.into());
        self
    }

    /// How old, and how far in the future, a signed timestamp may be; whole seconds, rounded up.
    /// Default: 300 s and 30 s.
    pub fn window(mut self, past: Duration, future: Duration) -> Self {
        self.window = Window { past, future };
        self
    }

    /// The header with the event's id.
    pub fn event_id_header(mut self, name: impl Into<String>) -> Self {
        self.id_header = Some(name.into());
        self
    }

    /// The top-level field of a JSON body with the event's id. A signed header comes before it; one
    /// that is not signed, after it.
    pub fn event_id_field(mut self, name: impl Into<String>) -> Self {
        self.id_field = Some(name.into());
        self
    }

    /// The header with the event's type.
    pub fn event_type_header(mut self, name: impl Into<String>) -> Self {
        self.type_header = Some(name.into());
        self
    }

    /// The top-level field of a JSON body with the event's type, read where the header has none.
    pub fn event_type_field(mut self, name: impl Into<String>) -> Self {
        self.type_field = Some(name.into());
        self
    }

    /// How the key is made from the secret. Default: [`SecretEncoding::Raw`].
    pub fn secret_encoding(mut self, encoding: SecretEncoding) -> Self {
        self.secret = encoding;
        self
    }

    /// For how long the provider goes on sending an unacknowledged event; a completed one is
    /// remembered for a day longer. Default: zero.
    pub fn retry_span(mut self, span: Duration) -> Self {
        self.retry_span = span;
        self
    }

    /// The provider.
    ///
    /// # Errors
    /// A name that is not 1 to 32 of `a-z`, `0-9`, `-`, `_`, or is built in; a header name that is
    /// none, or is used twice; a template without `{body}`, with a part twice or with an unknown
    /// part; a timestamp or id that is in the template but in no header, or a timestamp that is not
    /// signed; a separator, key or prefix that cannot stand in a header.
    pub fn build(self) -> Result<Provider, ConfigError> {
        let mut issues = ConfigIssues::new();
        self.check_name(&mut issues);
        self.check_format(&mut issues);
        let signed = template(&self.signed, &mut issues);
        let signature = header(&mut issues, "signature_header", Some(&self.signature_header));
        let timestamp_header = header(&mut issues, "timestamp_header", self.timestamp_header.as_deref());
        let id_header = header(&mut issues, "event_id_header", self.id_header.as_deref());
        let type_header = header(&mut issues, "event_type_header", self.type_header.as_deref());
        let used = [&signature, &timestamp_header, &id_header, &type_header];
        let mut names: Vec<_> = used.into_iter().flatten().collect();
        names.sort_by_key(|name| name.as_str());
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            issues.add("signature_header", "one header is used for two things", "give each its own header");
        }
        let time = self.time_source(timestamp_header, &signed, &mut issues);
        if signed.contains(&Part::Id) && self.id_header.is_none() {
            issues.add("signed", "it contains {id}, but no header has the id", "set event_id_header");
        }
        let spec = Spec {
            name: self.name.into(),
            // Where there is no signature header, `finish` returns the issue and not this.
            signature: signature.unwrap_or(http::header::AUTHORIZATION),
            format: self.format,
            encoding: self.encoding,
            signed: signed.into(),
            time,
            window: self.window,
            id_header,
            id_field: self.id_field.map(Cow::Owned),
            type_header,
            type_field: self.type_field.map(Cow::Owned),
            secret: self.secret,
            retry_span: self.retry_span,
        };
        issues.finish(Provider { spec: Arc::new(spec) })
    }

    fn check_name(&self, issues: &mut ConfigIssues) {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            issues.add("name", format!("{:?} is not a provider's name", self.name), "use 1 to 32 of a-z, 0-9, - and _");
        }
        if TABLE.iter().any(|spec| spec.name == self.name) {
            issues.add("name", format!("{:?} is built in", self.name), "choose another name");
        }
    }

    fn check_format(&self, issues: &mut ConfigIssues) {
        let token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let fits = match &self.format {
            SignatureFormat::Bare => true,
            SignatureFormat::Prefixed(prefix) => {
                !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_graphic())
            }
            SignatureFormat::KeyValues { separator, timestamp, signature } => {
                matches!(separator, ',' | ';' | '&' | ' ')
                    && token(signature)
                    && timestamp.as_deref().is_none_or(token)
                    && timestamp.as_ref() != Some(signature)
            }
            SignatureFormat::Versioned(version) => token(version),
        };
        if !fits {
            issues.add(
                "format",
                "a prefix, key or separator cannot be told from a signature",
                "use a visible prefix; keys of letters, digits, -, _ and .; one of , ; & or space between items",
            );
        }
    }

    /// A timestamp that is checked but not signed protects from nothing; one that is signed but
    /// not checked is replayed for ever.
    fn time_source(
        &self,
        header: Option<HeaderName>,
        signed: &[Part],
        issues: &mut ConfigIssues,
    ) -> Option<TimeSource> {
        let listed = matches!(self.format, SignatureFormat::KeyValues { timestamp: Some(_), .. });
        let named = self.timestamp_header.is_some();
        match (listed || named, signed.contains(&Part::Timestamp)) {
            (true, false) => issues.add("signed", "the timestamp is not signed", "put {timestamp} into the template"),
            (false, true) => issues.add(
                "signed",
                "it contains {timestamp}, but nothing says where the timestamp is",
                "set timestamp_header, or SignatureFormat::KeyValues with a timestamp",
            ),
            _ => {}
        }
        if listed && named {
            issues.add("timestamp_header", "the signature header has a timestamp already", "leave one of them out");
        }
        if listed { Some(TimeSource::InSignature) } else { header.map(TimeSource::Header) }
    }
}

fn header(issues: &mut ConfigIssues, field: &'static str, name: Option<&str>) -> Option<HeaderName> {
    let name = name?;
    let parsed = HeaderName::try_from(name).ok();
    if parsed.is_none() {
        issues.add(field, format!("{name:?} is not a header's name"), "use a name such as X-Acme-Signature");
    }
    parsed
}

fn template(text: &str, issues: &mut ConfigIssues) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once('{') {
        let Some((name, tail)) = tail.split_once('}') else {
            issues.add("signed", "a brace is not closed", "write parts as {id}, {timestamp} and {body}");
            return parts;
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned().into()));
        }
        match name {
            "id" => parts.push(Part::Id),
            "timestamp" => parts.push(Part::Timestamp),
            "body" => parts.push(Part::Body),
            _ => issues.add("signed", format!("there is no part {name:?}"), "use {id}, {timestamp} and {body}"),
        }
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned().into()));
    }
    let count = |part: Part| parts.iter().filter(|held| **held == part).count();
    if count(Part::Body) == 0 {
        issues.add("signed", "the body is not signed", "put {body} into the template");
    }
    if count(Part::Body) > 1 || count(Part::Id) > 1 || count(Part::Timestamp) > 1 {
        issues.add("signed", "a part appears twice", "use each part once");
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> (Vec<Part>, bool) {
        let mut issues = ConfigIssues::new();
        let parts = template(text, &mut issues);
        (parts, issues.is_empty())
    }

    #[test]
    fn a_template_is_read_in_order() {
        let literal = |text: &'static str| Part::Literal(text.into());
        let read = vec![literal("v0:"), Part::Timestamp, literal(":"), Part::Body, literal("}")];
        assert_eq!(parts("v0:{timestamp}:{body}}"), (read, true));
        for bad in ["", "{body", "{}{body}", "{ body }", "{Body}", "{{body}}", "{id}{body}{id}"] {
            assert!(!parts(bad).1, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_setting_panics(name in "\\PC{0,8}", header in "\\PC{0,8}", signed in "[{}a-z.]{0,30}", separator: char) {
            let format = SignatureFormat::KeyValues { separator, timestamp: None, signature: name.clone().into() };
            let _ = Provider::custom(name, header.clone()).format(format).signed(signed).event_id_header(header).build();
        }
    }
}

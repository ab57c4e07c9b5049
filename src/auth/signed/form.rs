use http::HeaderName;

use crate::config_error::ConfigIssues;

/// The names that a form of signed requests uses: AWS Signature Version 4's own, or those of a form
/// that works alike under other names.
///
/// ```
/// use portcullis::auth::signed::SignatureForm;
///
/// let aws = SignatureForm::aws();
/// assert_eq!((aws.algorithm(), aws.date_header()), ("AWS4-HMAC-SHA256", "x-amz-date"));
/// let acme = SignatureForm::new("ACME1-HMAC-SHA256", "x-acme-");
/// assert_eq!((acme.terminator(), acme.date_header()), ("acme1_request", "x-acme-date"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SignatureForm {
    algorithm: String,
    key_prefix: String,
    terminator: String,
    headers: String,
    date: String,
    digest: String,
    token: String,
    query: String,
}

impl SignatureForm {
    /// AWS Signature Version 4.
    pub fn aws() -> Self {
        Self::new("AWS4-HMAC-SHA256", "x-amz-")
    }

    /// A form of your own. `algorithm` is the scheme in `Authorization`, such as
    /// `ACME1-HMAC-SHA256`; what precedes its first hyphen is put before the secret, and in lower
    /// case with `_request` it ends the scope. `headers` begins the names of the form's header
    /// fields, such as `x-acme-`: `x-acme-date`, `x-acme-content-sha256`, and all others with that
    /// beginning, which must be signed. The parameters of a presigned query begin with the same
    /// words, capitalised: `X-Acme-Signature`.
    pub fn new(algorithm: impl Into<String>, headers: impl Into<String>) -> Self {
        let (algorithm, headers) = (algorithm.into(), headers.into());
        let name = algorithm.split('-').next().unwrap_or_default().to_owned();
        let terminator = format!("{}_request", name.to_ascii_lowercase());
        Self { key_prefix: name, terminator, ..Self { algorithm, ..Self::named(headers) } }
    }

    fn named(headers: String) -> Self {
        let name = |end: &str| format!("{headers}{end}");
        let (date, digest, token) = (name("date"), name("content-sha256"), name("security-token"));
        let query = headers.split_inclusive('-').map(capitalised).collect();
        let (algorithm, key_prefix, terminator) = Default::default();
        Self { algorithm, key_prefix, terminator, headers, date, digest, token, query }
    }

    /// What is put before the secret to make the first key of the derivation. Default: what precedes
    /// the algorithm's first hyphen (`AWS4`).
    pub fn with_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    /// The last part of the scope. Default: the prefix in lower case, and `_request`.
    pub fn with_terminator(mut self, terminator: impl Into<String>) -> Self {
        self.terminator = terminator.into();
        self
    }

    /// The scheme in `Authorization`, and the first line of what is signed.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// What is put before the secret.
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// The last part of the scope.
    pub fn terminator(&self) -> &str {
        &self.terminator
    }

    /// What the names of the form's header fields begin with.
    pub fn header_prefix(&self) -> &str {
        &self.headers
    }

    /// The header field with the time of the signature, as `20150830T123600Z`.
    pub fn date_header(&self) -> &str {
        &self.date
    }

    /// The header field with the SHA-256 of the body.
    pub fn digest_header(&self) -> &str {
        &self.digest
    }

    /// The header field with a session token: signed like the others, and otherwise opaque.
    pub fn token_header(&self) -> &str {
        &self.token
    }

    /// What the names of a presigned query's parameters begin with.
    pub fn query_prefix(&self) -> &str {
        &self.query
    }

    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        let is_word = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if !is_word(&self.algorithm) || self.algorithm.eq_ignore_ascii_case("bearer") {
            let cure = "use a name such as ACME1-HMAC-SHA256";
            issues.add("form.algorithm", "it cannot be the scheme of an Authorization header", cure);
        }
        if !is_word(&self.terminator) {
            issues.add(
                "form.terminator",
                "it is not 1 to 64 letters, digits, - _ .",
                "use a word such as acme1_request",
            );
        }
        let is_prefix = self.headers.ends_with('-')
            && !self.headers.bytes().any(|byte| byte.is_ascii_uppercase())
            && [&self.date, &self.digest, &self.token].iter().all(|name| HeaderName::try_from(*name).is_ok());
        if !is_prefix || self.headers.len() > 32 || self.headers == "-" {
            let cure = "use a beginning such as x-acme-";
            issues.add("form.headers", "it is not the lower-case beginning of a header name, with a hyphen", cure);
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_cannot_be_written_is_refused() {
        let issues = |form: SignatureForm| {
            let mut issues = ConfigIssues::new();
            form.check(&mut issues);
            issues.finish(()).map_or_else(|error| error.issues().len(), |()| 0)
        };
        assert_eq!(issues(SignatureForm::aws()), 0);
        assert_eq!(SignatureForm::aws().query_prefix(), "X-Amz-");
        assert_eq!(issues(SignatureForm::new("ACME 1", "x-acme-").with_terminator("end")), 1);
        assert_eq!(issues(SignatureForm::new("Bearer", "x-acme-")), 1);
        assert_eq!(issues(SignatureForm::new("A1", "X-Acme-")), 1);
        assert_eq!(issues(SignatureForm::new("A1", "x-acme")), 1);
        assert_eq!(issues(SignatureForm::new("A1", "x acme-").with_terminator("a/b")), 2);
    }
}

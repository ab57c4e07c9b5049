//! Asking over HTTP (RFC 7662 §2.1).

use std::fmt;

use bytes::Bytes;
use reqwest::{Client, StatusCode, Url, header};

use super::{IntrospectionClient, IntrospectionError, Introspector, response::MAX_RESPONSE};
use crate::{auth::jwt::parts::http_client, config_error::ConfigError, store::BoxFuture};

/// Asks one endpoint: 5 s in all, 64 KiB, status 200, no redirects.
pub(super) struct HttpIntrospector {
    url: Url,
    client: Client,
    own: IntrospectionClient,
}

impl fmt::Debug for HttpIntrospector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = format!("{}{}", self.url.origin().ascii_serialization(), self.url.path());
        f.debug_tuple("HttpIntrospector").field(&url).finish()
    }
}

impl HttpIntrospector {
    pub(super) fn new(url: &str, own: IntrospectionClient) -> Result<Self, ConfigError> {
        if let Some(mistake) = own.mistake() {
            return Err(ConfigError::new("client", mistake, "give what the authorization server has issued"));
        }
        let (url, client) = http_client(url, "endpoint")?;
        Ok(Self { url, client, own })
    }

    async fn ask(&self, token: &str) -> Result<Bytes, IntrospectionError> {
        let (authorization, form) = self.own.write(token);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form.to_vec());
        if let Some(value) = authorization {
            let mut value = header::HeaderValue::from_bytes(&value).map_err(IntrospectionError::unreachable)?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(IntrospectionError::Status(response.status().as_u16()));
        }
        if response.content_length().is_some_and(|length| length > MAX_RESPONSE as u64) {
            return Err(IntrospectionError::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len().saturating_add(chunk.len()) > MAX_RESPONSE {
                return Err(IntrospectionError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

impl Introspector for HttpIntrospector {
    fn introspect<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bytes, IntrospectionError>> {
        Box::pin(self.ask(token))
    }
}

fn failed(error: reqwest::Error) -> IntrospectionError {
    if error.is_timeout() { IntrospectionError::TimedOut } else { IntrospectionError::unreachable(error.without_url()) }
}

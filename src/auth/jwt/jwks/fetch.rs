//! The key set over HTTP.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, StatusCode, Url, header, redirect};

use super::{cache_control::max_age, flight::MAX_BYTES, validators::LastAnswer};
use crate::{
    auth::jwt::{FetchedKeys, KeySource, KeySourceError},
    config_error::ConfigError,
    store::BoxFuture,
};

const LIMIT: Duration = Duration::from_secs(5);

/// Fetches one URL: 5 s in all, 1 MiB, status 200 (or 304 of what is known), no redirects.
pub(crate) struct HttpKeySource {
    url: Url,
    client: Client,
    last: LastAnswer,
}

impl fmt::Debug for HttpKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the query: some providers want a token there, and this is written to logs.
        let url = format!("{}{}", self.url.origin().ascii_serialization(), self.url.path());
        f.debug_tuple("HttpKeySource").field(&url).finish()
    }
}

impl HttpKeySource {
    pub(crate) fn new(url: &str) -> Result<Self, ConfigError> {
        let (url, client) = client(url, "jwks_url")?;
        Ok(Self { url, client, last: LastAnswer::default() })
    }

    async fn get(&self) -> Result<FetchedKeys, KeySourceError> {
        let request = self.client.get(self.url.clone());
        let request = request.header(header::ACCEPT, "application/jwk-set+json, application/json");
        let last = self.last.get();
        let request = match &last {
            Some(last) => request.header(header::IF_NONE_MATCH, last.tag.clone()),
            None => request,
        };
        let mut response = request.send().await.map_err(failed)?;
        let lines = response.headers().get_all(header::CACHE_CONTROL);
        let max_age = max_age(lines.iter().map(header::HeaderValue::as_bytes));
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some(last) = last
        {
            return Ok(FetchedKeys { jwks: last.jwks, max_age });
        }
        if response.status() != StatusCode::OK {
            return Err(KeySourceError::Status(response.status().as_u16()));
        }
        if response.content_length().is_some_and(|length| length > MAX_BYTES as u64) {
            return Err(KeySourceError::TooLarge);
        }
        let tag = response.headers().get(header::ETAG).cloned();
        let mut jwks = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if jwks.len().saturating_add(chunk.len()) > MAX_BYTES {
                return Err(KeySourceError::TooLarge);
            }
            jwks.extend_from_slice(&chunk);
        }
        let jwks = jwks.into();
        self.last.keep(tag.as_ref(), &jwks);
        Ok(FetchedKeys { jwks, max_age })
    }
}

/// A client for one URL, which is `https` or on the loopback interface: 5 s in all, no redirects.
pub(crate) fn client(url: &str, field: &'static str) -> Result<(Url, Client), ConfigError> {
    const CURE: &str = "use https://, or http:// with 127.0.0.1, [::1] or localhost";
    let issue = |reason: String| ConfigError::new(field, reason, CURE);
    let url = Url::parse(url).map_err(|error| issue(format!("it is not a URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(issue("it has a user name, a password or a fragment".into()));
    }
    let builder = Client::builder()
        .timeout(LIMIT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
    let builder = match (url.scheme(), loopback(&url)) {
        ("https", _) => builder.https_only(true),
        ("http", Some(addresses)) => plain(builder, &url, &addresses),
        _ => return Err(issue("what is sent in plain text can be exchanged on the way".into())),
    };
    let client = builder.build().map_err(|error| {
        ConfigError::new(field, format!("no HTTP client: {error:?}"), "see that the machine has CA certificates")
    })?;
    Ok((url, client))
}

impl KeySource for HttpKeySource {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        Box::pin(self.get())
    }
}

fn failed(error: reqwest::Error) -> KeySourceError {
    if error.is_timeout() { KeySourceError::TimedOut } else { KeySourceError::unreachable(error.without_url()) }
}

/// Nothing of the environment has a say in what goes to this machine: no proxy (it would carry the
/// request away), no CA store (it is not needed, and may be absent).
fn plain(builder: ClientBuilder, url: &Url, addresses: &[SocketAddr]) -> ClientBuilder {
    let builder = builder.no_proxy().tls_certs_only([]);
    match url.host_str() {
        // A name server has no say either.
        Some(host) => builder.resolve_to_addrs(host, addresses),
        None => builder,
    }
}

/// The addresses of a loopback host; `None` for any other.
fn loopback(url: &Url) -> Option<Vec<SocketAddr>> {
    let host = url.host_str()?;
    let port = url.port_or_known_default()?;
    if host == "localhost" {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Some(both.map(|address| SocketAddr::new(address, port)).into());
    }
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    address.is_loopback().then(|| vec![SocketAddr::new(address, port)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_for_this_machine_only() {
        for url in [
            "http://127.0.0.1:1/jwks",
            "http://127.9.9.9/jwks",
            "http://[::1]:8080/",
            "http://localhost/x",
            "http://LOCALHOST/x",
        ] {
            assert!(HttpKeySource::new(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/jwks",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/jwks",
            "http://0.0.0.0/jwks",
            "http://[::]/",
            "http://[::ffff:8.8.8.8]/",
            "http://user@127.0.0.1/",
            "http://127.0.0.1/#x",
            "ftp://127.0.0.1/",
            "file:///etc/jwks.json",
            "data:,{}",
            "127.0.0.1",
            "",
        ] {
            let error = HttpKeySource::new(url).unwrap_err();
            assert_eq!(error.issues()[0].field, "jwks_url", "{url}");
        }
    }
}

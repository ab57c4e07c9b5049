use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{Router, routing::get};
use http::header;
use tokio::{net::TcpListener, task::JoinHandle};

use super::TestIssuer;

const PATH: &str = "/.well-known/jwks.json";

impl TestIssuer {
    /// A router that serves `GET /.well-known/jwks.json`, always with the keys of the moment, and
    /// `GET /.well-known/openid-configuration`, which names it under the issuer's URL.
    pub fn jwks_router(&self) -> Router {
        self.counting_router(&Arc::default())
    }

    fn counting_router(&self, requests: &Arc<AtomicU64>) -> Router {
        let (issuer, requests) = (self.clone(), Arc::clone(requests));
        let serve = move || {
            requests.fetch_add(1, Relaxed);
            let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "max-age=60")];
            let body = issuer.jwks().to_string();
            async move { (headers, body) }
        };
        let (url, place) = (self.url(), format!("{}{PATH}", self.url().trim_end_matches('/')));
        let metadata = serde_json::json!({ "issuer": url, "jwks_uri": place }).to_string();
        let describe = move || async move { ([(header::CONTENT_TYPE, "application/json")], metadata) };
        Router::new().route(PATH, get(serve)).route("/.well-known/openid-configuration", get(describe))
    }

    /// Serves [`jwks_router`](Self::jwks_router) on a free port of the loopback interface, until
    /// the returned value is dropped. Needs a tokio runtime.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn serve(&self) -> io::Result<TestServer> {
        let requests = Arc::default();
        let app = self.counting_router(&requests);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        // Ends with the abort below, never by itself.
        let task = tokio::spawn(async move { drop(axum::serve(listener, app).await) });
        Ok(TestServer { address, task, requests })
    }
}

/// The keys of a [`TestIssuer`] on the loopback interface. Stops when dropped.
///
/// ```
/// use portcullis::{auth::jwt::Issuer, testing::TestIssuer};
///
/// # #[cfg(feature = "jwks")]
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::new("https://issuer.test").audience("orders");
/// let server = issuer.serve().await?;
/// let verifier = Issuer::new(issuer.url()).audience("orders").jwks_url(server.jwks_url()).build()?;
/// verifier.warm_up().await?;
/// assert_eq!((verifier.key_set_health().keys, server.requests()), (1, 1));
/// # Ok(()) }
/// # #[cfg(not(feature = "jwks"))] fn main() {}
/// ```
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    task: JoinHandle<()>,
    requests: Arc<AtomicU64>,
}

impl TestServer {
    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the key set is.
    pub fn jwks_url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// How often the key set was asked for.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! Services that are known by their certificates, and tokens that are bound to one (RFC 8705).
//!
//! `cargo run --example mtls --features mtls`, then the lines that it prints. At its start it makes an
//! authority of its own, a certificate for itself and one for each of two clients, and writes what
//! curl needs into a directory that it names.
//!
//! What there is to see: the TLS listener verifies certificates, and hands them on as `TlsPeer`;
//! `AuthLayer` decides whose they are. Handshakes run in tasks of their own, so that one slow client
//! keeps nobody waiting.

use std::{
    error::Error, io, io::Write as _, net::SocketAddr, os::unix::fs::DirBuilderExt as _, sync::Arc, time::Duration,
};

use axum::{Router, routing::get, serve::Listener};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis::{
    auth::{
        AuthLayer, Verified,
        jwt::JwtVerifier,
        mtls::{CertificateTable, ClientCertificates, TlsPeers},
    },
    authz::ScopeLayer,
    identity::Principal,
    request::{PeerCertificate, TlsPeer},
    testing::TestIssuer,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};
use tower::ServiceBuilder;

const BILLING: &str = "spiffe://shop.example/ns/prod/sa/billing";
const REPORTS: &str = "spiffe://shop.example/ns/prod/sa/reports";
/// Who has not finished the handshake by then never will.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many handshakes at once: each costs a signature.
const HANDSHAKES: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let authority = Authority::new()?;
    let (billing, reports) = (authority.client(BILLING)?, authority.client(REPORTS)?);
    let issuer = TestIssuer::new("https://id.shop.example");
    let listener = TlsListener::new(TcpListener::bind("127.0.0.1:0").await?, authority.server_config()?)?;
    let address = listener.address;

    let folder = std::env::temp_dir().join(format!("portcullis-mtls-{}", std::process::id()));
    // Nobody else's, and not there before: it holds keys.
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    std::fs::write(folder.join("ca.pem"), authority.0.pem())?;
    for (name, client) in [("billing", &billing), ("reports", &reports)] {
        std::fs::write(folder.join(format!("{name}.pem")), format!("{}{}", client.pem, client.key.serialize_pem()))?;
    }
    let token = bound_token(&issuer, &billing);
    let mut out = io::stdout().lock();
    writeln!(out, "cd {}", folder.display())?;
    let curl = format!("curl -i --cacert ca.pem https://localhost:{}", address.port());
    writeln!(out, "{curl}/me   # 401: nothing to know the caller by")?;
    writeln!(out, "{curl}/orders --cert billing.pem")?;
    writeln!(out, "{curl}/orders --cert reports.pem   # 403: of our domain, and without the scope")?;
    writeln!(out, "{curl}/me --cert billing.pem -H 'Authorization: Bearer {token}'   # a token bound to it")?;
    writeln!(out, "{curl}/me --cert reports.pem -H 'Authorization: Bearer {token}'   # 401: stolen")?;
    drop(out);

    let service = app(issuer.verifier())?.into_make_service_with_connect_info::<TlsPeer>();
    axum::serve(TlsPeers(listener), service)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The service. A token that is bound to nothing is refused: whoever steals one has nothing.
fn app(tokens: JwtVerifier) -> Result<Router, Box<dyn Error>> {
    let callers = CertificateTable::builder()
        .spiffe_id(BILLING, Verified::by_certificate("billing").scopes(["read:orders"])?)
        .spiffe_trust_domain("shop.example")
        .build()?;
    let auth = AuthLayer::builder()
        .authenticator(ClientCertificates::new(callers))
        .jwt(tokens)
        .only_bound_tokens()
        .realm("orders")
        .build()?;
    Ok(Router::new()
        .route("/me", get(me))
        .route("/orders", get(orders).layer(ScopeLayer::all(["read:orders"])?))
        .layer(ServiceBuilder::new().layer(auth)))
}

async fn me(caller: Principal) -> String {
    format!("{} by {}\n", caller.subject(), caller.method().as_str())
}

async fn orders(caller: Principal) -> String {
    format!("the orders, for {}\n", caller.subject())
}

/// What an authorization server gives to a client that showed its certificate (RFC 8705 §3.1).
fn bound_token(issuer: &TestIssuer, client: &Client) -> String {
    let certificate = PeerCertificate::from_der(client.der.to_vec());
    let thumbprint = Base64UrlUnpadded::encode_string(certificate.sha256());
    issuer.token("usr_1").claim("cnf", json!({ "x5t#S256": thumbprint })).sign()
}

/// The authority that signs the certificates of server and clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Client {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose issuer has its own name for self-signed.
        params.distinguished_name.push(DnType::CommonName, "the authority of the example");
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<Client, rcgen::Error> {
        params.extended_key_usages = vec![usage];
        params.distinguished_name.push(DnType::CommonName, "a leaf: its names are the alternative ones");
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Client { der: certificate.der().clone(), pem: certificate.pem(), key })
    }

    fn client(&self, spiffe_id: &str) -> Result<Client, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::URI(spiffe_id.try_into()?));
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// TLS for the service: who shows a certificate must hold its key, and have it from this authority.
    /// Who shows none gets a 401, which says more than a broken handshake.
    fn server_config(&self) -> Result<ServerConfig, Box<dyn Error>> {
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let server = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let clients = clients.allow_unauthenticated().build()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.key.serialize_der()));
        Ok(ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![server.der], key)?)
    }
}

/// Connections whose handshake is over.
struct TlsListener {
    address: SocketAddr,
    connections: mpsc::Receiver<(TlsStream<TcpStream>, TlsPeer)>,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    fn new(listener: TcpListener, config: ServerConfig) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::channel(64);
        let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), sender));
        Ok(Self { address, connections, accepting })
    }
}

async fn accept(mut listener: TcpListener, tls: TlsAcceptor, ready: mpsc::Sender<(TlsStream<TcpStream>, TlsPeer)>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        // axum's: it waits a while where there are no more file descriptors.
        let (stream, address) = Listener::accept(&mut listener).await;
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let _place = place;
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else { return };
            let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let peer = TlsPeer::new(address);
            let peer = match leaf {
                Some(leaf) => peer.certificate(leaf.to_vec()),
                None => peer,
            };
            // Nobody is there when the service has ended.
            drop(ready.send((stream, peer)).await);
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = TlsPeer;

    async fn accept(&mut self) -> (Self::Io, TlsPeer) {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<TlsPeer> {
        Ok(TlsPeer::new(self.address))
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::{
        TlsConnector,
        rustls::{ClientConfig, pki_types::ServerName},
    };

    use super::*;

    struct Service {
        authority: Authority,
        issuer: TestIssuer,
        address: SocketAddr,
    }

    async fn service() -> Service {
        let (authority, issuer) = (Authority::new().unwrap(), TestIssuer::new("https://id.shop.example"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TlsListener::new(listener, authority.server_config().unwrap()).unwrap();
        let address = listener.address;
        let app = app(issuer.verifier()).unwrap().into_make_service_with_connect_info::<TlsPeer>();
        tokio::spawn(async move { axum::serve(TlsPeers(listener), app).await });
        Service { authority, issuer, address }
    }

    impl Service {
        /// Status and body of one request over a connection of its own.
        async fn ask(&self, path: &str, client: Option<&Client>, token: &str) -> io::Result<(u16, String)> {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.0.der().clone()).unwrap();
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
            let config = match client {
                Some(client) => {
                    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(client.key.serialize_der()));
                    config.with_client_auth_cert(vec![client.der.clone()], key).unwrap()
                }
                None => config.with_no_client_auth(),
            };
            let stream = TcpStream::connect(self.address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
            let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{token}connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            Ok((status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()))
        }
    }

    #[tokio::test]
    async fn callers_are_known_by_their_certificates() {
        let service = service().await;
        let (billing, reports) =
            (service.authority.client(BILLING).unwrap(), service.authority.client(REPORTS).unwrap());
        assert_eq!(service.ask("/me", None, "").await.unwrap().0, 401);
        let (status, body) = service.ask("/orders", Some(&billing), "").await.unwrap();
        assert_eq!((status, body.as_str()), (200, "the orders, for billing\n"));
        assert_eq!(service.ask("/orders", Some(&reports), "").await.unwrap().0, 403);
        let (status, body) = service.ask("/me", Some(&reports), "").await.unwrap();
        assert_eq!((status, body.contains(REPORTS)), (200, true));
        let foreign = service.authority.client("spiffe://other.example/ns/prod/sa/billing").unwrap();
        assert_eq!(service.ask("/me", Some(&foreign), "").await.unwrap().0, 401);
    }

    #[tokio::test]
    async fn another_authoritys_certificate_does_not_get_as_far_as_http() {
        let service = service().await;
        let forged = Authority::new().unwrap().client(BILLING).unwrap();
        service.ask("/orders", Some(&forged), "").await.unwrap_err();
    }

    #[tokio::test]
    async fn a_bound_token_is_good_with_its_certificate_only() {
        let service = service().await;
        let (billing, reports) =
            (service.authority.client(BILLING).unwrap(), service.authority.client(REPORTS).unwrap());
        let token = bound_token(&service.issuer, &billing);
        assert_eq!(service.ask("/me", Some(&billing), &token).await.unwrap().0, 200);
        assert_eq!(service.ask("/me", Some(&reports), &token).await.unwrap().0, 401);
        assert_eq!(service.ask("/me", None, &token).await.unwrap().0, 401);
        let unbound = service.issuer.token("usr_1").sign();
        assert_eq!(service.ask("/me", Some(&billing), &unbound).await.unwrap().0, 401);
    }

    #[tokio::test]
    async fn who_never_finishes_the_handshake_keeps_nobody_waiting() {
        let service = service().await;
        let mut silent = Vec::new();
        for _ in 0..32 {
            silent.push(TcpStream::connect(service.address).await.unwrap());
        }
        let billing = service.authority.client(BILLING).unwrap();
        assert_eq!(service.ask("/orders", Some(&billing), "").await.unwrap().0, 200);
    }
}

use std::net::SocketAddr;

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{CertificateTable, CertificateTableBuilder, ClientCertificates};
use crate::{
    auth::{AuthLayer, AuthLayerBuilder, Verified},
    gate::RequestContextLayer,
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    request::{PeerCertificate, TlsPeer, TrustedProxies},
    time::{ManualClock, Timestamp},
};

#[cfg(feature = "mtls")]
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// The example of RFC 9440 §A, in force until January 2021.
const EXAMPLE: &str = super::header::tests::EXAMPLE;
const EXAMPLE_DATE: Timestamp = Timestamp::from_secs(1_600_000_000);

fn app(auth: AuthLayerBuilder, now: Timestamp) -> Router {
    async fn whoami(caller: Option<Principal>, headers: HeaderMap) -> String {
        let seen = ["client-cert", "client-cert-chain"].map(|name| u8::from(headers.contains_key(name)));
        let caller = caller.map_or("nobody".into(), |caller| {
            format!("{} {} {}", caller.subject(), caller.method().as_str(), caller.credential_id().unwrap_or(""))
        });
        format!("{caller} {seen:?}")
    }
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(now)).trusted_proxies(proxies);
    let layers = tower::ServiceBuilder::new().layer(context).layer(auth.build().unwrap());
    Router::new().route("/", get(whoami)).layer(layers)
}

async fn ask(app: &Router, request: Request<Body>) -> (u16, Option<RejectionKind>, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

fn shown(certificate: &PeerCertificate) -> Request<Body> {
    Request::get("/").extension(certificate.clone()).body(Body::empty()).unwrap()
}

fn with_table(table: CertificateTableBuilder) -> AuthLayerBuilder {
    AuthLayer::builder().authenticator(ClientCertificates::new(table.build().unwrap()))
}

fn hex(certificate: &PeerCertificate) -> String {
    base16ct::lower::encode_string(certificate.sha256())
}

fn example() -> PeerCertificate {
    PeerCertificate::from_der(super::header::client_cert(EXAMPLE.as_bytes()).unwrap())
}

fn proxied(peer: &str, lines: &[&str]) -> Request<Body> {
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    for line in lines {
        request.headers_mut().append("client-cert", line.parse().unwrap());
    }
    request.headers_mut().append("client-cert-chain", EXAMPLE.parse().unwrap());
    let peer: SocketAddr = format!("{peer}:4711").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

#[tokio::test]
async fn a_fingerprint_needs_no_feature_rfc8705_2_2() {
    let certificate = example();
    let table = CertificateTable::builder().fingerprint(hex(&certificate), Verified::by_certificate("door-7"));
    let app = app(with_table(table), EXAMPLE_DATE);
    let id = hex(&certificate);
    assert_eq!(ask(&app, shown(&certificate)).await.2, format!("door-7 client_certificate {id} [0, 0]"));
    let peer = TlsPeer::new("192.0.2.1:1".parse().unwrap()).certificate(certificate.der().to_vec());
    let request = Request::get("/").extension(ConnectInfo(peer)).body(Body::empty()).unwrap();
    assert_eq!(ask(&app, request).await.0, 200);
    let nobody = TlsPeer::new("192.0.2.1:1".parse().unwrap());
    let request = Request::get("/").extension(ConnectInfo(nobody)).body(Body::empty()).unwrap();
    assert_eq!(ask(&app, request).await.1, Some(RejectionKind::MissingCredentials));
    let other = PeerCertificate::from_der(b"\x30\x82\x01\x00".to_vec());
    assert_eq!(ask(&app, shown(&other)).await.1, Some(RejectionKind::InvalidClientCertificate));
}

/// RFC 9440 §4: without the trust in who sends it, the header is a user name without a password.
#[tokio::test]
async fn the_header_is_believed_from_trusted_proxies_only_rfc9440_4() {
    let table =
        || with_table(CertificateTable::builder().fingerprint(hex(&example()), Verified::by_certificate("door-7")));
    let believing = app(table().client_cert_header().optional(), EXAMPLE_DATE);
    let (status, _, body) = ask(&believing, proxied("10.0.0.1", &[EXAMPLE])).await;
    assert_eq!((status, body.starts_with("door-7 client_certificate"), body.ends_with("[1, 1]")), (200, true, true));
    // From anybody else, or without the setting, it does not even reach the handler.
    assert_eq!(ask(&believing, proxied("192.0.2.1", &[EXAMPLE])).await.2, "nobody [0, 0]");
    assert_eq!(ask(&believing, proxied("192.0.2.1", &["nonsense", EXAMPLE])).await.2, "nobody [0, 0]");
    let other = app(table().optional(), EXAMPLE_DATE);
    assert_eq!(ask(&other, proxied("10.0.0.1", &[EXAMPLE])).await.2, "nobody [0, 0]");
}

#[tokio::test]
async fn a_malformed_header_of_a_trusted_proxy_is_400_rfc9440_2_1() {
    let auth = with_table(CertificateTable::builder().fingerprint(hex(&example()), Verified::by_certificate("d")));
    let app = app(auth.client_cert_header().optional(), EXAMPLE_DATE);
    for lines in [&[EXAMPLE, EXAMPLE][..], &["nonsense"], &["::"], &[""], &[":AQID:"]] {
        let (status, kind, body) = ask(&app, proxied("10.0.0.1", lines)).await;
        assert_eq!((status, kind), (400, Some(RejectionKind::InvalidRequest)), "{lines:?}");
        assert!(!body.contains("nonsense"));
    }
    assert_eq!(ask(&app, proxied("10.0.0.1", &[])).await.2, "nobody [0, 1]");
}

/// What the proxy itself shows is not the client's, whether the client has one or not.
#[tokio::test]
async fn the_proxys_own_certificate_is_nobodys() {
    let own = PeerCertificate::from_der(b"\x30\x82\x01\x00 of the proxy".to_vec());
    let by = |_: super::ClientCertificate<'_>| Some(Verified::by_certificate("somebody"));
    let auth = AuthLayer::builder().authenticator(ClientCertificates::by(by)).optional().client_cert_header();
    let app = app(auth, EXAMPLE_DATE);
    let mut request = proxied("10.0.0.1", &[]);
    request.extensions_mut().insert(own.clone());
    assert_eq!(ask(&app, request).await.2, "nobody [0, 1]");
    let mut request = proxied("10.0.0.1", &[EXAMPLE]);
    request.extensions_mut().insert(own);
    assert!(ask(&app, request).await.2.starts_with(&format!("somebody client_certificate {}", hex(&example()))));
}

/// A certificate comes with the connection: what the request carries goes first, and alone.
#[tokio::test]
async fn a_credential_of_the_request_goes_before_the_certificate() {
    let store = crate::backend::memory::MemoryStore::new();
    let table = CertificateTable::builder().fingerprint(hex(&example()), Verified::by_certificate("door-7"));
    let app = app(with_table(table).api_keys(store), EXAMPLE_DATE);
    let mut request = shown(&example());
    request.headers_mut().insert("x-api-key", "wrong".parse().unwrap());
    assert_eq!(ask(&app, request).await.1, Some(RejectionKind::InvalidApiKey));
}

#[test]
fn every_mistake_of_a_table_is_named() {
    let fields = |table: CertificateTableBuilder| {
        let error = table.build().unwrap_err();
        error.issues().iter().map(|issue| issue.field.to_string()).filter(|field| field != "rows").collect::<Vec<_>>()
    };
    let holder = || Verified::by_certificate("x");
    let table = CertificateTable::builder;
    assert!(table().build().is_err());
    for digits in ["", "00", &"g".repeat(64), &"0".repeat(66)] {
        assert_eq!(fields(table().fingerprint(digits, holder())), ["fingerprint"], "{digits}");
    }
    let digits = "0".repeat(64);
    assert_eq!(fields(table().fingerprint(&digits, holder()).fingerprint(&digits, holder())), ["fingerprint"]);
    assert_eq!(fields(table().spiffe_id("spiffe://example.org", holder())), ["spiffe_id"]);
    assert_eq!(fields(table().spiffe_trust_domain("spiffe://example.org")), ["spiffe_trust_domain"]);
    for name in ["", "*.internal", "a b", "ä.example"] {
        assert_eq!(fields(table().dns_name(name, holder())), ["dns_name"], "{name}");
    }
    assert_eq!(fields(table().dns_name("a", holder()).dns_name("A", holder())), ["dns_name"]);
}

#[cfg(feature = "mtls")]
mod names {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> PeerCertificate {
        let mut params = CertificateParams::new([]).unwrap();
        change(&mut params);
        PeerCertificate::from_der(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec())
    }

    fn named(names: &[SanType]) -> PeerCertificate {
        certificate(|params| params.subject_alt_names = names.to_vec())
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn known() -> Router {
        let scopes = ["read:orders"];
        let table = CertificateTable::builder()
            .spiffe_id("spiffe://example.org/billing", Verified::by_certificate("billing").scopes(scopes).unwrap())
            .spiffe_trust_domain("mesh.example.org")
            .dns_name("Reports.internal", Verified::by_certificate("reports"))
            .dns_name("reports-2.internal", Verified::by_certificate("reports"))
            .dns_name("other.internal", Verified::by_certificate("other"));
        app(with_table(table), NOW)
    }

    async fn who(names: &[SanType]) -> String {
        let (status, kind, body) = ask(&known(), shown(&named(names))).await;
        if status == 200 {
            body.split(' ').next().unwrap().to_owned()
        } else {
            format!("{status} {}", kind.unwrap().code())
        }
    }

    const NOBODY: &str = "401 invalid_client_certificate";

    #[tokio::test]
    async fn spiffe_ids_and_dns_names_are_mapped() {
        assert_eq!(who(&[uri("spiffe://example.org/billing")]).await, "billing");
        assert_eq!(who(&[uri("spiffe://mesh.example.org/ns/a/sa/b")]).await, "spiffe://mesh.example.org/ns/a/sa/b");
        assert_eq!(who(&[dns("reports.INTERNAL")]).await, "reports");
        assert_eq!(who(&[dns("reports.internal"), dns("reports-2.internal"), dns("unknown")]).await, "reports");
    }

    #[tokio::test]
    async fn what_is_not_exactly_a_known_name_is_nobodys() {
        assert_eq!(who(&[]).await, NOBODY);
        assert_eq!(who(&[uri("spiffe://example.org/billing"), uri("spiffe://example.org/x")]).await, NOBODY);
        assert_eq!(who(&[uri("spiffe://example.org/Billing")]).await, NOBODY);
        assert_eq!(who(&[uri("spiffe://evil.mesh.example.org/b")]).await, NOBODY);
        assert_eq!(who(&[uri("spiffe://mesh.example.org")]).await, NOBODY);
        assert_eq!(who(&[dns("*.internal")]).await, NOBODY);
        assert_eq!(who(&[dns("reports.internal"), dns("other.internal")]).await, NOBODY);
        // The common name is not a name (RFC 9525 §2).
        let common = certificate(|params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, "reports.internal");
        });
        assert_eq!(ask(&known(), shown(&common)).await.0, 401);
        // An authority's certificate is nobody's own.
        let authority = certificate(|params| {
            params.subject_alt_names = vec![dns("reports.internal")];
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        });
        assert_eq!(ask(&known(), shown(&authority)).await.0, 401);
    }

    /// Of two tenants both may have a `reports`, and one of two rows may allow more.
    #[tokio::test]
    async fn names_of_namesakes_are_nobodys() {
        let certificate = named(&[dns("a.internal"), dns("b.internal")]);
        let reports = || Verified::by_certificate("reports").issuer("mesh").tenant("acme").roles(["reader"]);
        let others = [
            reports().tenant("evil"),
            reports().issuer("other"),
            reports().plan("gold"),
            reports().roles(["reader", "admin"]),
            reports().scopes(["read:orders"]).unwrap(),
            reports().credential_id("x"),
            reports().fingerprint_of(b"x"),
            reports().expires_at(NOW.saturating_add(std::time::Duration::from_secs(60))),
            reports().response_header(http::header::WARNING, http::HeaderValue::from_static("x")),
        ];
        let table =
            |first, second| CertificateTable::builder().dns_name("a.internal", first).dns_name("b.internal", second);
        for (index, other) in others.into_iter().enumerate() {
            for table in [table(reports(), other.clone()), table(other, reports())] {
                let answer = ask(&app(with_table(table), NOW), shown(&certificate)).await;
                assert_eq!(answer.1, Some(RejectionKind::InvalidClientCertificate), "{index}: {}", answer.2);
            }
        }
        assert_eq!(ask(&app(with_table(table(reports(), reports())), NOW), shown(&certificate)).await.0, 200);
    }

    #[tokio::test]
    async fn dates_are_checked_at_each_request_rfc5280_4_1_2_5() {
        let certificate = certificate(|params| {
            params.subject_alt_names = vec![dns("reports.internal")];
            params.not_before = rcgen::date_time_ymd(2026, 1, 1);
            params.not_after = rcgen::date_time_ymd(2026, 2, 1);
        });
        let table = || {
            with_table(CertificateTable::builder().fingerprint(hex(&certificate), Verified::by_certificate("reports")))
        };
        let first = Timestamp::from_secs(1_767_225_600);
        let last = Timestamp::from_secs(1_769_904_000);
        let second = std::time::Duration::from_secs(1);
        for (now, status) in
            [(first.saturating_sub(second), 401), (first, 200), (last, 200), (last.saturating_add(second), 401)]
        {
            assert_eq!(ask(&app(table(), now), shown(&certificate)).await.0, status, "{now}");
        }
    }

    #[tokio::test]
    async fn what_is_no_certificate_is_nobodys() {
        let whole = named(&[dns("reports.internal")]);
        let mut longer = whole.der().to_vec();
        longer.push(0);
        let shorter = whole.der()[..whole.der().len() - 1].to_vec();
        for der in [Vec::new(), vec![0x30], vec![0; 1_000], longer, shorter] {
            let fingerprint = PeerCertificate::from_der(der.clone());
            let table = CertificateTable::builder().fingerprint(hex(&fingerprint), Verified::by_certificate("x"));
            let answer = ask(&app(with_table(table), NOW), shown(&fingerprint)).await;
            assert_eq!(answer.1, Some(RejectionKind::InvalidClientCertificate), "{}", der.len());
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), at: proptest::sample::Index) {
            let _ = super::super::facts::read(&bytes);
            let mut der = example().der().to_vec();
            *at.get_mut(&mut der) ^= 0x55;
            let _ = super::super::facts::read(&der);
        }
    }
}

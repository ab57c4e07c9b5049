//! Check 9: which URL a proof is for.

use super::*;
use crate::request::TrustedProxies;

#[tokio::test]
async fn the_target_is_the_url_without_query_and_fragment_rfc9449_4_3_9() {
    let scene = Scene::new();
    for url in [
        URL,
        "https://API.test:443/orders",
        "HTTPS://api.test/orders?page=1#top",
        "https://api.test/./x/../orders",
        "https://api.test/%6frders",
    ] {
        scene.check(scene.proof().claim("htu", url)).await.passes();
    }
    for url in [
        "http://api.test/orders",
        "https://api.test:8443/orders",
        "https://api.test/",
        "https://api.test/orders/",
        "https://api.test/Orders",
        "https://api.test/orders/7",
        "https://other.test/orders",
        "https://api.test.evil/orders",
        "https://evil@api.test/orders",
        "/orders",
        "orders",
        "https://api.test/%6rders",
    ] {
        scene.check(scene.proof().claim("htu", url)).await.proof_refused("(check 9)");
    }
}

/// Behind a proxy that takes a prefix away, under two names; and inside a nested router.
#[tokio::test]
async fn the_target_is_the_public_url_rfc9449_4_3_9() {
    let dpop = || Dpop::new("https://api.test/shop/", MemoryStore::new()).origin("http://localhost:8080");
    let scene = Scene::with(dpop());
    for url in ["https://api.test/shop/orders", "http://localhost:8080/orders"] {
        scene.check(scene.proof().claim("htu", url)).await.passes();
    }
    for url in [URL, "https://api.test/shop", "https://api.test/shoporders", "http://localhost:8080/shop/orders"] {
        scene.check(scene.proof().claim("htu", url)).await.proof_refused("(check 9)");
    }

    let layer = AuthLayer::builder().tokens(Tokens(Some(bound_to(&scene.key)))).dpop(dpop()).build().unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    let inner = Router::new()
        .route("/orders", get(|| async {}))
        .layer(tower::ServiceBuilder::new().layer(context).layer(layer));
    let app = Router::new().nest("/v2", inner);
    let proof = scene.proof().claim("htu", "http://localhost:8080/v2/orders").sign();
    let sent = request("/v2/orders", &[("authorization", &format!("DPoP {TOKEN}")), ("dpop", &proof)]);
    assert_eq!(app.oneshot(sent).await.unwrap().status(), 200);
}

#[tokio::test]
async fn any_host_is_the_host_that_was_asked_for_rfc9449_4_3_9() {
    let scene = Scene::with(Dpop::any_host(MemoryStore::new()));
    let ask = async |url: &str, host: &[&str]| {
        let (authorization, proof) = (format!("DPoP {TOKEN}"), scene.proof().claim("htu", url).sign());
        let mut headers = vec![("authorization", authorization.as_str()), ("dpop", &proof)];
        headers.extend(host.iter().map(|host| ("host", *host)));
        scene.send(request("/orders", &headers)).await
    };
    ask("https://tenant-7.test/orders", &["tenant-7.test"]).await.passes();
    ask("https://tenant-7.test:8443/orders", &["Tenant-7.test:8443"]).await.passes();
    // Unless something says that it is plain http, it is https.
    ask("http://tenant-7.test/orders", &["tenant-7.test"]).await.proof_refused("(check 9)");
    ask("https://tenant-7.test/orders", &["tenant-8.test"]).await.proof_refused("(check 9)");
    ask("https://tenant-7.test/orders", &["tenant-7.test", "tenant-7.test"]).await.proof_refused("(check 9)");
    ask("https://tenant-7.test/orders", &["x@tenant-7.test"]).await.proof_refused("(check 9)");
    ask("https://tenant-7.test/orders", &[]).await.proof_refused("(check 9)");
}

#[tokio::test]
async fn plain_http_is_what_a_trusted_proxy_calls_so_rfc9449_4_3_9() {
    let key = TestDpopKey::generate().at(NOW);
    let dpop = Dpop::any_host(MemoryStore::new());
    let layer = AuthLayer::builder().tokens(Tokens(Some(bound_to(&key)))).dpop(dpop).build().unwrap();
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW)).trusted_proxies(proxies);
    let app = Router::new()
        .route("/orders", get(|| async {}))
        .layer(tower::ServiceBuilder::new().layer(context).layer(layer));
    for (peer, url, status) in [
        ("10.0.0.1:1", "http://api.test/orders", 200),
        ("10.0.0.1:1", "https://api.test/orders", 401),
        ("192.0.2.1:1", "http://api.test/orders", 401),
    ] {
        let (authorization, proof) = (format!("DPoP {TOKEN}"), key.proof("GET", url, TOKEN).sign());
        let headers = [
            ("authorization", authorization.as_str()),
            ("dpop", &proof),
            ("host", "api.test"),
            ("x-forwarded-proto", "http"),
        ];
        let mut request = request("/orders", &headers);
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        assert_eq!(app.clone().oneshot(request).await.unwrap().status().as_u16(), status, "{peer} {url}");
    }
}

//! Policies that are replaced while they are in force.

use tokio::sync::Notify;

use super::*;

fn policy(origin: &str) -> CorsPolicy {
    CorsPolicy::builder().allow_origin(origin).build().unwrap()
}

async fn allowed(app: &Router, origin: &str) -> bool {
    let request = Request::get("/").header("origin", origin).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    response.headers().contains_key("access-control-allow-origin")
}

#[tokio::test]
async fn the_new_policy_holds_at_once_and_the_old_one_comes_back() {
    let layer = CorsSecurityLayer::new(policy(APP));
    let app = router(layer.clone());
    assert!(allowed(&app, APP).await && !allowed(&app, "https://new.example").await);
    let old = layer.handle().reload(policy("https://*.example.net"));
    assert!(!allowed(&app, APP).await);
    let shared = CorsPolicy::builder().allow_origin("https://new.example").build().unwrap();
    layer.handle().reload(shared);
    assert!(allowed(&app, "https://new.example").await);
    assert_eq!(layer.handle().policy().unwrap().origins().next().unwrap().as_str(), "https://new.example");
    layer.handle().reload(old);
    assert!(allowed(&app, APP).await && !allowed(&app, "https://new.example").await);
}

/// While its handler runs, the policy of a request is replaced by one that does not list its origin, by
/// one that still does, but with credentials, and by one for everybody.
#[tokio::test]
async fn what_is_under_way_is_answered_by_the_new_policy_alone() {
    let stranger = policy("https://other.example");
    let with_credentials = CorsPolicy::builder().allow_origin(APP).allow_credentials().build().unwrap();
    let everybody = CorsPolicy::builder().allow_any_origin().build().unwrap();
    for (new, origin, credentials) in
        [(stranger, None, false), (with_credentials, Some(APP), true), (everybody, Some("*"), false)]
    {
        let (entered, go) = (std::sync::Arc::new(Notify::new()), std::sync::Arc::new(Notify::new()));
        let layer = CorsSecurityLayer::new(policy(APP));
        let (inside, outside) = ((entered.clone(), go.clone()), layer.clone());
        let handler = move || async move {
            inside.0.notify_one();
            inside.1.notified().await;
        };
        let app = Router::new().route("/", get(handler)).layer(outside);
        let request = Request::get("/").header("origin", APP).body(Body::empty()).unwrap();
        let response = tokio::spawn(app.oneshot(request));
        entered.notified().await;
        layer.handle().reload(new);
        go.notify_one();
        let response = response.await.unwrap().unwrap();
        let found = response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(found, origin);
        assert_eq!(response.headers().contains_key("access-control-allow-credentials"), credentials);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_one_policy_or_the_other_and_never_a_mixture() {
    let open =
        CorsPolicy::builder().allow_origin(APP).allow_credentials().max_age(Duration::from_secs(1)).build().unwrap();
    let closed =
        CorsPolicy::builder().allow_origin("https://b.example").max_age(Duration::from_secs(2)).build().unwrap();
    let layer = CorsSecurityLayer::new(open.clone());
    let app = router(layer.clone());
    let reader = tokio::spawn(async move {
        for _ in 0..500 {
            let request = Request::options("/").header("origin", APP).header("access-control-request-method", "GET");
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let headers = response.headers();
            if headers.contains_key("access-control-allow-origin") {
                assert_eq!(headers["access-control-max-age"], "1");
                assert_eq!(headers["access-control-allow-credentials"], "true");
            } else {
                assert_eq!(cors_headers(headers), [""; 0]);
            }
        }
    });
    while !reader.is_finished() {
        layer.handle().reload(closed.clone());
        layer.handle().reload(open.clone());
        tokio::task::yield_now().await;
    }
    reader.await.unwrap();
}

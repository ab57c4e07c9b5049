//! Which tokens it is asked about, and what its settings may be.

use super::*;

#[tokio::test]
async fn the_form_of_a_token_says_who_judges_it() {
    let server =
        Server { answer: Arc::new(Mutex::new(Ok(good().to_string().into()))), asked: Arc::default(), slow: false };
    let opaque = || {
        Introspection::with(ISSUER, server.clone()).audience("orders").clock(ManualClock::at(Timestamp::from_secs(NOW)))
    };
    let keys = crate::auth::jwt::StaticKeys::new().secret(crate::secret::Secret::new([7; 32]));
    let jwt = crate::auth::jwt::Issuer::new("https://other.test").audience("orders").keys(keys).build().unwrap();
    let auth = AuthLayer::builder()
        .jwt(jwt)
        .opaque_tokens(opaque().build().unwrap())
        .api_keys(crate::backend::memory::MemoryStore::new())
        .build()
        .unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(NOW)));
    let app = Router::new().route("/", get(|| async {})).layer(tower::ServiceBuilder::new().layer(context).layer(auth));
    for (token, status, asked) in [("a.b.c", 401, 0), ("a.b", 200, 1), ("a.b.c.d", 200, 2), ("abc", 200, 3)] {
        let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status().as_u16(), status, "{token}");
        assert_eq!(server.asked.load(Relaxed), asked, "{token}");
    }
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let server = || Server {
        answer: Arc::new(Mutex::new(Err(IntrospectionError::TimedOut))),
        asked: Arc::default(),
        slow: false,
    };
    let fields = |settings: Introspection| {
        let error = settings.build().unwrap_err();
        error.issues().iter().map(|issue| issue.field.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(fields(Introspection::with("", server())), ["issuer", "audience"]);
    let good = || Introspection::with(ISSUER, server()).audience("orders");
    assert_eq!(fields(good().audience("")), ["audience"]);
    assert_eq!(fields(good().leeway(Duration::from_secs(61))), ["leeway"]);
    assert_eq!(fields(good().hold_for(Duration::ZERO)), ["hold_for"]);
    assert_eq!(fields(good().hold_for(Duration::from_secs(301))), ["hold_for"]);
    let twice = || good().build().unwrap();
    let error = AuthLayer::builder().opaque_tokens(twice()).opaque_tokens(twice()).build().unwrap_err();
    assert_eq!(error.issues()[0].field, "opaque_tokens");
}

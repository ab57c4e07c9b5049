//! Over a real connection.

use axum::{Form, http::HeaderMap, routing::post};

use super::{super::IntrospectionClient, *};
use crate::secret::Secret;

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn ask(url: &str, path: &str) -> u16 {
    let client = IntrospectionClient::basic("orders", Secret::new("its secret"));
    let tokens = Introspection::new(ISSUER, format!("{url}{path}"), client).audience("orders").build().unwrap();
    let auth = AuthLayer::builder().opaque_tokens(tokens).build().unwrap();
    let app = Router::new().route("/", get(|| async {})).layer(auth);
    let request = Request::get("/").header("authorization", "Bearer to+ken/1=").body(Body::empty()).unwrap();
    app.oneshot(request).await.unwrap().status().as_u16()
}

#[derive(serde::Deserialize)]
struct Sent {
    token: String,
    token_type_hint: String,
}

#[tokio::test]
async fn the_endpoint_is_asked_as_the_standard_has_it_rfc7662_2_1() {
    let say = |headers: HeaderMap, Form(sent): Form<Sent>| async move {
        assert_eq!((sent.token.as_str(), sent.token_type_hint.as_str()), ("to+ken/1=", "access_token"));
        assert_eq!(headers["authorization"], "Basic b3JkZXJzOml0cytzZWNyZXQ=");
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        json!({ "active": true, "sub": "usr_1", "aud": "orders" }).to_string()
    };
    let large = || async { "x".repeat(65 * 1024) };
    let moved = || async { axum::response::Redirect::temporary("/good") };
    let denied = || async { http::StatusCode::UNAUTHORIZED };
    let app = Router::new()
        .route("/good", post(say))
        .route("/large", post(large))
        .route("/moved", post(moved))
        .route("/denied", post(denied));
    let url = serve(app).await;
    assert_eq!(ask(&url, "/good").await, 200);
    for path in ["/large", "/moved", "/denied", "/nothing"] {
        assert_eq!(ask(&url, path).await, 503, "{path}");
    }
    assert_eq!(ask("http://127.0.0.1:1", "/").await, 503);
}

#[test]
fn plain_text_is_for_this_machine_only_and_no_secret_is_shown() {
    let client = || IntrospectionClient::basic("orders", Secret::new("6f1ed002ab5595859014ebf0951522d9"));
    for url in ["http://id.test/introspect", "ftp://127.0.0.1/", "https://user@id.test/", ""] {
        let error = Introspection::new(ISSUER, url, client()).audience("orders").build().unwrap_err();
        assert_eq!(error.issues()[0].field, "endpoint", "{url}");
    }
    let settings = Introspection::new(ISSUER, "http://127.0.0.1/", client()).audience("orders");
    let shown = format!("{settings:?} {:?}", settings.clone().build().unwrap());
    assert!(!shown.contains("6f1ed002ab5595859014ebf0951522d9"), "{shown}");
    let empty = IntrospectionClient::bearer(Secret::new(""));
    let error = Introspection::new(ISSUER, "http://127.0.0.1/", empty).audience("orders").build().unwrap_err();
    assert_eq!(error.issues()[0].field, "client");
}

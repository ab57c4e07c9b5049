//! What a browser makes of the answers (Fetch §4.8, §4.9), here and with tower-http's layer.

use super::*;

/// The CORS check (Fetch §4.9).
fn may_read(headers: &HeaderMap, origin: &str, with_credentials: bool) -> bool {
    let allowed = all_of(headers, "access-control-allow-origin").join(", ");
    let credentials = all_of(headers, "access-control-allow-credentials").join(", ");
    if with_credentials { allowed == origin && credentials == "true" } else { allowed == "*" || allowed == origin }
}

/// What a script does, and what it sets.
#[derive(Clone, Copy, Debug)]
struct Fetch<'a> {
    origin: &'a str,
    method: &'a str,
    /// Not safelisted, lower case, sorted, as a browser asks for them.
    headers: &'a str,
    with_credentials: bool,
}

impl Fetch<'_> {
    /// Whether the browser sends the request after the preflight (Fetch §4.8).
    fn may_send(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let list = |name: &str| all_of(headers, name).join(",");
        let holds = |list: &str, name: &str| list.split(',').any(|held| held.trim() == name);
        let methods = list("access-control-allow-methods");
        let names = list("access-control-allow-headers").to_ascii_lowercase();
        status.is_success()
            && may_read(headers, self.origin, self.with_credentials)
            && (["GET", "HEAD", "POST"].contains(&self.method)
                || methods.split(',').any(|held| held.trim() == self.method))
            && self.headers.split(',').filter(|name| !name.is_empty()).all(|name| holds(&names, name))
    }

    fn preflight(&self) -> Request<Body> {
        let mut request =
            Request::options("/").header("origin", self.origin).header("access-control-request-method", self.method);
        if !self.headers.is_empty() {
            request = request.header("access-control-request-headers", self.headers);
        }
        request.body(Body::empty()).unwrap()
    }

    /// Whether the script gets to read the response, in the end.
    async fn succeeds(&self, app: &Router) -> bool {
        let response = app.clone().oneshot(self.preflight()).await.unwrap();
        if !self.may_send(response.status(), response.headers()) {
            return false;
        }
        let actual = Request::builder().method(self.method).header("origin", self.origin).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(actual).await.unwrap();
        may_read(response.headers(), self.origin, self.with_credentials)
    }
}

fn every_fetch() -> Vec<Fetch<'static>> {
    let origins =
        [APP, "https://admin.example.com", "https://evil.example", "https://app.example.com.evil.example", "null"];
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "patch"];
    let headers = ["", "authorization", "authorization,content-type", "x-other", "authorization,x-other"];
    let mut all = Vec::new();
    for origin in origins {
        for method in methods {
            for headers in headers {
                all.extend([false, true].map(|with_credentials| Fetch { origin, method, headers, with_credentials }));
            }
        }
    }
    all
}

/// The common subset: a list of origins, methods with all safelisted ones, header names.
#[tokio::test]
async fn scripts_get_to_read_what_they_do_with_tower_http() {
    let inner = || Router::new().fallback(|| async { "inner" });
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let names = [header::AUTHORIZATION, header::CONTENT_TYPE];
    let origins = [APP, "https://admin.example.com"];
    let ours = CorsSecurityLayer::builder().allow_origins(origins).methods(&methods).request_headers(&names);
    let theirs = tower_http::cors::CorsLayer::new()
        .allow_origin(origins.map(HeaderValue::from_static))
        .allow_methods(methods)
        .allow_headers(names);
    let pairs = [
        (inner().layer(ours.clone().build().unwrap()), inner().layer(theirs.clone())),
        (inner().layer(ours.allow_credentials().build().unwrap()), inner().layer(theirs.allow_credentials(true))),
    ];
    let mut successes = 0;
    for (ours, theirs) in &pairs {
        for fetch in every_fetch() {
            let (mine, other) = (fetch.succeeds(ours).await, fetch.succeeds(theirs).await);
            assert_eq!(mine, other, "{fetch:?}");
            successes += usize::from(mine);
        }
    }
    assert!(successes > 50, "{successes}");
}

//! What rules see of a request: its head.

use http::request::Parts;

/// The parameter of that name in the matched route's path, percent-decoded: `7` for `/orders/7` on
/// `/orders/{id}`. `None` where no route matched, the route has no such parameter, or what stands
/// there is not UTF-8.
///
/// For rules that look at requests: [`RarRequirement::equals_from`](super::rar::RarRequirement::equals_from),
/// request-level policies. Handlers use axum's `Path`.
pub fn path_param(head: &Parts, name: &str) -> Option<String> {
    crate::request::path_param(&head.extensions, &head.uri, name)
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Path, extract::Request, middleware::from_fn, routing::get};
    use proptest::prelude::*;
    use tower::ServiceExt as _;

    use super::*;

    /// What axum's own extractor says, and what we say in a layer outside of it.
    async fn both(route: &str, nested: &str, uri: &str) -> (String, Option<String>) {
        let ours = std::sync::Arc::new(std::sync::Mutex::new(None));
        let seen = ours.clone();
        let look = from_fn(move |request: Request, next: axum::middleware::Next| {
            let seen = seen.clone();
            async move {
                let (parts, body) = request.into_parts();
                *seen.lock().unwrap() = path_param(&parts, "id");
                next.run(Request::from_parts(parts, body)).await
            }
        });
        let handler =
            get(|Path(values): Path<std::collections::HashMap<String, String>>| async move { values["id"].clone() });
        let inner = Router::new().route(route, handler).layer(look);
        let app = if nested.is_empty() { inner } else { Router::new().nest(nested, inner) };
        let response = app.oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let ours = ours.lock().unwrap().clone();
        (String::from_utf8(body.to_vec()).unwrap(), ours)
    }

    #[tokio::test]
    async fn the_parameter_is_the_one_that_the_handler_sees() {
        for (route, nested, uri, expected) in [
            ("/orders/{id}", "", "/orders/7", "7"),
            ("/orders/{id}/lines/{line}", "/v1/{tenant}", "/v1/acme/orders/7/lines/8?id=9", "7"),
            ("/orders/{id}", "", "/orders/a%2Fb%20c", "a/b c"),
            ("/orders/{id}", "", "/orders/%zz%4", "%zz%4"),
            ("/files/{*id}", "", "/files/a/b%2e/c", "a/b./c"),
        ] {
            let (theirs, ours) = both(route, nested, uri).await;
            assert_eq!((theirs.as_str(), ours.as_deref()), (expected, Some(expected)), "{uri}");
        }
        assert_eq!(both("/orders/{other}/{id}", "", "/orders/7").await.1, None);
        assert_eq!(both("/orders/{id}", "", "/orders/%ff").await.1, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn we_and_axum_read_the_same(segment in "[a-z0-9%.~_-]{1,8}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (theirs, ours) = runtime.block_on(both("/orders/{id}", "", &format!("/orders/{segment}")));
            if let Some(ours) = ours {
                prop_assert_eq!(theirs, ours);
            }
        }
    }
}

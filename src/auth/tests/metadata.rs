//! The metadata of the resource (RFC 9728).

use super::*;
use crate::auth::ProtectedResource;

#[test]
fn the_well_known_name_stands_between_host_and_path_rfc9728_3_1() {
    for (resource, url) in [
        ("https://api.test", "https://api.test/.well-known/oauth-protected-resource"),
        ("https://api.test/", "https://api.test/.well-known/oauth-protected-resource"),
        ("https://api.test/v1/orders", "https://api.test/.well-known/oauth-protected-resource/v1/orders"),
        ("https://api.test:8443/v1?k=v", "https://api.test:8443/.well-known/oauth-protected-resource/v1?k=v"),
        ("http://127.0.0.1:80/a", "http://127.0.0.1:80/.well-known/oauth-protected-resource/a"),
    ] {
        let built = ProtectedResource::builder(resource).authorization_server("https://id.test").build().unwrap();
        assert_eq!(built.metadata_url(), url);
        assert_eq!(built.document()["resource"], resource, "byte for byte (§3.3)");
    }
}

#[test]
fn every_mistake_of_the_metadata_is_named() {
    let error = ProtectedResource::builder("http://api.test").member("resource", "x").build().unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    assert_eq!(fields, ["resource", "authorization_server", "member"]);
    for resource in [
        "",
        "api.test",
        "/orders",
        "https://api.test/#a",
        "https://a\"b/",
        "https://u@api.test/",
        "https://api.test/{id}",
    ] {
        let built = ProtectedResource::builder(resource).authorization_server("https://id.test").build();
        assert_eq!(built.unwrap_err().issues()[0].field, "resource", "{resource}");
    }
}

#[tokio::test]
async fn the_document_has_the_members_of_rfc9728_2_and_every_401_names_it_rfc9728_5_1() {
    let resource = ProtectedResource::builder("https://api.test/orders")
        .authorization_server("https://id.test")
        .scopes(["read:orders"])
        .name("Orders")
        .documentation("https://docs.test")
        .dpop_algorithms(["ES256"])
        .dpop_required()
        .certificate_bound_tokens()
        .authorization_details_types(["payment_initiation"])
        .build()
        .unwrap();
    let app = router(both().0.protected_resource(&resource)).merge(resource.router());
    let answer = send(&app, request("/.well-known/oauth-protected-resource/orders", [])).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &HeaderValue::from_static("application/json"))
    );
    let document: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "resource": "https://api.test/orders",
            "authorization_servers": ["https://id.test"],
            "scopes_supported": ["read:orders"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Orders",
            "resource_documentation": "https://docs.test",
            "dpop_signing_alg_values_supported": ["ES256"],
            "dpop_bound_access_tokens_required": true,
            "tls_client_certificate_bound_access_tokens": true,
            "authorization_details_types_supported": ["payment_initiation"],
        })
    );
    let url = ", resource_metadata=\"https://api.test/.well-known/oauth-protected-resource/orders\"";
    for headers in [vec![], vec![("authorization", "Bearer forged")], vec![("authorization", "Basic x")]] {
        let refused = get_with(&app, &headers).await;
        assert!(refused.challenges[0].starts_with("Bearer ") && refused.challenges[0].ends_with(url), "{headers:?}");
        assert!(!refused.challenges[1].contains("resource_metadata"), "only the scheme that it describes");
    }
}

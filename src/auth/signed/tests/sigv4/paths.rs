//! Paths that are read in two ways.

use super::*;

/// The signature is of the resolved path, and the router resolves none: who moves a request to another
/// route must not get in.
#[tokio::test]
async fn a_path_that_the_router_reads_in_another_way_is_refused() {
    let signed = |path: &str| signer().sign(Request::delete(path).header("host", "a").body("").unwrap());
    let moved = |from: &str, to: &str| {
        let mut request = signed(from);
        *request.uri_mut() = to.parse().unwrap();
        request
    };
    let elsewhere =
        ["/files/../tmp/7", "/./tmp/7", "//tmp/7", "/tmp//7", "/tmp/x/../7", "/../tmp/7", "/tmp/7/.", "/tmp/7/x/.."];
    for to in elsewhere {
        let answer = send(&service(), moved("/tmp/7", to)).await;
        assert!(answer.is(400, "malformed_signature"), "{to}: {}", answer.body);
    }
    let open = app(auth(verifier(store([key()])).dangerously_allow_unresolved_paths()), NOW);
    for to in ["/files/../tmp/7", "//tmp/7"] {
        assert_eq!(send(&open, moved("/tmp/7", to)).await.status, 200, "{to}");
    }
    for path in ["/", "/tmp/", "/tmp/...", "/tmp/.hidden", "/tmp/%2e%2e/7"] {
        assert_eq!(send(&service(), signed(path)).await.status, 200, "{path}");
    }
    // S3 resolves nothing, and so every path is its own.
    let plain = app(auth(verifier(store([key()])).s3_paths()), NOW);
    assert!(send(&plain, moved("/tmp/7", "/files/../tmp/7")).await.is(401, "invalid_signature"));
}

//! Versions of the API.

use axum::{Router, routing};
use portcullis::versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate, VersionSource};

use super::{Observed, ask, get, status};

const VERSIONS: &str = "Versions";

pub(super) async fn look(seen: &mut Observed) {
    let gone = SupportedVersion::new(ApiVersion::number(1)).sunset(UtcDate::new(2000, 1, 1));
    let builder = ApiVersionLayer::builder([gone, ApiVersion::number(2).into(), ApiVersion::number(3).into()]);
    let own = routing::get(|| async { ([("x-api-version", "mine")], "own") });
    let router = Router::new().fallback(|| async { "in" }).route("/v2/own", own);
    let app = router.clone().layer(builder.clone().build().unwrap());
    let served = status(&app, get("/v2/orders", &[])).await == 200;
    let elsewhere = status(&app, get("/orders/v2", &[("x-api-version", "v2")])).await == 200;
    let place = if served && !elsewhere { "the first segment of the path" } else { "elsewhere" };
    seen.see(VERSIONS, "where the version stands", place);
    let refused = status(&app, get("/orders", &[])).await == 404;
    seen.see(VERSIONS, "a request without a version", if refused { "refused" } else { "served" });
    seen.see(VERSIONS, "a version after its sunset", status(&app, get("/v1/orders", &[])).await.to_string());
    let (_, headers, _) = ask(&app, get("/v2/own", &[])).await;
    seen.see(
        VERSIONS,
        "`X-API-Version` of a handler",
        if headers["x-api-version"] == "mine" { "stays" } else { "goes" },
    );
    let both = builder.sources([VersionSource::path(), VersionSource::header()]).build().unwrap();
    let disagree = status(&router.layer(both), get("/v2/orders", &[("x-api-version", "v3")])).await;
    seen.see(VERSIONS, "sources that disagree", disagree.to_string());
}

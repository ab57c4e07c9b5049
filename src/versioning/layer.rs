use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{MatchedPath, OriginalUri},
    response::Response,
};
use http::{Request, Uri, uri::PathAndQuery};

use tower_layer::Layer as _;

use super::{
    ApiVersionLayerBuilder, SupportedVersion, VersionUsage,
    builder::WithoutVersion,
    path,
    served::Compiled,
    source::{Kind, Said},
};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, layer_of_gate},
    lint::{Report, Waivers},
    rejection::{Rejection, RejectionKind},
    request::{ApiVersion, Place, RequestContext},
};

/// Finds the version that a request wants, and announces the end of old ones. See the [module](super).
#[derive(Clone, Debug)]
pub struct ApiVersionLayer {
    gate: GateLayer<ApiVersionGate>,
    usage: VersionUsage,
    report: Arc<Report>,
}

impl ApiVersionLayer {
    /// Settings for a layer that serves these versions: [`ApiVersion`]s, or [`SupportedVersion`]s of which
    /// more is known.
    pub fn builder<V: Into<SupportedVersion>>(versions: impl IntoIterator<Item = V>) -> ApiVersionLayerBuilder {
        ApiVersionLayerBuilder::new(versions.into_iter().map(Into::into).collect())
    }

    pub(super) fn new(compiled: Compiled, callers: usize, report: Report) -> Self {
        let waivers = report.waivers("api_version");
        let versions = compiled.versions.iter().map(|served| (served.version, served.is_ending));
        let usage = VersionUsage::new(versions, callers);
        let gate = GateLayer::new(ApiVersionGate { compiled, usage: usage.clone(), waivers });
        Self { gate, usage, report: Arc::new(report) }
    }

    /// The router behind the layer. For [`stripped`](super::VersionSource::stripped) paths, which must be
    /// rewritten before the routing. `Router::layer` on what comes out puts other layers outside.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use portcullis::versioning::{ApiVersion, ApiVersionLayer, VersionSource};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let versions = ApiVersionLayer::builder([ApiVersion::number(1), ApiVersion::number(2)])
    ///     .sources([VersionSource::path().stripped()])
    ///     .build()?;
    /// let router = Router::new().route("/orders", get(|version: ApiVersion| async move { version.to_string() }));
    /// let app = versions.wrap(router);
    ///
    /// let response = app.oneshot(Request::get("/v2/orders").body(Body::empty())?).await?;
    /// assert_eq!(axum::body::to_bytes(response.into_body(), 9).await?, "v2");
    /// # Ok(()) }
    /// ```
    pub fn wrap(&self, router: Router) -> Router {
        Router::new().fallback_service(self.layer(router))
    }

    /// Who still calls which version.
    pub fn usage(&self) -> VersionUsage {
        self.usage.clone()
    }

    /// What was found doubtful when the layer was built.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(ApiVersionLayer => ApiVersionGate, |layer| layer.gate.clone());

/// The gate of [`ApiVersionLayer`].
pub struct ApiVersionGate {
    compiled: Compiled,
    usage: VersionUsage,
    waivers: Option<Arc<Waivers>>,
}

impl fmt::Debug for ApiVersionGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiVersionGate").field("usage", &self.usage).finish_non_exhaustive()
    }
}

/// Counts the caller when the request is over, however it ends: only then it is known who called.
#[derive(Debug)]
pub struct VersionPass {
    place: Option<usize>,
    /// Of a version whose end has been announced.
    owed: Option<(VersionUsage, Arc<RequestContext>)>,
}

impl Drop for VersionPass {
    fn drop(&mut self) {
        if let (Some((usage, context)), Some(place)) = (&self.owed, self.place) {
            usage.count(place, context);
        }
    }
}

impl<B> Gate<B> for ApiVersionGate {
    const NAME: &'static str = "api_version";
    const PLACE: Place = Place::ApiVersion;
    const EMITS: &'static [&'static str] = crate::gate::emitted::VERSION;
    const RESPONSE_FIELDS: usize = 5;
    type Pass = VersionPass;

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, VersionPass> {
        context.announce(self.waivers.as_ref());
        self.decide(request, context).map_err(|rejection| self.compiled.varied(rejection)).into()
    }

    fn leave(self: &Arc<Self>, pass: VersionPass, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        let headers = response.headers_mut();
        if let Some(served) = pass.place.and_then(|place| self.compiled.versions.get(place)) {
            served.stamp(headers);
        }
        self.compiled.vary(headers);
        Leave::Done
    }
}

impl ApiVersionGate {
    fn decide<B>(&self, request: &mut Request<B>, context: &Arc<RequestContext>) -> Result<VersionPass, Rejection> {
        let now = context.now().wall;
        let version = match (self.named(request)?, self.compiled.without) {
            (Some(version), _) | (None, WithoutVersion::Serve(version)) => version,
            (None, WithoutVersion::Pass) => return Ok(VersionPass { place: None, owed: None }),
            (None, WithoutVersion::Refuse) => {
                let first = self.compiled.sources.first().map(Kind::missing);
                let rejection = first.unwrap_or_else(|| RejectionKind::InvalidRequest.into());
                return Err(rejection.with_member("supported", self.compiled.in_force(now)));
            }
        };
        let place = self.compiled.place_of(version);
        let Some((place, served)) = place.and_then(|place| Some((place, self.compiled.versions.get(place)?))) else {
            // The builder has seen to it.
            return Err(Rejection::misconfigured("an ApiVersionLayer serves a version that it does not have"));
        };
        let owed = served.is_ending.then(|| (self.usage.clone(), Arc::clone(context)));
        if owed.is_none() {
            self.usage.count(place, context);
        }
        let pass = VersionPass { place: Some(place), owed };
        if let Some(refusal) = served.refusal(now) {
            return Err(refusal);
        }
        context.set_api_version(version);
        self.strip(request)?;
        Ok(pass)
    }

    /// The one version that the request names in all places together.
    fn named<B>(&self, request: &Request<B>) -> Result<Option<ApiVersion>, Rejection> {
        let is_served = |version| self.compiled.place_of(version).is_some();
        let mut found: Option<ApiVersion> = None;
        for source in &self.compiled.sources {
            let said = source.read(request.uri(), request.headers(), request.extensions(), is_served);
            match said.map_err(|kind| self.unknown(kind, request))? {
                Said::Nothing => {}
                Said::Version(version) if found.is_some_and(|found| found != version) => {
                    return Err(Rejection::new(RejectionKind::InvalidRequest)
                        .with_detail("The request names two different versions of the API."));
                }
                Said::Version(version) => found = Some(version),
            }
        }
        Ok(found)
    }

    fn unknown<B>(&self, kind: RejectionKind, request: &Request<B>) -> Rejection {
        let detail = match kind {
            RejectionKind::InvalidRequest => "The version of the API that the request names is unknown or unreadable.",
            _ => "There is no such version of the API.",
        };
        let now = RequestContext::of(request).map(|context| context.now().wall).unwrap_or_default();
        Rejection::new(kind).with_detail(detail).with_member("supported", self.compiled.in_force(now))
    }

    /// Takes the version out of the path, where that was asked for.
    fn strip<B>(&self, request: &mut Request<B>) -> Result<(), Rejection> {
        let stripped = |source: &Kind| match source {
            Kind::Path { prefix, stripped: true } => Some(prefix.clone()),
            _ => None,
        };
        let Some(prefix) = self.compiled.sources.iter().find_map(stripped) else { return Ok(()) };
        if request.extensions().get::<MatchedPath>().is_some() {
            return Err(Rejection::misconfigured(
                "the path of a stripped VersionSource is rewritten too late: use ApiVersionLayer::wrap(router)",
            ));
        }
        let Some((_, rest)) = path::version_after(request.uri().path(), &prefix) else { return Ok(()) };
        let path = path::without_version(&prefix, rest, request.uri().query());
        let original = request.uri().clone();
        let mut parts = original.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Rejection::new(RejectionKind::InvalidRequest))?;
        // What signatures and proofs of possession go by, and axum's extractor of that name.
        if request.extensions().get::<OriginalUri>().is_none() {
            request.extensions_mut().insert(OriginalUri(original));
        }
        Ok(())
    }
}

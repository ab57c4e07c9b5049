#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to panic"
)]

mod binding;
mod checks;
mod hostile;
mod nonces;
mod targets;

use std::time::Duration;

use axum::{Router, body::Body, response::Response, routing::get};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;

use super::{Dpop, DpopNonces};
use crate::{
    auth::{AuthLayer, AuthLayerBuilder, accepted::Checked, layer::TokenVerifier},
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    identity::{Confirmation, Principal, PrincipalParts},
    rejection::{Rejection, RejectionKind},
    request::PeerCertificate,
    testing::{TestDpopKey, TestDpopProof},
    time::{ManualClock, Timestamp},
};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const URL: &str = "https://api.test/orders";
const TOKEN: &str = "bound.to.a-key";

/// Every token holds, and is bound as a test says.
#[derive(Debug)]
struct Tokens(Option<Confirmation>);

impl TokenVerifier for Tokens {
    fn verify(&self, _: &str, _: Timestamp) -> Checked {
        let parts =
            PrincipalParts { subject: "usr_1".into(), confirmation: self.0.clone(), ..PrincipalParts::default() };
        Checked::Ready(Ok(Principal::new(parts).into()))
    }
}

/// A layer, a client's key, and a clock.
struct Scene {
    key: TestDpopKey,
    clock: ManualClock,
    layer: AuthLayer,
    app: Router,
}

impl Scene {
    fn new() -> Self {
        Self::with(Dpop::new("https://api.test", MemoryStore::new()))
    }

    fn with(dpop: Dpop) -> Self {
        let key = TestDpopKey::generate().at(NOW);
        let confirmation = bound_to(&key);
        Self::of(key, Some(confirmation), |auth| auth.dpop(dpop))
    }

    fn of(
        key: TestDpopKey,
        confirmation: Option<Confirmation>,
        more: impl FnOnce(AuthLayerBuilder) -> AuthLayerBuilder,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        let layer = more(AuthLayer::builder().tokens(Tokens(confirmation))).build().unwrap();
        let context = RequestContextLayer::new().clock(clock.clone());
        let whoami = |caller: Principal| async move { caller.subject().to_owned() };
        let app = Router::new()
            .route("/orders", get(whoami).post(whoami))
            .route("/a%20b", get(whoami))
            .nest("/v1", Router::new().route("/orders", get(whoami)))
            .layer(tower::ServiceBuilder::new().layer(context).layer(layer.clone()));
        Self { key, clock, layer, app }
    }

    fn proof(&self) -> TestDpopProof {
        self.key.proof("GET", URL, TOKEN)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response = self.app.clone().oneshot(request).await.unwrap();
        let rejection = response.extensions().get::<Rejection>().cloned();
        Answer { status: response.status(), headers: response.headers().clone(), rejection }
    }

    async fn with_proof(&self, proof: &str) -> Answer {
        self.send(request("/orders", &[("authorization", &format!("DPoP {TOKEN}")), ("dpop", proof)])).await
    }

    async fn check(&self, proof: TestDpopProof) -> Answer {
        self.with_proof(&proof.sign()).await
    }
}

fn bound_to(key: &TestDpopKey) -> Confirmation {
    let mut thumbprint = [0; 32];
    Base64UrlUnpadded::decode(key.thumbprint(), &mut thumbprint).unwrap();
    Confirmation { dpop: Some(thumbprint), ..Confirmation::default() }
}

fn request(uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    rejection: Option<Rejection>,
}

impl Answer {
    #[track_caller]
    fn passes(&self) -> &Self {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.rejection);
        self
    }

    /// The kind, the words of the log, and the challenges: one for each scheme, with the error of
    /// RFC 9449 §7.1 on that of `DPoP`.
    #[track_caller]
    fn refused(&self, kind: RejectionKind, source: &str) -> &Self {
        let rejection = self.rejection.as_ref().expect("a rejection");
        let why = rejection.source().map(ToString::to_string).unwrap_or_default();
        assert_eq!((self.status.as_u16(), rejection.kind()), (401, kind), "{why}");
        assert!(why.contains(source), "{why}");
        let lines = self.challenges();
        assert_eq!(lines[0], "Bearer realm=\"api\"");
        assert!(lines[1].starts_with(&format!("DPoP realm=\"api\", error=\"{}\", ", kind.code())), "{}", lines[1]);
        assert!(lines[1].contains(", algs=\"") && lines[1].contains("ES256"));
        self
    }

    #[track_caller]
    fn proof_refused(&self, check: &str) -> &Self {
        self.refused(RejectionKind::InvalidDpopProof, check)
    }

    fn challenges(&self) -> Vec<&str> {
        self.headers.get_all("www-authenticate").iter().map(|line| line.to_str().unwrap()).collect()
    }
}

//! Two credentials, from every two places: what the request says twice is a mistake, and what a
//! browser or a connection adds by itself yields to what was sent on purpose.

use super::*;
use crate::{
    auth::{
        CookieSource, Verified,
        dpop::Dpop,
        mtls::ClientCertificates,
        signed::{HttpSignatures, SigV4, SigningKey},
    },
    request::{PeerCertificate, RequestContext},
    testing::{MessageSigner, SigV4Signer},
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// How much a place weighs against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Connection,
    Cookie,
    Purpose,
}

type Put = Box<dyn Fn(&mut Request<Body>)>;

struct Place {
    name: &'static str,
    weight: Weight,
    put: Put,
}

impl Place {
    fn header(name: &'static str, weight: Weight, lines: &[(&'static str, &str)]) -> Self {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, HeaderValue::try_from(*value).unwrap())).collect();
        let put = move |request: &mut Request<Body>| {
            for (name, value) in &lines {
                request.headers_mut().append(*name, value.clone());
            }
        };
        Self { name, weight, put: Box::new(put) }
    }

    /// What a signer adds to a plain request.
    fn signed(name: &'static str, signed: Request<Body>) -> Self {
        let (parts, _) = signed.into_parts();
        let put = move |request: &mut Request<Body>| {
            if parts.uri.query().is_some() {
                *request.uri_mut() = parts.uri.clone();
            }
            for (name, value) in parts.headers.iter().filter(|(name, _)| *name != "host") {
                request.headers_mut().append(name, value.clone());
            }
        };
        Self { name, weight: Weight::Purpose, put: Box::new(put) }
    }
}

fn plain() -> Request<&'static str> {
    Request::get("/").header("host", "api.test").body("").unwrap()
}

fn places(key: &str) -> Vec<Place> {
    use Weight::{Connection, Cookie, Purpose};
    let sigv4 = || SigV4Signer::new("pair4", SECRET, "eu-west-1", "execute-api").at(NOW);
    let message = MessageSigner::hmac("pair9", SECRET).at(NOW).origin("https", "api.test");
    let pair = rcgen::KeyPair::generate().unwrap();
    let shown = rcgen::CertificateParams::new([]).unwrap().self_signed(&pair).unwrap();
    let shown = PeerCertificate::from_der(shown.der().to_vec());
    let certificate = move |request: &mut Request<Body>| {
        request.extensions_mut().insert(shown.clone());
    };
    vec![
        Place::header("bearer", Purpose, &[("authorization", "Bearer good")]),
        Place::header("dpop", Purpose, &[("authorization", "DPoP good"), ("dpop", "a.b.c")]),
        Place::header("x-api-key", Purpose, &[("x-api-key", key)]),
        Place::header(
            "websocket",
            Purpose,
            &[("upgrade", "websocket"), ("sec-websocket-protocol", "bearer, slow-good")],
        ),
        Place::signed("sigv4 header", sigv4().sign(plain())),
        Place::signed("sigv4 query", sigv4().presign(plain(), std::time::Duration::from_secs(60))),
        Place::signed("rfc 9421", message.sign(plain())),
        Place::header("cookie", Cookie, &[("cookie", "__Host-token=forged")]),
        Place { name: "certificate", weight: Connection, put: Box::new(certificate) },
    ]
}

fn app(optional: bool) -> (Router, String) {
    let (auth, store, key) = both();
    for id in ["pair4", "pair9"] {
        let key = SigningKey::secret(id, format!("svc_{id}"), crate::secret::Secret::new(SECRET));
        store.insert_signing_key(key.build().unwrap()).unwrap();
    }
    let sigv4 = SigV4::builder(store.clone(), "eu-west-1", "execute-api").presigned_urls();
    let unsigned = sigv4.dangerously_allow_unsigned_payload().build().unwrap();
    let auth = auth
        .dpop(Dpop::new("https://api.test", store.clone()))
        .websocket_protocol()
        .cookie(CookieSource::new("__Host-token").unwrap())
        .authenticator(unsigned)
        .authenticator(HttpSignatures::builder(store).build().unwrap())
        .authenticator(ClientCertificates::by(|_| Some(Verified::by_certificate("usr_cert"))));
    (router(if optional { auth.optional() } else { auth }), key)
}

async fn ask(app: &Router, places: &[&Place]) -> (u16, String) {
    let mut request = plain().map(Body::from);
    for place in places {
        (place.put)(&mut request);
    }
    let answer = send(app, request).await;
    let code = serde_json::from_str::<serde_json::Value>(&answer.body).ok();
    let code = code.and_then(|problem| problem["error"].as_str().map(str::to_owned));
    (answer.status.as_u16(), code.unwrap_or(answer.body))
}

#[tokio::test]
async fn every_pair_of_places() {
    for optional in [false, true] {
        let (app, key) = app(optional);
        let places = places(&key);
        let mut alone = Vec::new();
        for place in &places {
            alone.push(ask(&app, &[place]).await);
        }
        let said = |name: &str| alone[places.iter().position(|place| place.name == name).unwrap()].clone();
        assert_eq!(said("bearer"), (200, "usr_jwt jwt".into()));
        assert_eq!(said("dpop"), (401, "invalid_token".into()));
        assert_eq!(said("x-api-key"), (200, "usr_key api_key".into()));
        assert_eq!(said("websocket"), (200, "usr_jwt jwt".into()));
        assert_eq!(said("sigv4 header"), (200, "svc_pair4 signed_request".into()));
        assert_eq!(said("sigv4 query"), (200, "svc_pair4 signed_request".into()));
        assert_eq!(said("rfc 9421"), (200, "svc_pair9 signed_request".into()));
        assert_eq!(said("cookie"), (401, "invalid_signature".into()));
        assert_eq!(said("certificate"), (200, "usr_cert client_certificate".into()));
        for (index, one) in places.iter().enumerate() {
            for (other, also) in places.iter().enumerate().filter(|(other, _)| *other != index) {
                let expected = match one.weight.cmp(&also.weight) {
                    std::cmp::Ordering::Equal => (400, "invalid_request".into()),
                    std::cmp::Ordering::Greater => alone[index].clone(),
                    std::cmp::Ordering::Less => alone[other].clone(),
                };
                assert_eq!(ask(&app, &[one, also]).await, expected, "{} and {}", one.name, also.name);
            }
        }
    }
}

/// A list of two tokens is two credentials, as two lines of `Authorization` are.
#[tokio::test]
async fn the_same_place_twice() {
    let (app, key) = app(true);
    let places = places(&key);
    for name in ["bearer", "dpop", "x-api-key", "websocket", "sigv4 header", "cookie"] {
        let place = places.iter().find(|place| place.name == name).unwrap();
        assert_eq!(ask(&app, &[place, place]).await, (400, "invalid_request".into()), "{name}");
    }
}

/// One layer reads cookies, the one inside it keys: whom a handler sees must be whom each layer let in.
#[tokio::test]
async fn two_layers_that_let_in_different_callers_are_a_mistake() {
    async fn whoami(caller: Principal) -> String {
        caller.subject().to_owned()
    }
    let (keys, _, key) = both();
    let cookies = || tokens_only().cookie(CookieSource::new("__Host-token").unwrap());
    let app = |outer: AuthLayerBuilder, inner: AuthLayerBuilder| {
        let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
        let layers = tower::ServiceBuilder::new().layer(context);
        Router::new()
            .route("/", get(whoami))
            .layer(layers.layer(outer.optional().build().unwrap()).layer(inner.build().unwrap()))
    };
    let both = [("cookie", "__Host-token=good"), ("x-api-key", key.as_str())];
    get_with(&app(cookies(), keys.clone()), &both).await.is(500, "misconfigured");
    get_with(&app(cookies(), keys.clone()), &both[1..]).await.sees("usr_key");
    get_with(&app(cookies(), cookies()), &both[..1]).await.sees("usr_jwt");
}

/// Whoever finds the caller, and whether it had to wait: what is lacking further in is asked for by the outer one.
#[tokio::test]
async fn of_two_layers_the_outer_one_challenges() {
    async fn seen(request: Request<Body>) -> String {
        let context = RequestContext::of(&request).unwrap();
        let subject = context.principal().map_or("nobody", Principal::subject);
        format!("{subject} {}", context.challenges()[0].to_str().unwrap())
    }
    let (keys, _, key) = both();
    let cookies = tokens_only().cookie(CookieSource::new("__Host-token").unwrap());
    let app = |outer: &AuthLayerBuilder, inner: &AuthLayerBuilder| {
        let layer = |auth: &AuthLayerBuilder, realm| auth.clone().optional().realm(realm).build().unwrap();
        let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
        let layers = tower::ServiceBuilder::new().layer(context).layer(layer(outer, "outer"));
        Router::new().route("/", get(seen)).layer(layers.layer(layer(inner, "inner")))
    };
    for app in [app(&cookies, &keys), app(&keys, &cookies)] {
        get_with(&app, &[]).await.sees("nobody Bearer realm=\"outer\"");
        for cookie in ["__Host-token=good", "__Host-token=slow-good"] {
            get_with(&app, &[("cookie", cookie)]).await.sees("usr_jwt Bearer realm=\"outer\"");
        }
        get_with(&app, &[("x-api-key", &key)]).await.sees("usr_key Bearer realm=\"outer\"");
    }
}

/// The scheme that failed was none of those that have a word for it, so none of them says so.
#[tokio::test]
async fn what_another_scheme_has_got_wrong_is_not_said_of_bearer() {
    let (app, _) = app(false);
    let wrong = SigV4Signer::new("pair4", "another secret than the one of the key", "eu-west-1", "execute-api");
    let answer = send(&app, wrong.at(NOW).sign(plain())).await;
    assert_eq!(answer.status.as_u16(), 401);
    assert!(answer.challenges.len() > 3 && answer.challenges[0] == "Bearer realm=\"api\"", "{:?}", answer.challenges);
    assert!(answer.challenges.iter().all(|line| !line.contains("error=")), "{:?}", answer.challenges);
}

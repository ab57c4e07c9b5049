use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use http::{HeaderMap, Request, StatusCode, request::Parts};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    authz::{StepUp, object::Opinion, path_param},
    gate::RequestContextLayer,
    identity::Grant,
    rejection::{Rejection, RejectionKind},
    store::BoxFuture,
    testing::{ManualClock, PrincipalBuilder, anonymous, principal, with_principal},
    time::Timestamp,
};

#[derive(Clone)]
enum Resource {
    Invoice { department: &'static str },
    Record { is_sensitive: bool },
    Transaction { amount: u64 },
}

#[derive(serde::Deserialize)]
struct Department {
    department: String,
}

/// The rules of the workflow document, line 356, without its mistakes: see docs/authorization.md.
fn document() -> PolicySet<Resource> {
    type Q<'a> = Question<'a, Resource>;
    let office = Hours::workdays(Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(), 9..17).unwrap();
    PolicySet::builder()
        .policy(policy("department", |q: &Q<'_>| match (q.action, q.resource, q.subject.claims::<Department>()) {
            ("read", Resource::Invoice { department }, Ok(own)) if own.department == *department => {
                Effect::grant("own")
            }
            _ => Effect::Abstain,
        }))
        .policy(policy("administrators", |q: &Q<'_>| match (q.action, q.resource) {
            ("delete", Resource::Record { .. }) if q.subject.roles().any(|role| role == "admin") => {
                Effect::grant("admin")
            }
            _ => Effect::Abstain,
        }))
        .policy(when(
            |q: &Q<'_>| q.action == "delete" && matches!(q.resource, Resource::Record { is_sensitive: true }),
            policy("office-hours", move |q: &Q<'_>| {
                if office.include(q.env.now()) { Effect::Abstain } else { Effect::veto("not office hours") }
            }),
        ))
        .policy(policy("approvers", |q: &Q<'_>| match (q.action, q.resource) {
            ("approve", Resource::Transaction { .. }) if q.subject.scopes().satisfies("approve:transactions") => {
                Effect::grant("approver")
            }
            _ => Effect::Abstain,
        }))
        .policy(policy("mfa-over-10000", |q: &Q<'_>| match q.resource {
            Resource::Transaction { amount } if *amount > 1_000_000 && !q.mfa_verified() => {
                Effect::step_up(StepUp::new().acr_values(["urn:mfa"]), "over 10,000")
            }
            _ => Effect::Abstain,
        }))
        .build()
        .unwrap()
}

fn decide(caller: &PrincipalBuilder, action: &str, resource: &Resource, at: u64) -> PolicyVerdict {
    let (caller, env) = (caller.clone().build(), Env::at(Timestamp::from_secs(at)));
    document().decide_now(&Question::new(&caller, action, resource, &env)).unwrap().verdict()
}

use PolicyVerdict::{Allowed, Denied};

/// Friday, 10 July 2026, 0:00 UTC.
const FRIDAY: u64 = 1_783_641_600;

#[test]
fn the_documents_department_rule() {
    let legal = Resource::Invoice { department: "legal" };
    for (caller, action, expected) in [
        (principal("u").claim("department", "legal"), "read", Allowed),
        (principal("u").claim("department", "sales"), "read", Denied),
        (principal("u").claim("department", "legal"), "delete", Denied),
        // `undefined === undefined` in the document.
        (principal("u"), "read", Denied),
        (principal("u").claim("department", ["legal"].as_slice()), "read", Denied),
        (principal("u").claim("department", serde_json::Value::Null), "read", Denied),
    ] {
        assert_eq!(decide(&caller, action, &legal, FRIDAY), expected);
    }
}

/// With the clock that is given, in the zone that is named: the document asks the server's own.
#[test]
fn the_documents_office_hours_rule() {
    let (admin, clerk) = (principal("u").roles(["admin"]), principal("u").roles(["clerk"]));
    let sensitive = Resource::Record { is_sensitive: true };
    for (hour, expected) in
        [(6, Denied), (7, Allowed), (14, Allowed), (15, Denied), (24 + 8, Denied), (72 + 8, Allowed)]
    {
        assert_eq!(decide(&admin, "delete", &sensitive, FRIDAY + hour * 3_600), expected, "{hour}:00 UTC");
        assert_eq!(decide(&clerk, "delete", &sensitive, FRIDAY + hour * 3_600), Denied);
    }
    assert_eq!(decide(&admin, "delete", &Resource::Record { is_sensitive: false }, FRIDAY), Allowed);
}

#[test]
fn the_documents_mfa_rule_and_small_amounts() {
    let approver = || principal("u").scopes(["approve:transactions"]);
    let of = |amount| Resource::Transaction { amount };
    // In the document nobody may approve less.
    assert_eq!(decide(&approver(), "approve", &of(1), FRIDAY), Allowed);
    assert_eq!(decide(&approver(), "approve", &of(1_000_000), FRIDAY), Allowed);
    assert_eq!(decide(&approver(), "approve", &of(1_000_001), FRIDAY), PolicyVerdict::StepUp);
    assert_eq!(decide(&approver().amr(["pwd", "mfa"]), "approve", &of(1_000_001), FRIDAY), Allowed);
    assert_eq!(decide(&approver().amr(["mfax", "pwd"]), "approve", &of(1_000_001), FRIDAY), PolicyVerdict::StepUp);
    // Whom another factor would not help is not asked for it.
    assert_eq!(decide(&principal("u"), "approve", &of(1_000_001), FRIDAY), Denied);
}

/// Answers after a while, or never.
#[derive(Debug)]
struct Source {
    effect: Option<Effect>,
    asked: Arc<AtomicUsize>,
}

impl<R: ?Sized + Sync> Policy<R> for Source {
    fn id(&self) -> &'static str {
        "source"
    }

    fn decide_now(&self, _: &Question<'_, R>) -> Option<Effect> {
        None
    }

    fn decide<'a>(&'a self, _: &'a Question<'a, R>) -> BoxFuture<'a, Effect> {
        self.asked.fetch_add(1, Relaxed);
        Box::pin(async move {
            match &self.effect {
                Some(effect) => {
                    tokio::task::yield_now().await;
                    effect.clone()
                }
                None => std::future::pending().await,
            }
        })
    }
}

fn source(effect: Option<Effect>) -> (Source, Arc<AtomicUsize>) {
    let asked = Arc::default();
    (Source { effect, asked: Arc::clone(&asked) }, asked)
}

fn yes() -> impl Policy<Parts> {
    policy("yes", |_: &Question<'_, Parts>| Effect::grant("always"))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    rejection: Option<Rejection>,
}

async fn ask(policies: PolicySetBuilder<Parts>, path: &str) -> Answer {
    let layer = PolicyLayer::new("read", policies.build().unwrap()).unwrap();
    let stack = ServiceBuilder::new()
        .layer(RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(FRIDAY))))
        .layer(with_principal(principal("usr_1").build()))
        .layer(layer);
    let handler = get(|grant: Grant| async move { grant.policies().collect::<Vec<_>>().join(" ") });
    let app: Router = Router::new().route("/orders/{id}", handler).layer(stack);
    let (parts, body) = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
    Answer {
        status: parts.status,
        rejection: parts.extensions.get().cloned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

#[tokio::test]
async fn a_layer_asks_about_the_requests_head() {
    let seven = || {
        PolicySet::<Parts>::builder().policy(policy("seven", |q: &Question<'_, Parts>| {
            match path_param(q.resource, "id").as_deref() {
                Some("7") => Effect::grant("seven is for all"),
                _ => Effect::Abstain,
            }
        }))
    };
    let answer = ask(seven(), "/orders/7").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "seven"));
    let answer = ask(seven(), "/orders/8").await;
    let rejection = answer.rejection.unwrap();
    assert_eq!(rejection.kind(), RejectionKind::Forbidden);
    assert!(rejection.source().unwrap().to_string().contains("no policy grants it"));
}

#[tokio::test]
async fn the_reason_is_for_the_log_and_not_for_the_client() {
    let policies = PolicySet::builder()
        .policy(yes())
        .policy(policy("blocked", |_: &Question<'_, Parts>| Effect::veto("usr_1 owes us money")));
    let answer = ask(policies, "/orders/7").await;
    assert_eq!(answer.status, 403);
    assert!(!answer.body.contains("owes") && !answer.body.contains("blocked"), "{}", answer.body);
    let source = answer.rejection.unwrap().source().unwrap().to_string();
    assert_eq!(source, "policy \"blocked\" on \"read\": usr_1 owes us money");
}

#[tokio::test]
async fn what_cannot_be_known_is_503_and_a_veto_is_still_403() {
    for waits in [false, true] {
        let down = || {
            let effect = Effect::indeterminate("the database is down");
            let builder = PolicySet::builder().policy(yes());
            if waits {
                builder.policy(source(Some(effect)).0)
            } else {
                builder.policy(policy("down", move |_: &Question<'_, Parts>| effect.clone()))
            }
        };
        let answer = ask(down(), "/orders/7").await;
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after") && !answer.body.contains("database"), "{}", answer.body);
        let veto = down().policy(policy("no", |_: &Question<'_, Parts>| Effect::veto("no")));
        assert_eq!(ask(veto, "/orders/7").await.status, 403);
    }
}

#[tokio::test]
async fn policies_that_wait_are_asked_only_if_it_matters() {
    let (waiting, asked) = source(Some(Effect::grant("asked")));
    let answer = ask(PolicySet::builder().policy(waiting), "/orders/7").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str(), asked.load(Relaxed)), (200, "source", 1));
    let (waiting, asked) = source(Some(Effect::grant("asked")));
    let veto = policy("no", |_: &Question<'_, Parts>| Effect::veto("no"));
    assert_eq!(ask(PolicySet::builder().policy(waiting).policy(veto), "/orders/7").await.status, 403);
    assert_eq!(asked.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_costs_the_budget_and_no_more() {
    let ask_for = async |patience| {
        let policies = PolicySet::builder().policy(yes()).policy(source(None).0).budget(Duration::from_millis(200));
        tokio::time::timeout(Duration::from_millis(patience), ask(policies, "/orders/7")).await
    };
    assert!(ask_for(199).await.is_err());
    let answer = ask_for(201).await.unwrap();
    assert_eq!(answer.status, 503);
    let source = answer.rejection.unwrap().source().unwrap().to_string();
    assert!(source.contains("\"source\""), "{source}");
}

#[tokio::test]
async fn a_step_up_is_a_challenge() {
    let policies = PolicySet::builder().policy(yes()).policy(policy("mfa", |_: &Question<'_, Parts>| {
        Effect::step_up(StepUp::new().acr_values(["urn:mfa"]).max_age(Duration::from_secs(60)), "money")
    }));
    let answer = ask(policies, "/orders/7").await;
    assert_eq!(answer.status, 401);
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.ends_with("acr_values=\"urn:mfa\", max_age=\"60\""), "{challenge}");
    // One that asks for nothing cannot be answered.
    let wrong = PolicySet::builder()
        .policy(yes())
        .policy(policy("mfa", |_: &Question<'_, Parts>| Effect::step_up(StepUp::new(), "money")));
    assert_eq!(ask(wrong, "/orders/7").await.status, 500);
}

#[tokio::test]
async fn combined_policies() {
    type Q<'a> = Question<'a, Parts>;
    let fixed = |id: &'static str, effect: Effect| policy(id, move |_: &Q<'_>| effect.clone());
    let shared = |id: &'static str, effect: Effect| -> Arc<dyn Policy<Parts>> { Arc::new(fixed(id, effect)) };
    let status = |set: PolicySetBuilder<Parts>| async { ask(set, "/orders/7").await.status.as_u16() };
    let grant = || Effect::grant("g");
    // A condition grants nothing, and denies where it does not hold.
    assert_eq!(status(PolicySet::builder().policy(required(fixed("c", grant()), "c"))).await, 403);
    assert_eq!(status(PolicySet::builder().policy(yes()).policy(required(fixed("c", grant()), "c"))).await, 200);
    assert_eq!(
        status(PolicySet::builder().policy(yes()).policy(required(fixed("c", Effect::Abstain), "c"))).await,
        403
    );
    assert_eq!(
        status(PolicySet::builder().policy(yes()).policy(required(source(Some(Effect::Abstain)).0, "c"))).await,
        403
    );
    // Elsewhere a policy is silent, even one that would veto.
    let elsewhere = when(|q: &Q<'_>| q.action == "delete", fixed("no", Effect::veto("no")));
    assert_eq!(status(PolicySet::builder().policy(yes()).policy(elsewhere)).await, 200);
    for (a, b, expected) in [
        (grant(), grant(), 200),
        (grant(), Effect::Abstain, 403),
        (grant(), Effect::veto("no"), 403),
        (grant(), Effect::indeterminate("down"), 503),
    ] {
        let both = all_of("both", [shared("a", a.clone()), shared("b", b.clone())]);
        assert_eq!(status(PolicySet::builder().policy(both)).await, expected, "{a:?} {b:?}");
        let waiting: Arc<dyn Policy<Parts>> = Arc::new(source(Some(b)).0);
        assert_eq!(status(PolicySet::builder().policy(all_of("both", [shared("a", a), waiting]))).await, expected);
    }
    assert_eq!(status(PolicySet::builder().policy(all_of("none", []))).await, 403);
}

#[tokio::test]
async fn nobody_and_no_auth_layer_are_told_apart() {
    let layer = || PolicyLayer::new("read", PolicySet::builder().policy(yes()).build().unwrap()).unwrap();
    let app = || Router::<()>::new().route("/", axum::routing::get(|| async {}));
    let get = || Request::get("/").body(Body::empty()).unwrap();
    let nobody = app().layer(ServiceBuilder::new().layer(anonymous()).layer(layer()));
    assert_eq!(nobody.oneshot(get()).await.unwrap().status(), 401);
    assert_eq!(app().layer(layer()).oneshot(get()).await.unwrap().status(), 500);
}

#[test]
fn every_mistake_is_named() {
    assert!(PolicySet::<Parts>::builder().build().is_err());
    let error = PolicySet::<Parts>::builder()
        .policy(yes())
        .policy(yes())
        .policy(policy("", |_: &Question<'_, Parts>| Effect::Abstain))
        .budget(Duration::ZERO)
        .build()
        .unwrap_err();
    assert_eq!(error.issues().len(), 3);
    assert!(PolicyLayer::new("", PolicySet::builder().policy(yes()).build().unwrap()).is_err());
}

#[tokio::test]
async fn a_decision_is_an_opinion_among_others() {
    let grant = || Effect::grant("yes");
    let opinion = async |effects: Vec<Effect>| {
        let set = effects.into_iter().enumerate().fold(PolicySet::<Parts>::builder(), |set, (number, effect)| {
            set.policy(policy(number.to_string(), move |_: &Question<'_, Parts>| effect.clone()))
        });
        let (caller, env) = (principal("u").build(), Env::at(Timestamp::EPOCH));
        let (parts, ()) = Request::new(()).into_parts();
        Opinion::from(set.build().unwrap().decide(&Question::new(&caller, "read", &parts, &env)).await)
    };
    assert!(matches!(opinion(vec![grant()]).await, Opinion::Grant));
    assert!(matches!(opinion(vec![grant(), Effect::veto("no")]).await, Opinion::Veto));
    // Nobody grants: the owner may all the same.
    assert!(matches!(opinion(vec![Effect::Abstain]).await, Opinion::Abstain));
    // Where a stronger authentication is asked for, not even the owner may without it.
    let stronger = Effect::step_up(StepUp::new().amr(["mfa"]), "stronger");
    assert!(matches!(opinion(vec![grant(), stronger.clone()]).await, Opinion::Veto));
    assert!(matches!(opinion(vec![stronger]).await, Opinion::Veto));
    assert!(matches!(opinion(vec![grant(), Effect::indeterminate("down")]).await, Opinion::Indeterminate(_)));
}

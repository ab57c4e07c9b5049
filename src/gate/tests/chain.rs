//! Gates in one do what nested ones do, whatever each of them decides.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
};

use super::*;
use crate::gate::Gates;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Pass,
    Answer,
    Reject,
    WaitAndPass,
    WaitAndAnswer,
    WaitAndReject,
    WaitAndPanic,
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaves {
    AtOnce,
    Late,
    Panicking,
    LateAndPanicking,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Answers,
    Rejects,
    Fails,
    Panics,
    PanicsWhenCalled,
}

type Log = Arc<Mutex<Vec<String>>>;

/// Does what it is told, and says so.
struct Actor {
    name: char,
    act: Act,
    leaves: Leaves,
    log: Log,
}

struct Ticket {
    name: char,
    log: Log,
    left: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.left {
            let panicking = std::thread::panicking();
            self.log.lock().unwrap().push(format!("drop {} {panicking}", self.name));
        }
    }
}

impl Gate<Body> for Actor {
    const NAME: &'static str = "actor";
    const RESPONSE_FIELDS: usize = 1;
    type Pass = Ticket;

    fn enter(self: &Arc<Self>, _: &mut Request<Body>, _: &Arc<RequestContext>) -> Entry<Body, Ticket> {
        self.log.lock().unwrap().push(format!("enter {}", self.name));
        let ticket = Ticket { name: self.name, log: Arc::clone(&self.log), left: false };
        let rejection = || Rejection::from(RejectionKind::Forbidden);
        let later = |waited: Box<dyn FnOnce(Request<Body>) -> Waited<Body, Ticket> + Send>| {
            Entry::wait(move |request| async move {
                tokio::task::yield_now().await;
                waited(request)
            })
        };
        match self.act {
            Act::Pass | Act::Absent => Entry::Pass(ticket),
            Act::Answer => Entry::Answer("answered".into_response()),
            Act::Reject => Entry::Reject(rejection()),
            Act::WaitAndPass => later(Box::new(move |request| Waited::Pass(request, ticket))),
            Act::WaitAndAnswer => later(Box::new(|_| Waited::Answer("answered".into_response()))),
            Act::WaitAndReject => later(Box::new(move |_| Waited::Reject(rejection()))),
            Act::WaitAndPanic => later(Box::new(|_| panic!("the gate"))),
        }
    }

    fn leave(self: &Arc<Self>, mut ticket: Ticket, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        self.log.lock().unwrap().push(format!("leave {} {}", self.name, response.status()));
        ticket.left = true;
        response.headers_mut().append("seen-by", HeaderValue::from_str(&self.name.to_string()).unwrap());
        let leaves = self.leaves;
        match leaves {
            Leaves::AtOnce => Leave::Done,
            Leaves::Panicking => panic!("the gate"),
            Leaves::Late | Leaves::LateAndPanicking => Leave::wait(move |response| async move {
                tokio::task::yield_now().await;
                assert_eq!(leaves, Leaves::Late);
                response
            }),
        }
    }

    fn fail(self: &Arc<Self>, mut ticket: Ticket, _: &Arc<RequestContext>) {
        self.log.lock().unwrap().push(format!("fail {}", self.name));
        ticket.left = true;
    }
}

/// The handler, which clones itself as every service does.
#[derive(Clone)]
struct Handler(End, Log);

impl Service<Request<Body>> for Handler {
    type Response = Response;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<Response, &'static str>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.1.lock().unwrap().push("handle".to_owned());
        let end = self.0;
        assert_ne!(end, End::PanicsWhenCalled);
        Box::pin(async move {
            tokio::task::yield_now().await;
            let context = RequestContext::of(&request).cloned();
            match end {
                End::Answers => Ok(context.map_or("alone", |_| "with a context").into_response()),
                End::Rejects => Ok(Rejection::new(RejectionKind::NotFound).into_response()),
                End::Fails => Err("failed"),
                End::Panics | End::PanicsWhenCalled => panic!("the handler"),
            }
        })
    }
}

/// What was said, in which order, and what came of it.
async fn run(acts: [(Act, Leaves); 3], end: End, in_one: bool) -> (Vec<String>, String) {
    run_for(usize::MAX, acts, end, in_one).await
}

/// The same, given up when it has been polled so often.
async fn run_for(polls: usize, acts: [(Act, Leaves); 3], end: End, in_one: bool) -> (Vec<String>, String) {
    let log = Log::default();
    let layer = |name: char, (act, leaves): (Act, Leaves)| match act {
        Act::Absent => GateLayer::absent(),
        act => GateLayer::new(Actor { name, act, leaves, log: Arc::clone(&log) }),
    };
    let [a, b, c] = acts;
    let (a, b, c) = (layer('a', a), layer('b', b), layer('c', c));
    let handler = Handler(end, Arc::clone(&log));
    let mut called: Pin<Box<dyn Future<Output = Result<Response, &'static str>>>> = if in_one {
        Box::pin(Gates::new().layer(&a).layer(&b).layer(&c).service(handler).oneshot(request("/")))
    } else {
        Box::pin(ServiceBuilder::new().layer(&a).layer(&b).layer(&c).service(handler).oneshot(request("/")))
    };
    // As tower-http's catch-panic does: what panicked is dropped only later.
    let mut left = polls;
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| called.as_mut().poll(cx))) {
        Ok(Poll::Pending) if left == 1 => Poll::Ready(Err("given up")),
        Ok(polled) => {
            left = left.saturating_sub(1);
            polled.map(Ok)
        }
        Err(_) => Poll::Ready(Err("panicked")),
    });
    let outcome = match caught.await {
        Err("given up") => {
            drop(called);
            "given up".to_owned()
        }
        Err(other) => other.to_owned(),
        Ok(Err(error)) => error.to_owned(),
        Ok(Ok(response)) => {
            let seen: Vec<_> = response.headers().get_all("seen-by").iter().collect();
            let (status, has_id) = (response.status(), response.headers().contains_key("x-request-id"));
            format!("{status} {seen:?} {has_id}")
        }
    };
    let verdicts = [&a, &b, &c].map(GateLayer::verdicts);
    let said = log.lock().unwrap().clone();
    (said, format!("{outcome} {verdicts:?}"))
}

#[tokio::test]
async fn whatever_they_decide_gates_in_one_do_what_nested_ones_do() {
    use Act::{Absent, Answer, Pass, Reject, WaitAndAnswer, WaitAndPanic, WaitAndPass, WaitAndReject};
    let passes = [Pass, WaitAndPass].into_iter().flat_map(|act| {
        [Leaves::AtOnce, Leaves::Late, Leaves::Panicking, Leaves::LateAndPanicking].map(|leaves| (act, leaves))
    });
    let others = [Answer, Reject, WaitAndAnswer, WaitAndReject, WaitAndPanic, Absent];
    let each = passes.chain(others.map(|act| (act, Leaves::AtOnce)));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut different = Vec::new();
    for a in each.clone() {
        for b in each.clone() {
            for c in each.clone() {
                for end in [End::Answers, End::Rejects, End::Fails, End::Panics, End::PanicsWhenCalled] {
                    let (nested, in_one) = (run([a, b, c], end, false).await, run([a, b, c], end, true).await);
                    if nested != in_one {
                        different.push(format!("{a:?} {b:?} {c:?} {end:?}\n  nested {nested:?}\n  in one {in_one:?}"));
                    }
                }
            }
        }
    }
    std::panic::set_hook(hook);
    assert!(different.is_empty(), "{} differ, such as\n{}", different.len(), different[0]);
}

/// Wherever the request stands when its caller leaves: at a gate that waits, in the handler, on the way out.
#[tokio::test]
async fn whenever_it_is_given_up_gates_in_one_drop_what_nested_ones_drop() {
    use Act::{Absent, Pass, WaitAndPass, WaitAndReject};
    let passes = [Pass, WaitAndPass].into_iter().flat_map(|act| [(act, Leaves::AtOnce), (act, Leaves::Late)]);
    let each = passes.chain([(WaitAndReject, Leaves::AtOnce), (Absent, Leaves::AtOnce)]);
    let (mut given_up, mut different) = (0, Vec::new());
    for a in each.clone() {
        for b in each.clone() {
            for c in each.clone() {
                for (end, polls) in [End::Answers, End::Fails].into_iter().flat_map(|end| (1..8).map(move |n| (end, n)))
                {
                    let nested = run_for(polls, [a, b, c], end, false).await;
                    let in_one = run_for(polls, [a, b, c], end, true).await;
                    given_up += usize::from(nested.1.starts_with("given up"));
                    if nested != in_one {
                        different.push(format!("{polls} {a:?} {b:?} {c:?} {end:?}\n  {nested:?}\n  {in_one:?}"));
                    }
                }
            }
        }
    }
    assert!(given_up > 1_000, "{given_up}");
    assert!(different.is_empty(), "{} differ, such as\n{}", different.len(), different[0]);
}

/// What was said of three gates that pass, in order: so that the comparison above is of something.
#[tokio::test]
async fn the_outermost_enters_first_and_leaves_last() {
    let (said, outcome) = run(
        [(Act::Pass, Leaves::AtOnce), (Act::WaitAndPass, Leaves::Late), (Act::Pass, Leaves::AtOnce)],
        End::Rejects,
        true,
    )
    .await;
    let expected = [
        "enter a",
        "enter b",
        "enter c",
        "handle",
        "leave c 404 Not Found",
        "leave b 404 Not Found",
        "leave a 404 Not Found",
    ];
    assert_eq!(said, expected);
    assert!(outcome.starts_with("404 Not Found [\"c\", \"b\", \"a\"] true"), "{outcome}");
}

#[tokio::test]
async fn of_a_request_that_is_given_up_the_innermost_pass_is_dropped_first() {
    let log = Log::default();
    let layer = |name| GateLayer::new(Actor { name, act: Act::Pass, leaves: Leaves::AtOnce, log: Arc::clone(&log) });
    let pending = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response, Infallible>>());
    let service = Gates::new().layer(layer('a')).layer(layer('b')).service(pending);
    let given_up = tokio::time::timeout(Duration::from_millis(10), service.oneshot(request("/"))).await;
    assert!(given_up.is_err());
    assert_eq!(*log.lock().unwrap(), ["enter a", "enter b", "drop b false", "drop a false"]);
}

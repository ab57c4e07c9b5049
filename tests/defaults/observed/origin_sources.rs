//! CORS with an origin source.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, header};
use portcullis::{
    cors::{CorsSecurityLayer, OriginPattern, OriginRequest, OriginSource},
    gate::RequestContextLayer,
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};
use tower::{ServiceBuilder, ServiceExt as _};

use super::{Observed, greatest};

const CORS: &str = "CORS";
const YES: &str = "https://yes.example";
const NO: &str = "https://no.example";

/// Says yes to `YES`; waits where it is told to, fails where it is told to.
#[derive(Debug, Default)]
struct Source {
    asked: AtomicUsize,
    fails: AtomicBool,
    hangs: AtomicBool,
    tenants: Mutex<Vec<usize>>,
}

impl OriginSource for Source {
    fn tenant<'r>(&self, request: OriginRequest<'r>) -> Option<Cow<'r, str>> {
        request.host.map(Cow::Borrowed)
    }

    fn allows<'a>(&'a self, tenant: &'a str, origin: &'a OriginPattern) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, SeqCst);
            self.tenants.lock().unwrap().push(tenant.len());
            if self.hangs.load(SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.fails.load(SeqCst) {
                return Err(StoreError::TimedOut);
            }
            Ok(origin.as_str() == YES)
        })
    }
}

struct Rig {
    source: Arc<Source>,
    clock: ManualClock,
    app: Router,
}

fn rig() -> Rig {
    let source = Arc::new(Source::default());
    let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
    let cors = CorsSecurityLayer::builder().origin_source(source.clone()).build().unwrap();
    let context = RequestContextLayer::new().clock(clock.clone());
    let app = Router::new().fallback(async || ()).layer(ServiceBuilder::new().layer(context).layer(cors));
    Rig { source, clock, app }
}

impl Rig {
    async fn status(&self, host: &str, origin: &str) -> u16 {
        let request = Request::get("/").header(header::HOST, host).header(header::ORIGIN, origin);
        self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    fn asked(&self) -> usize {
        self.source.asked.load(SeqCst)
    }
}

/// How long an answer counts, in seconds.
async fn counts(origin: &str, fails: bool) -> u64 {
    greatest(0..=100_000, async |seconds| {
        let rig = rig();
        rig.status("a.test", origin).await;
        rig.source.fails.store(fails, SeqCst);
        rig.clock.advance(Duration::from_secs(seconds));
        let status = rig.status("a.test", origin).await;
        if fails { status == 200 } else { rig.asked() == 1 }
    })
    .await
        + 1
}

pub(super) async fn look(seen: &mut Observed) {
    let (yes, no) = (counts(YES, false).await, counts(NO, false).await);
    seen.see(CORS, "a yes of an origin source counts", format!("{yes} s"));
    seen.see(CORS, "a no of an origin source counts", format!("{no} s"));
    seen.see(CORS, "while the source fails, longer by", format!("{} s", counts(YES, true).await - yes));

    let rig = rig();
    let longest = greatest(1..=1_000, async |length| {
        let before = rig.asked();
        rig.status(&"a".repeat(usize::try_from(length).unwrap()), &format!("https://x{length}.example")).await;
        rig.asked() > before
    });
    let longest = longest.await;
    assert!(rig.source.tenants.lock().unwrap().iter().all(|length| *length as u64 <= longest));
    seen.see(CORS, "longest name of a tenant", format!("{longest} bytes"));
    crowd(seen).await;
}

async fn crowd(seen: &mut Observed) {
    let rig = rig();
    rig.source.hangs.store(true, SeqCst);
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let origin = format!("https://x{number}.example");
            let request = Request::get("/").header(header::HOST, "a.test").header(header::ORIGIN, origin);
            tokio::spawn(rig.app.clone().oneshot(request.body(Body::empty()).unwrap()))
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    seen.see(CORS, "most questions with an origin source at once", rig.asked().to_string());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

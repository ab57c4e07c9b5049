//! The requests of a check, one after the other.

use std::{net::IpAddr, sync::atomic::Ordering::Relaxed};

use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::{
    Access, EdgeCheck, EdgeReport, Route,
    client::{Answer, Ask, Client, Lost},
    findings::Findings,
    judge::{self, Stranger},
    lints,
    origins::lookalikes,
};

/// Where nothing is.
const NOWHERE: &str = "/edge-check/there-is-nothing-here";
/// How often a browser may ask before it is counted as one request.
const PREFLIGHTS: usize = 50;
/// More than this is not what two requests cost.
const DEAR: u64 = 25;
/// Who pretends to be somebody else tries these.
const FORWARDED: [(&str, &str); 6] = [
    ("x-forwarded-for", "198.51.100.7"),
    ("forwarded", "for=198.51.100.7"),
    ("x-real-ip", "198.51.100.7"),
    ("x-client-ip", "198.51.100.7"),
    ("true-client-ip", "198.51.100.7"),
    ("cf-connecting-ip", "198.51.100.7"),
];

pub(super) async fn run(check: EdgeCheck) -> EdgeReport {
    let mut run = Run { client: Client::new(check.app.clone(), check.peer), findings: Findings::default(), check };
    run.routes().await;
    run.refusals().await;
    if run.check.origin.is_some() {
        run.preflights().await;
        run.many_preflights().await;
        run.strangers().await;
    } else {
        run.findings.add(&lints::NO_ORIGIN, "origin".to_owned(), "no origin was named: CORS was not looked at", None);
    }
    run.oversize().await;
    run.panicking().await;
    run.limited().await;
    let Run { client, findings, check } = run;
    EdgeReport::new(findings.report(check.lints), client.sent())
}

struct Run {
    check: EdgeCheck,
    client: Client,
    findings: Findings,
}

impl Run {
    /// Sends it from an address of its own, and judges what any answer must be like.
    async fn ask(&mut self, ask: Ask) -> Option<Answer> {
        let peer = self.client.newcomer();
        self.ask_from(peer, ask).await
    }

    async fn ask_from(&mut self, peer: IpAddr, mut ask: Ask) -> Option<Answer> {
        let origin = self.check.origin.clone();
        if let Some(origin) = &origin {
            ask = ask.origin(origin);
        }
        let answer = self.send(peer, ask).await?;
        judge::any(&answer, origin.as_ref(), &mut self.findings);
        Some(answer)
    }

    /// Without any judgement but that there is an answer.
    async fn send(&mut self, peer: IpAddr, ask: Ask) -> Option<Answer> {
        match self.client.send(peer, ask).await {
            Ok(answer) => return Some(answer),
            Err((Lost::Panicked, what)) => {
                self.findings.add(&lints::PANIC, what, "a panic left the router: the client gets no answer", None);
            }
            Err((Lost::Late, what)) => {
                self.findings.add(&lints::NO_ANSWER, what, "no answer within 45 s", None);
            }
        }
        None
    }

    /// Each route, without a credential and with one.
    async fn routes(&mut self) {
        if self.check.routes.is_empty() {
            self.findings.add(&lints::NO_ROUTE, "route".to_owned(), "no route was named: none was looked at", None);
        }
        for Route { method, path, access } in self.check.routes.clone() {
            let ask = Ask::new(&method, &path).and("without a credential");
            if let Some(answer) = self.ask(ask).await {
                self.anonymous(&answer, access);
            }
            if access == Access::Protected && !self.check.credential.is_empty() {
                let ask = Ask::new(&method, &path).headers(&self.check.credential).and("with the credential");
                if let Some(answer) = self.ask(ask).await {
                    self.is_there(&answer);
                }
            }
        }
    }

    fn anonymous(&mut self, answer: &Answer, access: Access) {
        let denied = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let through = answer.status.is_success()
            || answer.status.is_redirection()
            || matches!(answer.status.as_u16(), 400 | 415 | 422 | 500);
        match access {
            Access::Public if denied => {
                self.findings.add(&lints::CLOSED, answer.place(), "a public route asks for a credential", None);
            }
            Access::Protected if through => {
                let message = "a route that needs a credential answers without one";
                self.findings.add(&lints::OPEN, answer.place(), message, None);
            }
            _ => self.is_there(answer),
        }
    }

    fn is_there(&mut self, answer: &Answer) {
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            self.findings.add(&lints::NO_ROUTE_THERE, answer.place(), "there is no such route", None);
        }
    }

    /// What no handler answers.
    async fn refusals(&mut self) {
        self.ask(Ask::new(&Method::GET, NOWHERE).called("GET of an unknown path")).await;
        let Some(Route { path, .. }) = self.check.routes.first().cloned() else { return };
        if let Ok(unknown) = Method::from_bytes(b"EDGECHECK") {
            self.ask(Ask::new(&unknown, &path).called(&format!("unknown method on {path}"))).await;
        }
    }

    async fn preflights(&mut self) {
        let mut asked: Vec<(Method, String)> =
            self.check.routes.iter().map(|route| (route.method.clone(), route.path.clone())).collect();
        asked.push((Method::GET, NOWHERE.to_owned()));
        for (method, path) in asked {
            let peer = self.client.newcomer();
            self.preflight(peer, &method, &path).await;
        }
    }

    async fn preflight(&mut self, peer: IpAddr, method: &Method, path: &str) -> Option<Answer> {
        let origin = self.check.origin.clone()?;
        let names = self.check.preflight_headers.join(",");
        let names = HeaderValue::from_str(&names).ok().filter(|names| !names.is_empty());
        let answer = self.send(peer, Ask::preflight(method, path, &origin, names.as_ref())).await?;
        judge::preflight(&answer, (method, &origin, &self.check.preflight_headers), &mut self.findings);
        Some(answer)
    }

    /// Whether preflights use up what requests live on.
    async fn many_preflights(&mut self) {
        let limited = self.check.limited.as_ref().map(|(route, _)| route);
        let Some(Route { method, path, .. }) = limited.or(self.check.routes.first()).cloned() else { return };
        let (peer, credential) = (self.client.newcomer(), self.check.credential.clone());
        let ask = || Ask::new(&method, &path).headers(&credential);
        let before = self.ask_from(peer, ask()).await.and_then(|answer| remaining(&answer));
        for _ in 0..PREFLIGHTS {
            let Some(answer) = self.preflight(peer, &method, &path).await else { return };
            if answer.headers.contains_key("ratelimit") || answer.headers.contains_key("x-ratelimit-remaining") {
                let message = "a preflight was counted by a limit";
                return self.findings.add(&lints::PREFLIGHT_COSTS, answer.place(), message, None);
            }
        }
        let Some(after) = self.ask_from(peer, ask()).await else { return };
        if let (Some(before), Some(left)) = (before, remaining(&after))
            && before.saturating_sub(left) > DEAR
        {
            let message = format!("{PREFLIGHTS} preflights used up a limit");
            self.findings.add(&lints::PREFLIGHT_COSTS, after.place(), message, None);
        }
    }

    /// Pages of origins that nobody has allowed.
    async fn strangers(&mut self) {
        let Some(origin) = self.check.origin.clone() else { return };
        let reading = self.check.routes.iter().find(|route| route.method == Method::GET);
        let path = reading.map_or(NOWHERE, |route| &route.path).to_owned();
        let allowed = origin.to_str().unwrap_or("").to_owned();
        let mut strange = vec![(Stranger::Any, "https://stranger.edge-check.test".to_owned())];
        strange.push((Stranger::Null, "null".to_owned()));
        strange.extend(lookalikes(&allowed).into_iter().map(|origin| (Stranger::Lookalike, origin)));
        for (kind, origin) in strange {
            let Ok(value) = HeaderValue::from_str(&origin) else { continue };
            let peer = self.client.newcomer();
            let ask = Ask::new(&Method::GET, &path).origin(&value).and(&format!("from {origin}"));
            let Some(answer) = self.send(peer, ask).await else { continue };
            judge::stranger(&answer, &value, kind, &mut self.findings);
            let ask = Ask::preflight(&Method::GET, &path, &value, None).and(&format!("from {origin}"));
            let Some(answer) = self.send(peer, ask).await else { continue };
            judge::stranger(&answer, &value, kind, &mut self.findings);
            judge::refused_preflight(&answer, &mut self.findings);
            if answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN) == Some(&value) {
                // It lets in everybody: that is one finding, not one for each way to be strange.
                return;
            }
        }
    }

    /// Bodies that are longer than they may be, announced and not.
    async fn oversize(&mut self) {
        let takes_body = |route: &&Route| [Method::POST, Method::PUT, Method::PATCH].contains(&route.method);
        let Some(Route { method, path, .. }) = self.check.routes.iter().find(takes_body).cloned() else { return };
        let (length, credential) = (self.check.body_limit.saturating_add(1), self.check.credential.clone());
        let ask =
            || Ask::new(&method, &path).headers(&credential).header(&header::CONTENT_TYPE, &self.check.content_type);
        let (announced, (chunked, read)) = (ask().announced(length), ask().chunked(length));
        let message = format!("a body of {length} bytes is taken");
        if let Some(answer) = self.ask(announced.and("with a long body")).await
            && answer.status.is_success()
        {
            self.findings.add(&lints::OVERSIZE, answer.place(), message.clone(), None);
        }
        let Some(answer) = self.ask(chunked.and("with a long body of unknown length")).await else { return };
        // A handler that does not look at the body need not refuse it.
        if read.load(Relaxed) < length {
            return;
        }
        if answer.status.is_success() {
            self.findings.add(&lints::OVERSIZE_CHUNKED, answer.place(), message, None);
        } else if answer.status != StatusCode::PAYLOAD_TOO_LARGE {
            let message = "too long a body is refused for another reason";
            self.findings.add(&lints::OVERSIZE_STATUS, answer.place(), message, None);
        }
    }

    async fn panicking(&mut self) {
        let Some(Route { method, path, .. }) = self.check.panicking.clone() else { return };
        let ask = Ask::new(&method, &path).headers(&self.check.credential).and("which panics");
        self.ask(ask).await;
    }

    /// A route with a limit: its refusals, and whether another name makes another client.
    async fn limited(&mut self) {
        let Some((route, requests)) = self.check.limited.clone() else { return };
        let peer = self.client.newcomer();
        let Some(refused) = self.exhaust(peer, &route, requests).await else {
            let message = format!("{} requests in a row are let through", requests.saturating_add(1));
            return self.findings.add(&lints::NOT_LIMITED, format!("{} {}", route.method, route.path), message, None);
        };
        judge::limited(&refused, self.check.origin.as_ref(), &mut self.findings);
        for (name, value) in FORWARDED {
            let forged = (HeaderName::from_static(name), HeaderValue::from_static(value));
            if self.gets_past(peer, &route, requests, forged).await {
                let message = "a header that anybody can write makes another client of the same one";
                let place = format!("{} {} with {name}", route.method, route.path);
                self.findings.add(&lints::SPOOFED_ADDRESS, place, message, None);
            }
        }
    }

    /// Asks until it is refused.
    async fn exhaust(&mut self, peer: IpAddr, route: &Route, requests: usize) -> Option<Answer> {
        for _ in 0..=requests {
            let ask = Ask::new(&route.method, &route.path).headers(&self.check.credential).and("beyond its limit");
            let answer = self.ask_from(peer, ask).await?;
            if is_limited(&answer) {
                return Some(answer);
            }
        }
        None
    }

    /// Whether a header lets in who was refused without it, and is again refused without it.
    async fn gets_past(
        &mut self,
        peer: IpAddr,
        route: &Route,
        requests: usize,
        (name, value): (HeaderName, HeaderValue),
    ) -> bool {
        // A limit that is filled up meanwhile proves nothing: once more.
        for _ in 0..3 {
            let Some(_) = self.exhaust(peer, route, requests).await else { return false };
            let ask = Ask::new(&route.method, &route.path).headers(&self.check.credential);
            let Some(forged) = self.send(peer, ask.header(&name, &value)).await else { return false };
            if is_limited(&forged) {
                return false;
            }
            let ask = Ask::new(&route.method, &route.path).headers(&self.check.credential);
            if self.send(peer, ask).await.is_some_and(|answer| is_limited(&answer)) {
                return true;
            }
        }
        false
    }
}

fn is_limited(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// What is left of a limit, as `X-RateLimit-Remaining` or `RateLimit` says.
fn remaining(answer: &Answer) -> Option<u64> {
    let plain = answer.header("x-ratelimit-remaining").and_then(|value| value.parse().ok());
    plain.or_else(|| {
        let parameters = answer.header("ratelimit")?.split([';', ',']);
        parameters.filter_map(|parameter| parameter.trim().strip_prefix("r=")?.parse().ok()).min()
    })
}

//! State on a Redis server: hot, short-lived, and shared by all processes of a service.
//!
//! [`RedisStore`] implements the ports whose state must be the same everywhere at once, and need not
//! outlive an outage of the server: what callers owe their rate limits
//! ([`RateLimitStore`](crate::rate_limit::RateLimitStore)), which webhook events were claimed and completed
//! ([`ReplayStore`](crate::webhook::ReplayStore)), which proofs and nonces were used
//! ([`SeenStore`](crate::store::SeenStore)), which tokens, sessions and keys are revoked
//! ([`RevocationStore`](crate::auth::revocation::RevocationStore)), and who is kept out for a while
//! ([`BlockStore`](crate::blocks::BlockStore)).
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::redis::RedisStore,
//!     gate::RequestContextLayer,
//!     secret::Secret,
//!     time::{ManualClock, Timestamp},
//!     webhook::{Provider, WebhookVerifyLayer},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Connects when it is first asked. Here nobody listens.
//! let store = RedisStore::builder("redis://127.0.0.1:1").prefix("orders").build()?;
//! let secret = Secret::new("whsec_from_the_dashboard");
//! let hooks = WebhookVerifyLayer::builder(Provider::github(), secret.clone(), store).build()?;
//! let now = Timestamp::from_secs(1_700_000_000);
//! let context = RequestContextLayer::new().clock(ManualClock::at(now)); // in production: the machine's
//! let app = Router::new()
//!     .route("/hooks", post(|| async { "done" }))
//!     .layer(ServiceBuilder::new().layer(context).layer(hooks));
//!
//! let mut request = Request::post("/hooks").body(Body::from("{}"))?;
//! request.headers_mut().extend(Provider::github().sign(&secret, "evt_1", now, b"{}")?);
//! // An outage is no verdict: the event is not lost, for the sender comes again.
//! assert_eq!(app.oneshot(request).await?.status(), StatusCode::SERVICE_UNAVAILABLE);
//! # Ok(()) }
//! ```
//!
//! # The server
//! Redis 7 or later, or what speaks its protocol (RESP3) and runs its scripts: one server, a primary
//! with replicas behind one address, or a [cluster](RedisStore::cluster). Each operation is one script,
//! so it is atomic. Rate limits, leases and repetitions are timed by the server's clock, so the clocks
//! of the processes need not agree; when a revocation or a block ends is decided by theirs.
//!
//! # Rate limits
//! A batch of rules is one run of a script: the server's time, one `HMGET` for each key, the programs of the
//! algorithms, one `HSET` and its expiry, all or nothing. What the script answers is the time and the states
//! that it found; remaining units and waits are computed from them here, by the algorithm's own `step`, which
//! must come to the script's conclusion (else: `Corrupt`). Rules that go by the same parts of a request lie in
//! one key. An expired state says the same as one that owes nothing, so nothing is ever swept.
//!
//! A key never ends before its states do. That of a token bucket is kept up to eight seconds longer, so that most
//! charges need not say when it ends: it takes some 200 bytes for so long, also of callers who come once.
//!
//! Batches that are asked at the same instant share a run, up to 32 of them and no more than half of those that are
//! not answered yet, so that the server decides while others are told: nobody waits for others, but who
//! is there rides along. Each is decided by itself, as if it had been sent alone; an error of the run is an error of all, and a key that holds what is no state is an error of those
//! who ask for it. A proxy that shards by the first key of a command is no server:
//! [say so](RedisStoreBuilder::one_batch_at_a_time).
//!
//! Built-in algorithms bring a program ([`Language::Lua`](crate::rate_limit::Language::Lua)), which calculates
//! in doubles and is exact where no number exceeds 2^51: token buckets of any rate whose period × burst
//! stays below that in units of 1 µs / refill, windows of up to 2^51 units. Other parameters, and
//! algorithms of yours without a program, are stepped here and written by compare-and-swap: two round
//! trips, one caller at a time in each process, up to 32 attempts, the later ones after a random pause, while other
//! processes are quicker.
//!
//! A call that is not answered in time may have charged: the port says so (`TimedOut`), and nothing is
//! sent a second time. In a cluster, the rules of one subject (the first part of a key: one client, one
//! address) are one script on one node. Rules of several subjects in one layer are a script each, sent at once;
//! if one refuses, what the others took is given back a moment later, during which others may be refused
//! wrongly, never admitted wrongly. Rules of [`Key::global`](crate::rate_limit::Key::global) have no subject and share a
//! node: in a layer of their own they cost one script, too.
//!
//! Set `maxmemory-policy noeviction`: any other policy forgets what was to be remembered, silently.
//! With `noeviction` a full server says so, and the layer answers 503
//! ([`StoreError::Full`]). Replication is asynchronous: what was
//! written in the instant before a failover may be lost, so an event may then be processed twice.
//!
//! Keys are `prefix:port:id` (`prefix:rate:{subject}:parts`, with a field for each rule), where the id is a digest or a name of fixed form; nothing that a client
//! sends is a key or part of a script. Every key expires by itself, but for
//! revocations that are to last for ever.
//!
//! # The connection
//! One, multiplexed; opened with the first call, and anew with the first one after it broke. It lives
//! in the tokio runtime of that call. `rediss://` needs the feature `redis-tls`, and then makes aws-lc the process's
//! provider of cryptography for rustls, unless one is set already.
//!
//! # How it fails
//! | the server | the port says | the layer answers |
//! |---|---|---|
//! | does not answer within [the budget](RedisStoreBuilder::time_budget) | `TimedOut` | 503 |
//! | cannot be reached, refuses the password, is loading its data | `Unavailable` | 503 |
//! | is full | `Full` | 503 |
//! | answers what makes no sense | `Corrupt` | 503 |
//!
//! After three calls in a row without an answer only one at a time still asks, and all others are
//! told `Unavailable` at once, until one is answered: an outage costs neither time nor memory.
//!
//! # Cost
//! One round trip for each operation, of about 200 bytes; in a cluster, the check of a token for
//! revocation takes one for each of its names.

mod blocks;
mod cluster;
mod connection;
mod link;
mod permits;
mod rates;
mod replays;
mod revocations;
mod script;
mod seen;

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::{Client, aio::ConnectionManager};

use self::{
    connection::Connection,
    link::Link,
    rates::{Clock, Company, Rates},
    script::Script,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    store::StoreError,
    time::micros_ceil,
};

/// The ports on one Redis server. Clones share the connection.
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    rates: Arc<Rates>,
    prefix: Arc<str>,
}

/// Shows no address and no password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).field("link", &self.link).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// A store at `redis://user:password@host:6379/0`, at `rediss://…` (TLS; feature `redis-tls`) or
    /// at `unix:///path`. It connects when it is first asked.
    pub fn builder(url: impl AsRef<str>) -> RedisStoreBuilder {
        let url = url.as_ref();
        let target = Client::open(url).map_or(Target::Unreadable, |client| Target::Server(Box::new(client)));
        RedisStoreBuilder::new(target)
    }

    /// A store on a Redis Cluster, of which some nodes are given as `redis://user:password@host:6379`
    /// (or `rediss://…`); they name the others. User and password are the same for all nodes. It
    /// connects when it is first asked.
    pub fn cluster(nodes: impl IntoIterator<Item = impl AsRef<str>>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(Target::Cluster(nodes.into_iter().map(|node| node.as_ref().to_owned()).collect()))
    }

    /// A store at the server that a client of the crate redis knows. It connects when it is first
    /// asked.
    pub fn from_client(client: Client) -> RedisStoreBuilder {
        RedisStoreBuilder::new(Target::Server(Box::new(client)))
    }

    /// A store over a connection that the application has already. Its own time limits and its way of
    /// reconnecting are kept.
    pub fn from_connection(connection: ConnectionManager) -> RedisStoreBuilder {
        RedisStoreBuilder::new(Target::Connection(connection))
    }

    /// Asks the server for a sign of life: for a readiness probe, and to be connected before the
    /// first request comes.
    ///
    /// # Errors
    /// [`StoreError`], as every operation.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.link.answer(self.link.run(&PING.prepare_invoke())).await
    }

    /// `prefix:port:id`.
    fn key(&self, port: &str, id: &dyn fmt::Display) -> String {
        format!("{}:{port}:{id}", self.prefix)
    }
}

static PING: LazyLock<Script> = LazyLock::new(|| Script::new("redis.call('PING')"));

/// Makes a [`RedisStore`].
pub struct RedisStoreBuilder {
    target: Target,
    prefix: String,
    budget: Duration,
    clock: Clock,
    company: Company,
}

enum Target {
    Unreadable,
    Server(Box<Client>),
    Cluster(Vec<String>),
    Connection(ConnectionManager),
}

/// Shows no address and no password.
impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl RedisStoreBuilder {
    const DEFAULT_PREFIX: &str = "portcullis";
    const DEFAULT_BUDGET: Duration = Duration::from_millis(250);
    const BUDGETS: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(2);
    const LONGEST_PREFIX: usize = 64;

    fn new(target: Target) -> Self {
        Self {
            target,
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            budget: Self::DEFAULT_BUDGET,
            clock: Clock::Servers,
            company: Company::Others,
        }
    }

    /// What every key begins with: services that share a server need different ones, unless they are
    /// to share state. Default: `portcullis`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a request waits for one operation. From 1 ms to 2 s; default: 250 ms.
    #[must_use]
    pub fn time_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Rate limits that are asked at the same instant are not decided in one run of a script, whose keys may lie
    /// anywhere, but each batch in one of its own: for a proxy that sends a command to the server that has
    /// its first key. Two to four times the work for the server.
    #[must_use]
    pub fn one_batch_at_a_time(mut self) -> Self {
        self.company = Company::None;
        self
    }

    /// Rate limits go by the time of the batch instead of the server's, for tests that replay a trace;
    /// their keys are kept for an hour longer. Processes whose clocks differ must not share them.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub fn callers_clock(mut self) -> Self {
        self.clock = Clock::Callers;
        self
    }

    /// The store, which is not connected yet.
    ///
    /// The first call spawns a task on its tokio runtime, which keeps the connection; it ends when the
    /// last clone of the store is dropped.
    ///
    /// # Errors
    /// If the URL cannot be read, or the prefix or the budget is out of bounds.
    pub fn build(self) -> Result<RedisStore, ConfigError> {
        let Self { target, prefix, budget, clock, company } = self;
        let mut issues = ConfigIssues::new();
        if prefix.is_empty() || prefix.len() > Self::LONGEST_PREFIX || !prefix.bytes().all(is_of_prefix) {
            issues.add("prefix", "it is no prefix of a key", "use 1 to 64 of the characters a-z A-Z 0-9 . _ - :");
        }
        if !Self::BUDGETS.contains(&budget) {
            issues.add("time_budget", format!("{budget:?} is out of bounds"), "use 1 ms to 2 s");
        }
        let connection = match target {
            Target::Unreadable => Err(unreadable()),
            Target::Server(client) => Connection::to(&client).map_err(|_| unreadable()),
            Target::Cluster(nodes) => Connection::to_cluster(&nodes).map_err(|_| unreadable()),
            Target::Connection(connection) => Ok(Connection::Theirs(connection)),
        };
        match (issues.take("", connection), issues.finish(())) {
            (Some(connection), Ok(())) => {
                let (link, rates) = (Arc::new(Link::over(connection, budget)), Arc::new(Rates::new(clock, company)));
                Ok(RedisStore { link, rates, prefix: prefix.into() })
            }
            (None, Ok(())) => Err(unreadable()),
            (_, Err(error)) => Err(error),
        }
    }
}

/// Without what redis says of it: that may repeat the URL, which holds a password.
fn unreadable() -> ConfigError {
    let cure = if cfg!(feature = "redis-tls") {
        "write redis://user:password@host:6379/0, or rediss:// for TLS"
    } else {
        "write redis://user:password@host:6379/0; rediss:// needs the feature `redis-tls`"
    };
    ConfigError::new("url", "it cannot be read", cure)
}

/// No braces: they would decide on which server of a cluster a key lies.
fn is_of_prefix(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':')
}

/// A century. The scripts calculate in doubles, which are exact up to 2^53 microseconds since 1970.
const LONGEST: u64 = 100 * 365 * 86_400 * 1_000_000;

fn micros(duration: Duration) -> u64 {
    micros_ceil(duration).min(LONGEST)
}

/// Rounded up, and never zero, which would delete a key.
fn millis(micros: u64) -> u64 {
    micros.div_ceil(1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "a-long-password-of-redis-4711";

    fn fields(builder: RedisStoreBuilder) -> Vec<String> {
        builder.build().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect()
    }

    /// Without a runtime, too: nothing connects yet.
    #[test]
    fn every_mistake_is_told_at_once() {
        let wrong = RedisStore::builder("http://localhost").prefix("a{b}").time_budget(Duration::ZERO);
        assert_eq!(fields(wrong), ["prefix", "time_budget", "url"]);
        let right = || RedisStore::builder("redis://localhost");
        assert_eq!(fields(right().prefix("")), ["prefix"]);
        assert_eq!(fields(right().prefix("p".repeat(65))), ["prefix"]);
        assert_eq!(fields(right().time_budget(Duration::from_secs(3))), ["time_budget"]);
        assert!(right().prefix("p".repeat(64)).build().is_ok());
    }

    #[tokio::test]
    async fn nothing_shows_the_password() {
        let url = format!("redis://user:{PASSWORD}@127.0.0.1:1/0");
        let builder = RedisStore::builder(&url);
        assert!(!format!("{builder:?}").contains(PASSWORD));
        let store = builder.time_budget(Duration::from_millis(50)).build().unwrap();
        assert!(!format!("{store:?}").contains(PASSWORD));
        let error = store.ping().await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains(PASSWORD));
        let error = RedisStore::builder(format!("redis://user:{PASSWORD}@host:port")).build().unwrap_err();
        assert!(!format!("{error:?} {error}").contains(PASSWORD));
    }
}

//! Rate limits that outlive a restart, on one machine and without a database: a store of one's own, by
//! the two methods of `CasBackend`. Every algorithm works on it, and it keeps the laws of stores.
//!
//! ```sh
//! cargo run --example custom_store --features conformance
//! for i in 1 2 3 4; do curl -i http://127.0.0.1:3000/; done   # the fourth is refused, also after a restart
//! cargo test --example custom_store --features conformance     # the laws
//! ```

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, routing::get};
use bytes::Bytes;
use portcullis::{
    rate_limit::{CasBackend, CasStore, Key, Rate, RateLimitLayer, Rule, Version},
    store::{BoxFuture, StoreError},
    time::{Clock, SystemClock},
};

/// Values in memory, and a file that each change is written to before it counts.
#[derive(Debug)]
struct Journal {
    state: Mutex<State>,
    clock: SystemClock,
}

#[derive(Debug)]
struct State {
    file: File,
    values: HashMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    version: u64,
    /// Seconds since the epoch.
    expires: u64,
    value: Bytes,
}

impl Journal {
    /// Reads what an earlier process has written, and writes anew what of it still counts.
    fn open(path: &Path) -> io::Result<Self> {
        let clock = SystemClock::new();
        let now = clock.now().wall.as_secs();
        let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        // A line that a crash cut off is none.
        let mut values: HashMap<_, _> = text.split_inclusive('\n').filter_map(Entry::parse).collect();
        values.retain(|_, entry| now < entry.expires);
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh)?;
        for (key, entry) in &values {
            file.write_all(entry.line(key).as_bytes())?;
        }
        std::fs::rename(fresh, path)?;
        Ok(Self { state: Mutex::new(State { file, values }), clock })
    }
}

impl Entry {
    fn line(&self, key: &str) -> String {
        let value = self.value.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("{key} {} {} {value}\n", self.version, self.expires)
    }

    fn parse(line: &str) -> Option<(String, Self)> {
        let mut fields = line.strip_suffix('\n')?.split(' ');
        let (key, version, expires, value) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let bytes: Option<Vec<u8>> = value
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let entry = Self { version: version.parse().ok()?, expires: expires.parse().ok()?, value: bytes?.into() };
        Some((key.to_owned(), entry))
    }
}

impl CasBackend for Journal {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<(Version, Bytes)>, StoreError>> {
        Box::pin(async move {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(state.values.get(key).map(|entry| (entry.version.into(), entry.value.clone())))
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        was: Option<&'a Version>,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let is = state.values.get(key).map(|entry| entry.version);
            if is != was.and_then(Version::number) {
                return Ok(false);
            }
            let expires = self.clock.now().wall.saturating_add(ttl).as_secs();
            let entry = Entry { version: is.map_or(0, |version| version.wrapping_add(1)), expires, value };
            // What a process writes is there for the next one also if it is killed at once. (After a power
            // cut some is missing: `sync_data` would help, and cost a thousand times as much.)
            state.file.write_all(entry.line(key).as_bytes()).map_err(StoreError::unavailable)?;
            state.values.insert(key.to_owned(), entry);
            Ok(true)
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let journal = Journal::open(&std::env::temp_dir().join("portcullis-custom-store.journal"))?;
    let layer = RateLimitLayer::builder(CasStore::new(journal))
        .rule(Rule::new("clients", Key::client(), Rate::per_minute(3)))
        .build()?;
    let app = Router::new().route("/", get(|| async { "hello\n" })).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use portcullis::{
        conformance::rates::{self, RateClock},
        rate_limit::{Batch, Charge, ChargeKey, Op, RateLimitStore as _, TokenBucket},
    };

    use super::*;

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("portcullis-{name}-{}.journal", std::process::id())))
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    /// One process, so no clocks differ: every decision is that of the pure step.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_keeps_the_laws_of_stores() {
        let file = Temporary::new("laws");
        let backend = Arc::new(Journal::open(&file.0).unwrap());
        let store = CasStore::new(backend).clock_skew(Duration::ZERO).time_budget(Duration::from_secs(30));
        rates::all(|| store.clone(), RateClock::Callers).await;
    }

    #[tokio::test]
    async fn what_was_charged_outlives_the_process() {
        let file = Temporary::new("restart");
        let (bucket, clock) = (TokenBucket::new(Rate::per_hour(3)).unwrap(), SystemClock::new());
        let mut passed = 0;
        for _ in 0..5 {
            let store = CasStore::new(Journal::open(&file.0).unwrap());
            let mut batch = Batch::new(clock.now().monotonic);
            batch.push(Charge::new(ChargeKey::new("everybody"), &bucket, Op::Take(1))).unwrap();
            passed += u64::from(store.apply(&batch).await.unwrap().allowed());
        }
        assert_eq!(passed, 3);
        // A line that was cut off is left out, and with it the last charge.
        let text = std::fs::read_to_string(&file.0).unwrap();
        std::fs::write(&file.0, text.trim_end()).unwrap();
        assert!(Journal::open(&file.0).unwrap().state.lock().unwrap().values.is_empty());
    }
}

//! The example as a process of its own, which ends when the test does.

use std::{
    collections::HashMap,
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

use crate::wire::{PATIENCE, Response, Wire, request};

/// By then it has ended, whatever its clients do.
const DRAINED: Duration = Duration::from_secs(25);
/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:1";

pub(crate) struct Gateway {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    /// `NAME=value`, as it printed them.
    pub(crate) values: HashMap<String, String>,
    pub(crate) address: SocketAddr,
    audit: Option<AuditFile>,
}

/// Removed when dropped.
struct AuditFile(PathBuf);

/// Where cargo puts the examples that it builds for `cargo test`.
pub(crate) fn command() -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let gateway = profile.join("examples").join(format!("gateway{}", env::consts::EXE_SUFFIX));
    assert!(gateway.exists(), "{} is absent: cargo build --example gateway", gateway.display());
    let mut command = Command::new(gateway);
    for proxy in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(proxy, DEAD);
    }
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .env("PORTCULLIS_ADDR", "127.0.0.1:0")
        .env_remove("PORTCULLIS_AUDIT")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdin(Stdio::null())
        // A long backtrace would fill the pipe, which is read at the end only.
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Gateway {
    /// With its records in a file, which it creates.
    pub(crate) async fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("portcullis-{}-{}.jsonl", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let file = AuditFile(env::temp_dir().join(name));
        // Left behind by a process of the same number that was killed.
        drop(fs::remove_file(&file.0));
        Self::on(file).await
    }

    /// Another process, with the same file.
    pub(crate) async fn again(mut self) -> Self {
        Self::on(self.audit.take().unwrap()).await
    }

    async fn on(file: AuditFile) -> Self {
        let mut gateway = Self::spawn(command().env("PORTCULLIS_AUDIT", &file.0)).await;
        gateway.audit = Some(file);
        gateway
    }

    pub(crate) async fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = read_until_ready(&mut out);
        let Some(values) = timeout(PATIENCE, ready).await.expect("READY in time") else {
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).await.unwrap();
            panic!("the gateway ended before READY: {error}");
        };
        let address = values["BASE_URL"].strip_prefix("http://").unwrap().parse().unwrap();
        Self { child, out, values, address, audit: None }
    }

    pub(crate) fn take_stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    pub(crate) fn bearer(&self, name: &str) -> String {
        format!("Bearer {}", self.values[name])
    }

    /// One request over a connection of its own.
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut wire = Wire::to(self.address).await;
        wire.send(request(line, headers, body)).await.unwrap();
        wire.receive().await.unwrap()
    }

    pub(crate) fn audit_path(&self) -> &Path {
        &self.audit.as_ref().unwrap().0
    }

    /// Every record so far but those of the issuer's keys.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.audit_path()).unwrap();
        // Of a line that is being written, there may be only a part.
        parse(text.rsplit_once('\n').map_or("", |(lines, _)| lines))
    }

    /// The records, once there are enough.
    pub(crate) async fn records_when(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let wait = async {
            loop {
                let records = self.records();
                if enough(&records) {
                    return records;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, wait).await.expect("the records in time")
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it still runs");
        let kill = format!("kill -{name} {id}");
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(DRAINED, self.child.wait()).await.expect("its end in time").unwrap()
    }

    /// Ends it as an operator would; its records are then complete.
    pub(crate) async fn stop(mut self) -> Vec<Value> {
        self.signal("TERM").await;
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0));
        assert_eq!(self.out.next_line().await.unwrap(), None, "nothing is printed after READY");
        let text = fs::read_to_string(self.audit_path()).unwrap();
        assert!(text.ends_with('\n'), "the last line is whole");
        for (name, value) in self.values.iter().filter(|(name, _)| *name != "BASE_URL") {
            assert!(!text.contains(value), "the records hold {name}");
        }
        self.records()
    }
}

impl Drop for AuditFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

async fn read_until_ready(out: &mut Lines<BufReader<ChildStdout>>) -> Option<HashMap<String, String>> {
    let mut values = HashMap::new();
    loop {
        let line = out.next_line().await.unwrap()?;
        if line == "READY" {
            return Some(values);
        }
        let upper = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if let Some((name, value)) = line.split_once('=').filter(|(name, _)| upper(name)) {
            values.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// JSON lines; each must be one.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    records.filter(|record: &Value| record["route"] != "/.well-known/jwks.json").collect()
}

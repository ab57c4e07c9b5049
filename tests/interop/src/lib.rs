//! What the tests of this crate need to talk to foreign code.
//!
//! Nothing here is skipped where the foreign code is absent: a test that did not run has shown
//! nothing, so it fails, and says what is to be installed.

pub mod browser;
pub mod dpop;
pub mod postgres;
pub mod provider;
pub mod proxy;
pub mod redis;
pub mod redis_cluster;
pub mod scratch;

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Serialize, de::DeserializeOwned};

/// A webhook that a vendor's library is to sign.
#[derive(Clone, Debug, Serialize)]
pub struct Webhook<'a> {
    /// `stripe`, `github` or `standard`.
    pub provider: &'static str,
    /// As the vendor hands it out.
    pub secret: &'a str,
    /// When it was sent, in Unix seconds.
    pub timestamp: u64,
    /// The delivery's id.
    pub id: &'a str,
    /// The payload.
    pub body: &'a str,
}

/// A webhook that a vendor's library is to verify.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery<'a> {
    /// `stripe`, `github` or `standard`.
    pub provider: &'static str,
    /// As the vendor hands it out.
    pub secret: &'a str,
    /// The payload. Stripe's and Standard Webhooks' libraries parse it: it must be JSON there.
    pub body: &'a str,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// The headers that the vendors' own libraries put on `webhooks`, names in lower case.
///
/// # Panics
/// If node or the libraries are not installed, or a library refuses.
pub fn sign(webhooks: &[Webhook<'_>]) -> Vec<BTreeMap<String, String>> {
    run("sign.mjs", webhooks)
}

/// Which of the deliveries the vendors' own libraries accept, by the machine's clock.
///
/// # Panics
/// If node or the libraries are not installed, or a library fails in another way than by refusing.
pub fn verify(deliveries: &[Delivery<'_>]) -> Vec<bool> {
    run("verify.mjs", deliveries)
}

/// One result for each job.
fn run<T: DeserializeOwned>(script: &str, jobs: &[impl Serialize]) -> Vec<T> {
    let folder = folder_with_packages();
    let mut node = Command::new("node")
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node (20 or later) is needed for these tests: {error}"));
    let written = serde_json::to_vec(jobs).expect("strings and numbers are JSON");
    node.stdin.take().expect("it is piped").write_all(&written).expect("node reads its input");
    let output = node.wait_with_output().expect("node ends");
    assert!(output.status.success(), "{script} failed: {}", String::from_utf8_lossy(&output.stderr));
    let results: Vec<T> = serde_json::from_slice(&output.stdout).expect("the script writes JSON");
    assert_eq!(results.len(), jobs.len(), "one result for each job");
    results
}

fn folder_with_packages() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf();
    assert!(
        folder.join("node_modules/oidc-provider").is_dir(),
        "the packages are not installed: run `scripts/test tools`, or `npm ci` in tests/interop"
    );
    folder
}

/// The python that has the packages of `requirements.txt`.
///
/// # Panics
/// If `scripts/test tools` has not made it.
pub fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/venv/bin/python");
    assert!(python.is_file(), "other people's signers are not installed: run `scripts/test tools`");
    python
}

/// A port on which nobody listens.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let probe = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    probe.local_addr().expect("it has an address").port()
}

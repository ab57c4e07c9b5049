//! A real browser: Chromium without a window, alone with one test.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use thirtyfour::{ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};
use tokio::sync::{Mutex, MutexGuard};

use crate::scratch::Scratch;

/// A browser that starts on a machine with better things to do is given this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Several at once are more than a small machine can run, so each test waits for its turn.
static TURN: Mutex<()> = Mutex::const_new(());

/// What `chromedriver` says when it listens, before the number of the port.
const STARTED: &str = "started successfully on port ";

/// Calls `fetch` with what it is given, and tells what a script can see of the answer.
const FETCH: &str = r"
    const [url, options, done] = arguments;
    fetch(url, options).then(async (response) => done({
        status: response.status,
        type: response.type,
        headers: Object.fromEntries(response.headers),
        body: await response.text(),
    })).catch((error) => done({ error: String(error) }));
";

/// Chromium with one window, which ends with this value and leaves nothing behind.
#[derive(Debug)]
pub struct Browser {
    driver: WebDriver,
    // Ends before the next one begins.
    _process: Process,
    _turn: MutexGuard<'static, ()>,
}

/// What a script could see of an answer.
#[derive(Clone, Debug)]
pub struct Fetched(Value);

impl Browser {
    /// An empty window.
    ///
    /// # Panics
    /// If Chromium or its driver is not installed, or does not start within a minute.
    pub async fn start() -> Self {
        let turn = TURN.lock().await;
        let process = Process::start();
        let mut wanted = DesiredCapabilities::chrome();
        let arguments = [
            "--headless=new",
            // Chromium refuses to run as root with it. It is shown nothing but pages of these tests.
            "--no-sandbox",
            "--disable-gpu",
            // Containers have little of it.
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-proxy-server",
            // Whatever happens, it talks to this machine only.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        ];
        for argument in arguments {
            wanted.add_arg(argument).expect("an argument is text");
        }
        wanted.add_arg(&format!("--user-data-dir={}", process.profile.path().display())).expect("so is a path");
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a known level");
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client without TLS");
        let driver = WebDriver::builder(format!("http://127.0.0.1:{}", process.port), wanted).client(client).await;
        let driver = driver.unwrap_or_else(|error| panic!("chromium is needed: run `scripts/test tools`: {error}"));
        driver.set_script_timeout(PATIENCE).await.expect("chromedriver knows time-outs");
        Self { driver, _process: process, _turn: turn }
    }

    /// Loads a page.
    ///
    /// # Panics
    /// If it does not load.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Has the page that is open call `fetch(url, options)`.
    ///
    /// # Panics
    /// If the browser does not answer. That the fetch fails is an answer.
    pub async fn fetch(&self, url: &str, options: Value) -> Fetched {
        let answer = self.driver.execute_async(FETCH, vec![json!(url), options]).await;
        Fetched(answer.unwrap_or_else(|error| panic!("fetch of {url}: {error}")).json().clone())
    }

    /// What the browser has written to its console since it was last asked, once a line of it contains
    /// `wanted`.
    ///
    /// # Panics
    /// If no such line is written.
    #[allow(clippy::disallowed_methods, reason = "it waits for others")]
    pub async fn console(&self, wanted: &str) -> Vec<String> {
        let (begun, mut lines) = (Instant::now(), Vec::new());
        loop {
            let entries = self.driver.browser_log().await.expect("chromedriver keeps a log");
            lines.extend(entries.into_iter().map(|entry| entry.message));
            if lines.iter().any(|line| line.contains(wanted)) {
                return lines;
            }
            // Lines arrive by another way than the script's result.
            assert!(begun.elapsed() < PATIENCE, "{wanted:?} is not in the console: {lines:#?}");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The session needs no farewell: the process ends with everything that it has started.
        drop(self.driver.clone().leak());
    }
}

impl Fetched {
    /// The status; `None` if the script was told nothing but that it failed.
    pub fn status(&self) -> Option<u64> {
        self.0["status"].as_u64()
    }

    /// A header, if the script may read it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0["headers"][name].as_str()
    }

    /// The body, as text.
    pub fn body(&self) -> &str {
        self.0["body"].as_str().unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// What the script was told instead of an answer.
    pub fn error(&self) -> Option<&str> {
        self.0["error"].as_str()
    }
}

/// `chromedriver`, and the browser that it starts.
#[derive(Debug)]
struct Process {
    driver: Child,
    port: u16,
    profile: Scratch,
}

impl Process {
    fn start() -> Self {
        // The port that it has found free must be free for both versions of IP: if not, it ends.
        (0..4).find_map(|_| Self::try_start()).expect("chromedriver tells its port")
    }

    fn try_start() -> Option<Self> {
        let mut driver = Command::new("chromedriver")
            // Of its own choice, so that nobody else can have taken it meanwhile.
            .arg("--port=0")
            // It and its browser are one group, which can be ended as one.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver is needed: run `scripts/test tools`: {error}"));
        let output = driver.stdout.take().expect("it is piped");
        let mut process = Self { driver, port: 0, profile: Scratch::new("browser") };
        process.port = port_of(output)?;
        Some(process)
    }
}

/// The port that it listens on, unless it ends. Its output is read to the end, by a thread, lest it wait for a reader.
fn port_of(output: ChildStdout) -> Option<u16> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let number = line.split_once(STARTED).map(|(_, rest)| rest.trim_end_matches('.').parse::<u16>());
            if let Some(Ok(port)) = number {
                let _ = tell.send(port);
            }
        }
    });
    told.recv_timeout(PATIENCE).ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.driver.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.driver.wait());
    }
}

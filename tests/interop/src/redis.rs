//! A real Redis server, alone with one test.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{free_port, scratch::Scratch};

/// A `redis-server` on a free port of this machine, which ends with this value and leaves nothing
/// behind.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    folder: Scratch,
    arguments: Vec<String>,
    server: Option<Child>,
}

impl Redis {
    /// A server that keeps everything.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not answer within ten seconds.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with more arguments, such as `["--maxmemory", "3mb"]`.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not answer within ten seconds.
    pub fn with(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut redis = Self { port: free_port(), folder: Scratch::new("redis"), arguments, server: None };
        redis.restart();
        redis
    }

    /// A server that speaks TLS, too, with a certificate and its key in PEM; and its `rediss://` URL.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn with_tls(certificate: &str, key: &str) -> (Self, String) {
        let files = Scratch::new("redis-tls");
        let written = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).expect("a file in a temporary folder");
            path.to_str().expect("it has a name of text").to_owned()
        };
        let (certificate, key) = (written("cert.pem", certificate), written("key.pem", key));
        let port = free_port().to_string();
        let redis = Self::with(&[
            "--tls-port",
            &port,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
        ]);
        // It has read its files.
        drop(files);
        (redis, format!("rediss://localhost:{port}"))
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// On which port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often it has run each command since [`forget_commands`](Self::forget_commands), also those
    /// that scripts run; names in lower case.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn commands(&self) -> BTreeMap<String, u64> {
        let info = self.command("INFO commandstats");
        let lines = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
        lines.map(|(name, rest)| (name.to_owned(), rest.split(',').next().unwrap_or("").parse().unwrap_or(0))).collect()
    }

    /// How often it has run one command.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn runs_of(&self, command: &str) -> u64 {
        self.commands().get(command).copied().unwrap_or(0)
    }

    /// Counts anew.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn forget_commands(&self) {
        self.command("CONFIG RESETSTAT");
    }

    /// Ends it at once, as a crash would. Nothing is saved.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Also one that is stopped.
            drop(server.kill());
            drop(server.wait());
        }
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let folder = self.folder.path().to_str().expect("a temporary folder has a name of text").to_owned();
        let server = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--dir", &folder])
            .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server (7 or later) is needed: run `scripts/test tools`: {error}"));
        self.server = Some(server);
        for _ in 0..2_000 {
            if self.answers() {
                return;
            }
            let ended = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            assert!(ended.is_none(), "redis-server ended at once: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("redis-server does not answer");
    }

    /// Stops it without ending it: connections stand, nobody answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Has it run a command without answer of interest, and gives back what it wrote.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn command(&self, line: &str) -> String {
        self.try_command(line).expect("redis-server answers")
    }

    fn answers(&self) -> bool {
        self.try_command("PING").is_ok_and(|answer| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH"))
    }

    /// Redis reads lines of text, too.
    fn try_command(&self, line: &str) -> std::io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn signal(&self, signal: &str) {
        let server = self.server.as_ref().expect("the server runs");
        let status = Command::new("kill").args([signal, &server.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

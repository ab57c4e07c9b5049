//! A real PostgreSQL server, alone with one test.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// A server on a free port of this machine, with a database of its own, which ends with this value
/// and leaves nothing behind.
///
/// It refuses to run as root, so then it runs as the user `postgres`.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// A server with an empty database.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or does not answer within twenty seconds.
    pub fn start() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("portcullis-postgres-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a new folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port").port();
        let mut postgres = Self { programs: programs(), folder, port, server: None };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&postgres.folder));
        }
        run(postgres
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--pgdata"])
            .arg(&postgres.folder));
        postgres.restart();
        postgres
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it; connections are cut.
    ///
    /// # Panics
    /// If it cannot be told to.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // The fast way to shut down: it does not wait for clients.
            run(Command::new("kill").args(["-INT", &server.id().to_string()]));
            drop(server.wait());
        }
    }

    /// Has it say nothing any more, its connections left open: all its processes stop.
    ///
    /// # Panics
    /// If they cannot be told to.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Has it go on after a [`pause`](Self::pause).
    ///
    /// # Panics
    /// If it cannot be told to.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// To the server, and to the processes that it made for the connections.
    fn signal(&self, signal: &str) {
        let Some(server) = &self.server else { return };
        let id = server.id().to_string();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("its processes");
        run(Command::new("kill").arg(signal).arg(&id));
        for child in children.split_whitespace() {
            // One that has ended meanwhile is no trouble.
            drop(Command::new("kill").args([signal, child]).stderr(Stdio::null()).status());
        }
    }

    /// Starts it, or starts it anew, with everything that was in it.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub fn restart(&mut self) {
        self.stop();
        let port = self.port.to_string();
        let mut server = self.command("postgres");
        server
            .args(["-p", &port, "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-c", "full_page_writes=off", "-c", "max_connections=50"])
            .arg("-D")
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(server.spawn().expect("postgres starts"));
        for _ in 0..800 {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            if ready.status().is_ok_and(|status| status.success()) {
                return;
            }
            let ended = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            assert!(ended.is_none(), "postgres ended at once: {ended:?}");
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("postgres does not answer");
    }

    /// One of its programs, as a user that it accepts. `setpriv` replaces itself, so that the child is
    /// the program.
    fn command(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(std::env::temp_dir());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// Debian puts the programs into a folder for each version, and none of them into the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("postgres").exists()).max();
    let told = || {
        let output = Command::new("pg_config").arg("--bindir").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(Path::new(text.trim()).to_path_buf()).filter(|bin| bin.join("postgres").exists())
    };
    newest.or_else(told).expect("PostgreSQL (12 or later) is needed: install the package postgresql")
}

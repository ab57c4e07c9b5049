//! What the measuring starts on this machine: a server, and who keeps the cores awake.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

pub(super) struct Server {
    pub(super) port: u16,
    process: Child,
}

impl Server {
    pub(super) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port").port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self { port, process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Runs as long as it may, where nobody else wants to.
pub(super) fn idle() -> ! {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: `priority` is a valid pointer for the whole call; 0 is this process.
    let is_idle = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &priority) } == 0;
    assert!(is_idle, "the system lets nobody be idle");
    loop {
        std::hint::spin_loop();
    }
}

/// Processes that keep the cores awake, until this is dropped.
pub(super) struct Awake(Vec<Child>);

impl Awake {
    pub(super) fn all_cores() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let this = std::env::current_exe().expect("Linux");
        Self((0..cores).map(|_| Command::new(&this).arg("idle").spawn().expect("a process")).collect())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for process in &mut self.0 {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

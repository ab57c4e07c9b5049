//! A network between a client and a server that can be slow, or lose what the server says.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// A TCP proxy on a free port of this machine.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    weather: Arc<Weather>,
}

#[derive(Debug, Default)]
struct Weather {
    delay_micros: AtomicU64,
    swallows: AtomicBool,
    breaks: AtomicBool,
    swallowed: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    /// A proxy to a port of this machine.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let weather = Arc::new(Weather::default());
        let seen = Arc::clone(&weather);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if seen.ended.load(SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { continue };
                let there = Arc::clone(&seen);
                thread::spawn(move || carry(client, to_server, |_| there.delay()));
                let back = Arc::clone(&seen);
                thread::spawn(move || carry(server, to_client, |bytes| back.answers(bytes)));
            }
        });
        Self { port, weather }
    }

    /// As a URL of Redis.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What is sent to the server arrives so much later.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.weather.delay_micros.store(micros, SeqCst);
    }

    /// What the server says is lost from now on; the connections stand.
    pub fn swallow(&self) {
        self.weather.swallows.store(true, SeqCst);
    }

    /// It is delivered again.
    pub fn deliver(&self) {
        self.weather.swallows.store(false, SeqCst);
    }

    /// The next thing that the server says is lost, and the connection breaks.
    pub fn break_next(&self) {
        self.weather.breaks.store(true, SeqCst);
    }

    /// How many bytes of answers were lost.
    pub fn swallowed(&self) -> u64 {
        self.weather.swallowed.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.weather.ended.store(true, SeqCst);
        // It waits for somebody.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// What becomes of some bytes.
enum Fate {
    Arrives,
    IsLost,
    Breaks,
}

impl Weather {
    fn delay(&self) -> Fate {
        let micros = self.delay_micros.load(SeqCst);
        if micros > 0 {
            thread::sleep(Duration::from_micros(micros));
        }
        Fate::Arrives
    }

    fn answers(&self, bytes: usize) -> Fate {
        if self.breaks.swap(false, SeqCst) {
            return Fate::Breaks;
        }
        if self.swallows.load(SeqCst) {
            self.swallowed.fetch_add(u64::try_from(bytes).unwrap_or(0), SeqCst);
            return Fate::IsLost;
        }
        Fate::Arrives
    }
}

/// Until one of them ends, or the connection breaks.
fn carry(mut from: TcpStream, mut to: TcpStream, fate: impl Fn(usize) -> Fate) {
    drop((from.set_nodelay(true), to.set_nodelay(true)));
    let mut buffer = [0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        match fate(read) {
            Fate::Arrives if to.write_all(buffer.get(..read).unwrap_or_default()).is_ok() => {}
            Fate::IsLost => {}
            Fate::Arrives | Fate::Breaks => break,
        }
    }
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}

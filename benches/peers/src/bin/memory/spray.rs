//! What a single call costs somebody whose neighbour sprays keys, with what the machine does to it left out.
//!
//! **One timing of a call tells little.** A tick, an interrupt, and on a shared host what other guests take,
//! fall on any call, and most of it is booked to the thread's own clock as well: that clock takes half a
//! microsecond to read, so that with 250 ticks a second more than one call in ten thousand holds one. A call that
//! does nothing then shows some 25 µs at the 99.99th percentile, and what does something cannot be told from it.
//!
//! **So the calls are replayed.** The same calls, in the same order, are made several times by processes that are
//! forked one after the other (never side by side) from one that has made the store, asked it once and then does
//! nothing but wait: the secret of the hashes, the layout of the heap and every byte of the state are the same each
//! time. What a call costs of itself it costs in each replay; what the machine does falls on other calls in each.
//! Of each call the least of its times counts, and the percentiles are of those.
//!
//! **What stays in.** A page that nobody has written to is mapped anew by each process, by the same call: the first
//! touch of the store's memory is in every replay, and so in the least. A page that the first process did write to
//! (the table's list of blocks, the stripes) is copied by the first call of each replay that writes to it, and a
//! page of the program is mapped by the first that runs it, which is why the worst are among the first of all:
//! the times are too long by that, never too short.
//!
//! **What falls out** is whatever comes of chance: a line of the cache that somebody else took, two threads that
//! meet (there is one), and, since all replays have one secret, calls that another secret would make slow. Run it
//! again for that. What one run shows with all of it stands beside the least.
//!
//! **Two clocks.** The thread's, read once between two calls: it stands still while the thread does not run, and
//! what it shows holds its own reading, the wall's two, and the loop. And the wall's, read right before a call and
//! right after it: it holds less of the measuring, and all that came in between.
//!
//! **Two controls**, each of which fails the run. `nothing` must be short, or the least of the times still holds
//! what the machine does. `planted` works for a while on one key in five thousand, and must be seen to: or this
//! would find nothing in whatever is slow.

use std::{hint::black_box, io, time::Instant};

use super::{Check, Error, ROOM, checker, held, mix};

pub(super) const SPRAYED: u64 = 50_000_000;
pub(super) const REPLAYS: usize = 3;
pub(super) const HEAD: &str = "\
| limiter | clock | replays | grown, MiB | × its room | mean ns | limited client freed | p99.99 of one run, µs | \
p99.99 of the least, µs | p99.999 | worst | least over 10 µs, calls |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// Limited before the spray begins, and asked again and again during it.
const VICTIM: u64 = u64::MAX;
/// In nanoseconds: what the requirement allows, what nothing may take, and what is planted.
const LONG: u32 = 10_000;
const NOTHING: u32 = 1_000;
const PLANTED: u32 = 15_000;

/// Numbers that a forked process writes and its parent reads.
struct Shared {
    first: *mut u32,
    len: usize,
}

impl Shared {
    /// Zeros; mapped until the process ends.
    fn new(len: usize) -> Result<Self, Error> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at a place of the kernel's choice, overlaps nothing.
        let first = unsafe { libc::mmap(std::ptr::null_mut(), len * size_of::<u32>(), protection, flags, -1, 0) };
        if first == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().into());
        }
        Ok(Self { first: first.cast(), len })
    }

    fn numbers(&mut self) -> &mut [u32] {
        // SAFETY: the mapping has this length, is never unmapped, and any bytes are numbers. Of the two
        // processes that have it, the parent waits, with no such slice, until the other has ended.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.len) }
    }
}

/// One clock's times, in nanoseconds.
struct Times {
    clock: &'static str,
    /// Of the latest replay, by call.
    latest: Shared,
    /// Of all replays, by call.
    least: Vec<u32>,
    /// The 99.99th percentile of each replay by itself.
    single: Vec<u32>,
    sum: u64,
}

impl Times {
    fn new(clock: &'static str, replays: usize) -> Result<Self, Error> {
        let (calls, single) = (SPRAYED as usize, Vec::with_capacity(replays));
        Ok(Self { clock, latest: Shared::new(calls)?, least: vec![u32::MAX; calls], single, sum: 0 })
    }

    /// Allocates nothing: the next replay shall find the heap as this one did.
    fn fold(&mut self) {
        let latest = self.latest.numbers();
        for (least, took) in self.least.iter_mut().zip(latest.iter()) {
            *least = (*least).min(*took);
            self.sum += u64::from(*took);
        }
        self.single.push(all_but(latest, 10_000));
    }
}

/// The time that one call in `share` takes, or longer.
fn all_but(times: &mut [u32], share: usize) -> u32 {
    let rank = times.len() - 1 - times.len() / share;
    *times.select_nth_unstable(rank).1
}

/// What a replay says of itself.
#[derive(Clone, Copy)]
enum Said {
    Freed,
    GrownKiB,
}

fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid pointer for the whole call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn below_max(ns: u64) -> u32 {
    u32::try_from(ns).unwrap_or(u32::MAX)
}

/// All the calls, once.
#[expect(clippy::disallowed_methods, reason = "the wall's clock is what is asked for")]
fn replay(check: &Check, thread: &mut [u32], wall: &mut [u32]) -> u64 {
    // A fork maps none of what is shared: not the timed calls shall.
    thread.fill(0);
    wall.fill(0);
    let (mut freed, mut before) = (0, thread_ns());
    for (key, (thread, wall)) in (0..SPRAYED).zip(thread.iter_mut().zip(wall)) {
        let start = Instant::now();
        black_box(check(mix(key)));
        let took = start.elapsed();
        let after = thread_ns();
        *thread = below_max(after - before);
        *wall = below_max(took.as_nanos() as u64);
        before = after;
        if key % 10_000 == 0 {
            freed += u64::from(check(VICTIM));
            before = thread_ns();
        }
    }
    freed + u64::from(check(VICTIM))
}

/// The same, in a process of its own, which has ended when this returns.
fn fork(replay: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    // SAFETY: this process has one thread, so that no lock is held by a thread that the fork does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error().into()),
        0 => {
            let code = replay().map_or_else(
                |error| {
                    eprintln!("{error}");
                    1
                },
                |()| 0,
            );
            // SAFETY: ends the process, and leaves what it inherited to its parent.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = 0;
            // SAFETY: `status` is a valid pointer for the whole call.
            let ended = unsafe { libc::waitpid(child, &mut status, 0) };
            (ended == child && status == 0).then_some(()).ok_or_else(|| format!("a replay ended by {status}").into())
        }
    }
}

pub(super) fn spray(name: &str, replays: usize) -> Result<(), Error> {
    let [mut thread, mut wall] = [Times::new("thread", replays)?, Times::new("wall", replays)?];
    let mut said = Shared::new(2)?;
    let before = held()?;
    let (store, check) = checker(name, ROOM)?;
    while check(VICTIM) {}
    for _ in 0..replays {
        fork(|| {
            let freed = replay(&check, thread.latest.numbers(), wall.latest.numbers());
            said.numbers()[Said::Freed as usize] += below_max(freed);
            said.numbers()[Said::GrownKiB as usize] = below_max((held()? - before) / 1_024);
            Ok(())
        })?;
        thread.fold();
        wall.fold();
    }
    let grown = f64::from(said.numbers()[Said::GrownKiB as usize]) / 1_024.0;
    let room = store.map(|store| store.rate_statistics().slots as f64 * 16.0 / f64::from(1 << 20));
    let share = room.map_or("–".into(), |room| format!("{:.3}", grown / room));
    let freed = said.numbers()[Said::Freed as usize];
    for times in [thread, wall] {
        let about = format!("{name} | {} | {replays} | {grown:.1} | {share}", times.clock);
        row(name, &about, freed, times)?;
    }
    Ok(())
}

fn row(name: &str, about: &str, freed: u32, mut times: Times) -> Result<(), Error> {
    let micros = |ns: u32| f64::from(ns) / 1_000.0;
    let slow = all_but(&mut times.least, 10_000);
    let slower = all_but(&mut times.least, 100_000);
    let worst = times.least.iter().copied().max().unwrap_or(0);
    let long = times.least.iter().filter(|took| **took > LONG).count() as u64;
    let [from, to] = [times.single.iter().min(), times.single.iter().max()].map(|ns| micros(*ns.unwrap_or(&0)));
    println!(
        "| {about} | {:.0} | {freed} | {from:.2} to {to:.2} | {:.2} | {:.2} | {:.2} | {long} ({:.4} %) |",
        times.sum as f64 / (SPRAYED as f64 * times.single.len() as f64),
        micros(slow),
        micros(slower),
        micros(worst),
        long as f64 * 100.0 / SPRAYED as f64,
    );
    let missed = (0..SPRAYED).filter(|key| is_planted(mix(*key))).count() as u64 > long;
    match name {
        "nothing" if slow >= NOTHING => Err("the control failed: nothing takes long".into()),
        "planted" if slow < PLANTED || missed => Err("the control failed: what was planted is missed".into()),
        _ => Ok(()),
    }
}

/// One key in five thousand, and not the victim.
const fn is_planted(key: u64) -> bool {
    key.is_multiple_of(5_000)
}

/// Does nothing but on the planted keys, and there works by the thread's clock: work that was measured beforehand
/// would be done sooner by a processor that runs faster by then.
pub(super) fn planted() -> Check {
    Box::new(|key| {
        let begun = is_planted(key).then(thread_ns);
        while begun.is_some_and(|begun| thread_ns() - begun < u64::from(PLANTED)) {}
        key != VICTIM
    })
}

//! A rotating A/B runner: every case runs once per round, in rotated order, so that a ratio of two
//! cases compares the same moments. Times are thread CPU time: a neighbour that takes the core
//! does not count.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts allocations.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid pointer for the whole call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

struct Case {
    name: String,
    run: Box<dyn FnMut(u64)>,
    ns: Vec<f64>,
    allocations: f64,
}

/// The cases of one table; the first is the base of the ratios.
#[derive(Default)]
pub struct Suite {
    cases: Vec<Case>,
}

impl Suite {
    /// Adds a case that does its work `n` times.
    pub fn case(&mut self, name: &str, run: impl FnMut(u64) + 'static) {
        self.cases.push(Case { name: name.into(), run: Box::new(run), ns: Vec::new(), allocations: 0.0 });
    }

    /// Runs all cases in rotated order.
    pub fn run(mut self, rounds: usize, iterations: u64) -> Vec<Row> {
        for case in &mut self.cases {
            (case.run)(iterations);
        }
        let count = self.cases.len();
        for round in 0..rounds {
            for index in 0..count {
                let case = &mut self.cases[(index + round) % count];
                let (allocations, start) = (ALLOCATIONS.load(Relaxed), cpu_ns());
                (case.run)(iterations);
                case.ns.push((cpu_ns() - start) as f64 / iterations as f64);
                case.allocations = (ALLOCATIONS.load(Relaxed) - allocations) as f64 / iterations as f64;
            }
        }
        let least = |ns: Vec<f64>| ns.into_iter().fold(f64::INFINITY, f64::min);
        self.cases
            .into_iter()
            .map(|case| Row { name: case.name, ns: least(case.ns), allocations: case.allocations })
            .collect()
    }

    /// Runs all cases and prints the table.
    pub fn print(self, rounds: usize, iterations: u64) {
        let rows = self.run(rounds, iterations);
        let (base, base_allocations) = (rows[0].ns, rows[0].allocations);
        println!("{rounds} rounds of {iterations} requests, rotated; minimum of thread CPU time");
        println!("| case | µs | × bare | added µs | allocations | added |");
        println!("|---|---:|---:|---:|---:|---:|");
        for Row { name, ns, allocations } in rows {
            println!(
                "| {name} | {:.2} | {:.2} | {:+.2} | {allocations:.1} | {:+.1} |",
                ns / 1000.0,
                ns / base,
                (ns - base) / 1000.0,
                allocations - base_allocations,
            );
        }
    }
}

/// What one case costs.
#[derive(Debug)]
pub struct Row {
    /// The case.
    pub name: String,
    /// Nanoseconds for one time, the least of all rounds.
    pub ns: f64,
    /// Allocations for one time, in the last round.
    pub allocations: f64,
}

//! What the keys of a rate limiter cost in memory, and what somebody who sprays keys can do.
//!
//! `cargo run --release --bin memory` runs everything, each part in a process of its own:
//! `memory live NAME` holds 5 million keys at once, `memory spray NAME [REPLAYS]` meets 50 million distinct ones
//! with room for a million (see [`spray`]), and `memory worst` counts the instructions of single calls (by
//! callgrind).

mod spray;

use std::{hint::black_box, num::NonZeroU32, process::Command};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use portcullis::{
    backend::memory::MemoryStore,
    rate_limit::{Charge, ChargeKey, HashedRule, KeyPart, Op, Rate, TokenBucket},
    time::Timestamp,
};

type Error = Box<dyn std::error::Error>;

const LIVE: u64 = 5_000_000;
const ROOM: usize = 1 << 20;
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const LIMIT: u32 = 5;

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Resident memory that belongs to this process alone, in bytes: neither its program's nor what it shares.
fn held() -> Result<u64, Error> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let mut pages = text.split(' ').skip(1).map(str::parse::<u64>);
    let (resident, shared) = pages.next().zip(pages.next()).ok_or("statm")?;
    Ok((resident? - shared?) * 4_096)
}

/// Whether the key's call passes.
type Check = Box<dyn Fn(u64) -> bool>;

/// The store by its own type: what it holds can be asked.
fn portcullis(slots: usize) -> Result<(MemoryStore, Check), Error> {
    let (store, bucket) = (MemoryStore::with_rate_slots(slots), TokenBucket::new(Rate::per_hour(LIMIT.into()))?);
    let (held, rule) = (store.clone(), HashedRule::from("spray"));
    let check = move |key: u64| {
        let bytes = key.to_le_bytes();
        held.charge(&Charge::new(ChargeKey::of(rule, KeyPart::Bytes(&bytes)), &bucket, Op::Take(1)), NOW).allowed
    };
    Ok((store, Box::new(check)))
}

fn governor() -> Result<Check, Error> {
    let limit = NonZeroU32::new(LIMIT).ok_or("no limit")?;
    let limiter: DefaultKeyedRateLimiter<u64> = RateLimiter::dashmap(Quota::per_hour(limit));
    Ok(Box::new(move |key| limiter.check_key(&key).is_ok()))
}

fn governor_by_string() -> Result<Check, Error> {
    let limit = NonZeroU32::new(LIMIT).ok_or("no limit")?;
    let limiter: DefaultKeyedRateLimiter<String> = RateLimiter::dashmap(Quota::per_hour(limit));
    Ok(Box::new(move |key| limiter.check_key(&format!("ak_{key:016x}")).is_ok()))
}

fn checker(name: &str, slots: usize) -> Result<(Option<MemoryStore>, Check), Error> {
    Ok(match name {
        "portcullis" => portcullis(slots).map(|(store, check)| (Some(store), check))?,
        "nothing" => (None, Box::new(|key| key != u64::MAX)),
        "planted" => (None, spray::planted()),
        "governor" => (None, governor()?),
        "governor-string" => (None, governor_by_string()?),
        _ => return Err(format!("no such limiter: {name}").into()),
    })
}

fn live(name: &str) -> Result<(), Error> {
    let before = held()?;
    let (store, check) = checker(name, LIVE as usize * 3 / 2)?;
    for key in 0..LIVE {
        black_box(check(mix(key)));
    }
    let bytes = (held()? - before) as f64 / LIVE as f64;
    let evicted = store.map_or(0, |store| store.rate_statistics().evicted_live);
    let share = evicted as f64 * 100.0 / LIVE as f64;
    println!("| {name} | {LIVE} | {bytes:.1} | {evicted} ({share:.4} %) |");
    Ok(())
}

/// One call, which callgrind finds by its name.
#[unsafe(no_mangle)]
#[inline(never)]
fn portcullis_one_call(check: &Check, key: u64) -> bool {
    black_box(check(key))
}

/// A small table from its first call until long after it is full.
fn single_calls() -> Result<(), Error> {
    let (_, check) = portcullis(4 * 512)?;
    for key in 0..CALLS {
        portcullis_one_call(&check, mix(key));
    }
    Ok(())
}

const CALLS: u64 = 6_000;

/// Callgrind writes a count after each call.
fn worst() -> Result<(), Error> {
    let folder = std::env::temp_dir().join(format!("portcullis-calls-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=portcullis_one_call", "--dump-after=portcullis_one_call"])
        .arg(format!("--callgrind-out-file={}", folder.join("calls").display()))
        .arg(std::env::current_exe()?)
        .arg("single-calls")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let mut counts = Vec::new();
    for file in std::fs::read_dir(&folder)? {
        let text = std::fs::read_to_string(file?.path())?;
        let after = text.lines().any(|line| line.starts_with("desc: Trigger:") && line.contains("after"))
            || text.contains("--dump-after=portcullis_one_call");
        let total = text.lines().find_map(|line| line.strip_prefix("summary: "));
        if let (true, Some(total)) = (after, total) {
            counts.push(total.trim().parse::<u64>()?);
        }
    }
    std::fs::remove_dir_all(&folder)?;
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let most = counts.iter().copied().max().unwrap_or(0);
    println!(
        "{} calls: mean {mean:.0} instructions, worst {most}: {:.1} times the mean",
        counts.len(),
        most as f64 / mean
    );
    Ok(())
}

fn all() -> Result<(), Error> {
    let run = |arguments: &[&str]| -> Result<(), Error> {
        let status = Command::new(std::env::current_exe()?).args(arguments).status()?;
        status.success().then_some(()).ok_or_else(|| format!("{arguments:?} failed").into())
    };
    println!("| limiter | live keys | bytes for each | evicted |\n|---|---:|---:|---:|");
    for name in ["portcullis", "governor", "governor-string"] {
        run(&["live", name])?;
    }
    println!("\n{} distinct keys, room for {ROOM}\n\n{}", spray::SPRAYED, spray::HEAD);
    for name in ["nothing", "planted", "portcullis", "governor"] {
        run(&["spray", name])?;
    }
    println!();
    run(&["worst"])
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["live", name] => live(name),
        ["spray", name] => spray::spray(name, spray::REPLAYS),
        ["spray", name, replays] => spray::spray(name, replays.parse()?),
        ["worst"] => worst(),
        ["single-calls"] => single_calls(),
        _ => all(),
    }
}

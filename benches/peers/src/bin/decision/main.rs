//! One decision in memory, beside the peers that decide in memory: no HTTP, 10,000 keys in a uniform
//! order, a quota that refuses nobody, so that every call writes.
//!
//! `cargo run --release --bin decision [-- ROUNDS ITERATIONS]` for times and allocations;
//! `cargo run --release --bin decision -- instructions` for instructions by callgrind;
//! `decision CASE COUNT` runs one case, for callgrind.
//!
//! governor's and tower_governor's clock (quanta) calibrates itself for a span of wall time, so that a
//! count of few calls wanders: the counts here are differences of millions. portcullis is handed the
//! request's one reading of the clock, as its layers hand it on.

mod others;

use std::{hint::black_box, num::NonZeroU32, process::Command};

use governor::Quota;
use portcullis::{
    backend::memory::MemoryStore,
    rate_limit::{
        Batch, Charge, ChargeKey, HashedPart, HashedRule, KeyPart, Op, Rate, RateLimitStore, TokenBucket, Verdicts,
    },
    time::Timestamp,
};
use portcullis_peers::{Counting, Suite};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Error = Box<dyn std::error::Error>;
type Work = Box<dyn FnMut(u64)>;

const KEYS: usize = 10_000;
const MANY: NonZeroU32 = NonZeroU32::new(1_000_000_000).unwrap();

const CASES: [&str; 24] = [
    "governor, u64 key",
    "governor, u64 key, standing clock",
    "governor, String key",
    "axum_gcra, u64 key",
    "pingora-limits, u64 key (sketch)",
    "nothing",
    "limiter, hashed identity",
    "limiter, u64 key, hashed",
    "limiter, 19-byte string, hashed",
    "limiter, hashed identity, 4 limits",
    "hashed identity, charge at hand",
    "hashed identity",
    "u64 key, hashed",
    "19-byte string, hashed",
    "hashed identity, in a batch",
    "u64 key, hashed, in a batch",
    "19-byte string, hashed, in a batch",
    "hashed identity, 2 limits",
    "hashed identity, 4 limits",
    "hashed identity, 8 limits",
    "one of 10,000 rules",
    "one of 10,000 routes",
    "one key",
    "refused",
];

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The places of keys in a uniform order, and the time of each call: ten in a microsecond.
struct Stream {
    places: Vec<u32>,
    turn: usize,
    nanos: u64,
}

impl Stream {
    const TURNS: usize = 1 << 20;

    fn new(keys: usize) -> Self {
        let places = (0..Self::TURNS as u64).map(|turn| (mix(turn) % keys as u64) as u32).collect();
        Self { places, turn: 0, nanos: 1_700_000_000_000_000_000 }
    }

    #[inline]
    fn next(&mut self) -> (usize, Timestamp) {
        self.turn = (self.turn + 1) & (Self::TURNS - 1);
        self.nanos += 100;
        (self.places[self.turn] as usize, Timestamp::from_micros(self.nanos / 1_000))
    }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn quota() -> Quota {
    Quota::per_second(MANY).allow_burst(MANY)
}

fn names() -> Vec<String> {
    (0..KEYS as u64).map(|key| format!("ak_{:016x}", mix(key))).collect()
}

fn bucket() -> Result<&'static TokenBucket, Error> {
    Ok(leak(TokenBucket::new(rate())?))
}

fn rate() -> Rate {
    Rate::per_second(1_000_000).burst(1_000_000_000)
}

/// Layers hold it as a `dyn RateLimitStore`, and so do the cases with a batch.
fn store(limits: usize) -> &'static MemoryStore {
    leak(MemoryStore::with_rate_slots(4 * KEYS * limits))
}

/// How many limits a case asks about: a table that is too small for all of their keys evicts.
fn limits(case: &str) -> usize {
    if case.ends_with("limits") { case.split(' ').find_map(|word| word.parse().ok()).unwrap_or(1) } else { 1 }
}

/// By reference, as the layer looks at it: an answer has room for eight decisions.
#[inline]
fn passed(answer: &Option<Result<Verdicts, portcullis::store::StoreError>>) -> bool {
    matches!(answer, Some(Ok(verdicts)) if verdicts.allowed())
}

/// `limits` limits, each by the same part.
#[inline]
fn ask(
    store: &dyn RateLimitStore,
    rules: &[HashedRule<'static>],
    part: HashedPart<'_>,
    bucket: &TokenBucket,
    now: Timestamp,
) -> bool {
    let mut batch = Batch::new(now);
    for rule in rules {
        let _ = batch.push(Charge::new(ChargeKey::of(*rule, part), bucket, Op::Take(1)));
    }
    passed(&store.try_now(&batch))
}

fn parts() -> &'static [HashedPart<'static>] {
    let keys: &'static [String] = leak(names());
    leak(keys.iter().map(|name| HashedPart::from(KeyPart::Bytes(name.as_bytes()))).collect::<Vec<_>>())
}

fn rules(count: usize) -> &'static [HashedRule<'static>] {
    let names: &'static [String] = leak((0..count).map(|rule| format!("rule-{rule}")).collect::<Vec<_>>());
    leak(names.iter().map(|name| HashedRule::from(name.as_str())).collect::<Vec<_>>())
}

fn work(case: &str) -> Result<Work, Error> {
    let (mut stream, bucket, memory, parts) = (Stream::new(KEYS), bucket()?, store(limits(case)), parts());
    let store: &'static dyn RateLimitStore = memory;
    Ok(match case {
        "nothing" => Box::new(move |count| {
            for _ in 0..count {
                black_box(stream.next());
            }
        }),
        "limiter, hashed identity" => {
            let limiter = memory.limiter("rule", rate())?;
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(limiter.take_hashed(black_box(&parts[place]), 1, now).is_ok());
                }
            })
        }
        "limiter, hashed identity, 4 limits" => {
            let limiter = |name| memory.limiter(name, rate());
            let limiters = [limiter("one")?, limiter("two")?, limiter("three")?, limiter("four")?];
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    let part = black_box(&parts[place]);
                    assert!(limiters.iter().all(|limiter| limiter.take_hashed(part, 1, now).is_ok()));
                }
            })
        }
        "limiter, u64 key, hashed" => {
            let limiter = memory.limiter("rule", rate())?;
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    let key = black_box(place as u64).to_le_bytes();
                    assert!(limiter.take(KeyPart::Bytes(&key), 1, now).is_ok());
                }
            })
        }
        "limiter, 19-byte string, hashed" => {
            let (limiter, names) = (memory.limiter("rule", rate())?, names());
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    let key = black_box(names[place].as_bytes());
                    assert!(limiter.take(KeyPart::Bytes(key), 1, now).is_ok());
                }
            })
        }
        "hashed identity, charge at hand" => {
            let rule = rules(1)[0];
            let charges: Vec<Charge<'static>> =
                parts.iter().map(|part| Charge::new(ChargeKey::of(rule, *part), bucket, Op::Take(1))).collect();
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(memory.charge(black_box(&charges[place]), now).allowed);
                }
            })
        }
        "hashed identity" => {
            let rule = rules(1)[0];
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    let key = ChargeKey::of(rule, black_box(parts[place]));
                    assert!(memory.charge(&Charge::new(key, bucket, Op::Take(1)), now).allowed);
                }
            })
        }
        "hashed identity, in a batch"
        | "hashed identity, 2 limits"
        | "hashed identity, 4 limits"
        | "hashed identity, 8 limits" => {
            let rules = rules(limits(case));
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(ask(store, rules, black_box(parts[place]), bucket, now));
                }
            })
        }
        "u64 key, hashed" | "u64 key, hashed, in a batch" => {
            let (rules, batched) = (rules(1), case.ends_with("batch"));
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    let key = black_box(place as u64).to_le_bytes();
                    let part = KeyPart::Bytes(&key);
                    assert!(if batched {
                        ask(store, rules, part.into(), bucket, now)
                    } else {
                        memory.charge(&Charge::new(ChargeKey::of(rules[0], part), bucket, Op::Take(1)), now).allowed
                    });
                }
            })
        }
        "19-byte string, hashed" | "19-byte string, hashed, in a batch" => {
            let (names, rules, batched) = (names(), rules(1), case.ends_with("batch"));
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    let part = KeyPart::Bytes(black_box(names[place].as_str()).as_bytes());
                    assert!(if batched {
                        ask(store, rules, part.into(), bucket, now)
                    } else {
                        memory.charge(&Charge::new(ChargeKey::of(rules[0], part), bucket, Op::Take(1)), now).allowed
                    });
                }
            })
        }
        "one of 10,000 rules" => {
            let rules = rules(KEYS);
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(ask(store, &rules[place..=place], parts[7], bucket, now));
                }
            })
        }
        "one of 10,000 routes" => {
            let (rules, names) = (rules(1), leak(names()));
            let routes: Vec<_> = names
                .iter()
                .map(|name| HashedPart::from(KeyPart::Endpoint { method: "GET", route: Some(name.as_str()) }))
                .collect();
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(ask(store, rules, routes[place], bucket, now));
                }
            })
        }
        "one key" => {
            let rules = rules(1);
            Box::new(move |count| {
                for _ in 0..count {
                    let (_, now) = stream.next();
                    assert!(ask(store, rules, black_box(parts[7]), bucket, now));
                }
            })
        }
        "refused" => {
            let (rules, once) = (rules(1), leak(TokenBucket::new(Rate::per_hour(1))?));
            for place in 0..KEYS {
                ask(store, rules, parts[place], once, stream.next().1);
            }
            Box::new(move |count| {
                for _ in 0..count {
                    // The clock stands: nobody's hour is over.
                    let (place, _) = stream.next();
                    assert!(!ask(store, rules, parts[place], once, Timestamp::from_secs(1_700_000_001)));
                }
            })
        }
        other => return others::peer(other),
    })
}

/// Instructions of one call: the difference of two counts, so that what it takes to set up is left out.
fn instructions(case: &str) -> Result<f64, Error> {
    let counted = |count: u64| -> Result<u64, Error> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe()?)
            .args([case, &count.to_string()])
            .output()?;
        let text = String::from_utf8(output.stderr)?;
        let count =
            text.lines().find_map(|line| line.split_once("Collected :")).ok_or("no count: is valgrind there?")?;
        Ok(count.1.trim().parse()?)
    };
    // quanta's calibration is in both counts, and not the same in both.
    let (few, many) = if case.contains("governor") { (100_000, 3_100_000) } else { (20_000, 220_000) };
    Ok((counted(many)? - counted(few)?) as f64 / (many - few) as f64)
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["instructions", cases @ ..] => {
            println!("| case | instructions | of governor's u64 key |\n|---|---:|---:|");
            let governor = instructions(CASES[0])?;
            for case in CASES.iter().filter(|case| cases.is_empty() || cases.contains(case)) {
                let count = instructions(case)?;
                println!("| {case} | {count:.0} | {:.2} |", count / governor);
            }
        }
        [case, count] if CASES.contains(case) => work(case)?(count.parse()?),
        numbers => {
            let number = |index: usize, default| numbers.get(index).map_or(Ok(default), |text| text.parse());
            let mut suite = Suite::default();
            for case in CASES {
                suite.case(case, work(case)?);
            }
            println!("| case | ns | allocations |\n|---|---:|---:|");
            for row in suite.run(number(0, 15)? as usize, number(1, 1_000_000)?) {
                println!("| {} | {:.1} | {:.2} |", row.name, row.ns, row.allocations);
            }
        }
    }
    Ok(())
}

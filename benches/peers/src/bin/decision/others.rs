//! What the others do.

use std::{hint::black_box, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, RateLimiter, clock::FakeRelativeClock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::DashMapStateStore,
};

use super::{Error, KEYS, MANY, Stream, Work, names, quota};

pub(super) fn peer(case: &str) -> Result<Work, Error> {
    let mut stream = Stream::new(KEYS);
    Ok(match case {
        "governor, u64 key" => {
            let limiter: DefaultKeyedRateLimiter<u64> = RateLimiter::dashmap(quota());
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(limiter.check_key(&black_box(place as u64 ^ (now.as_micros() >> 63))).is_ok());
                }
            })
        }
        "governor, u64 key, standing clock" => {
            let clock = FakeRelativeClock::default();
            let limiter: RateLimiter<u64, DashMapStateStore<u64>, FakeRelativeClock, NoOpMiddleware<Nanos>> =
                RateLimiter::new(quota(), DashMapStateStore::default(), clock);
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, now) = stream.next();
                    assert!(limiter.check_key(&black_box(place as u64 ^ (now.as_micros() >> 63))).is_ok());
                }
            })
        }
        "governor, String key" => {
            let limiter: DefaultKeyedRateLimiter<String> = RateLimiter::dashmap(quota());
            let names = names();
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, _) = stream.next();
                    let name: &str = &names[place];
                    assert!(limiter.check_key(&black_box(name).to_owned()).is_ok());
                }
            })
        }
        "axum_gcra, u64 key" => {
            let limiter = axum_gcra::gcra::RateLimiter::<u64>::new(u64::MAX, Default::default());
            let quota = axum_gcra::gcra::Quota::new(Duration::from_nanos(1), MANY.into());
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, _) = stream.next();
                    assert!(limiter.req_sync(black_box(place as u64), quota, std::time::Instant::now()).is_ok());
                }
            })
        }
        "pingora-limits, u64 key (sketch)" => {
            let limiter = pingora_limits::rate::Rate::new(Duration::from_secs(1));
            Box::new(move |count| {
                for _ in 0..count {
                    let (place, _) = stream.next();
                    black_box(limiter.observe(&black_box(place as u64), 1));
                }
            })
        }
        _ => return Err(format!("no such case: {case}").into()),
    })
}

//! Batches that share a run of a script on a real Redis server: each is decided as if it was alone.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::{RedisStore, RedisStoreBuilder},
    rate_limit::{
        Algorithm, Batch, Charge, ChargeKey, FixedWindow, KeyPart, Op, Rate, RateLimitStore, SlidingCounter,
        TokenBucket, Verdicts,
    },
    store::StoreError,
    time::Timestamp,
};
use portcullis_interop::redis::Redis;
use tokio::task::JoinSet;

type Any = Arc<dyn Algorithm>;
type Answer = Result<Verdicts, StoreError>;

const DAY: Duration = Duration::from_secs(86_400);

fn built(builder: RedisStoreBuilder) -> RedisStore {
    // Long, for a machine on which much else runs.
    builder.time_budget(Duration::from_secs(2)).build().unwrap()
}

fn bucket(rate: Rate) -> Any {
    Arc::new(TokenBucket::new(rate).unwrap())
}

/// One batch of the rules, each with its algorithm, about one caller.
async fn ask(store: RedisStore, who: String, rules: Vec<(&'static str, Any)>, op: Op) -> Answer {
    let mut batch = Batch::new(Timestamp::EPOCH);
    for (rule, algorithm) in &rules {
        let key = ChargeKey::of(*rule, KeyPart::Bytes(who.as_bytes()));
        batch.push(Charge::new(key, &**algorithm, op)).unwrap();
    }
    store.apply(&batch).await
}

/// All at the same instant: with one thread, each task has asked before the first answer comes.
async fn at_once(asking: impl IntoIterator<Item = impl Future<Output = Answer> + Send + 'static>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    asking.into_iter().for_each(|asking| drop(tasks.spawn(asking)));
    tasks.join_all().await
}

fn passed(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.as_ref().is_ok_and(Verdicts::allowed)).count()
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_are_four_runs_and_exactly_the_cap_passes() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let limit = bucket(Rate::per(60, DAY));
    let one = |who: &str| ask(store.clone(), who.to_owned(), vec![("a", Arc::clone(&limit))], Op::Take(1));
    assert_eq!(passed(&[one("bob").await]), 1);
    redis.forget_commands();
    let answers = at_once((0..100).map(|_| one("alice"))).await;
    assert_eq!(passed(&answers), 60);
    assert_eq!((redis.runs_of("evalsha"), redis.runs_of("eval")), (4, 0));
    // In the order in which they came, each sees what the one before left.
    let mut left: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().get(0).unwrap().remaining).collect();
    left.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(left[..60], (0..60).rev().collect::<Vec<_>>()[..]);
}

/// The server decides on the ones while the others are told.
#[tokio::test]
async fn who_asks_at_once_is_divided_in_two_and_who_asks_alone_goes_alone() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let limit = bucket(Rate::per(100_000, DAY));
    let one = |who: usize| ask(store.clone(), who.to_string(), vec![("a", Arc::clone(&limit))], Op::Take(1));
    assert_eq!(passed(&[one(0).await]), 1);
    for (callers, runs) in [(1, 1), (2, 2), (3, 2), (16, 2), (40, 2), (64, 2), (96, 3)] {
        redis.forget_commands();
        assert_eq!(passed(&at_once((0..callers).map(one)).await), callers);
        assert_eq!(redis.runs_of("evalsha"), runs, "{callers} callers");
    }
    // Of sixteen who ask again as soon as they are answered, never more than eight ride together.
    redis.forget_commands();
    let mut asking = JoinSet::new();
    for who in 0..16 {
        let (store, limit) = (store.clone(), Arc::clone(&limit));
        asking.spawn(async move {
            for _ in 0..50 {
                let answer = ask(store.clone(), who.to_string(), vec![("a", Arc::clone(&limit))], Op::Take(1)).await;
                assert!(answer.unwrap().allowed());
            }
        });
    }
    asking.join_all().await;
    let runs = redis.runs_of("evalsha");
    assert!((100..800).contains(&runs), "{runs} runs for 800 batches");
}

/// Who has gone away is not waited for, and the runs of those who stay are not the larger for him.
#[tokio::test]
async fn who_has_left_counts_no_more() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let limit = bucket(Rate::per(100_000, DAY));
    let one = |who: usize| ask(store.clone(), who.to_string(), vec![("a", Arc::clone(&limit))], Op::Take(1));
    assert_eq!(passed(&[one(0).await]), 1);
    for turns in 0..6 {
        let leaving: Vec<_> = (0..60).map(|who| tokio::spawn(one(who))).collect();
        // Before the runs go, while they are asked, after.
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        for task in leaving {
            task.abort();
            drop(task.await);
        }
        // The server has done whatever it was sent.
        assert_eq!(passed(&[one(0).await]), 1);
        redis.forget_commands();
        assert_eq!(passed(&at_once((0..16).map(one)).await), 16);
        assert_eq!(redis.runs_of("evalsha"), 2, "{turns}");
    }
}

/// What the first of a run have in common is told once, until somebody comes who is told something else.
#[tokio::test]
async fn who_asks_for_something_else_gets_that() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    // With and without a fraction: programs and what is quicker.
    for (rate, others) in [(Rate::per(50, DAY), Rate::per(40, DAY)), (Rate::per(49, DAY), Rate::per(39, DAY))] {
        redis.command("FLUSHALL");
        let (many, few) = (bucket(rate), bucket(others));
        let one = |who: &str, rule, limit: &Any, units| {
            ask(store.clone(), who.to_owned(), vec![(rule, Arc::clone(limit))], Op::Take(units))
        };
        let mut asking = Vec::new();
        for who in ["alice", "bob", "carol"] {
            asking.extend([one(who, "a", &many, 1), one(who, "a", &many, 1)]);
        }
        asking.extend([one("alice", "a", &many, 7), one("bob", "c", &few, 3), one("carol", "b", &many, 1)]);
        asking.extend([one("alice", "a", &many, 1), one("dave", "a", &many, 1)]);
        drop(one("warm", "a", &many, 1).await);
        redis.forget_commands();
        assert_eq!(passed(&at_once(asking).await), 11);
        assert_eq!(redis.runs_of("evalsha"), 2);
        let stands = [("alice", "a", 10), ("bob", "a", 2), ("bob", "c", 3), ("carol", "a", 2), ("carol", "b", 1)];
        for (who, rule, spent) in stands {
            let (limit, cap) = if rule == "c" { (&few, others) } else { (&many, rate) };
            let left = one(who, rule, limit, 0).await.unwrap().get(0).unwrap().remaining;
            assert_eq!(left, cap.capacity() - spent, "{who}: {rule}");
        }
    }
}

#[tokio::test]
async fn alone_each_batch_is_a_run_of_its_own() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()).one_batch_at_a_time());
    let limit = bucket(Rate::per(60, DAY));
    let one = |who: &str| ask(store.clone(), who.to_owned(), vec![("a", Arc::clone(&limit))], Op::Take(1));
    assert_eq!(passed(&[one("bob").await]), 1);
    redis.forget_commands();
    assert_eq!(passed(&at_once((0..100).map(|_| one("alice"))).await), 60);
    assert_eq!(redis.runs_of("evalsha"), 100);
}

/// Rules of all kinds, some of which refuse: who rides along is neither charged for others nor refused.
#[tokio::test]
async fn who_is_refused_refuses_nobody_else() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let rules: Vec<(&'static str, Any)> = vec![
        ("bucket", bucket(Rate::per(4, DAY))),
        ("fraction", bucket(Rate::per(7, DAY))),
        ("window", Arc::new(FixedWindow::new(Rate::per(5, DAY)).unwrap())),
        ("counter", Arc::new(SlidingCounter::new(Rate::per(6, DAY)).unwrap())),
    ];
    for some in [&rules[..1], &rules[1..2], &rules[2..], &rules[..]] {
        let asking = (0..120).map(|number| {
            let who = format!("{}:{}", some.len(), number % 10);
            ask(store.clone(), who, some.to_vec(), Op::Take(1))
        });
        // As many as the strictest of them lets through, of each of ten callers.
        let least = some.iter().map(|(rule, _)| match *rule {
            "bucket" => 4,
            "window" => 5,
            "counter" => 6,
            _ => 7,
        });
        assert_eq!(passed(&at_once(asking).await), 10 * least.min().unwrap());
    }
    // Nobody was charged by a rule for what another one refused.
    let looked = ask(store.clone(), "4:3".to_owned(), rules, Op::Take(0)).await.unwrap();
    let left: Vec<_> = looked.decisions().map(|decision| decision.remaining).collect();
    assert_eq!(left, [0, 3, 1, 2]);
}

/// What lies in one caller's key, whoever wrote it, is nothing to those who ride along.
#[tokio::test]
async fn what_is_wrong_with_one_key_is_wrong_for_its_callers_only() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let (whole, window) = (bucket(Rate::per(10, DAY)), Arc::new(FixedWindow::new(Rate::per(10, DAY)).unwrap()));
    let two = vec![("b", Arc::clone(&whole)), ("c", bucket(Rate::per(24, DAY)))];
    for rules in [vec![("a", whole)], two, vec![("d", window)]] {
        redis.command("FLUSHALL");
        let one = |who: &str| ask(store.clone(), who.to_owned(), rules.clone(), Op::Take(1));
        assert_eq!(passed(&[one("7").await]), 1);
        let lines = |command: &str| -> Vec<String> {
            let text = redis.command(command);
            text.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect()
        };
        let key = lines("KEYS *").into_iter().find(|key| key.starts_with("portcullis:rate:{")).unwrap();
        let field = lines(&format!("HKEYS {key}")).remove(0);
        let states = ["1,2", "x12", "?12", "nan", "-nan", "inf", "1e999", "0x10"]
            .map(|state| format!("HSET {key} {field} {state}"));
        for wrong in states.into_iter().chain([format!("LPUSH {key} 1")]) {
            redis.command(&format!("DEL {key}"));
            redis.command(&wrong);
            redis.forget_commands();
            let mut asking = JoinSet::new();
            for who in 0..20 {
                let asked = one(&who.to_string());
                asking.spawn(async move { (who, asked.await) });
            }
            for (who, answer) in asking.join_all().await {
                match answer {
                    Ok(verdicts) => assert!(verdicts.allowed() && who != 7, "{wrong}: {who}"),
                    Err(StoreError::Corrupt(_)) => assert_eq!(who, 7, "{wrong}"),
                    Err(error) => panic!("{wrong}: {who}: {error}"),
                }
            }
            // One for all of them, and those in which the one is told what is wrong.
            assert!(redis.runs_of("evalsha") <= 4, "{wrong}: {}", redis.runs_of("evalsha"));
        }
        // Everybody else was charged each time, once.
        assert_eq!(passed(&at_once((8..20).flat_map(|who| [one(&who.to_string()), one(&who.to_string())])).await), 12);
    }
}

/// A full server can still be read.
#[tokio::test]
async fn who_writes_nothing_is_answered_although_the_others_are_not() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    // With a fraction, so that looking and taking are one script.
    let limit = bucket(Rate::per(7, DAY));
    let one = |who: &str, op| ask(store.clone(), who.to_owned(), vec![("a", Arc::clone(&limit))], op);
    assert_eq!(passed(&[one("alice", Op::Take(7)).await]), 1);
    redis.command("CONFIG SET maxmemory 1");
    redis.forget_commands();
    let asking: Vec<_> = (0..10).flat_map(|_| [one("alice", Op::Peek), one("bob", Op::Take(1))]).collect();
    let answers = at_once(asking).await;
    let full = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Full))).count();
    let refused = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|verdicts| !verdicts.allowed())).count();
    assert_eq!((full, refused), (10, 10));
    // In two halves, then each by himself.
    assert_eq!(redis.runs_of("evalsha"), 22);
}

/// What has been said to be one server, and is a cluster of one.
#[tokio::test]
async fn a_server_that_wants_the_keys_of_a_slot_only_gets_them() {
    let redis = Redis::with(&["--cluster-enabled", "yes"]);
    redis.command("CLUSTER ADDSLOTSRANGE 0 16383");
    for _ in 0..500 {
        if redis.command("CLUSTER INFO").contains("cluster_state:ok") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let store = built(RedisStore::builder(redis.url()));
    let limit = bucket(Rate::per(2, DAY));
    let asking = (0..60).map(|who| {
        let rules = vec![("a", Arc::clone(&limit))];
        ask(store.clone(), (who % 20).to_string(), rules, Op::Take(1))
    });
    let answers = at_once(asking).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(passed(&answers), 40);
}

/// Each rule writes by itself, and the key they share lives as long as the one that lives longest.
#[tokio::test]
async fn a_short_limit_does_not_end_a_long_one_of_the_same_caller() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let window = Arc::new(FixedWindow::new(Rate::per_second(5)).unwrap());
    let limits: [(&'static str, Any); 3] =
        [("day", bucket(Rate::per(3, DAY))), ("second", bucket(Rate::per_second(5))), ("window", window)];
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        redis.command("FLUSHALL");
        for limit in order {
            ask(store.clone(), "alice".to_owned(), vec![limits[limit].clone()], Op::Take(1)).await.unwrap();
        }
        for limit in [1, 2, 1] {
            ask(store.clone(), "alice".to_owned(), vec![limits[limit].clone()], Op::Take(1)).await.unwrap();
        }
        // Forgetting one forgets one.
        ask(store.clone(), "alice".to_owned(), vec![limits[1].clone()], Op::Reset).await.unwrap();
        let key =
            redis.command("KEYS *").lines().find(|line| line.starts_with("portcullis:rate:{")).unwrap().to_owned();
        let left: u64 = redis.command(&format!("PTTL {key}")).lines().next().unwrap()[1..].parse().unwrap();
        assert!((28_000_000..=28_808_000).contains(&left), "{left} ms of 8 hours");
        let day = ask(store.clone(), "alice".to_owned(), vec![limits[0].clone()], Op::Take(0)).await.unwrap();
        assert_eq!(day.get(0).unwrap().remaining, 2);
    }
    // The last one that is forgotten takes the key with it.
    for (rule, limit) in &limits {
        ask(store.clone(), "alice".to_owned(), vec![(*rule, Arc::clone(limit))], Op::Reset).await.unwrap();
    }
    assert!(redis.command("DBSIZE").starts_with(":0"));
}

/// Who leaves before the answer comes is charged wholly or not at all, and the others are answered.
#[tokio::test]
async fn who_leaves_takes_nobody_along() {
    let redis = Redis::start();
    let store = built(RedisStore::builder(redis.url()));
    let limit = bucket(Rate::per(1_000, DAY));
    let one = || ask(store.clone(), "alice".to_owned(), vec![("a", Arc::clone(&limit))], Op::Take(1));
    one().await.unwrap();
    for _ in 0..20 {
        let staying: Vec<_> = (0..5).map(|_| tokio::spawn(one())).collect();
        let leaving: Vec<_> = (0..5).map(|_| tokio::spawn(one())).collect();
        tokio::task::yield_now().await;
        leaving.iter().for_each(|task| task.abort());
        for task in staying {
            assert!(task.await.unwrap().unwrap().allowed());
        }
    }
    let left = ask(store.clone(), "alice".to_owned(), vec![("a", Arc::clone(&limit))], Op::Take(0)).await.unwrap();
    let left = left.get(0).unwrap().remaining;
    assert!((799..=899).contains(&left), "{left}");
}

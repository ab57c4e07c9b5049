//! The ports of [`RedisStore`] on a real Redis Cluster of three nodes.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::RedisStore,
    conformance::{replays, revocations, seen},
    rate_limit::{
        Algorithm, Batch, Charge, ChargeKey, FixedWindow, KeyPart, Op, Rate, RateLimitStore, TokenBucket, Verdicts,
    },
    store::{SeenKey, SeenStore, Sighting, StoreError},
    time::Timestamp,
};
use portcullis_interop::redis_cluster::RedisCluster;

type Any = Arc<dyn Algorithm>;

const DAY: Duration = Duration::from_secs(86_400);

fn store(cluster: &RedisCluster) -> RedisStore {
    // One node names the others.
    RedisStore::cluster(&cluster.urls()[..1]).time_budget(Duration::from_secs(2)).build().unwrap()
}

fn bucket(rate: Rate) -> Any {
    Arc::new(TokenBucket::new(rate).unwrap())
}

fn charge<'a>(rule: &'static str, who: &'a str, algorithm: &'a dyn Algorithm, op: Op) -> Charge<'a> {
    let key = ChargeKey::new(rule);
    Charge::new(if who.is_empty() { key } else { key.with(KeyPart::Bytes(who.as_bytes())).unwrap() }, algorithm, op)
}

async fn ask<'a>(store: &RedisStore, charges: impl IntoIterator<Item = Charge<'a>>) -> Result<Verdicts, StoreError> {
    let mut batch = Batch::new(Timestamp::EPOCH);
    charges.into_iter().for_each(|charge| batch.push(charge).unwrap());
    store.apply(&batch).await
}

async fn left(store: &RedisStore, rule: &'static str, who: &str, limit: &Any) -> u64 {
    ask(store, [charge(rule, who, &**limit, Op::Take(0))]).await.unwrap().get(0).unwrap().remaining
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_many_subjects_lie_on_all_nodes_and_each_is_exact() {
    let cluster = RedisCluster::start();
    let (store, limit) = (store(&cluster), bucket(Rate::per(3, DAY)));
    for who in 0..60 {
        let who = who.to_string();
        for taken in 0..4 {
            let verdicts = ask(&store, [charge("a", &who, &*limit, Op::Take(1))]).await.unwrap();
            assert_eq!(verdicts.allowed(), taken < 3);
        }
    }
    for node in cluster.nodes() {
        assert!(node.runs_of("hset") > 0, "every node has some");
    }
}

/// Rules of one subject lie on one node: one command, whatever the rules are.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_one_subject_is_one_command() {
    let cluster = RedisCluster::start();
    let store = store(&cluster);
    let window: Any = Arc::new(FixedWindow::new(Rate::per(100, DAY)).unwrap());
    let limits = [bucket(Rate::per(50, DAY)), window, bucket(Rate::per(7, DAY))];
    let three =
        || ["a", "b", "c"].into_iter().zip(&limits).map(|(rule, limit)| charge(rule, "alice", &**limit, Op::Take(1)));
    ask(&store, three()).await.unwrap();
    cluster.nodes().iter().for_each(|node| node.forget_commands());
    for _ in 0..20 {
        ask(&store, three()).await.unwrap();
    }
    let runs: Vec<_> = cluster.nodes().iter().map(|node| node.runs_of("evalsha")).collect();
    assert!(runs.iter().sum::<u64>() == 20 && runs.contains(&20), "{runs:?}");
    assert_eq!(left(&store, "a", "alice", &limits[0]).await, 43);
}

/// A caller's limit and one on all callers: what was taken of the one is given back if the other refuses.
#[tokio::test(flavor = "multi_thread")]
async fn subjects_on_different_nodes_are_charged_together_or_not_at_all() {
    let cluster = RedisCluster::start();
    let store = store(&cluster);
    let (many, few) = (bucket(Rate::per(10, DAY)), bucket(Rate::per(25, DAY)));
    // So many callers that some lie on another node than what is global.
    for who in 0..8 {
        let who = format!("caller-{who}");
        for _ in 0..5 {
            ask(&store, [charge("own", &who, &*many, Op::Take(1)), charge("all", "", &*few, Op::Take(1))])
                .await
                .unwrap();
        }
    }
    settled(&store, &few, 0).await;
    let mut taken = 0;
    for who in 0..8 {
        let who = format!("caller-{who}");
        let mut here = left(&store, "own", &who, &many).await;
        for _ in 0..100 {
            // What is given back is on its way for a moment.
            if here == 10 || here == 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            here = left(&store, "own", &who, &many).await;
        }
        taken += 10 - here;
    }
    assert_eq!(taken, 25);
}

async fn settled(store: &RedisStore, limit: &Any, left_over: u64) {
    assert_eq!(left(store, "all", "", limit).await, left_over);
}

/// As the decisions of one server would be.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_shows_the_others_as_they_stand() {
    let cluster = RedisCluster::start();
    let store = store(&cluster);
    let (ten, one) = (bucket(Rate::per(10, DAY)), bucket(Rate::per(1, DAY)));
    for who in ["a", "b", "c", "d", "e", "f"] {
        let both = || {
            [
                charge("ten", who, &*ten, Op::Take(1)),
                charge("one", &who[..1], &*one, Op::Take(1)),
                charge("x", "", &*ten, Op::Take(0)),
            ]
        };
        assert!(ask(&store, both()).await.unwrap().allowed());
        let refused = ask(&store, both()).await.unwrap();
        let decisions: Vec<_> = refused.decisions().collect();
        assert!(decisions[0].allowed && decisions[0].remaining == 9 && decisions[0].retry_after.is_none());
        assert!(!decisions[1].allowed && decisions[1].remaining == 0 && decisions[1].retry_after.is_some());
        assert!(decisions[2].allowed && decisions[2].remaining == 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_concurrent_takes_on_two_subjects_never_more_than_the_cap_passes() {
    let cluster = RedisCluster::start();
    let store = store(&cluster);
    let (own, all) = (bucket(Rate::per(1_000, DAY)), bucket(Rate::per(200, DAY)));
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let (store, own, all) = (store.clone(), Arc::clone(&own), Arc::clone(&all));
            tokio::spawn(async move {
                let (who, mut passed) = (format!("caller-{task}"), 0_u64);
                for _ in 0..25 {
                    let both = [charge("own", &who, &*own, Op::Take(1)), charge("all", "", &*all, Op::Take(1))];
                    passed += u64::from(ask(&store, both).await.unwrap().allowed());
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += task.await.unwrap();
    }
    assert!(passed <= 200, "{passed}");
    assert!(passed >= 190, "{passed}: what was given back must be usable again");
}

/// The slot moves while it is in use: redirections are followed, and nothing is charged twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_is_followed_and_nobody_is_charged_twice() {
    let cluster = RedisCluster::start();
    let (store, limit) = (store(&cluster), bucket(Rate::per(1_000, DAY)));
    let take = || [charge("a", "alice", &*limit, Op::Take(1))];
    ask(&store, take()).await.unwrap();
    let nodes = cluster.nodes();
    let (from, key) = nodes
        .iter()
        .enumerate()
        .find_map(|(index, node)| {
            let keys = node.command("KEYS *");
            Some((index, keys.lines().find(|line| line.starts_with("portcullis:rate:{"))?.to_owned()))
        })
        .unwrap();
    let to = (from + 1) % 3;
    let id = |index: usize| nodes[index].command("CLUSTER MYID").lines().nth(1).unwrap().to_owned();
    let slot = nodes[0].command(&format!("CLUSTER KEYSLOT {key}")).lines().next().unwrap()[1..].to_owned();
    nodes[to].command(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(from)));
    nodes[from].command(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(to)));
    // The key is still there.
    assert_eq!(ask(&store, take()).await.unwrap().get(0).unwrap().remaining, 998);
    let moved = nodes[from].command(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", nodes[to].port()));
    assert!(moved.starts_with("+OK"), "{moved}");
    // Now the old node says where to ask.
    assert_eq!(ask(&store, take()).await.unwrap().get(0).unwrap().remaining, 997);
    // And now that it has moved for good: the third node may not know it yet when the client asks it.
    for (taken, node) in [to, from, 3 - from - to].into_iter().enumerate() {
        nodes[node].command(&format!("CLUSTER SETSLOT {slot} NODE {}", id(to)));
        for ask_again in 0..6 {
            let left = 996 - 6 * u64::try_from(taken).unwrap() - ask_again;
            assert_eq!(ask(&store, take()).await.unwrap().get(0).unwrap().remaining, left);
        }
    }
}

/// What lies on the other nodes goes on; what lies on the lost one is an error, and answers again when it
/// is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost_takes_its_keys_with_it_and_no_others() {
    let mut cluster = RedisCluster::start();
    let store = RedisStore::cluster(cluster.urls()).time_budget(Duration::from_millis(500)).build().unwrap();
    let limit = bucket(Rate::per(1_000, DAY));
    let callers: Vec<_> = (0..30).map(|who| format!("caller-{who}")).collect();
    for who in &callers {
        ask(&store, [charge("a", who, &*limit, Op::Take(1))]).await.unwrap();
    }
    cluster.node(2).kill();
    let (mut well, mut lost) = (0, 0);
    for who in &callers {
        match ask(&store, [charge("a", who, &*limit, Op::Take(1))]).await {
            Ok(_) => well += 1,
            Err(_) => lost += 1,
        }
    }
    assert!(well >= 5 && lost >= 3, "{well} {lost}");
    cluster.node(2).restart();
    cluster.settle();
    for who in &callers {
        let mut attempts = 0;
        while let Err(error) = ask(&store, [charge("a", who, &*limit, Op::Take(1))]).await {
            attempts += 1;
            assert!(attempts < 50, "{error:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_ports_work_on_a_cluster_too() {
    let cluster = RedisCluster::start();
    let store = Arc::new(store(&cluster));
    store.ping().await.unwrap();
    replays::of_many_one_claims(&store).await;
    replays::a_claim_is_settled_once(&store).await;
    seen::of_many_one_is_the_first(&store).await;
    let now = Timestamp::from_secs(1_800_000_000);
    revocations::a_revocation_is_seen_at_once(&*store, now).await;
    revocations::every_name_of_a_credential_is_looked_for(&*store, now).await;
    for id in 0..20_u8 {
        let key = SeenKey::new("nonce", &[&[id]]);
        assert_eq!(store.see(key, DAY, Timestamp::EPOCH).await.unwrap(), Sighting::First);
        assert_eq!(store.see(key, DAY, Timestamp::EPOCH).await.unwrap(), Sighting::Again);
    }
}

#[test]
fn what_is_no_address_is_told_and_shows_no_password() {
    let error = RedisStore::cluster(["redis://u:secret-4711@host:port"]).build().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret-4711"));
    assert!(RedisStore::cluster(Vec::<String>::new()).build().is_err());
}

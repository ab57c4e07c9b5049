//! A real Redis Cluster of three nodes, alone with one test.

use std::time::{Duration, Instant};

use crate::{free_port, redis::Redis};

/// Three primaries without replicas, each with a third of the slots.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

const SLOTS: [&str; 3] = ["0 5460", "5461 10922", "10923 16383"];

impl RedisCluster {
    /// The cluster, when all nodes know each other.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or they do not find together within half a minute.
    pub fn start() -> Self {
        let nodes: Vec<_> = SLOTS.iter().map(|_| node()).collect();
        for (epoch, ((node, _), slots)) in (1..).zip(nodes.iter().zip(SLOTS)) {
            // As `redis-cli --cluster create` does it. Nodes that begin with the same epoch raise theirs one by one
            // once they have met, and one of them may take back a slot that another has just been given.
            for change in [format!("SET-CONFIG-EPOCH {epoch}"), format!("ADDSLOTSRANGE {slots}")] {
                let answer = node.command(&format!("CLUSTER {change}"));
                assert!(answer.starts_with("+OK"), "{change}: {answer}");
            }
        }
        let (first, others) = nodes.split_first().expect("three nodes");
        for (node, bus) in others {
            assert!(first.0.command(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port())).starts_with("+OK"));
        }
        let cluster = Self { nodes: nodes.into_iter().map(|(node, _)| node).collect() };
        cluster.settle();
        cluster
    }

    /// Where the nodes listen.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// One of the nodes, to be killed and started again.
    pub fn node(&mut self, index: usize) -> &mut Redis {
        &mut self.nodes[index]
    }

    /// The node that has a key's slot.
    pub fn holder(&self, key: &str) -> usize {
        let answer = self.nodes[0].command(&format!("CLUSTER KEYSLOT {key}"));
        let slot: u32 =
            answer.lines().next().and_then(|line| line.trim_start_matches(':').parse().ok()).expect("a slot");
        usize::try_from(slot / 5_461).expect("small").min(2)
    }

    /// Waits until every node finds that all slots are served.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    #[allow(clippy::disallowed_methods, reason = "it waits for others")]
    pub fn settle(&self) {
        let begun = Instant::now();
        let well = |node: &Redis| {
            let info = node.command("CLUSTER INFO");
            info.contains("cluster_state:ok")
                && info.contains("cluster_slots_assigned:16384")
                && info.contains("cluster_slots_ok:16384")
                && info.contains("cluster_known_nodes:3")
        };
        while !self.nodes.iter().all(well) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the nodes do not find together");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn node() -> (Redis, String) {
    let bus = free_port().to_string();
    let arguments = [
        ["--cluster-enabled", "yes"],
        ["--cluster-port", &bus],
        ["--cluster-node-timeout", "2000"],
        ["--cluster-require-full-coverage", "no"],
    ];
    (Redis::with(arguments.as_flattened()), bus)
}

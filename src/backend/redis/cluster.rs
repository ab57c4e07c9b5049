//! Several servers, each of which keeps a part of the keys.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cluster_routing::SingleNodeRoutingInfo,
};
use tokio::sync::Mutex;

use super::connection::CONNECT;

/// How often a key may have moved while it is looked for.
const REDIRECTIONS: usize = 4;

/// As for a single server, a late answer may still matter to somebody.
const RESPONSE: Duration = Duration::from_secs(30);

/// The crate's client knows which key lies where, and keeps the connections.
pub(super) struct Cluster {
    client: ClusterClient,
    held: ArcSwapOption<ClusterConnection>,
    connecting: Mutex<()>,
}

impl Cluster {
    /// The client may not repeat by itself what it has sent already: over a connection that breaks it
    /// cannot know whether a charge was made. Redirections are followed here, for they say that
    /// nothing was done.
    pub(super) fn of(builder: ClusterClientBuilder) -> RedisResult<Self> {
        let client = builder.retries(0).connection_timeout(CONNECT).response_timeout(RESPONSE).build()?;
        Ok(Self { client, held: ArcSwapOption::empty(), connecting: Mutex::default() })
    }

    pub(super) async fn command<T: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.connected().await?;
        let mut answer = command.query_async(&mut connection).await;
        for _ in 0..REDIRECTIONS {
            answer = match answer {
                // The client has learnt by it where the key lies now.
                Err(error) if is(&error, ServerErrorKind::Moved) => command.query_async(&mut connection).await,
                Err(error) if is(&error, ServerErrorKind::Ask) => ask(&mut connection, command, error).await,
                answer => return answer,
            };
        }
        answer
    }

    pub(super) fn give_up(&self) {
        self.held.store(None);
    }

    async fn connected(self: &Arc<Self>) -> RedisResult<ClusterConnection> {
        if let Some(held) = self.held.load_full() {
            return Ok((*held).clone());
        }
        let cluster = Arc::clone(self);
        // In a task, for who asked may not wait so long: whoever comes next finds it connected.
        let task = tokio::spawn(async move {
            let _turn = cluster.connecting.lock().await;
            if let Some(held) = cluster.held.load_full() {
                return Ok((*held).clone());
            }
            let connection = cluster.client.get_async_connection().await?;
            cluster.held.store(Some(Arc::new(connection.clone())));
            Ok(connection)
        });
        task.await.unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Client, "the runtime shuts down"))))
    }
}

/// The key is on its way to another node, which answers for it only if it is told so.
async fn ask<T: FromRedisValue>(
    connection: &mut ClusterConnection,
    command: &Cmd,
    error: RedisError,
) -> RedisResult<T> {
    let Some((host, port)) = error.redirect_node().and_then(|(address, _)| address.rsplit_once(':')) else {
        return Err(error);
    };
    let Ok(port) = port.parse() else { return Err(error) };
    let node = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
    let mut both = Pipeline::with_capacity(2);
    both.cmd("ASKING").ignore().add_command(command.clone());
    let mut answers = connection.route_pipeline(both, 0, 2, node).await?;
    let answer = answers.pop().ok_or_else(|| RedisError::from((ErrorKind::Parse, "no answer to a question")))?;
    Ok(redis::from_redis_value(answer.extract_error()?)?)
}

fn is(error: &RedisError, kind: ServerErrorKind) -> bool {
    error.kind() == ErrorKind::Server(kind)
}

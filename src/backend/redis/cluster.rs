//! Several servers, each of which keeps a part of the keys.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
};
use tokio::sync::Mutex;

use super::connection::CONNECT;

/// How often a key may have moved while it is looked for.
const REDIRECTIONS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(2);

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
        for followed in 0..REDIRECTIONS {
            if followed > 1 && answer.as_ref().is_err_and(is_redirection) {
                // Two nodes name each other, until they have heard of it.
                tokio::time::sleep(PAUSE.saturating_mul(followed)).await;
            }
            answer = match answer {
                Err(error) if is(&error, ServerErrorKind::Moved) => moved(&mut connection, command, &error).await,
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

/// The key lies on another node. The client learns by it that its map is old; but what it asks for a new one
/// may not know yet, so the node that was named is asked.
async fn moved<T: FromRedisValue>(
    connection: &mut ClusterConnection,
    command: &Cmd,
    error: &RedisError,
) -> RedisResult<T> {
    if let Some(node) = named(error) {
        match connection.route_command(command.clone(), RoutingInfo::SingleNode(node)).await {
            // It has joined the cluster since.
            Err(error) if error.kind() == ErrorKind::ClusterConnectionNotFound => {}
            answer => return Ok(redis::from_redis_value(answer?.extract_error()?)?),
        }
    }
    command.query_async(connection).await
}

/// The node that a redirection names; none if it leaves the host to be guessed.
fn named(error: &RedisError) -> Option<SingleNodeRoutingInfo> {
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    let port = port.parse().ok()?;
    (!host.is_empty()).then(|| SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port })
}

/// The key is on its way to another node, which answers for it only if it is told so.
async fn ask<T: FromRedisValue>(
    connection: &mut ClusterConnection,
    command: &Cmd,
    error: RedisError,
) -> RedisResult<T> {
    let Some(node) = named(&error) else { return Err(error) };
    let mut both = Pipeline::with_capacity(2);
    both.cmd("ASKING").ignore().add_command(command.clone());
    let mut answers = connection.route_pipeline(both, 0, 2, node).await?;
    let answer = answers.pop().ok_or_else(|| RedisError::from((ErrorKind::Parse, "no answer to a question")))?;
    Ok(redis::from_redis_value(answer.extract_error()?)?)
}

fn is_redirection(error: &RedisError) -> bool {
    is(error, ServerErrorKind::Moved) || is(error, ServerErrorKind::Ask)
}

fn is(error: &RedisError, kind: ServerErrorKind) -> bool {
    error.kind() == ErrorKind::Server(kind)
}

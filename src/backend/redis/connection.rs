//! One connection to the server, opened when it is needed and anew when it is broken.

use std::{
    future::Future,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo as _, ProtocolVersion, PushInfo,
    PushKind, RedisError, RedisResult, ServerErrorKind,
    aio::{ConnectionManager, MultiplexedConnection},
    cluster::ClusterClientBuilder,
};
use tokio::sync::Mutex;

use super::{cluster::Cluster, script::Invocation};

/// How long one attempt to connect may take: longer than a request waits, which waits no longer for
/// it.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// Ours, to one server or to several, or one of the application's.
pub(super) enum Connection {
    Own(Arc<Own>),
    Cluster(Arc<Cluster>),
    Theirs(ConnectionManager),
}

/// Not the crate's connection manager: that one keeps the error of a failed attempt, and answers with
/// it when the server is there again; for ever, if it was not one of input and output.
pub(super) struct Own {
    client: Client,
    held: ArcSwapOption<Held>,
    connecting: Arc<Mutex<()>>,
    generations: AtomicU64,
}

struct Held {
    generation: u64,
    connection: MultiplexedConnection,
}

impl Connection {
    pub(super) fn to(client: &Client) -> RedisResult<Self> {
        let info = client.get_connection_info().clone();
        // With RESP3 we are told of a broken connection before the next call needs it.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        #[cfg(feature = "redis-tls")]
        choose_cryptography(client.get_connection_info());
        Ok(Self::Own(Arc::new(Own {
            client,
            held: ArcSwapOption::empty(),
            connecting: Arc::default(),
            generations: AtomicU64::new(0),
        })))
    }

    pub(super) fn to_cluster(nodes: &[String]) -> RedisResult<Self> {
        let nodes = nodes.iter().map(|node| node.as_str().into_connection_info()).collect::<RedisResult<Vec<_>>>()?;
        #[cfg(feature = "redis-tls")]
        nodes.iter().for_each(choose_cryptography);
        Ok(Self::Cluster(Arc::new(Cluster::of(ClusterClientBuilder::new(nodes))?)))
    }

    /// Runs a script, however long it takes.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &Invocation<'_>) -> RedisResult<T> {
        let answer = self.command(&script.by_hash()).await;
        match answer {
            // It has not run, so it may be sent anew.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command(&script.by_text()).await
            }
            answer => answer,
        }
    }

    /// Runs a command, however long it takes. It is sent once. The longer futures lie in boxes, lest the one that most
    /// need is as long.
    async fn command<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Own(own) => own.command(command).await,
            Self::Cluster(cluster) => Box::pin(cluster.command(command)).await,
            Self::Theirs(manager) => Box::pin(command.query_async(&mut manager.clone())).await,
        }
    }

    /// The next call connects anew.
    pub(super) fn give_up(&self) {
        match self {
            Self::Own(own) => own.held.store(None),
            Self::Cluster(cluster) => cluster.give_up(),
            Self::Theirs(_) => {}
        }
    }
}

impl Own {
    async fn command<T: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> RedisResult<T> {
        let held = self.connected().await?;
        let answer = command.query_async(&mut held.connection.clone()).await;
        if answer.as_ref().is_err_and(is_broken) {
            self.forget(held.generation);
        }
        answer
    }

    async fn connected(self: &Arc<Self>) -> RedisResult<Arc<Held>> {
        if let Some(held) = self.held.load_full() {
            return Ok(held);
        }
        let turn = Arc::clone(&self.connecting).lock_owned().await;
        if let Some(held) = self.held.load_full() {
            return Ok(held);
        }
        let connecting = connect(Arc::clone(self));
        // In a task, for who asked may not wait so long: whoever comes next finds it connected.
        let task = tokio::spawn(async move {
            let connected = connecting.await;
            drop(turn);
            connected
        });
        task.await.unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Client, "the runtime shuts down"))))
    }

    /// Unless another one has taken its place meanwhile.
    fn forget(&self, generation: u64) {
        let held = self.held.load();
        if held.as_ref().is_some_and(|held| held.generation == generation) {
            self.held.compare_and_swap(&held, None);
        }
    }
}

fn connect(own: Arc<Own>) -> impl Future<Output = RedisResult<Arc<Held>>> + Send + 'static {
    let generation = own.generations.fetch_add(1, Relaxed);
    let weak = Arc::downgrade(&own);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        // A late answer may still matter to somebody; the budget of a request is kept elsewhere.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(1_024)
        .set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection
                && let Some(own) = Weak::upgrade(&weak)
            {
                own.forget(generation);
            }
            Ok::<(), redis::aio::SendError>(())
        });
    async move {
        let connection = own.client.get_multiplexed_async_connection_with_config(&config).await?;
        let held = Arc::new(Held { generation, connection });
        own.held.store(Some(Arc::clone(&held)));
        Ok(held)
    }
}

/// Whether nothing good will come over the connection any more. One that says "read only" leads to a
/// server that was replaced by another.
fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// rustls panics at the first connection if it is to choose between two providers, or finds none.
#[cfg(feature = "redis-tls")]
pub(super) fn choose_cryptography(server: &redis::ConnectionInfo) {
    use redis::ConnectionAddr::TcpTls;

    if matches!(server.addr(), TcpTls { .. }) && rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if somebody else was quicker.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    }
}

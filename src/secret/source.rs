use std::{env, fmt, fs, io, path::PathBuf, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use super::{Secret, SecretSet};
use crate::{
    store::{BoxFuture, SharedError},
    time::{Clock, Timestamp},
};

/// Until a load is given up: a manager that never answers must not end the refreshing.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// A secret file larger than this is a mistake (or `/dev/zero`).
const MAX_FILE: u64 = 64 * 1024;

/// What a [`SecretSource`] returned.
#[derive(Clone, Debug)]
pub struct LoadedSecrets {
    /// The secret in force.
    pub current: Secret,
    /// Older ones that are still to be accepted, each before its time; empty if the source does
    /// not keep versions.
    pub previous: Vec<(Secret, Timestamp)>,
}

impl From<Secret> for LoadedSecrets {
    fn from(current: Secret) -> Self {
        Self { current, previous: Vec::new() }
    }
}

/// A secret could not be loaded. Says where it was looked for, never what was found.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is nothing at that place.
    #[error("no secret at {0}")]
    Missing(String),
    /// There is something, but it cannot be a secret.
    #[error("the secret at {place} is unusable: {reason}")]
    Unusable {
        /// Where it was looked for.
        place: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The place could not be read.
    #[error("the secret at {place} cannot be read")]
    Unavailable {
        /// Where it was looked for.
        place: String,
        /// Why.
        #[source]
        source: SharedError,
    },
}

/// Where secrets come from: the environment, a file, or a secrets manager of your own.
///
/// # A source of your own
/// ```
/// use portcullis::{
///     secret::{LoadedSecrets, Secret, SecretError, SecretSet, SecretSource},
///     store::BoxFuture,
/// };
///
/// #[derive(Debug)]
/// struct Vault { path: &'static str }
///
/// impl SecretSource for Vault {
///     fn load(&self) -> BoxFuture<'_, Result<LoadedSecrets, SecretError>> {
///         Box::pin(async move {
///             // … ask the manager over the network …
///             Ok(Secret::new(format!("secret of {}", self.path)).into())
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SecretError> {
/// let set = SecretSet::load(&Vault { path: "stripe" }).await?;
/// assert_eq!(set.current().expose(), b"secret of stripe");
/// # Ok(()) }
/// ```
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// Loads the secret that is in force now.
    ///
    /// # Errors
    /// [`SecretError`], which must not contain any part of a secret.
    fn load(&self) -> BoxFuture<'_, Result<LoadedSecrets, SecretError>>;
}

impl SecretSet {
    /// A set with what `source` holds now.
    ///
    /// # Errors
    /// Whatever the source says.
    pub async fn load(source: &dyn SecretSource) -> Result<Self, SecretError> {
        source.load().await.map(Self::from)
    }

    /// Loads again every `interval`; a secret that was replaced stays valid for `overlap`.
    ///
    /// A load that fails, or takes longer than 30 s, leaves the set as it is, writes one `tracing`
    /// warning, and is tried again after `interval`. Spawns a task on the current tokio runtime, which ends with
    /// [`SecretRefresh::shutdown`] or when the returned value is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use = "the refreshing stops when this is dropped"]
    pub fn refresh_every(
        &self,
        source: Arc<dyn SecretSource>,
        interval: Duration,
        overlap: Duration,
        clock: Arc<dyn Clock>,
    ) -> SecretRefresh {
        self.refresh_within(LOAD_LIMIT, source, interval, overlap, clock)
    }

    fn refresh_within(
        &self,
        limit: Duration,
        source: Arc<dyn SecretSource>,
        interval: Duration,
        overlap: Duration,
        clock: Arc<dyn Clock>,
    ) -> SecretRefresh {
        let set = self.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval.max(Duration::from_millis(10))).await;
                match tokio::time::timeout(limit, source.load()).await {
                    Ok(Ok(loaded)) => set.replace(loaded, clock.now().wall.saturating_add(overlap)),
                    Ok(Err(error)) => tracing::warn!(target: "portcullis", %error, ?source, "secret not refreshed"),
                    Err(error) => tracing::warn!(target: "portcullis", %error, ?source, "secret not refreshed"),
                }
            }
        });
        SecretRefresh { task }
    }
}

/// Keeps a [`SecretSet`] fresh for as long as it lives.
#[derive(Debug)]
pub struct SecretRefresh {
    task: JoinHandle<()>,
}

impl SecretRefresh {
    /// Stops the refreshing and waits until it has stopped.
    pub async fn shutdown(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for SecretRefresh {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A secret in an environment variable.
#[derive(Clone, Debug)]
pub struct EnvSecret {
    name: String,
}

impl EnvSecret {
    /// The variable's name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl SecretSource for EnvSecret {
    fn load(&self) -> BoxFuture<'_, Result<LoadedSecrets, SecretError>> {
        let place = format!("environment variable {}", self.name);
        let loaded = match env::var_os(&self.name) {
            None => Err(SecretError::Missing(place)),
            Some(value) => usable(place, value.into_encoded_bytes()),
        };
        Box::pin(async move { loaded })
    }
}

/// A secret in a file, such as a mounted Kubernetes secret. One line ending at the end of the file
/// (`\n` or `\r\n`) is not part of the secret; at most 64 KiB.
#[derive(Clone, Debug)]
pub struct FileSecret {
    path: PathBuf,
}

impl FileSecret {
    /// The file's path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl SecretSource for FileSecret {
    fn load(&self) -> BoxFuture<'_, Result<LoadedSecrets, SecretError>> {
        Box::pin(async move {
            let path = self.path.clone();
            let place = format!("file {}", path.display());
            let failed = |source: io::Error| match source.kind() {
                io::ErrorKind::NotFound => SecretError::Missing(place.clone()),
                _ => SecretError::Unavailable { place: place.clone(), source: Arc::new(source) },
            };
            let read = tokio::task::spawn_blocking(move || read_bounded(&path)).await;
            let mut bytes = read.map_err(io::Error::other).and_then(|read| read).map_err(failed)?;
            for ending in [b'\n', b'\r'] {
                if bytes.last() == Some(&ending) {
                    bytes.pop();
                }
            }
            usable(place, bytes)
        })
    }
}

fn read_bounded(path: &std::path::Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn usable(place: String, bytes: Vec<u8>) -> Result<LoadedSecrets, SecretError> {
    if bytes.is_empty() {
        return Err(SecretError::Unusable { place, reason: "it is empty" });
    }
    if bytes.len() as u64 > MAX_FILE {
        return Err(SecretError::Unusable { place, reason: "it is larger than 64 KiB" });
    }
    Ok(Secret::new(bytes).into())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::time::ManualClock;

    #[tokio::test]
    async fn a_file_is_read_without_its_line_ending() {
        let path = env::temp_dir().join(format!("portcullis-secret-{}", std::process::id()));
        fs::write(&path, "s3cret\r\n").unwrap();
        let loaded = FileSecret::new(&path).load().await.unwrap();
        fs::write(&path, "").unwrap();
        let empty = FileSecret::new(&path).load().await;
        fs::remove_file(&path).unwrap();
        assert_eq!(loaded.current.expose(), b"s3cret");
        assert!(matches!(empty, Err(SecretError::Unusable { .. })));
        assert!(matches!(FileSecret::new(&path).load().await, Err(SecretError::Missing(_))));
    }

    #[tokio::test]
    async fn an_endless_file_is_refused() {
        let loaded = FileSecret::new("/dev/zero").load().await;
        assert!(matches!(loaded, Err(SecretError::Unusable { .. })), "{loaded:?}");
    }

    #[tokio::test]
    async fn the_environment_is_read() {
        assert!(EnvSecret::new("PATH").load().await.is_ok());
        let missing = EnvSecret::new("PORTCULLIS_NO_SUCH_VARIABLE").load().await.unwrap_err();
        assert_eq!(missing.to_string(), "no secret at environment variable PORTCULLIS_NO_SUCH_VARIABLE");
    }

    #[derive(Debug)]
    struct Changing(Mutex<Vec<Result<&'static str, ()>>>);

    impl SecretSource for Changing {
        fn load(&self) -> BoxFuture<'_, Result<LoadedSecrets, SecretError>> {
            let next = self.0.lock().unwrap().pop().unwrap_or(Ok("last"));
            Box::pin(
                async move { next.map(|text| Secret::new(text).into()).map_err(|()| SecretError::Missing("x".into())) },
            )
        }
    }

    /// Never answers the first load.
    #[derive(Debug, Default)]
    struct Silent(std::sync::atomic::AtomicU64);

    impl SecretSource for Silent {
        fn load(&self) -> BoxFuture<'_, Result<LoadedSecrets, SecretError>> {
            let first = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            Box::pin(async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(Secret::new("new").into())
            })
        }
    }

    #[tokio::test]
    async fn a_source_that_never_answers_does_not_end_the_refreshing() {
        let set = SecretSet::new("old".into());
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let (limit, interval) = (Duration::from_millis(20), Duration::from_millis(10));
        let source = Arc::new(Silent::default());
        let _refresh = set.refresh_within(limit, Arc::clone(&source) as _, interval, interval, clock);
        let waiting = async {
            while set.current().expose() != b"new" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it waits for the first load for ever");
    }

    #[tokio::test]
    async fn refreshing_feeds_the_set_and_survives_a_failure() {
        let source = Arc::new(Changing(Mutex::new(vec![Ok("b"), Err(()), Ok("a")])));
        let set = SecretSet::load(&*source).await.unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1)));
        let refresh = set.refresh_every(source.clone(), Duration::from_millis(10), Duration::from_secs(5), clock);
        while set.current().expose() != b"last" {
            tokio::task::yield_now().await;
        }
        let valid: Vec<_> =
            set.valid_at(Timestamp::from_secs(5)).iter().map(|secret| secret.expose().to_vec()).collect();
        assert_eq!(valid, [b"last".to_vec(), b"b".to_vec(), b"a".to_vec()]);
        assert_eq!(set.valid_at(Timestamp::from_secs(6)).len(), 1);
        refresh.shutdown().await;
    }
}

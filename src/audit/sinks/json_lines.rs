use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    audit::{AuditBatch, AuditSink},
    config_error::ConfigError,
    store::{BoxFuture, StoreError},
};

/// Records as JSON lines in a file, on the standard output, or in any [`Write`].
///
/// A batch is one `write` on tokio's blocking pool, followed by `flush`; nothing is synced to the
/// disk. After a write that failed midway the next one begins with a line feed, so that a torn line
/// spoils no other.
#[derive(Clone)]
pub struct JsonLines {
    name: &'static str,
    target: Arc<Mutex<Target>>,
}

struct Target {
    writer: Box<dyn Write + Send>,
    /// A file that may be moved away while it is written.
    file: Option<Watched>,
    torn: bool,
}

struct Watched {
    path: PathBuf,
    identity: Option<Identity>,
}

/// Device and inode.
type Identity = (u64, u64);

impl JsonLines {
    /// To the standard output.
    pub fn stdout() -> Self {
        Self::new("stdout", Box::new(io::stdout()), None)
    }

    /// To the standard error output.
    pub fn stderr() -> Self {
        Self::new("stderr", Box::new(io::stderr()), None)
    }

    /// To any writer: a socket, a compressor, a pipe.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::new("writer", Box::new(writer), None)
    }

    /// To the end of a file. It is created if absent, on unix readable and writable by the owner
    /// only (0600); an existing file keeps its mode. If it is moved away or deleted (log rotation),
    /// the next batch goes to a new file of the same name; on other systems than unix, rotate by
    /// copying and truncating.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let file = open(&path).map_err(|error| {
            ConfigError::new("path", format!("the audit file cannot be opened: {error}"), "check directory and rights")
        })?;
        let identity = file.metadata().ok().and_then(|metadata| identity(&metadata));
        Ok(Self::new("file", Box::new(file), Some(Watched { path, identity })))
    }

    fn new(name: &'static str, writer: Box<dyn Write + Send>, file: Option<Watched>) -> Self {
        Self { name, target: Arc::new(Mutex::new(Target { writer, file, torn: false })) }
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonLines").field(&self.name).finish()
    }
}

impl AuditSink for JsonLines {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        let (target, bytes) = (Arc::clone(&self.target), batch.bytes().clone());
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || {
                target.lock().unwrap_or_else(PoisonError::into_inner).write(&bytes)
            });
            written.await.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
        })
    }
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.follow()?;
        let torn = std::mem::replace(&mut self.torn, true);
        if torn {
            self.writer.write_all(b"\n")?;
        }
        self.writer.write_all(bytes)?;
        self.writer.flush()?;
        self.torn = false;
        Ok(())
    }

    /// Opens the file anew if its name stands for another one, or for none.
    fn follow(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let current = std::fs::metadata(&file.path).ok().and_then(|metadata| identity(&metadata));
        if file.identity.is_some() && current != file.identity {
            let opened = open(&file.path)?;
            file.identity = opened.metadata().ok().and_then(|metadata| identity(&metadata));
            self.writer = Box::new(opened);
            self.torn = false;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
fn identity(metadata: &std::fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Option<Identity> {
    None
}

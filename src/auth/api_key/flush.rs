use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle};

use super::ApiKeys;

const EVERY: Duration = Duration::from_secs(60);

/// The task that writes when keys were last used. Dropping the handle ends it.
#[derive(Debug)]
pub struct ApiKeyFlush {
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

impl ApiKeyFlush {
    pub(super) fn spawn(keys: ApiKeys) -> Self {
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let task = tokio::spawn(async move {
            loop {
                let is_last = tokio::time::timeout(EVERY, ended.notified()).await.is_ok();
                if let Err(error) = keys.flush().await {
                    tracing::warn!(target: "portcullis", %error, "the last uses of API keys could not be written");
                }
                if is_last {
                    return;
                }
            }
        });
        Self { end, task }
    }

    /// Writes what is left, and ends the task. Takes as long as the store does: put a
    /// `tokio::time::timeout` around it.
    pub async fn shutdown(mut self) {
        self.end.notify_one();
        let _ = (&mut self.task).await;
    }
}

impl Drop for ApiKeyFlush {
    fn drop(&mut self) {
        self.task.abort();
    }
}

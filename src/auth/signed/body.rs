//! The digests of a body, without holding up other tasks.

use sha2::Digest;

/// How many bytes are hashed before other tasks get their turn: about a tenth of a millisecond.
const CHUNK: usize = 128 * 1024;

pub(super) async fn digest<D: Digest + Send>(body: &[u8]) -> sha2::digest::Output<D> {
    let mut digest = D::new();
    let mut chunks = body.chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        digest.update(chunk);
        if chunks.peek().is_some() {
            tokio::task::yield_now().await;
        }
    }
    digest.finalize()
}

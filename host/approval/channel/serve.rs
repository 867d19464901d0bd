//! Serves a channel's router over HTTP/1, to callers that may be strangers.
//!
//! Encryption is a reverse proxy's task, which stands before it where it is reached from outside.

use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::clock::Duration;

/// Connections at a time. Danger: a stranger who opens them until no file can be opened any more.
const CONNECTIONS_MAX: usize = 128;
/// Until the headers are there. Danger: a caller who sends a byte a minute, on every connection.
const HEADERS_MS_MAX: u64 = 5_000;
/// A whole connection; it carries one request.
const CONNECTION_MS_MAX: u64 = 60_000;
/// What is read of a request's headers.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// After a failure to accept: the system has no file left, and asking again at once does not help.
const ACCEPT_AGAIN_MS: u64 = 200;

/// Serve until the future is dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_millis(HEADERS_MS_MAX))
                .max_buf_size(HEADER_BYTES_MAX)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // What a caller breaks off is their own loss; whether a click counted is in the journal.
            let _ = tokio::time::timeout(Duration::from_millis(CONNECTION_MS_MAX), connection).await;
            drop(permit);
        });
    }
}

//! The server: tools behind the protocol, for any number of clients at once.
//!
//! It owns what all clients share: the list of tools in the protocol's form, and the places for
//! calls. A connection gets a [`Handler`](super::handler::Handler) of its own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rmcp::model::{Implementation, ProtocolVersion, ServerCapabilities, ServerConfig};
use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::Tools;
use super::handler::Handler;
use super::listed::Listed;
use super::message::shown;
use super::wire::Wire;

/// Calls that run side by side, of all clients. More of them wait.
pub(super) const CALLS_AT_ONCE_MAX: usize = 32;

/// Calls that wait for a place. Each holds its arguments.
pub(super) const CALLS_WAITING_MAX: usize = 256;

/// How the server behaves towards its clients.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Tell a model what the tools of this host have in common.
    pub instructions: Option<String>,
    /// Between two signs of life of a running call, so that a client's own timeout does not end one
    /// that waits for a person.
    pub heartbeat_ms: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { instructions: None, heartbeat_ms: 5_000 }
    }
}

/// The tools of this host, for MCP clients.
pub struct McpServer<T>(pub(super) Arc<Shared<T>>);

impl<T> Clone for McpServer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

pub(super) struct Shared<T> {
    pub(super) tools: T,
    pub(super) config: ServerConfig,
    pub(super) calls: Places,
    pub(super) heartbeat: Duration,
    listed: RwLock<Arc<Listed>>,
    generation: AtomicU64,
    changes: watch::Sender<()>,
}

#[derive(Debug, thiserror::Error)]
pub enum McpServerError {
    #[error("the client did not begin as MCP wants it: {0}")]
    Begin(String),
    #[error("a task of the connection has failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl<T: Tools> McpServer<T> {
    pub fn new(tools: T, options: ServerOptions) -> Self {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build();
        let mut config = ServerConfig::new(capabilities);
        config.server_info = Implementation::new("pi-host", env!("CARGO_PKG_VERSION"));
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        config.instructions = options.instructions;
        let listed = RwLock::new(Arc::new(Listed::new(tools.list(), 0)));
        Self(Arc::new(Shared {
            tools,
            config,
            calls: Places::default(),
            heartbeat: Duration::from_millis(options.heartbeat_ms.max(1)),
            listed,
            generation: AtomicU64::new(0),
            changes: watch::Sender::new(()),
        }))
    }

    pub fn tools(&self) -> &T {
        &self.0.tools
    }

    /// The tools are other ones: lists them again, and tells every client that listens.
    pub fn tools_changed(&self) {
        let generation = self.0.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let listed = Arc::new(Listed::new(self.0.tools.list(), generation));
        *self.0.listed.write().unwrap_or_else(PoisonError::into_inner) = listed;
        self.0.changes.send_replace(());
    }

    /// Serve one client over two streams, until it closes its end or `stop` is cancelled. Its calls
    /// have ended then.
    ///
    /// # Errors
    /// The connection never began, or a task of it has failed.
    pub async fn serve<R, W>(&self, read: R, write: W, stop: CancellationToken) -> Result<(), McpServerError>
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        // A client that leaves ends its own calls, and not those of others.
        let stop = stop.child_token();
        let wire = Wire::new(read, write, stop.clone());
        match serve_server_with_ct(Handler::new(self.0.clone(), None), wire, stop).await {
            Ok(running) => running.waiting().await.map(|_| ()).map_err(McpServerError::from),
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
            Err(error) => Err(McpServerError::Begin(shown(&error.to_string()))),
        }
    }
}

impl<T> Shared<T> {
    pub(super) fn listed(&self) -> Arc<Listed> {
        self.listed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// The places for calls, and the queue before them.
pub(super) struct Places {
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Places {
    fn default() -> Self {
        Self { places: Semaphore::new(CALLS_AT_ONCE_MAX), waiting: AtomicUsize::new(0) }
    }
}

/// One that waits; gone, whether it got its place or was dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// A place, or none where the queue is full.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= CALLS_WAITING_MAX {
            return None;
        }
        let place = self.places.acquire().await.ok();
        drop(waiting);
        place
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn calls_run_up_to_a_number_wait_up_to_another_and_are_turned_away_then() {
        let places = Places::default();
        let mut running = Vec::new();
        for _ in 0..CALLS_AT_ONCE_MAX {
            running.push(places.enter().now_or_never().flatten().unwrap());
        }
        let mut waiting: Vec<_> = (0..CALLS_WAITING_MAX).map(|_| Box::pin(places.enter())).collect();
        for call in &mut waiting {
            assert!(call.as_mut().now_or_never().is_none());
        }
        assert!(places.enter().now_or_never().unwrap().is_none());
        waiting.pop();
        assert!(places.enter().now_or_never().is_none());
        running.pop();
        assert!(waiting.remove(0).now_or_never().flatten().is_some());
    }
}

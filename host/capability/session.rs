//! `pi:agent/session`: an agent's time. The session serves it from its journal.

use async_trait::async_trait;

use super::bindings::pi::agent::session::Host;
use super::state::CallState;

/// The session was asked to stop: the instance ends here, and is taken up again from the journal.
#[derive(Debug, thiserror::Error)]
#[error("the session was stopped")]
pub struct Stopped;

/// The session waits for people: the instance ends here, and is taken up again from the journal.
#[derive(Debug, thiserror::Error)]
#[error("the session waits for the approval {approval}")]
pub struct LaidAside {
    pub approval: String,
}

/// What the session lends to an agent's instance.
#[async_trait]
pub trait SessionState: Send + Sync {
    /// Milliseconds since 1970 at the last journal entry that the agent has seen.
    fn now(&self) -> u64;
    /// Wait, unless the journal says that the wait is over.
    ///
    /// # Errors
    /// The session shall stop.
    async fn sleep(&self, ms: u32) -> wasmtime::Result<()>;
}

impl Host for CallState {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.session.as_ref().map_or(0, |session| session.now()))
    }

    async fn sleep(&mut self, ms: u32) -> wasmtime::Result<()> {
        match self.session.clone() {
            Some(session) => session.sleep(ms).await,
            None => Ok(()),
        }
    }
}

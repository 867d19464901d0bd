//! `pi:agent/session`: an agent's time. The session serves it from its journal.

use async_trait::async_trait;

use super::bindings::pi::agent::session::Host;
use super::state::CallState;

/// What the session lends to an agent's instance.
#[async_trait]
pub trait SessionState: Send + Sync {
    /// Milliseconds since 1970 at the last journal entry that the agent has seen.
    fn now(&self) -> u64;
    /// Wait, unless the journal says that the wait is over.
    async fn sleep(&self, ms: u32);
}

impl Host for CallState {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.session.as_ref().map_or(0, |session| session.now()))
    }

    async fn sleep(&mut self, ms: u32) -> wasmtime::Result<()> {
        if let Some(session) = &self.session {
            session.sleep(ms).await;
        }
        Ok(())
    }
}

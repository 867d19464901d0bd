//! `pi:agent/session` and `pi:agent/conversation`: an agent's time, and what people say to it. The session
//! serves both from its journal.

use async_trait::async_trait;

use super::bindings::pi::agent::{conversation, session};
use super::model::ModelState;
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

/// Nobody has said anything for a while: the instance ends here, and is taken up again when somebody does.
#[derive(Debug, thiserror::Error)]
#[error("the session waits for what is said next")]
pub struct Listening;

/// What the session lends to an agent's instance.
#[async_trait]
pub trait SessionState: ModelState {
    /// Milliseconds since 1970 at the last journal entry that the agent has seen.
    fn now(&self) -> u64;
    /// Wait, unless the journal says that the wait is over.
    ///
    /// # Errors
    /// The session shall stop.
    async fn sleep(&self, ms: u32) -> wasmtime::Result<()>;
    /// What has been said since the last look.
    ///
    /// # Errors
    /// The session does not repeat itself.
    fn heard(&self) -> wasmtime::Result<Vec<String>>;
    /// Wait for what is said next. None: nothing more will come.
    ///
    /// # Errors
    /// The session shall stop, or is laid aside until somebody speaks.
    async fn next(&self) -> wasmtime::Result<Option<String>>;
}

impl session::Host for CallState {
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

impl conversation::Host for CallState {
    async fn heard(&mut self) -> wasmtime::Result<Vec<String>> {
        self.session.as_ref().map_or_else(|| Ok(Vec::new()), |session| session.heard())
    }

    async fn next(&mut self) -> wasmtime::Result<Option<String>> {
        match self.session.clone() {
            Some(session) => session.next().await,
            None => Ok(None),
        }
    }
}

//! `pi:model`: asking a language model. The session serves it; this file only lends its hand.

use async_trait::async_trait;

use super::bindings::pi::model::model::{Answer, Error, Host, Info, Request};
use super::state::CallState;

/// What the session lends to an agent that was granted models.
#[async_trait]
pub trait ModelState: Send + Sync {
    /// The models within the grant.
    fn available(&self) -> Vec<Info>;
    /// Ask one of them, unless the journal has its answer.
    ///
    /// # Errors
    /// The session shall stop, or asks for something else than it did the first time.
    async fn complete(&self, model: String, request: Request) -> wasmtime::Result<Result<Answer, Error>>;
}

impl Host for CallState {
    async fn available(&mut self) -> wasmtime::Result<Vec<Info>> {
        Ok(self.model.as_ref().map(|model| model.available()).unwrap_or_default())
    }

    async fn complete(&mut self, model: String, request: Request) -> wasmtime::Result<Result<Answer, Error>> {
        match self.model.clone() {
            Some(state) => state.complete(model, request).await,
            None => Ok(Err(Error::NotGranted("no model is granted".into()))),
        }
    }
}

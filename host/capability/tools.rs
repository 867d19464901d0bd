//! `pi:tools`: calling tools. The session serves it; this file only translates.

use async_trait::async_trait;

use super::bindings::pi::tool::types::{Content, Definition, Error};
use super::bindings::pi::tools::tools::{Host, Request};
use super::state::CallState;

/// Most calls in one request.
const REQUESTS_MAX: usize = 32;

/// What the session lends to an instance that was granted tools.
#[async_trait]
pub trait ToolsState: Send + Sync {
    /// The tools within the grant.
    fn available(&self) -> Vec<Definition>;
    /// Call them side by side; answers in the order of the requests.
    async fn call(&self, requests: Vec<Request>) -> wasmtime::Result<Vec<Result<Vec<Content>, Error>>>;
}

impl Host for CallState {
    async fn available(&mut self) -> wasmtime::Result<Vec<Definition>> {
        Ok(self.tools.as_ref().map(|tools| tools.available()).unwrap_or_default())
    }

    async fn call(&mut self, requests: Vec<Request>) -> wasmtime::Result<Vec<Result<Vec<Content>, Error>>> {
        // One request holds an instance each: a guest must not be able to take the whole pool.
        if requests.len() > REQUESTS_MAX {
            let text =
                format!("{} calls at once, more than the {REQUESTS_MAX} that one request may have", requests.len());
            return Ok(requests.iter().map(|_| Err(Error::Limit(text.clone()))).collect());
        }
        match self.tools.clone() {
            Some(tools) => tools.call(requests).await,
            None => Ok(requests.iter().map(|_| Err(Error::NotFound("no tools are granted".into()))).collect()),
        }
    }
}

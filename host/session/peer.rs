//! A server of others, as the provider of tools: what a session asks of it.
//!
//! A component's acts come through the door one by one. What a server does is not seen, so that the call
//! itself is the act: its intent is stored before the server hears of it, and its outcome after. Which
//! process or URL stands behind it, and when it is started again, is decided by who implements this.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::message::CallResult;
use crate::capability::bindings::pi::tool::types::Error;
use crate::capability::door::Door;
use crate::plugin::Tool;

/// A server of others.
#[async_trait]
pub trait Peer: Send + Sync {
    /// What policies and the journal call it: `mcp:NAME`.
    fn plugin(&self) -> &str;

    /// Be able to take a call of this tool. Starting what has to be started is an act that comes through the door.
    ///
    /// # Errors
    /// Why it cannot; nothing of the call has begun.
    async fn ready(&self, door: &Door, tool: &Tool) -> Result<(), Error>;

    /// Call the tool.
    async fn call(&self, tool: &Tool, arguments: Map<String, Value>) -> CallResult;
}

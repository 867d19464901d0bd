//! The Model Context Protocol, both ways.
//!
//! *Server*: the tools of this host, offered to any MCP client over stdio (`serve_stdio`) and over
//! streamable HTTP (`serve_http`). It knows tools only as [`Tools`]: what a call may do, who is
//! asked and what is written down is decided behind that trait, the same for every client.
//!
//! *Client*: a server that `pi.toml` names, as tools ([`McpPeer`]). It is given its two pipes or a
//! URL; which process stands behind them, and when it is started again, is decided elsewhere.
//!
//! The far side is hostile in both directions: whatever it can fill has a limit with a name, here
//! or beside its use, and its text is escaped before a person sees it.

mod answer;
mod client;
mod handler;
mod http;
mod lines;
mod listed;
mod message;
mod progress;
mod server;
mod stdio;
mod wire;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::gate::Severity;

pub use client::{McpPeer, McpPeerError, PeerLimits, PeerTool};
pub use http::{HttpOptions, McpHttpError, serve_http};
pub use progress::Progress;
pub use server::{McpServer, McpServerError, ServerOptions};
pub use stdio::serve_stdio;

/// One message of a client, and one line of a server: 4 MiB. A peer that never ends its line would
/// otherwise fill the memory.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// What the server offers and calls.
#[async_trait]
pub trait Tools: Send + Sync + 'static {
    /// All tools, in the order in which they are to be listed. Asked once, and again when
    /// [`McpServer::tools_changed`] is told.
    fn list(&self) -> Vec<Offered>;

    /// Call one of them. Dropping the future ends the call: that is what a client's cancellation does.
    async fn call(&self, request: CallRequest) -> Result<Vec<Given>, CallFailure>;
}

/// A tool, as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    pub name: String,
    /// For people. None: the name.
    pub title: Option<String>,
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub input_schema: Value,
    /// The worst that a call can do.
    pub effect: Severity,
    /// Whether a second call with the same arguments changes nothing more.
    pub idempotent: bool,
    /// Whether it reaches beyond this machine's own state: the network, say.
    pub open_world: bool,
}

/// One call of a client.
pub struct CallRequest {
    pub name: String,
    pub arguments: Map<String, Value>,
    /// The client by its own account, escaped and shortened: to be written down, never to be trusted.
    pub client: std::sync::Arc<str>,
    /// The way to tell the client why it waits.
    pub progress: Progress,
}

/// One part of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    Text(String),
    /// A JSON document.
    Json(String),
    Blob {
        mime: String,
        bytes: Vec<u8>,
    },
}

/// Why a call gave no result. Each is told to the model, in words and as data.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallFailure {
    /// The gatekeeper refused the call, or an act inside it.
    #[error("refused: {}", .0.reason)]
    Refused(Box<Refused>),
    /// The arguments make no sense to the tool.
    #[error("{0}")]
    InvalidArguments(String),
    /// No tool of this name is within the caller's grant.
    #[error("{0}")]
    NotFound(String),
    /// It was begun, and it is not known whether it took effect.
    #[error("{0}")]
    Unknown(String),
    /// A limit was reached; the text names it.
    #[error("{0}")]
    Limit(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

/// A refusal, as data: enough for a model to find another way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// The act that was refused.
    pub action: String,
    pub rule: String,
    pub reason: String,
    /// 0 to 100.
    pub risk: u8,
    /// What would be allowed instead.
    pub advice: String,
}

impl CallFailure {
    /// The word for it in a structured answer.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::InvalidArguments(_) => "invalid_arguments",
            Self::NotFound(_) => "not_found",
            Self::Unknown(_) => "unknown",
            Self::Limit(_) => "limit",
            Self::Failed(_) => "failed",
        }
    }
}

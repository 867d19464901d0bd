//! A server of others as tools: connect, list, call. Everything that it sends is bounded and checked.
//!
//! It is given the server's two streams, or a URL. When the server fails, [`McpPeer::is_alive`] says
//! so and each call fails at once; whether and when it is started again is decided elsewhere.
//! A server may ask nothing back: no sampling, no elicitation, no roots.

mod http;
mod offered;
mod result;
mod silent;
mod wire;

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorCode, PaginatedRequestParams, Tool};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError, serve_client};
use rmcp::transport::IntoTransport;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};

pub use crate::config::PeerLimits;
pub use offered::PeerTool;

use self::silent::Silent;
use self::wire::{State, Wire};
use super::message::shown;
use super::{CallFailure, Given};

/// Pages of its list of tools. An endless list would be read for ever otherwise.
const PAGES_MAX: usize = 64;

/// Of a server's own words in an error, in characters.
const SAID_CHARS_MAX: usize = 2_000;

/// A connected server.
pub struct McpPeer {
    name: String,
    running: RunningService<RoleClient, Silent>,
    state: Arc<State>,
    limits: PeerLimits,
    tools: Vec<PeerTool>,
    left_out: Vec<(String, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum McpPeerError {
    #[error(
        "`{name}` did not answer within {ms} ms\nhint: raise [mcp.{name}.limits] begin_ms_max, or run its command by hand"
    )]
    Slow { name: String, ms: u64 },
    #[error("`{name}` is no MCP server that can be used: {what}")]
    Protocol { name: String, what: String },
    #[error("`{name}` offers more than {max} tools\nhint: raise [mcp.{name}.limits] tools_max")]
    Many { name: String, max: usize },
    #[error("`{name}` cannot be reached: {what}")]
    Reach { name: String, what: String },
}

impl McpPeer {
    /// Connect to a server over its standard output and input, and list its tools.
    ///
    /// # Errors
    /// It is no MCP server, is too slow, or offers too much.
    pub async fn connect<R, W>(name: &str, read: R, write: W, limits: PeerLimits) -> Result<Self, McpPeerError>
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let state = Arc::new(State::default());
        let wire = Wire::new(read, write, limits.message_bytes_max, state.clone());
        Self::over(name, wire, state, limits).await
    }

    /// Connect to a server at a URL, with headers (name, value) that each request carries, and list
    /// its tools. A redirection is an error: the headers are meant for this server alone.
    ///
    /// # Errors
    /// It cannot be reached, is no MCP server, is too slow, or offers too much.
    pub async fn connect_http(
        name: &str,
        url: &str,
        headers: &[(String, String)],
        limits: PeerLimits,
    ) -> Result<Self, McpPeerError> {
        let reach = |what| McpPeerError::Reach { name: name.to_owned(), what };
        let transport = http::transport(url, headers, &limits).map_err(reach)?;
        Self::over(name, transport, Arc::default(), limits).await
    }

    async fn over<T, E, A>(
        name: &str,
        transport: T,
        state: Arc<State>,
        limits: PeerLimits,
    ) -> Result<Self, McpPeerError>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let begun = async {
            let running = serve_client(Silent::new(state.clone()), transport)
                .await
                .map_err(|error| unusable(name, &state, &error))?;
            let tools = list(name, &running, &state, &limits).await?;
            Ok((running, tools))
        };
        let slow = || McpPeerError::Slow { name: name.to_owned(), ms: limits.begin_ms_max };
        let (running, tools) =
            tokio::time::timeout(Duration::from_millis(limits.begin_ms_max), begun).await.map_err(|_| slow())??;
        let (tools, left_out) = offered::offered(name, tools, &limits);
        Ok(Self { name: name.to_owned(), running, state, limits, tools, left_out })
    }

    /// Its tools, by names that are unique among all servers.
    #[must_use]
    pub fn tools(&self) -> &[PeerTool] {
        &self.tools
    }

    /// Its tools that cannot be offered, each with the reason. Both are safe to show.
    #[must_use]
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// Whether the connection stands.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.running.peer().is_transport_closed()
    }

    /// Why the connection ended, if the server was to blame.
    #[must_use]
    pub fn blamed(&self) -> Option<&'static str> {
        self.state.blamed.get().copied()
    }

    /// Whether the server has said since the last listing that its tools are other ones.
    #[must_use]
    pub fn has_other_tools(&self) -> bool {
        self.state.has_other_tools.load(Ordering::Relaxed)
    }

    /// List its tools again.
    ///
    /// # Errors
    /// As in [`Self::connect`]; the tools stay as they were.
    pub async fn list_again(&mut self) -> Result<(), McpPeerError> {
        self.state.has_other_tools.store(false, Ordering::Relaxed);
        let slow = || McpPeerError::Slow { name: self.name.clone(), ms: self.limits.begin_ms_max };
        let listing = list(&self.name, &self.running, &self.state, &self.limits);
        let tools = tokio::time::timeout(Duration::from_millis(self.limits.begin_ms_max), listing)
            .await
            .map_err(|_| slow())??;
        (self.tools, self.left_out) = offered::offered(&self.name, tools, &self.limits);
        Ok(())
    }

    /// Call a tool by its unique name. Dropping the future, and the deadline, tell the server that
    /// the call is over.
    ///
    /// # Errors
    /// What the tool, the server or the connection failed with.
    pub async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        deadline: Duration,
    ) -> Result<Vec<Given>, CallFailure> {
        let Some(tool) = self.tools.iter().find(|tool| tool.name == name) else {
            return Err(CallFailure::NotFound(format!("`{}` has no tool `{}`", self.name, shown(name))));
        };
        if !self.is_alive() {
            return Err(CallFailure::Failed(format!("`{}` has ended{}", self.name, self.reason())));
        }
        let mut params = CallToolRequestParams::new(Cow::Owned(tool.remote.clone()));
        params.arguments = Some(arguments);
        match tokio::time::timeout(deadline, self.running.peer().call_tool_once(params)).await {
            Ok(Ok(CallToolResponse::Complete(result))) => result::given(result, self.limits.result_bytes_max),
            Ok(Ok(_)) => Err(CallFailure::Failed(format!(
                "`{}` wants something back before it goes on, and is given nothing",
                self.name
            ))),
            Ok(Err(error)) => Err(self.failure(error)),
            Err(_) => Err(CallFailure::Limit(format!(
                "`{}` did not answer within {} ms; it was told to stop, and the call may have taken effect",
                self.name,
                deadline.as_millis()
            ))),
        }
    }

    /// End the connection. What runs fails.
    pub async fn close(mut self) {
        let _ = self.running.close_with_timeout(Duration::from_secs(3)).await;
    }

    fn reason(&self) -> String {
        self.blamed().map_or_else(String::new, |reason| format!(": {reason}"))
    }

    fn failure(&self, error: ServiceError) -> CallFailure {
        match error {
            ServiceError::McpError(error) => {
                let said = said(&error.message);
                match error.code {
                    ErrorCode::INVALID_PARAMS => CallFailure::InvalidArguments(said),
                    ErrorCode::METHOD_NOT_FOUND => CallFailure::NotFound(said),
                    _ => CallFailure::Failed(said),
                }
            }
            ServiceError::TransportClosed | ServiceError::TransportSend(_) => CallFailure::Unknown(format!(
                "the connection to `{}` broke off during the call, which may have taken effect{}",
                self.name,
                self.reason()
            )),
            error => CallFailure::Failed(format!("`{}`: {}", self.name, said(&error.to_string()))),
        }
    }
}

/// All its tools, as it says them.
async fn list(
    name: &str,
    running: &RunningService<RoleClient, Silent>,
    state: &State,
    limits: &PeerLimits,
) -> Result<Vec<Tool>, McpPeerError> {
    let many = || McpPeerError::Many { name: name.to_owned(), max: limits.tools_max };
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let params = cursor.take().map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
        let page = running.peer().list_tools(params).await.map_err(|error| unusable(name, state, &error))?;
        tools.extend(page.tools);
        if tools.len() > limits.tools_max {
            return Err(many());
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
    Err(many())
}

fn unusable(name: &str, state: &State, error: &(dyn Error + 'static)) -> McpPeerError {
    let what = state.blamed.get().map_or_else(|| cause(error), |reason| (*reason).to_owned());
    McpPeerError::Protocol { name: name.to_owned(), what }
}

/// What it was in the end; what stands around it names types of the protocol crate.
fn cause(error: &(dyn Error + 'static)) -> String {
    let transport = match error.downcast_ref() {
        Some(ClientInitializeError::TransportError { error, .. }) => Some(error),
        _ => match error.downcast_ref() {
            Some(ServiceError::TransportSend(error)) => Some(error),
            _ => None,
        },
    };
    let mut innermost = transport.map_or(error, |error| error.error.as_ref());
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    said(&innermost.to_string())
}

/// A server's own words, safe to show and short.
fn said(text: &str) -> String {
    crate::gate::explain::escaped(&text.chars().take(SAID_CHARS_MAX).collect::<String>())
}

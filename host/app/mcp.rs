//! The installed tools for clients of the Model Context Protocol: each call is judged, journalled and
//! run as one of an agent.
//!
//! The client is the agent `mcp`: `[grants.mcp.tools]` says which tools it is shown; without that table
//! it is shown all, since whoever configures a client here may call them all on the command line too.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::setup::Progress;
use super::single::SingleError;
use super::station::{Beside, Station, StationOptions, Wanted};
use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::config::{Project, covers};
use crate::gate::Severity;
use crate::mcp::{CallFailure, CallRequest, Given, Offered, Refused, Tools};
use crate::session::Toolbox;

/// The agent's name in grants, policies and the journal.
pub const MCP_AGENT: &str = "mcp";
/// Instances at once.
const INSTANCES: u32 = 64;

/// What an MCP server offers.
pub struct McpTools {
    station: Station,
    /// Names of the tools that a client is shown; a `*` at the end stands for anything.
    granted: Vec<String>,
    offered: RwLock<Vec<Offered>>,
}

impl McpTools {
    /// Link all tools of a project.
    ///
    /// # Errors
    /// The project cannot be set up, or a host runs already.
    pub async fn open(project: Project, progress: Progress<'_>) -> Result<Arc<Self>, SingleError> {
        let options = StationOptions {
            name: "mcp",
            agent: MCP_AGENT.into(),
            kind: "mcp",
            task: json!({ "protocol": "mcp" }),
            plugins: Wanted::All,
            may_ask: false,
            instances: INSTANCES,
            beside: Beside::Ask,
        };
        Self::open_with(project, options, progress).await
    }

    /// Link the tools that `options` name.
    ///
    /// # Errors
    /// The project cannot be set up.
    pub async fn open_with(
        project: Project,
        options: StationOptions,
        progress: Progress<'_>,
    ) -> Result<Arc<Self>, SingleError> {
        let granted = match project.config.grants.get(MCP_AGENT).and_then(|grant| grant.tools.clone()) {
            Some(tools) => tools.names,
            None => vec!["*".to_owned()],
        };
        // What is offered is known by the manifests, also where another process makes the calls.
        let catalog = super::Catalog::of(&project).map_err(super::SetupError::from)?;
        let mut offered = Vec::new();
        let is_wanted = |plugin: &str| match &options.plugins {
            Wanted::Named(names) => names.contains(plugin),
            Wanted::All | Wanted::OfTool(_) => true,
            Wanted::Servers => false,
        };
        for plugin in catalog.names().filter(|plugin| is_wanted(plugin)) {
            let binary = catalog.binary(plugin).map_err(super::SetupError::from)?;
            let is_open =
                binary.manifest.needs.iter().any(|need| matches!(need.capability.as_str(), "http" | "process"));
            offered.extend(binary.manifest.tools.iter().map(|tool| of_tool(tool, is_open)));
        }
        let has_servers = matches!(options.plugins, Wanted::All) && !project.config.mcp.is_empty();
        let station = Station::open(project, options, progress).await?;
        if let Some(kernel) = station.kernel() {
            offered.retain(|tool: &Offered| kernel.toolbox.get(&tool.name).is_some());
        }
        if has_servers {
            let peers = station.peer_tools().await?;
            if station.is_by_host() {
                peers.left_out.iter().for_each(|(what, why)| progress(&format!("left out: {what}: {why}")));
            }
            offered.extend(peers.tools.iter().map(|peer| of_tool(&peer.tool, true)));
        }
        let tools = Self { station, granted, offered: RwLock::new(Vec::new()) };
        tools.offer(offered);
        Ok(Arc::new(tools))
    }

    /// The station behind the tools.
    #[must_use]
    pub fn station(&self) -> &Station {
        &self.station
    }

    /// Offer other tools from now on.
    pub fn replace(&self, toolbox: Toolbox) {
        let offered = toolbox.iter().map(|entry| of_tool(&entry.tool, true)).collect();
        self.station.replace(toolbox);
        self.offer(offered);
    }

    fn offer(&self, mut offered: Vec<Offered>) {
        offered.retain(|tool| self.is_granted(&tool.name));
        offered.sort_by(|one, other| one.name.cmp(&other.name));
        *self.offered.write().unwrap_or_else(PoisonError::into_inner) = offered;
    }

    fn is_granted(&self, name: &str) -> bool {
        self.granted.iter().any(|granted| covers(granted, name))
    }

    /// End the session and give the store back. A call that is still under way has a moment to end, and is
    /// then cut off.
    ///
    /// # Errors
    /// The journal cannot be written to its end.
    pub async fn close(&self) -> Result<(), SingleError> {
        self.station.close("done", "the client has gone").await
    }
}

fn of_tool(tool: &crate::plugin::Tool, is_open: bool) -> Offered {
    Offered {
        name: tool.name.clone(),
        title: None,
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
        effect: tool.effect,
        idempotent: tool.idempotent || tool.effect == Severity::Read,
        open_world: is_open,
    }
}

#[async_trait]
impl Tools for Arc<McpTools> {
    fn list(&self) -> Vec<Offered> {
        self.offered.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call(&self, request: CallRequest) -> Result<Vec<Given>, CallFailure> {
        let CallRequest { name, arguments, client: _, progress } = request;
        if !self.is_granted(&name) {
            let text = format!("there is no tool `{}` for this client", crate::gate::explain::escaped(&name));
            return Err(CallFailure::NotFound(text));
        }
        let arguments = Value::Object(arguments).to_string();
        let called = self.station.call_telling(&name, &arguments, &|text| progress.note(text)).await;
        match called {
            Ok(Ok(contents)) => Ok(contents.into_iter().map(given).collect()),
            Ok(Err(error)) => Err(failure(error)),
            Err(SingleError::Unknown) => Err(CallFailure::Unknown(SingleError::Unknown.to_string())),
            Err(error) => Err(CallFailure::Failed(error.to_string())),
        }
    }
}

fn given(content: Content) -> Given {
    match content {
        Content::Text(text) => Given::Text(text),
        Content::Json(text) => Given::Json(text),
        Content::Blob(blob) => Given::Blob { mime: blob.mime, bytes: blob.bytes },
    }
}

fn failure(error: Error) -> CallFailure {
    match error {
        Error::InvalidArguments(text) => CallFailure::InvalidArguments(text),
        Error::NotFound(text) => CallFailure::NotFound(text),
        Error::Unknown(text) => CallFailure::Unknown(text),
        Error::Limit(text) => CallFailure::Limit(text),
        Error::Failed(text) => CallFailure::Failed(text),
        Error::Refused(refusal) => CallFailure::Refused(Box::new(Refused {
            action: refusal.action,
            rule: refusal.rule,
            reason: refusal.reason,
            risk: refusal.risk,
            advice: refusal.advice,
        })),
    }
}

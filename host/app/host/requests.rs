//! What other commands ask of a running host: calls of tools, its servers' tools, decisions, the end.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Host, HostError, REQUESTS_EVERY};
use crate::app::approvals::on_approval_request;
use crate::app::mcp::MCP_AGENT;
use crate::app::peers::{self, Doors, PeerTools};
use crate::app::requests::{PEER_TOOLS, STOP, Stop, TOOL_CALL, ToolCall};
use crate::app::setup::SetupError;
use crate::app::single::{known, session_id};
use crate::capability::bindings::pi::tool::types::Error;
use crate::capability::hold::PERSON;
use crate::gate::Origin;
use crate::gate::explain::escaped;
use crate::journal::{Body, JournalError};
use crate::session::message;
use crate::session::{Caller, Kernel, Toolbox};
use crate::store::Request;

impl Host {
    pub(super) async fn take_requests(self: &Arc<Self>, sessions: &mut JoinSet<()>) -> Result<(), HostError> {
        for request in self.store.take_requests(self.journal.lease()).await? {
            let host = self.clone();
            sessions.spawn(async move {
                let response = host.on_request(&request).await;
                // Who asked sees `unknown` if this cannot be written.
                let _ = host.store.answer(host.journal.lease(), &request.id, response).await;
            });
        }
        Ok(())
    }

    async fn on_request(self: &Arc<Self>, request: &Request) -> Value {
        let failed = |error: String| json!({ "error": error });
        let approvals = self.approvals.as_ref();
        if let Some(answer) = on_approval_request(approvals, &request.kind, &request.payload).await {
            return answer;
        }
        match request.kind.as_str() {
            PEER_TOOLS => match self.peer_tools().await {
                Ok(tools) => serde_json::to_value(tools).unwrap_or_default(),
                Err(error) => json!({ "error": { "message": error.to_string() } }),
            },
            TOOL_CALL => match serde_json::from_value::<ToolCall>(request.payload.clone()) {
                Ok(call) => self.tool_call(&call).await,
                Err(error) => failed(format!("the request cannot be read: {error}")),
            },
            STOP => match serde_json::from_value::<Stop>(request.payload.clone()) {
                Ok(Stop { session: None }) => {
                    let host = self.clone();
                    // Answered first: the store is given back when the host stops.
                    tokio::spawn(async move {
                        tokio::time::sleep(REQUESTS_EVERY).await;
                        host.stop();
                    });
                    json!({ "stopped": true })
                }
                Ok(Stop { session: Some(id) }) => match self.reach(&id) {
                    Some(reach) => {
                        reach.stop.send_replace(true);
                        json!({ "stopped": true, "session": id })
                    }
                    None => failed(format!("no session of this id runs: {id}")),
                },
                Err(error) => failed(format!("the request cannot be read: {error}")),
            },
            other => failed(format!("this host does not know the request `{other}`")),
        }
    }

    /// The kernel, with the plugin of this tool in its toolbox: the agents' own may not need it.
    async fn kernel_with(&self, tool: &str) -> Result<Arc<Kernel>, SetupError> {
        if self.kernel.toolbox.get(tool).is_some() {
            return Ok(self.kernel.clone());
        }
        let Some(plugin) = self.setup.plugin_of_tool(tool)? else {
            if !self.setup.peers.of_tools([tool]).is_empty() {
                return Ok(self.kernel.clone());
            }
            let name = tool.chars().take(64).collect();
            return Err(SetupError::NoSuchTool { name, known: known(&self.setup) });
        };
        let toolbox = self.setup.toolbox(&[plugin].into(), &|_| {}).await?;
        Ok(Arc::new(self.kernel.with(toolbox)))
    }

    /// The kernel, with the tools of the servers that may have this one; or why none of them has it.
    async fn kernel_with_servers(
        &self,
        kernel: Arc<Kernel>,
        tool: &str,
        caller: &Caller,
    ) -> Result<Arc<Kernel>, String> {
        if kernel.toolbox.get(tool).is_some() {
            return Ok(kernel);
        }
        let mut toolbox = kernel.toolbox.clone();
        // Beside the call itself, which is the first of its step.
        let doors = Doors::of(Caller { key: "0.1".into(), ..caller.clone() });
        let servers = self.setup.peers.of_tools([tool]);
        let peers = &self.setup.peers;
        let left_out = peers.offer(&servers, &mut toolbox, |plugin| doors.asking(&kernel, plugin), &|_| {}).await;
        if toolbox.get(tool).is_none() {
            return Err(peers::why(&left_out, &toolbox));
        }
        Ok(Arc::new(kernel.with(toolbox)))
    }

    /// The tools of all servers, those that no agent needs among them.
    async fn peer_tools(&self) -> Result<PeerTools, JournalError> {
        let servers = self.setup.peers.names();
        // Those that run are listed once more, so that one box has all.
        let plain = self.kernel.with(Toolbox::default());
        let (toolbox, left_out) = self.setup.peers.offer_unasked(&servers, &self.journal, &plain, &|_| {}).await?;
        Ok(PeerTools { tools: peers::in_box(&toolbox), left_out })
    }

    async fn tool_call(&self, call: &ToolCall) -> Value {
        let kernel = match self.kernel_with(&call.tool).await {
            Ok(kernel) => kernel,
            Err(error) => {
                let kind = if matches!(error, SetupError::NoSuchTool { .. }) { "not_found" } else { "failed" };
                return json!({ "error": { "kind": kind, "message": error.to_string() } });
            }
        };
        let agent = match call.agent.as_deref() {
            None => PERSON,
            Some(MCP_AGENT) => MCP_AGENT,
            Some(other) => {
                let message = format!("no request can come from `{}`", escaped(other));
                return json!({ "error": { "kind": "failed", "message": message } });
            }
        };
        let id = session_id("call");
        let journal = match self.journal.session(&id).await {
            Ok(journal) => journal,
            Err(error) => return json!({ "error": { "kind": "failed", "message": error.to_string() } }),
        };
        journal.append(Body::SessionStarted {
            agent: agent.into(),
            component: String::new(),
            task: json!({ "tool": call.tool }),
            policy: self.kernel.gate.now().revision().to_owned(),
        });
        let origin = Origin { session: id, agent: agent.into(), plugin: String::new() };
        let caller = Caller { journal: journal.clone(), origin, key: "0.0".into(), aside: None };
        let result = match self.kernel_with_servers(kernel, &call.tool, &caller).await {
            Ok(kernel) => kernel.call(caller, &call.tool, &call.arguments).await.result,
            Err(why) => Err(Error::Failed(format!("there is no tool `{}`: {why}", escaped(&call.tool)))),
        };
        let status = if result.is_ok() { "done" } else { "failed" };
        let summary = format!("one call of `{}`", call.tool);
        journal.append(Body::SessionEnded { status: status.into(), summary, details: json!({}) });
        if let Some(approvals) = &self.approvals {
            // What cannot be written now is withdrawn by the next host.
            let _ = approvals.forget(journal.id()).await;
        }
        message::to_value(&result)
    }
}

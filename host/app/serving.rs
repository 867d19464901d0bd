//! Calls of tools that other commands ask for, made by the process that has the store: a host, or a
//! station. Each is a session of its own, which ends with the call.
//!
//! A call that is broken off is written down as such: a caller that goes away, or a process that ends,
//! leaves no call in the journal of which nobody knows whether it still runs.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::mcp::MCP_AGENT;
use super::peers::{self, Doors, PeerTools};
use super::requests::ToolCall;
use super::setup::{Setup, SetupError};
use super::single::{known, session_of_request};
use crate::approval::Approvals;
use crate::capability::bindings::pi::tool::types::Error;
use crate::capability::hold::PERSON;
use crate::gate::Origin;
use crate::gate::explain::escaped;
use crate::journal::{Body, Journal, JournalError};
use crate::session::message::{self, CallResult};
use crate::session::{Caller, Kernel, Toolbox, cut_off};
use crate::store::Request;

/// What a call is told that was broken off.
const CUT_OFF: &str = "it was cut off before it had ended (its caller has gone, or the process that made it ends): \
what it had begun may have taken effect";

/// What calls are made with.
pub(super) struct Serving<'a> {
    pub journal: &'a Journal,
    pub setup: &'a Setup,
    pub kernel: Arc<Kernel>,
    pub approvals: Option<&'a Arc<Approvals>>,
    /// Breaks off what is under way.
    pub cut: CancellationToken,
}

impl Serving<'_> {
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
            return Err(SetupError::NoSuchTool { name, known: known(self.setup) });
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
    pub(super) async fn peer_tools(&self) -> Result<PeerTools, JournalError> {
        let servers = self.setup.peers.names();
        // Those that run are listed once more, so that one box has all.
        let plain = self.kernel.with(Toolbox::default());
        let (toolbox, left_out) = self.setup.peers.offer_unasked(&servers, self.journal, &plain, &|_| {}).await?;
        Ok(PeerTools { tools: peers::in_box(&toolbox), left_out })
    }

    /// Call a tool. Whatever happens is in the answer.
    pub(super) async fn tool_call(&self, request: &Request) -> Value {
        let failed = |kind: &str, message: String| json!({ "error": { "kind": kind, "message": message } });
        let call = match serde_json::from_value::<ToolCall>(request.payload.clone()) {
            Ok(call) => call,
            Err(error) => return failed("failed", format!("the request cannot be read: {error}")),
        };
        let kernel = match self.kernel_with(&call.tool).await {
            Ok(kernel) => kernel,
            Err(error) => {
                let kind = if matches!(error, SetupError::NoSuchTool { .. }) { "not_found" } else { "failed" };
                return failed(kind, error.to_string());
            }
        };
        let agent = match call.agent.as_deref() {
            None => PERSON,
            Some(MCP_AGENT) => MCP_AGENT,
            Some(other) => return failed("failed", format!("no request can come from `{}`", escaped(other))),
        };
        // Who asks finds by it whether the call waits for people.
        let id = session_of_request(&request.id);
        let journal = match self.journal.session(&id).await {
            Ok(journal) => journal,
            Err(error) => return failed("failed", error.to_string()),
        };
        journal.append(Body::SessionStarted {
            agent: agent.into(),
            component: String::new(),
            task: json!({ "tool": call.tool }),
            policy: self.kernel.gate.now().revision().to_owned(),
        });
        let origin = Origin { session: id, agent: agent.into(), plugin: String::new() };
        let caller = Caller { journal: journal.clone(), origin, key: "0.0".into(), aside: None };
        let open = OpenCall::new(caller.clone());
        let called = async {
            match self.kernel_with_servers(kernel, &call.tool, &caller).await {
                Ok(kernel) => kernel.call(caller, &call.tool, &call.arguments).await.result,
                Err(why) => Err(Error::Failed(format!("there is no tool `{}`: {why}", escaped(&call.tool)))),
            }
        };
        let result = open.unless_cut(&self.cut, called).await;
        let status = if result.is_ok() { "done" } else { "failed" };
        let summary = format!("one call of `{}`", call.tool);
        journal.append(Body::SessionEnded { status: status.into(), summary, details: json!({}) });
        if let Some(approvals) = self.approvals {
            // What cannot be written now is withdrawn by the next host.
            let _ = approvals.forget(journal.id()).await;
        }
        message::to_value(&result)
    }
}

/// A call that has not ended. Dropped before its end, it says so in the journal.
pub(super) struct OpenCall(Option<Caller>);

impl OpenCall {
    pub(super) fn new(caller: Caller) -> Self {
        Self(Some(caller))
    }

    /// What `called` gives, or that it was cut off.
    pub(super) async fn unless_cut(
        mut self,
        cut: &CancellationToken,
        called: impl Future<Output = CallResult>,
    ) -> CallResult {
        tokio::select! {
            // What has ended has ended, also where it was to be broken off.
            biased;
            result = called => {
                self.0 = None;
                result
            }
            () = cut.cancelled() => Err(broken_off()),
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if let Some(caller) = self.0.take() {
            cut_off(&caller, broken_off());
        }
    }
}

/// The answer in the place of that of a call which was broken off.
fn broken_off() -> Error {
    Error::Unknown(CUT_OFF.into())
}

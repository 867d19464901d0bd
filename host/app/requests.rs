//! What other commands ask of a running host.

use serde::{Deserialize, Serialize};

/// Call a tool: [`ToolCall`].
pub const TOOL_CALL: &str = "tool_call";
/// The tools of the servers of `[mcp]`: the answer is [`super::PeerTools`].
pub(super) const PEER_TOOLS: &str = "peer_tools";
/// Stop the host, or one session: [`Stop`].
pub const STOP: &str = "stop";

/// Run a runbook: [`super::RunbookTask`]; the answer is `{"session"}`, or `{"error"}`.
pub(super) const RUNBOOK_RUN: &str = "runbook_run";

/// Take a person's answer to an approval: [`super::approvals::ApprovalAnswer`].
pub(super) const APPROVAL_ANSWER: &str = "approval_answer";
/// Take back a standing approval: [`super::approvals::ApprovalRevoke`].
pub(super) const APPROVAL_REVOKE: &str = "approval_revoke";

/// Write down that everything was stopped, or goes on: [`super::safety::Entry`].
pub(super) const ALL_SWITCHED: &str = "all_switched";

/// Fork a session: [`super::sessions::Fork`].
pub(super) const SESSION_FORK: &str = "session_fork";
/// Prune sessions: [`super::sessions::Prune`].
pub(super) const SESSION_PRUNE: &str = "session_prune";

/// The payload of [`TOOL_CALL`]; the answer is a result as [`crate::session::message`] writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ToolCall {
    pub tool: String,
    /// A JSON object, as text.
    pub arguments: String,
    /// Who calls, where that is no person: an MCP client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// The payload of [`STOP`]; the answer is `{"stopped": true}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stop {
    /// None stops the host.
    pub session: Option<String>,
}

//! The only place that wires concrete parts together: a project becomes a host.
//!
//! `catalog` knows the plugins, `gating` makes the gate of what `pi.toml` says, `setup` links plugins under
//! their grants, `peers` offers the tools of MCP servers. `host` supervises, watches and runs agents until it
//! is told to stop; `station` calls tools without being a host, for `single` (one call), `mcp` and `plugins`.
//! `serving` makes the calls that other commands ask for, `asking` is their side of it. `sessions` forks, replays and
//! prunes what is in the journal, `safety` is the kill switch from the outside, `kept` has the components that sessions began with.
//! `cloud` looks whether the accounts of clouds can be reached as they are granted.
//! `heartbeat` is what is known of jobs, `reports` what agents have handed in, `people` what is asked of both.
//! `triggers` takes alarms from outside. `approvals` and `channels` say who answers, `policy` and `corpus` test and measure policies, `state` opens
//! the store.

mod approvals;
mod asking;
mod catalog;
mod channels;
pub mod cloud;
mod context;
mod conversation;
mod corpus;
pub mod deliveries;
mod gating;
pub mod heartbeat;
mod host;
mod incident;
mod kept;
mod looking;
mod mcp;
mod models;
pub mod packages;
mod peers;
pub mod people;
pub mod plugins;
pub mod policy;
pub mod reports;
mod requests;
mod runbooks;
mod safety;
mod serving;
mod sessions;
mod setup;
mod single;
mod spent;
mod state;
mod station;
mod triggers;

pub use approvals::{ApprovalsError, answer_approval, revoke_approval};
pub use catalog::{Catalog, CatalogError, Source};
pub use conversation::{Conversation, ConversationError, conversation};
pub use corpus::{CorpusError, Counts, Evaluation, Expect, Miss, evaluate};
pub use gating::{gate, gate_of_builtin, gate_of_file};
pub use host::{Event, Host, HostError, Options, begun_with};
pub use incident::Closed;
pub use kept::{KeptAgentError, KeptError};
pub use looking::look;
pub use mcp::{MCP_AGENT, McpTools};
pub use peers::{PeerTool, PeerTools};
pub use requests::{STOP, TOOL_CALL};
pub use runbooks::{Found, RunbookTask, Runbooks, RunbooksError, judged, run_by_host};
pub use safety::{BreakerStored, SafetyError, SafetyStored, Switched, resume_all, stop_all, stored_safety};
pub use sessions::{
    SessionsError, fork_session, prune_sessions, replay_session, session_mask, would_prune, write_export,
};
pub use setup::{Setup, SetupError};
pub use single::{SingleError, call_tool, peer_tools};
pub use state::open_existing_store;
pub use state::{StateError, open_store};
pub use station::{Beside, Station, StationOptions, Wanted};
pub use triggers::{AlarmsStored, TriggersError, stored_alarms};

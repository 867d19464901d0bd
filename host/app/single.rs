//! One tool call from the command line: by the host that runs, or by this process where none does.

use serde_json::json;

use super::approvals::ApprovalsError;
use super::peers::PeerTools;
use super::setup::{Progress, Setup, SetupError};
use super::state::StateError;
use super::station::{Beside, Station, StationOptions, Wanted};
use crate::capability::hold::PERSON;
use crate::clock;
use crate::config::Project;
use crate::journal::JournalError;
use crate::session::message::CallResult;
use crate::store::{Held, StoreError};

/// One call needs one instance: no pool is reserved for it.
const INSTANCES: u32 = 2;
/// Of the id of a session that is one call.
const CALL: &str = "call";

#[derive(Debug, thiserror::Error)]
pub enum SingleError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Approvals(#[from] ApprovalsError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "`pi-host {}` works here and has the store (process {}), and the calls would happen beside it\nhint: end it, then try again; or use a project of its own", .0.name, .0.pid
    )]
    Held(Box<Held>),
    #[error("there is no tool `{name}`\nhint: there are {known}")]
    NoTool { name: String, known: String },
    #[error("there is no tool `{name}`: {why}")]
    LeftOut { name: String, why: String },
    #[error(
        "the running host took the call and did not answer: it may have been done\nhint: `pi-host session list` has its session"
    )]
    Unknown,
    #[error(
        "the running host did not take the call; it was not done\nhint: see whether it still works: `pi-host doctor`"
    )]
    NotTaken,
    #[error("the running host answered what this program does not understand")]
    Answer,
}

/// Call a tool once.
///
/// # Errors
/// The call could not even begin. What the tool itself says is in the result.
pub async fn call_tool(
    project: Project,
    tool: &str,
    arguments: String,
    progress: Progress<'_>,
) -> Result<CallResult, SingleError> {
    let options = StationOptions {
        name: "tool call",
        agent: PERSON.into(),
        kind: CALL,
        task: json!({ "tool": tool }),
        plugins: Wanted::OfTool(tool.to_owned()),
        may_ask: true,
        instances: INSTANCES,
        beside: Beside::Ask,
    };
    let station = Station::open(project, options, progress).await?;
    let result = station.call_telling(tool, &arguments, progress).await?;
    let status = if result.is_ok() { "done" } else { "failed" };
    station.close(status, &format!("one call of `{tool}`")).await?;
    Ok(result)
}

/// The tools of the servers of `[mcp]`: of the host that runs, or of those that this process starts for it.
///
/// # Errors
/// Nobody could be asked. A server that does not start is in the answer.
pub async fn peer_tools(project: Project, progress: Progress<'_>) -> Result<PeerTools, SingleError> {
    let options = StationOptions {
        name: "tool list",
        agent: PERSON.into(),
        kind: "list",
        task: json!({ "tools": "mcp" }),
        plugins: Wanted::Servers,
        may_ask: false,
        instances: INSTANCES,
        beside: Beside::Ask,
    };
    let station = Station::open(project, options, progress).await?;
    let tools = station.peer_tools().await?;
    if station.is_by_host() {
        tools.left_out.iter().for_each(|(what, why)| progress(&format!("left out: {what}: {why}")));
    }
    station.close("done", "listed the tools of MCP servers").await?;
    Ok(tools)
}

/// The names of all tools.
pub(super) fn known(setup: &Setup) -> String {
    let manifests = setup.catalog.names().filter_map(|name| setup.catalog.binary(name).ok());
    let tools: Vec<String> = manifests.flat_map(|binary| binary.manifest.tools).map(|tool| tool.name).collect();
    tools.join(", ")
}

/// A session's id: what it is, when, and something that nobody else has.
pub(super) fn session_id(what: &str) -> String {
    let mut random = [0_u8; 4];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    stamped(what, &random)
}

/// The session of a call that another command asks for.
pub(super) fn session_of_request(request: &str) -> String {
    stamped(CALL, mark(request))
}

/// Whether a session is that of this request.
pub(super) fn is_of_request(session: &str, request: &str) -> bool {
    let rest = session.strip_prefix(CALL).and_then(|rest| rest.strip_suffix(mark(request)));
    rest.is_some_and(|stamp| stamp.starts_with('-') && stamp.ends_with('-'))
}

/// What of a request's id, which is random, is in its session's.
fn mark(request: &str) -> &str {
    request.get(..8).unwrap_or(request)
}

fn stamped(what: &str, random: &str) -> String {
    let stamp: String = clock::rfc3339(clock::now_ms()).chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{what}-{stamp}-{random}")
}

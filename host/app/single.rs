//! One tool call from the command line: by the host that runs, or by this process where none does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::approvals::{ApprovalsError, Desk, desk, on_approval_request};
use super::requests::{TOOL_CALL, ToolCall};
use super::setup::{Progress, Setup, SetupError, gate, shadow_gate};
use super::state::{StateError, open_store};
use crate::capability::hold::PERSON;
use crate::clock;
use crate::config::Project;
use crate::confine::Confine;
use crate::gate::Origin;
use crate::journal::{Body, Journal, JournalError};
use crate::session::Caller;
use crate::session::message::{self, CallResult};
use crate::store::{Answer, Holder, LeaseError, NewRequest, Store, StoreError};

/// How long a command waits for the running host to do what it asks.
const HOST_ANSWER_MAX: Duration = Duration::from_secs(120);
/// How often answers of people are looked for.
const REQUESTS_EVERY: Duration = Duration::from_millis(200);
/// One call needs one instance: no pool is reserved for it.
const INSTANCES: u32 = 2;

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
    #[error("there is no tool `{name}`\nhint: there are {known}")]
    NoTool { name: String, known: String },
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
    let store = open_store(&project).await?;
    match Journal::begin(store.clone(), &Holder::this_process("tool call")).await {
        Ok(journal) => {
            let journal = Arc::new(journal);
            let result = here(project, &journal, tool, &arguments, progress).await;
            journal.close().await?;
            result
        }
        Err(LeaseError::HeldBy(_)) => by_host(store.as_ref(), tool, arguments).await,
        Err(LeaseError::Store(error)) => Err(error.into()),
    }
}

async fn here(
    project: Project,
    journal: &Arc<Journal>,
    tool: &str,
    arguments: &str,
    progress: Progress<'_>,
) -> Result<CallResult, SingleError> {
    let (gate, shadow) = (gate(&project)?, shadow_gate(&project)?);
    let revision = gate.revision().to_owned();
    let setup = Setup::new(project, Confine::new(), INSTANCES)?;
    let Some(plugin) = setup.plugin_of_tool(tool)? else {
        return Err(SingleError::NoTool { name: tool.to_owned(), known: known(&setup) });
    };
    let toolbox = setup.toolbox(&BTreeSet::from([plugin]), progress).await?;
    let desk = desk(&setup.project, journal, true).await?;
    desk.notes.iter().for_each(|note| progress(note));
    let kernel = setup.kernel(gate, shadow, desk.approver.clone(), toolbox);
    let id = session_id("call");
    let session = journal.session(&id).await?;
    session.append(Body::SessionStarted {
        agent: PERSON.into(),
        component: String::new(),
        task: json!({ "tool": tool }),
        policy: revision,
    });
    let origin = Origin { session: id, agent: PERSON.into(), plugin: String::new() };
    let caller = Caller { journal: session.clone(), origin, key: "0.0".into(), aside: None };
    let call = kernel.call(caller, tool, arguments);
    tokio::pin!(call);
    let mut every = tokio::time::interval(REQUESTS_EVERY);
    let called = loop {
        tokio::select! {
            called = &mut call => break called,
            _ = every.tick(), if desk.approvals.is_some() => answer_requests(journal, &desk).await,
        }
    };
    let status = if called.result.is_ok() { "done" } else { "failed" };
    session
        .append_durable(Body::SessionEnded {
            status: status.into(),
            summary: format!("one call of `{tool}`"),
            details: json!({}),
        })
        .await?;
    Ok(called.result)
}

/// Other commands see this process as the host: while it waits for people, it takes their answers.
async fn answer_requests(journal: &Journal, desk: &Desk) {
    let store = journal.store();
    for request in store.take_requests(journal.lease()).await.unwrap_or_default() {
        let answer = match on_approval_request(desk.approvals.as_ref(), &request.kind, &request.payload).await {
            Some(answer) => answer,
            None => {
                json!({ "error": { "kind": "failed", "message": "another call works here: try again when it has ended" } })
            }
        };
        // Who asked sees `unknown` if this cannot be written.
        let _ = store.answer(journal.lease(), &request.id, answer).await;
    }
}

async fn by_host(store: &dyn Store, tool: &str, arguments: String) -> Result<CallResult, SingleError> {
    let payload = serde_json::to_value(ToolCall { tool: tool.to_owned(), arguments }).unwrap_or_default();
    let valid_ms = clock::now_ms() + u64::try_from(HOST_ANSWER_MAX.as_millis()).unwrap_or(u64::MAX);
    let request = NewRequest { kind: TOOL_CALL.into(), payload, is_idempotent: false, valid_ms };
    let id = store.push_request(request).await?;
    match store.wait_answer(&id, HOST_ANSWER_MAX).await? {
        Answer::Response(value) => message::from_value(&value).ok_or(SingleError::Answer),
        Answer::Unknown => Err(SingleError::Unknown),
        Answer::Withdrawn => Err(SingleError::NotTaken),
    }
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
    let stamp: String = clock::rfc3339(clock::now_ms()).chars().filter(char::is_ascii_digit).take(14).collect();
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{what}-{stamp}-{random}")
}

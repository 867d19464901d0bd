//! From `[approvals]` to people: who is asked, over which channels, and how answers come back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::channels::channels;
use super::requests::{APPROVAL_ANSWER, APPROVAL_REVOKE};
use super::setup::{hide, secrets_of};
use super::state::{StateError, open_store};
use crate::approval::{Approvals, Approver, Asked, Nobody, Pending, People, Quorum, Rung, Said, Settings, Terminal};
use crate::capability::secret::SecretError;
use crate::config::{ApprovalsConfig, Project, user};
use crate::journal::{Journal, JournalError};
use crate::outbound::ChannelError;
use crate::store::{Answer, Holder, LeaseError, NewRequest, StoreError};

/// How long a command waits for the running host to take an answer.
const HOST_ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum ApprovalsError {
    #[error("[approvals]: {0}")]
    Channel(#[from] ChannelError),
    #[error(
        "[approvals.{channel}] {key}: the environment variable `{variable}` is not set\nhint: set it for the host, or correct its name in pi.toml"
    )]
    Variable { channel: &'static str, key: &'static str, variable: String },
    #[error(
        "[approvals.{channel}] listen: {address}: {error}\nhint: write an address of this machine with a free port: \"127.0.0.1:8086\""
    )]
    Listen { channel: &'static str, address: String, error: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Host(String),
    #[error("the running host did not take the answer\nhint: see whether it still works: `pi-host doctor`")]
    NotTaken,
}

/// Who answers, with the tasks that bring answers back.
pub(super) struct Desk {
    pub approver: Arc<dyn Approver>,
    /// None: there are no durable approvals.
    pub approvals: Option<Arc<Approvals>>,
    /// Ended when dropped.
    pub tasks: JoinSet<()>,
    /// For people, at the start: what answers come over.
    pub notes: Vec<String>,
}

/// Who answers in this process.
///
/// # Errors
/// Something in `[approvals]` cannot work: said before anything is asked.
pub(super) async fn desk(
    project: &Project,
    journal: &Arc<Journal>,
    may_ask: bool,
    screen: Option<mpsc::UnboundedSender<Asked>>,
) -> Result<Desk, ApprovalsError> {
    let terminal = match screen {
        Some(screen) => Some(Terminal::through(screen)),
        None => (may_ask && Terminal::is_there()).then(Terminal::default),
    };
    let Some(config) = &project.config.approvals else {
        let approver: Arc<dyn Approver> = match terminal {
            Some(terminal) => Arc::new(terminal),
            None => Arc::new(Nobody),
        };
        return Ok(Desk { approver, approvals: None, tasks: JoinSet::new(), notes: Vec::new() });
    };
    let mut notes = Vec::new();
    let channels = channels(config, &mut notes).await?;
    let all = channels.all.clone();
    let approvals = Approvals::open(journal.clone(), settings(project, config), all, terminal).await?;
    let mut tasks = approvals.listen();
    channels.serve(&approvals, &mut tasks);
    Ok(Desk { approver: approvals.clone(), approvals: Some(approvals), tasks, notes })
}

fn settings(project: &Project, config: &ApprovalsConfig) -> Settings {
    let rung = |approvers: &[String], minutes: u64| Rung { approvers: approvers.to_vec(), wait_ms: minutes * 60_000 };
    let first = rung(&config.approvers, config.wait_minutes);
    let next = config.next.iter().map(|next| rung(&next.approvers, next.wait_minutes));
    Settings {
        host: project.directory.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        line: std::iter::once(first).chain(next).collect(),
        quorum: config.quorum.iter().map(|quorum| Quorum { risk: quorum.risk, votes: quorum.votes }).collect(),
        people: People::new(&config.people),
        hold_ms: config.hold_seconds.saturating_mul(1_000),
        rule_minutes_max: config.rule_minutes_max,
        user: user(),
        state_folder: project.state(),
    }
}

/// The payload of [`APPROVAL_ANSWER`]; the answer is the approval, or `{"error": "..."}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ApprovalAnswer {
    pub id: String,
    pub said: Said,
}

/// The payload of [`APPROVAL_REVOKE`]; the answer is the approval, or `{"error": "..."}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ApprovalRevoke {
    pub id: String,
    pub by: String,
}

/// Do what another command asks of the approvals; None, where the request is about something else.
pub(super) async fn on_approval_request(
    approvals: Option<&Arc<Approvals>>,
    kind: &str,
    payload: &Value,
) -> Option<Value> {
    if kind != APPROVAL_ANSWER && kind != APPROVAL_REVOKE {
        return None;
    }
    let Some(approvals) = approvals else {
        return Some(json!({ "error": "the running host has no [approvals] in its pi.toml" }));
    };
    let unreadable = |error: serde_json::Error| format!("the request cannot be read: {error}");
    let taken = if kind == APPROVAL_ANSWER {
        match serde_json::from_value::<ApprovalAnswer>(payload.clone()) {
            Ok(ApprovalAnswer { id, said }) => approvals.answer(&id, said).await.map_err(|error| error.to_string()),
            Err(error) => Err(unreadable(error)),
        }
    } else {
        match serde_json::from_value::<ApprovalRevoke>(payload.clone()) {
            Ok(ApprovalRevoke { id, by }) => approvals.revoke(&id, &by).await.map_err(|error| error.to_string()),
            Err(error) => Err(unreadable(error)),
        }
    };
    Some(match taken {
        Ok(pending) => serde_json::to_value(pending).unwrap_or_default(),
        Err(error) => json!({ "error": error }),
    })
}

/// Take a person's answer: by the host that runs, or by this process where none does.
///
/// # Errors
/// Why it does not count, or could not be written.
pub async fn answer_approval(project: Project, id: &str, said: Said) -> Result<Pending, ApprovalsError> {
    ask_desk(project, APPROVAL_ANSWER, json!(ApprovalAnswer { id: id.to_owned(), said })).await
}

/// Take back a standing approval: by the host that runs, or by this process where none does.
///
/// # Errors
/// There is nothing to take back, or it could not be written.
pub async fn revoke_approval(project: Project, id: &str, by: String) -> Result<Pending, ApprovalsError> {
    ask_desk(project, APPROVAL_REVOKE, json!(ApprovalRevoke { id: id.to_owned(), by })).await
}

async fn ask_desk(project: Project, kind: &'static str, payload: Value) -> Result<Pending, ApprovalsError> {
    let store = open_store(&project).await?;
    let answer = match Journal::begin(store.clone(), &Holder::this_process("approvals")).await {
        Ok(journal) => {
            let journal = Arc::new(journal);
            hide(&secrets_of(&project)?, &journal);
            let config = project.config.approvals.clone().unwrap_or_default();
            // What the channels show is brought up to date by the next host.
            let approvals = Approvals::open(journal.clone(), settings(&project, &config), Vec::new(), None).await?;
            let answer = on_approval_request(Some(&approvals), kind, &payload).await.unwrap_or_default();
            journal.close().await?;
            answer
        }
        Err(LeaseError::HeldBy(_)) => {
            let valid_ms = u64::try_from(HOST_ANSWER_MAX.as_millis()).unwrap_or(u64::MAX);
            let request = NewRequest { kind: kind.into(), payload, is_idempotent: false, valid_ms };
            let request = store.push_request(request).await?;
            match store.wait_answer(&request, HOST_ANSWER_MAX).await? {
                Answer::Response(value) => value,
                _ => return Err(ApprovalsError::NotTaken),
            }
        }
        Err(LeaseError::Store(error)) => return Err(error.into()),
    };
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return Err(ApprovalsError::Host(error.to_owned()));
    }
    serde_json::from_value(answer)
        .map_err(|error| ApprovalsError::Host(format!("the host's answer cannot be read: {error}")))
}

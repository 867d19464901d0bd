//! From a task to an outcome: begin a session, or take it up where the journal ends.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::agent::{AgentImports, Diverged, STOP_GRACE};
use super::budget::Budget;
use super::call::{Caller, Kernel};
use super::inbox::Inbox;
use super::replay::Played;
use crate::capability::bindings::agent_world::exports::pi::agent::agent::{Outcome, Status, Task};
use crate::capability::door::{Door, Judge};
use crate::capability::patience::Patience;
use crate::config::BudgetConfig;
use crate::gate::Origin;
use crate::journal::{Body, Entry, History, JournalError, SessionJournal};
use crate::runtime::{CallError, CallLimits, Context, Determinism, LinkedAgent};

/// An agent as this host is set up to run it.
#[derive(Clone)]
pub struct AgentSetup {
    /// Its name in `pi.toml`.
    pub name: String,
    pub linked: LinkedAgent,
    /// Names of the tools that it may call; a `*` at the end stands for anything.
    pub tools: Vec<String>,
    /// Names of the models that it may ask, the first to be preferred.
    pub models: Vec<String>,
    pub budget: BudgetConfig,
    pub limits: CallLimits,
    /// `[agents.NAME.config]`.
    pub config: Value,
}

/// What an agent came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// `done`, `nothing_to_do`, `escalated` or `failed`.
    pub status: &'static str,
    pub summary: String,
    pub details: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "session `{0}` has no first entry in the journal: it cannot be taken up\nhint: `pi-host session verify {0}` says what is wrong"
    )]
    NoStart(String),
    #[error(
        "session `{session}` began with another component of `{agent}` ({began}), and was to go on with {now}\nhint: it stays as it is; run it with the component that it began with"
    )]
    OtherComponent { session: String, agent: String, began: String, now: String },
    #[error(
        "session `{session}` has ended ({status}), and not because a model gave no answer: there is nothing in it to try again\nhint: begin anew; `pi-host session show {session}` has what it did"
    )]
    Over { session: String, status: String },
    #[error(
        "session `{session}` cannot be taken up: {diverged}\nhint: its journal or its component has changed: `pi-host session verify {session}`; it stays as it is, and `pi-host session fork {session} --at N` begins anew before that step"
    )]
    Diverged { session: String, diverged: Diverged },
    /// It can be taken up again.
    #[error("the session was stopped")]
    Stopped,
    /// It goes on when people have decided.
    #[error("the session waits for the approval {0}")]
    Waiting(String),
    /// It goes on when somebody speaks to it.
    #[error("the session waits for what is said next")]
    Listening,
}

/// Begin a session with a task: an object with `prompt`, `input` and `config`, which the agent gets.
///
/// # Errors
/// The journal cannot be written, or the session was stopped.
pub async fn start(
    kernel: &Arc<Kernel>,
    setup: &AgentSetup,
    journal: SessionJournal,
    session: &str,
    task: Value,
    inbox: Arc<Inbox>,
    stop: watch::Receiver<bool>,
) -> Result<Ended, SessionError> {
    // What the agent is given is what a replay gives it: the journal's form, without the values of secrets.
    let task = journal.masked(task);
    inbox.begun();
    let started = Body::SessionStarted {
        agent: setup.name.clone(),
        component: setup.linked.digest.clone(),
        task: task.clone(),
        policy: kernel.gate.now().revision().to_owned(),
    };
    let time_ms = journal.append_durable(started).await?;
    drive(kernel, setup, journal, session, &task, time_ms, History::default(), inbox, stop).await
}

/// Take a session up where its journal ends.
///
/// # Errors
/// The journal does not hold its beginning, its agent is another one now, or it was stopped.
pub async fn resume(
    kernel: &Arc<Kernel>,
    setup: &AgentSetup,
    journal: SessionJournal,
    session: &str,
    entries: &[Entry],
    inbox: Arc<Inbox>,
    stop: watch::Receiver<bool>,
) -> Result<Ended, SessionError> {
    let (task, component, time_ms) = entries
        .iter()
        .find_map(|entry| match &entry.body {
            Body::SessionStarted { task, component, .. } => Some((task.clone(), component.clone(), entry.time_ms)),
            _ => None,
        })
        .ok_or_else(|| SessionError::NoStart(session.to_owned()))?;
    if component != setup.linked.digest {
        return Err(SessionError::OtherComponent {
            session: session.to_owned(),
            agent: setup.name.clone(),
            began: component,
            now: setup.linked.digest.clone(),
        });
    }
    let mut history = History::load(entries);
    if let Some(ended) = history.ended().cloned()
        && !history.reopen()
    {
        let status = match ended.body {
            Body::SessionEnded { status, .. } => status,
            _ => String::new(),
        };
        return Err(SessionError::Over { session: session.to_owned(), status });
    }
    let host = format!("pid {}", std::process::id());
    journal.append_durable(Body::SessionResumed { host }).await?;
    inbox.restore(history.unheard());
    drive(kernel, setup, journal, session, &task, time_ms, history, inbox, stop).await
}

/// What stands in the summary of a session whose agent gave no outcome.
pub(super) const NO_END: &str = "did not come to an end";

#[allow(clippy::too_many_arguments, reason = "the one recipe behind start and resume")]
async fn drive(
    kernel: &Arc<Kernel>,
    setup: &AgentSetup,
    journal: SessionJournal,
    session: &str,
    task: &Value,
    time_ms: u64,
    history: History,
    inbox: Arc<Inbox>,
    stop: watch::Receiver<bool>,
) -> Result<Ended, SessionError> {
    let imports = imports(kernel, setup, journal, session, time_ms, history, inbox, stop.clone(), None);
    let (context, task) = stage(&imports, setup, session, task);
    let mut stopped = stop;
    // One that asks for nothing any more has to be stopped from outside.
    let stopped = async {
        let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
        tokio::time::sleep(STOP_GRACE * 2).await;
    };
    let outcome = tokio::select! {
        outcome = kernel.runtime.run_agent(&setup.linked, context, &task) => outcome,
        () = stopped => Err(CallError::Stopped),
    };
    let diverged = imports.diverged.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(diverged) = diverged {
        return Err(SessionError::Diverged { session: session.to_owned(), diverged });
    }
    let ended = match outcome {
        Ok(outcome) => ended(outcome),
        Err(CallError::Stopped) => return Err(SessionError::Stopped),
        Err(CallError::LaidAside(approval)) => return Err(SessionError::Waiting(approval)),
        Err(CallError::Listening) => return Err(SessionError::Listening),
        Err(error) => Ended {
            status: "failed",
            summary: format!("agent `{}` {NO_END}: {error}", setup.name),
            details: json!({ "steps": imports.step.load(Ordering::Relaxed) }),
        },
    };
    Ok(ended)
}

/// What stands behind an agent's instance.
#[allow(clippy::too_many_arguments, reason = "the parts of a session, for its run and for its replay")]
pub(super) fn imports(
    kernel: &Arc<Kernel>,
    setup: &AgentSetup,
    journal: SessionJournal,
    session: &str,
    time_ms: u64,
    history: History,
    inbox: Arc<Inbox>,
    stop: watch::Receiver<bool>,
    played: Option<Arc<Played>>,
) -> Arc<AgentImports> {
    // A fork has spent what was spent up to its step; its minutes begin with itself.
    let began_ms = history.forked_ms().unwrap_or(time_ms);
    let budget = Budget::new(&setup.name, setup.budget.clone(), kernel.days.clone(), began_ms);
    budget.restore(history.overspends());
    Arc::new(AgentImports {
        kernel: kernel.clone(),
        journal,
        origin: Origin { session: session.to_owned(), agent: setup.name.clone(), plugin: String::new() },
        history,
        granted: setup.tools.clone(),
        now_ms: Arc::new(AtomicU64::new(time_ms)),
        step: AtomicU32::new(0),
        stop,
        models: setup.models.clone(),
        budget,
        conversation: Mutex::default(),
        inbox,
        offered: OnceLock::new(),
        diverged: Mutex::default(),
        played,
    })
}

/// What an agent's instance is started with. A fork is, to its agent, the session that it comes from: it would ask
/// something else if it had another name or other random numbers.
pub(super) fn stage(imports: &Arc<AgentImports>, setup: &AgentSetup, session: &str, task: &Value) -> (Context, Task) {
    let (journal, origin) = (imports.journal.clone(), imports.origin.clone());
    let caller = Caller { journal, origin, key: "agent".into(), aside: None };
    let kernel = &imports.kernel;
    let judge = Judge {
        gate: kernel.gate.clone(),
        approver: kernel.approver.clone(),
        audit: kernel.audit.clone(),
        holds: kernel.holds.clone(),
        safety: kernel.safety.clone(),
        journal: caller.journal,
        origin: caller.origin,
        aside: None,
        patience: Patience::default(),
    };
    let id = imports.history.root().unwrap_or(session).to_owned();
    // What it says is in the journal already: a replay says nothing.
    let said = if imports.played.is_some() { u32::MAX } else { imports.history.said_by(&setup.name) };
    let context = Context {
        door: Door::new(judge, caller.key),
        limits: setup.limits.clone(),
        tools: Some(imports.clone()),
        session: Some(imports.clone()),
        said,
        determinism: Some(Determinism { now_ms: imports.now_ms.clone(), seed: seed(&id) }),
    };
    let text = |key: &str| {
        task.get(key).map_or_else(String::new, |value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let task = Task { id, prompt: text("prompt"), input: text("input"), config: text("config") };
    (context, task)
}

pub(super) fn ended(outcome: Outcome) -> Ended {
    let status = match outcome.status {
        Status::Done => "done",
        Status::NothingToDo => "nothing_to_do",
        Status::Escalated => "escalated",
        Status::Failed => "failed",
    };
    let details = serde_json::from_str(&outcome.details).unwrap_or_else(|_| json!({ "text": outcome.details }));
    Ended { status, summary: outcome.summary, details }
}

/// The seed of a session's random numbers: the same in every replay.
fn seed(session: &str) -> [u8; 16] {
    let digest = Sha256::digest(session.as_bytes());
    let mut seed = [0; 16];
    for (to, from) in seed.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    seed
}

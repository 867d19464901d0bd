//! What people do with sessions that are in the journal: fork one, replay one, prune the old ones.
//!
//! What writes is done by the process that has the store, or by this one where none does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::catalog::{Catalog, CatalogError};
use super::gating::gate_of_builtin;
use super::kept::{Kept, KeptError};
use super::people::on_people_request;
use super::plugins::scratch::Scratch;
use super::requests::{SESSION_FORK, SESSION_PRUNE};
use super::setup::{Setup, SetupError, hide, secrets_of};
use super::single::session_id;
use super::state::{StateError, open_existing_store};
use crate::approval::Nobody;
use crate::capability::secret::SecretError;
use crate::config::{Config, Project, user};
use crate::confine::Confine;
use crate::journal::{
    Body, ForkError, Forked, Journal, JournalError, Mask, PRUNING, Pruning, entries, prunable, verify,
};
use crate::registry::COMPONENT_BYTES_MAX;
use crate::registry::fetch::read_bounded;
use crate::registry::store::StoreError as ComponentsError;
use crate::session::{Replayed, SessionError, Toolbox, replay};
use crate::store::sqlite::SqliteStore;
use crate::store::{Answer, Held, Holder, LeaseError, NewRequest, PRUNED, Store, StoreError};

/// How long a command waits for the running host.
const HOST_ANSWER_MAX: Duration = Duration::from_secs(120);
/// A replay needs one instance.
const INSTANCES: u32 = 2;

#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fork(#[from] ForkError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(transparent)]
    Components(#[from] ComponentsError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("{path} cannot be read: {error}\nhint: name a component's file", path = .path.display())]
    Component { path: PathBuf, error: std::io::Error },
    #[error("{path} cannot be written: {error}\nhint: name a file in a folder that is there and yours", path = .path.display())]
    Write { path: PathBuf, error: std::io::Error },
    #[error("there is no room for a replay: {0}\nhint: it needs a folder for temporary files")]
    Scratch(std::io::Error),
    #[error(
        "the journal of session `{session}` does not hold: {detail}\nhint: `pi-host session verify {session}` has all of it; against entries that somebody has changed a replay says nothing"
    )]
    Broken { session: String, detail: String },
    #[error("session `{session}` was run by nobody (it is of `{agent}`): there is no agent to be replayed")]
    NoAgent { session: String, agent: String },
    #[error("there is no session (`pi-host session list` has them): {0}")]
    NoSession(String),
    #[error("session `{0}` was pruned: there is nothing left of it to be replayed")]
    Pruned(String),
    #[error("{0}")]
    Host(String),
    #[error("`pi-host {}` (process {}) has the store and did not answer\nhint: see whether it still works: `pi-host doctor`", .0.name, .0.pid)]
    NotTaken(Box<Held>),
}

/// The payload of [`SESSION_FORK`]; the answer is [`Forked`], or `{"error": "..."}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Fork {
    pub session: String,
    pub at: Option<u64>,
    pub by: String,
}

/// The payload of [`SESSION_PRUNE`]; the answer is [`Pruning`], or `{"error": "..."}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Prune {
    pub before_ms: u64,
    pub by: String,
}

/// Make a session of another one's entries up to a step.
///
/// # Errors
/// It cannot be forked there, or the store cannot be written.
pub async fn fork_session(project: &Project, session: &str, at: Option<u64>) -> Result<Forked, SessionsError> {
    let fork = Fork { session: session.to_owned(), at, by: format!("cli:{}", user()) };
    by_holder(project, open_existing_store(project).await?, "session fork", SESSION_FORK, json!(fork)).await
}

/// Remove the entries of sessions that ended before a time.
///
/// # Errors
/// The store cannot be written.
pub async fn prune_sessions(project: &Project, before_ms: u64) -> Result<Pruning, SessionsError> {
    let prune = Prune { before_ms, by: format!("cli:{}", user()) };
    by_holder(project, open_existing_store(project).await?, "session prune", SESSION_PRUNE, json!(prune)).await
}

/// What pruning would remove.
///
/// # Errors
/// The store cannot be read.
pub async fn would_prune(project: &Project, before_ms: u64) -> Result<Pruning, SessionsError> {
    let store = open_existing_store(project).await?;
    Ok(Pruning { pruned: prunable(store.as_ref(), before_ms).await?, ..Pruning::default() })
}

/// What takes the values of secrets out of what is shown, those included that were named after it was written.
///
/// # Errors
/// A secret cannot be read.
pub fn session_mask(project: &Project) -> Result<Option<Arc<dyn Mask>>, SessionsError> {
    let scan = secrets_of(project)?.scan();
    Ok(if scan.is_empty() { None } else { Some(scan as Arc<dyn Mask>) })
}

/// Do it here, where nobody has the store, or have it done by who has it.
pub(super) async fn by_holder<T: serde::de::DeserializeOwned>(
    project: &Project,
    store: Arc<dyn Store>,
    name: &str,
    kind: &str,
    payload: Value,
) -> Result<T, SessionsError> {
    let answer = match Journal::begin(store.clone(), &Holder::this_process(name)).await {
        Ok(journal) => {
            let journal = Arc::new(journal);
            hide(&secrets_of(project)?, &journal);
            let done = match on_session_request(project, &journal, &BTreeSet::new(), kind, &payload).await {
                Some(done) => Some(done),
                None => on_people_request(project, &journal, kind, &payload, &|_| ()).await,
            };
            journal.close().await?;
            done.unwrap_or_default()
        }
        Err(LeaseError::HeldBy(held)) => {
            let valid_ms = u64::try_from(HOST_ANSWER_MAX.as_millis()).unwrap_or(u64::MAX);
            let request = NewRequest { kind: kind.into(), payload, is_idempotent: false, valid_ms };
            let request = store.push_request(request).await?;
            match store.wait_answer(&request, HOST_ANSWER_MAX).await? {
                Answer::Response(value) => value,
                _ => return Err(SessionsError::NotTaken(Box::new(held))),
            }
        }
        Err(LeaseError::Store(error)) => return Err(error.into()),
    };
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return Err(SessionsError::Host(error.to_owned()));
    }
    serde_json::from_value(answer)
        .map_err(|error| SessionsError::Host(format!("the host's answer cannot be read: {error}")))
}

/// Do what another command asks of sessions; None, where the request is about something else. `current` are the
/// components that sessions may begin with at any moment.
pub(super) async fn on_session_request(
    project: &Project,
    journal: &Journal,
    current: &BTreeSet<String>,
    kind: &str,
    payload: &Value,
) -> Option<Value> {
    let unreadable = |error: serde_json::Error| format!("the request cannot be read: {error}");
    let done = match kind {
        SESSION_FORK => match serde_json::from_value::<Fork>(payload.clone()) {
            Ok(Fork { session, at, by }) => {
                let agent = journal.store().session(&session).await.ok().flatten().map(|record| record.agent);
                let id = session_id(&agent.filter(|agent| !agent.is_empty()).unwrap_or_else(|| "fork".into()));
                journal.fork(&session, at, &id, &by).await.map(|forked| json!(forked)).map_err(|e| e.to_string())
            }
            Err(error) => Err(unreadable(error)),
        },
        SESSION_PRUNE => match serde_json::from_value::<Prune>(payload.clone()) {
            Ok(Prune { before_ms, by }) => {
                let pruned = prune(project, journal, current, before_ms, &by, &|| false).await;
                pruned.map(|pruning| json!(pruning)).map_err(|error| error.to_string())
            }
            Err(error) => Err(unreadable(error)),
        },
        _ => return None,
    };
    Some(done.unwrap_or_else(|error| json!({ "error": error })))
}

/// Prune, and remove the components that no session needs any more.
pub(super) async fn prune(
    project: &Project,
    journal: &Journal,
    current: &BTreeSet<String>,
    before_ms: u64,
    by: &str,
    is_stopping: &(dyn Fn() -> bool + Sync),
) -> Result<Pruning, SessionsError> {
    let mut pruning = journal.prune(before_ms, &session_id(PRUNING), by, is_stopping).await?;
    if !pruning.pruned.is_empty() {
        let mut in_use = components(journal.store().as_ref()).await?;
        in_use.extend(current.iter().cloned());
        pruning.components = Kept::of(project).remove_unused(&in_use)?;
    }
    Ok(pruning)
}

/// Rows among which the beginning of a session is.
const BEGINNING_ROWS: u32 = 16;

/// The components of all sessions that are there.
async fn components(store: &dyn Store) -> Result<BTreeSet<String>, SessionsError> {
    let mut found = BTreeSet::new();
    for record in store.sessions().await?.into_iter().filter(|record| record.status != PRUNED) {
        // What is said to a session may be there before its beginning.
        for row in store.rows(&record.id, 0, BEGINNING_ROWS).await? {
            let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
            found.extend(body.get("component").and_then(Value::as_str).map(str::to_owned));
        }
    }
    Ok(found)
}

/// Run a session's agent, or another component in its place, against the session's journal.
///
/// # Errors
/// The journal does not hold, or the component is not there, or is none.
pub async fn replay_session(
    project: &Project,
    session: &str,
    component: Option<&Path>,
) -> Result<Replayed, SessionsError> {
    let store = open_existing_store(project).await?;
    let record = store.session(session).await?.ok_or_else(|| SessionsError::NoSession(session.to_owned()))?;
    if record.status == PRUNED {
        return Err(SessionsError::Pruned(session.to_owned()));
    }
    let reports = verify(store.as_ref(), Some(session)).await?;
    if let Some(problem) = reports.iter().flat_map(|report| &report.problems).next() {
        return Err(SessionsError::Broken { session: session.to_owned(), detail: problem.detail.clone() });
    }
    let entries = entries(store.as_ref(), session).await?;
    let began = entries.iter().find_map(|entry| match &entry.body {
        Body::SessionStarted { agent, component, .. } => Some((agent.clone(), component.clone())),
        _ => None,
    });
    let (agent, digest) = began.ok_or_else(|| SessionError::NoStart(session.to_owned()))?;
    if digest.is_empty() || crate::config::RESERVED.contains(&agent.as_str()) {
        return Err(SessionsError::NoAgent { session: session.to_owned(), agent });
    }
    let bytes = match component {
        Some(path) => read_bounded(path, COMPONENT_BYTES_MAX)
            .map_err(|error| SessionsError::Component { path: path.to_owned(), error })?,
        None => began_with(project, session, &agent, &digest)?,
    };
    let scratch = Scratch::new().map_err(SessionsError::Scratch)?;
    // Of the project, only what takes secrets out of what is compared.
    let Config { secrets, models, mcp, plugins, .. } = project.config.clone();
    let limits = project.config.agents.get(&agent).and_then(|config| config.plugin.clone());
    let limits = plugins.get(&limits.unwrap_or_else(|| agent.clone())).map(|plugin| plugin.limits.clone());
    let config = Config { secrets, models, mcp, ..Config::default() };
    let bare = Project { directory: project.directory.clone(), config, has_file: project.has_file };
    let catalog = Catalog::single(&agent, bytes.clone());
    let setup = Setup::with_catalog(bare.clone(), catalog, Confine::new(), INSTANCES)?;
    let setup_of_agent = setup.replayed(&agent, &bytes, &limits.unwrap_or_default()).await?;
    let kernel = Arc::new(setup.kernel(gate_of_builtin(&bare)?, None, Arc::new(Nobody), Toolbox::default()));
    let beside: Arc<dyn Store> = Arc::new(SqliteStore::open(&scratch.path().join("store.db")).await?);
    let journal =
        Journal::begin(beside, &Holder::this_process("session replay")).await.map_err(|error| match error {
            LeaseError::Store(error) => SessionsError::Store(error),
            held @ LeaseError::HeldBy(_) => SessionsError::Host(held.to_string()),
        })?;
    hide(&setup.secrets, &journal);
    let replayed = replay(&kernel, &setup_of_agent, journal.session(session).await?, session, &entries).await;
    journal.close().await?;
    Ok(replayed?)
}

/// Write an export: all of it, or nothing, for its owner alone.
///
/// # Errors
/// It cannot be written.
pub fn write_export(file: &Path, text: &str) -> Result<(), SessionsError> {
    let failed = |error| SessionsError::Write { path: file.to_owned(), error };
    crate::registry::atomic::write(file, text.as_bytes(), 0o600).map_err(failed)
}

/// The component that a session began with: as it was kept, or the one of today where it is the same.
fn began_with(project: &Project, session: &str, agent: &str, digest: &str) -> Result<Vec<u8>, SessionsError> {
    let kept = Kept::of(project).get(session, agent, digest);
    let Err(error @ KeptError::Gone { .. }) = kept else { return Ok(kept?) };
    let catalog = Catalog::of(project)?;
    let plugin = project.config.agents.get(agent).and_then(|config| config.plugin.as_deref()).unwrap_or(agent);
    if catalog.source(plugin).is_some() && catalog.digest(plugin)? == digest {
        return Ok(catalog.bytes(plugin)?.into_owned());
    }
    Err(error.into())
}

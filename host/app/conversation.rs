//! Which conversation to go on with: one that people have left, or that was cut off.

use super::context::{Talk, talk_of};
use super::state::{StateError, open_existing_store};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::journal::{self, Body, Entry, JournalError};
use crate::store::{OPEN, SessionRecord, StoreError};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ConversationError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("there is no session `{0}`\nhint: `pi-host session list` has them")]
    NotFound(String),
    #[error(
        "session `{id}` has ended: {status}\nhint: `pi-host session show {id}` has what was said, `pi-host chat` begins a new one"
    )]
    Ended { id: String, status: String },
    #[error("session `{0}` is no conversation\nhint: `pi-host session resume {0}` takes it up")]
    NotTalking(String),
    #[error("there is no open conversation{0}\nhint: `pi-host chat` begins one")]
    None(String),
}

/// A conversation that is open, with all that was said.
#[derive(Debug)]
pub struct Conversation {
    pub id: String,
    pub agent: String,
    pub entries: Vec<Entry>,
}

/// The conversation of this id, or the newest one (of this agent, where one is named).
///
/// # Errors
/// There is none, it has ended, or it cannot be read.
pub async fn conversation(
    project: &Project,
    id: Option<&str>,
    agent: Option<&str>,
) -> Result<Conversation, ConversationError> {
    let store = open_existing_store(project).await?;
    let mut sessions = store.sessions().await?;
    sessions.sort_by_key(|session| std::cmp::Reverse(session.number));
    if let Some(id) = id {
        let shown = || escaped(&id.chars().take(64).collect::<String>());
        let record = sessions.into_iter().find(|session| session.id == id);
        let record = record.ok_or_else(|| ConversationError::NotFound(shown()))?;
        if record.status != OPEN {
            return Err(ConversationError::Ended { id: shown(), status: record.status });
        }
        let entries = journal::entries(store.as_ref(), id).await?;
        if !is_talk(&entries) {
            return Err(ConversationError::NotTalking(shown()));
        }
        return Ok(Conversation { id: record.id, agent: record.agent, entries });
    }
    let is_wanted =
        |session: &SessionRecord| session.status == OPEN && agent.is_none_or(|agent| agent == session.agent);
    for record in sessions.into_iter().filter(is_wanted) {
        // One that cannot be read keeps nobody from going on with another.
        let Ok(entries) = journal::entries(store.as_ref(), &record.id).await else { continue };
        if is_talk(&entries) {
            return Ok(Conversation { id: record.id, agent: record.agent, entries });
        }
    }
    Err(ConversationError::None(agent.map(|agent| format!(" with `{}`", escaped(agent))).unwrap_or_default()))
}

fn is_talk(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(&entry.body, Body::SessionStarted { task, .. } if talk_of(task) == Talk::Open))
}

//! What an earlier host has left behind: sessions without an end are read back, get back what they
//! held, and are run on from where their journals end.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Event, Host, HostError};
use crate::app::context::{self, Talk};
use crate::app::incident::{self, Closed};
use crate::capability::hold::Leave;
use crate::config::RESERVED;
use crate::journal::{Body, Entry, SessionJournal};
use crate::session::{self, AgentSetup, Inbox};
use crate::store::OPEN;

/// A session that an earlier host began and did not end.
struct CutOff {
    id: String,
    agent: String,
    journal: SessionJournal,
    entries: Vec<Entry>,
    input: Value,
    /// Whether people talked to it.
    is_conversation: bool,
    /// Whether they may go on.
    talk: Talk,
}

impl Host {
    pub(super) async fn resume_open(
        self: &Arc<Self>,
        only: Option<&str>,
        sessions: &mut JoinSet<()>,
    ) -> Result<usize, HostError> {
        let open = self.store.sessions().await?.into_iter().filter(|session| session.status == OPEN);
        let mut all = Vec::new();
        for record in open.filter(|session| only.is_none_or(|only| only == session.id)) {
            if !self.agents.contains_key(&record.agent) {
                self.abandon(&record.id, &record.agent).await?;
                continue;
            }
            match self.read_back(&record.id, &record.agent).await {
                // A conversation goes on when a person takes it up by its name, and not by the way.
                Ok(cut_off) if only.is_none() && cut_off.is_conversation => {}
                Ok(cut_off) => all.push(cut_off),
                // One that cannot be read keeps nobody else from working.
                Err(error) => {
                    let _ = self.events.send(Event::Broken { session: record.id, error: error.to_string() });
                }
            }
        }
        // What a session has changed before it was cut off is still in its hands; then come those that
        // were only woken for a service. Nothing runs before all of them have what is theirs.
        for CutOff { id, entries, .. } in &all {
            for entry in entries {
                // What a fork's parent has changed is not in the fork's hands.
                if let Body::EffectStarted { act, origin, .. } = &entry.body
                    && origin.session == *id
                {
                    // It held this when the intent was written, so nobody else did.
                    let _ = self.kernel.holds.take(act, origin);
                }
            }
        }
        for cut_off in &all {
            if let Some(service) = incident::service_of(&cut_off.input) {
                // Its alarm is being worked on already.
                self.incidents.open(&service);
                self.kernel.holds.claim(&service, &cut_off.id);
            }
        }
        let count = all.len();
        for cut_off in all {
            let host = self.clone();
            sessions.spawn(async move {
                let id = cut_off.id.clone();
                // What goes wrong is told as an event, and the session stays open in the journal.
                if let Err(error) = host.take_up(cut_off).await {
                    let is_told = matches!(error, HostError::Session(_));
                    if !is_told {
                        let _ = host.events.send(Event::Broken { session: id, error: error.to_string() });
                    }
                }
            });
        }
        Ok(count)
    }

    async fn read_back(&self, id: &str, agent: &str) -> Result<CutOff, HostError> {
        let journal = self.journal.session(id).await?;
        let entries = journal.entries().await?;
        let task = entries.iter().find_map(|entry| match &entry.body {
            Body::SessionStarted { task, .. } => Some(task.clone()),
            _ => None,
        });
        let task = task.unwrap_or_default();
        // Where nobody can talk, an agent that listens hears that the conversation is over.
        let is_conversation = context::talk_of(&task) == Talk::Open;
        let talk = if self.is_talking && is_conversation { Talk::Open } else { Talk::Closed };
        let (id, agent) = (id.to_owned(), agent.to_owned());
        let input = task.get("input").cloned().unwrap_or_default();
        Ok(CutOff { id, agent, journal, entries, input, is_conversation, talk })
    }

    /// A single call of a person that was cut off, or a session that never began: nobody waits for
    /// it any more, and what it did is in the journal.
    async fn abandon(&self, id: &str, agent: &str) -> Result<(), HostError> {
        if !RESERVED.contains(&agent) && !agent.is_empty() {
            let error = format!("there is no agent `{agent}` here any more; the session stays open");
            let _ = self.events.send(Event::Broken { session: id.to_owned(), error });
            return Ok(());
        }
        let summary = "cut off; nobody waits for it any more".to_owned();
        let journal = self.journal.session(id).await?;
        journal.append_durable(Body::SessionEnded { status: "failed".into(), summary, details: json!({}) }).await?;
        if let Some(approvals) = &self.approvals {
            approvals.forget(id).await?;
        }
        Ok(())
    }

    async fn take_up(self: &Arc<Self>, cut_off: CutOff) -> Result<Closed, HostError> {
        let CutOff { id, agent, journal, entries, input, talk, .. } = cut_off;
        let setup = match self.began_with(&id, &agent, &entries).await {
            Ok(setup) => setup,
            Err(error) => {
                // It stays open. A fault that is still there raises a new alarm, for a session that can begin.
                self.settle(&id, incident::service_of(&input), Leave::Free).await;
                return Err(error);
            }
        };
        let _ = self.events.send(Event::Session { id: id.clone(), agent: agent.clone(), is_resumed: true });
        let inbox = Arc::new(Inbox::new(journal.clone(), talk == Talk::Open));
        let (ending, stop) = self.register(&id, &inbox);
        let resumed =
            session::resume(&self.kernel, &setup, journal.clone(), &id, &entries, inbox.clone(), stop.clone()).await;
        let resumed = self.when_decided(&id, &setup, &journal, resumed, &inbox, stop).await;
        let closed = self.ended(&id, &agent, &input, journal, resumed).await;
        self.settle(&id, incident::service_of(&input), self.leave_of(&closed)).await;
        drop(ending);
        closed
    }

    /// The agent as it was when a session began: an upgrade is for the sessions that begin after it.
    async fn began_with(&self, id: &str, agent: &str, entries: &[Entry]) -> Result<AgentSetup, HostError> {
        let now = self.setup_of(agent)?;
        let component = entries.iter().find_map(|entry| match &entry.body {
            Body::SessionStarted { component, .. } => Some(component),
            _ => None,
        });
        match component {
            Some(digest) if *digest != now.linked.digest => Ok(self.kept.agent(&self.setup, &now, id, digest).await?),
            // Without a beginning it cannot be taken up at all, which is said there.
            _ => Ok(now),
        }
    }
}

//! What an earlier host has left behind: sessions without an end are read back, get back what they
//! held, and are run on from where their journals end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::alarms::incident_of;
use super::runbook::Wired;
use super::running::Claim;
use super::{Event, Host, HostError};
use crate::app::context::{self, Talk};
use crate::app::incident::{self, Closed};
use crate::app::open_existing_store;
use crate::app::runbooks::RUNBOOK;
use crate::capability::hold::Leave;
use crate::config::{Project, RESERVED};
use crate::journal::{Body, Entry, Problem, SessionJournal, entries, verify};
use crate::session::{self, Inbox};
use crate::store::{OPEN, SessionRecord};

/// What was taken up: how many sessions, and the incidents of alarms from outside that they are for.
pub(super) struct TakenUp {
    pub(super) count: usize,
    pub(super) incidents: BTreeSet<u64>,
}

/// A session that an earlier host began and did not end.
struct CutOff {
    id: String,
    claim: Claim,
    agent: String,
    journal: SessionJournal,
    entries: Vec<Entry>,
    component: String,
    task: Value,
    input: Value,
}

/// Problems of one journal that are told; `session verify` has all.
const PROBLEMS_SHOWN: usize = 3;

/// How a session ended that may be tried again, where somebody names it: what it failed at may have been mended.
const FAILED: &str = "failed";

/// Agent and model of the command line, of a session that was cut off (or the one named) and was begun with one: what
/// a host needs to take it up. The newest, where there are several; none, where pi.toml has it all.
///
/// # Errors
/// The store cannot be read.
pub async fn begun_with(project: &Project, only: Option<&str>) -> Result<Option<(String, String)>, HostError> {
    let store = open_existing_store(project).await?;
    for record in store.sessions().await?.into_iter().rev().filter(|record| is_wanted(record, only)) {
        // One that cannot be read is told of when it is taken up.
        let Ok(entries) = entries(store.as_ref(), &record.id).await else { continue };
        if let Some((_, task)) = beginning(&entries)
            && let Some(model) = context::model_of(task)
        {
            return Ok(Some((record.agent, model.to_owned())));
        }
    }
    Ok(None)
}

fn is_wanted(record: &SessionRecord, only: Option<&str>) -> bool {
    match only {
        None => record.status == OPEN,
        Some(only) => record.id == only && [OPEN, FAILED].contains(&record.status.as_str()),
    }
}

/// Component and task of a session.
fn beginning(entries: &[Entry]) -> Option<(&str, &Value)> {
    entries.iter().find_map(|entry| match &entry.body {
        Body::SessionStarted { component, task, .. } => Some((component.as_str(), task)),
        _ => None,
    })
}

impl CutOff {
    /// Whether it was forked and not taken up since: it may have been made to be looked at.
    fn is_new_fork(&self) -> bool {
        let is_either = |entry: &&Entry| matches!(entry.body, Body::SessionForked { .. } | Body::SessionResumed { .. });
        let last = self.entries.iter().rfind(is_either);
        last.is_some_and(|entry| matches!(entry.body, Body::SessionForked { .. }))
    }

    /// Whether people talked to it.
    fn was_talk(&self) -> bool {
        context::talk_of(&self.task) == Talk::Open
    }
}

impl Host {
    pub(super) async fn resume_open(
        self: &Arc<Self>,
        only: Option<&str>,
        sessions: &mut JoinSet<()>,
    ) -> Result<TakenUp, HostError> {
        let wanted = self.store.sessions().await?.into_iter().filter(|record| is_wanted(record, only));
        // Those that run here were not cut off.
        let wanted = wanted.filter(|record| !self.is_claimed(&record.id));
        let mut all = Vec::new();
        for record in wanted {
            if record.agent != RUNBOOK && !self.agents.contains_key(&record.agent) {
                // What has ended stays as it is, whoever names it.
                if record.status == OPEN {
                    self.abandon(&record.id, &record.agent).await?;
                }
                continue;
            }
            match self.read_back(&record.id, &record.agent).await {
                // A conversation goes on when a person takes it up by its name, and not by the way.
                Ok(cut_off) if only.is_none() && (cut_off.was_talk() || cut_off.is_new_fork()) => {}
                Ok(cut_off) => match self.foreign_model(&cut_off.task, only.is_some()) {
                    None => all.push(cut_off),
                    Some(error) => _ = self.events.send(Event::Broken { session: record.id, error }),
                },
                // One that cannot be read keeps nobody else from working.
                Err(error) => {
                    let _ = self.events.send(Event::Broken { session: record.id, error: error.to_string() });
                }
            }
        }
        // What a session has changed before it was cut off is still in its hands; then come those that
        // were only woken for a service. Nothing runs before all of them have what is theirs.
        all.iter().for_each(|cut_off| self.take_back(cut_off));
        let mut incidents = BTreeSet::new();
        for cut_off in &all {
            if let Some(incident) = incident_of(&cut_off.input) {
                self.alarm_running(&cut_off.input, &cut_off.id).await;
                incidents.insert(incident);
            }
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
        Ok(TakenUp { count, incidents })
    }

    async fn read_back(&self, id: &str, agent: &str) -> Result<CutOff, HostError> {
        let claim = self.claim(id)?;
        let journal = self.journal.session(id).await?;
        // What was tampered with is no ground to act on.
        let reports = verify(self.store.as_ref(), Some(id)).await?;
        let of_session = reports.iter().filter(|report| report.session.as_deref() == Some(id));
        let told = |problem: &Problem| match problem.sequence {
            Some(sequence) => format!("entry {sequence}: {}", problem.detail),
            None => problem.detail.clone(),
        };
        let problems = of_session.flat_map(|report| &report.problems).take(PROBLEMS_SHOWN);
        let problems: Vec<String> = problems.map(told).collect();
        if !problems.is_empty() {
            return Err(HostError::Damaged { session: id.to_owned(), problems: problems.join("; ") });
        }
        let entries = journal.entries().await?;
        let (component, task) = beginning(&entries).map(|(c, t)| (c.to_owned(), t.clone())).unwrap_or_default();
        let (id, agent) = (id.to_owned(), agent.to_owned());
        let input = task.get("input").cloned().unwrap_or_default();
        Ok(CutOff { id, claim, agent, journal, entries, component, task, input })
    }

    /// Why the models of this host are not those of a session, in words. Who names the session may choose another.
    fn foreign_model(&self, task: &Value, is_named: bool) -> Option<String> {
        let (own, begun) = (self.project.config.command_model.as_deref(), context::model_of(task));
        let hint = "`pi-host session resume` with its id takes it up with the model that it began with";
        match (own, begun) {
            (own, begun) if own == begun => None,
            (Some(_), Some(_)) if is_named => None,
            (_, Some(begun)) => Some(format!("it was begun with --model {begun}; it stays open\nhint: {hint}")),
            (_, None) => Some(format!("it was begun with the model of pi.toml; it stays open\nhint: {hint}")),
        }
    }

    /// Give a session back what it holds.
    fn take_back(&self, cut_off: &CutOff) {
        if let Some(service) = incident::service_of(&cut_off.input) {
            self.kernel.safety.begin(&cut_off.id, &service);
        }
        for entry in &cut_off.entries {
            // What a fork's parent has changed is not in the fork's hands.
            if let Body::EffectStarted { act, origin, .. } = &entry.body
                && origin.session == cut_off.id
            {
                // It held this when the intent was written, so nobody else did.
                let _ = self.kernel.holds.take(act, origin);
            }
        }
    }

    /// Take up the session that was cut off while it did this very thing: who gives the same task again wants it done
    /// once. None, where there is none.
    ///
    /// # Errors
    /// As of [`Host::run_once`].
    pub async fn run_on(self: &Arc<Self>, agent: &str, prompt: &str) -> Result<Option<Closed>, HostError> {
        let setup = self.setup_of(agent)?;
        let open = self.store.sessions().await?.into_iter().rev().filter(|record| is_wanted(record, None));
        let open = open.filter(|record| !self.is_claimed(&record.id));
        for record in open.filter(|record| record.agent == agent) {
            let cut_off = match self.read_back(&record.id, agent).await {
                Ok(cut_off) => cut_off,
                Err(error) => {
                    let _ = self.events.send(Event::Broken { session: record.id, error: error.to_string() });
                    continue;
                }
            };
            let is_same = cut_off.task.get("prompt").and_then(Value::as_str)
                == Some(cut_off.journal.masked_text(prompt).as_str())
                && cut_off.component == setup.linked.digest
                && cut_off.input == json!({})
                && !cut_off.was_talk()
                && self.foreign_model(&cut_off.task, false).is_none();
            if is_same {
                self.take_back(&cut_off);
                return self.take_up(cut_off).await.map(Some);
            }
        }
        Ok(None)
    }

    /// A single call of a person that was cut off, or a session that never began: nobody waits for
    /// it any more, and what it did is in the journal.
    async fn abandon(&self, id: &str, agent: &str) -> Result<(), HostError> {
        if self.project.config.agents.contains_key(agent) {
            // This host was told to run others.
            return Ok(());
        }
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
        // Where nobody can talk, an agent that listens hears that the conversation is over.
        let talk = if self.is_talking { context::talk_of(&cut_off.task) } else { Talk::Closed };
        let CutOff { id, claim: _claim, agent, journal, entries, input, .. } = cut_off;
        let Wired { setup, kernel } = match self.began_with(&id, &agent, &input, &entries).await {
            Ok(wired) => wired,
            Err(error) => {
                // It stays open. A fault that is still there raises a new alarm, for a session that can begin.
                self.settle(&id, incident::service_of(&input), Leave::Free).await;
                // For an alarm from outside nobody raises another: people look at it.
                self.alarm_given_up(&input).await;
                return Err(error);
            }
        };
        let _ = self.events.send(Event::Session { id: id.clone(), agent: agent.clone(), is_resumed: true });
        let inbox = Arc::new(Inbox::new(journal.clone(), talk == Talk::Open));
        let (ending, stop) = self.register(&id, &inbox);
        let resumed =
            session::resume(&kernel, &setup, journal.clone(), &id, &entries, inbox.clone(), stop.clone()).await;
        let resumed = self.when_decided(&id, (&kernel, &setup), &journal, resumed, &inbox, stop).await;
        let closed = self.ended(&id, &agent, &input, journal, resumed).await;
        self.settle(&id, incident::service_of(&input), self.leave_of(&closed)).await;
        self.alarm_closed(&input, &closed).await;
        self.slot_closed(&input, &id, &closed).await;
        drop(ending);
        closed
    }

    /// The agent as it was when a session began: an upgrade is for the sessions that begin after it.
    async fn began_with(&self, id: &str, agent: &str, input: &Value, entries: &[Entry]) -> Result<Wired, HostError> {
        let Wired { setup: now, kernel } = self.wired(agent, input).await?;
        let component = entries.iter().find_map(|entry| match &entry.body {
            Body::SessionStarted { component, .. } => Some(component),
            _ => None,
        });
        match component {
            Some(digest) if *digest != now.linked.digest => {
                let setup = self.kept.agent(&self.setup, &now, id, digest).await?;
                Ok(Wired { setup, kernel })
            }
            // Without a beginning it cannot be taken up at all, which is said there.
            _ => Ok(Wired { setup: now, kernel }),
        }
    }
}

//! The desk: keeps approvals, brings them to people, and lets each act through once.
//!
//! An approval is written into the store before anybody hears of it, and each change of it before
//! anything follows from it; who asked, who answered and what it came to is in the session's
//! journal as well. So a host that is killed at any moment finds its approvals again, and none is
//! used twice.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{Mutex, broadcast, watch};

use super::binding::action_hash;
use super::channel::{Channel, Click, Desk, Notice, Refused, Scope, Settled, Taken};
use super::pending::{NotCounted, Pending, Said, Stage, State};
use super::{Answer, Approver, Question, Terminal};
use crate::clock;
use crate::config::covers;
use crate::gate::Act;
use crate::journal::{Body, Journal, JournalError};
use crate::store::{Store, StoreError};

/// Keys of the store, before the id.
const KEY: &str = "approval/";
/// Approvals that wait at the same time. Danger: an agent that asks without end.
const WAITING_MAX: usize = 1_000;
/// Settled approvals are kept so long, for people to look at.
const KEPT_MS: u64 = 30 * 86_400_000;
/// How often a question looks whether its time is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Notes that wait for a slow reader.
const NOTES_MAX: usize = 256;

/// How approvals are handled here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What people call this host.
    pub host: String,
    /// Who is asked, in order.
    pub line: Vec<Rung>,
    pub quorum: Vec<Quorum>,
    /// A call waits so long before its session is laid aside.
    pub hold_ms: u64,
    /// Longest approval of a rule.
    pub rule_minutes_max: u32,
    /// The person at this host's terminal.
    pub user: String,
}

/// People who are asked together, and for how long alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    pub approvers: Vec<String>,
    pub wait_ms: u64,
}

/// From this risk on, so many people have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    pub risk: u8,
    pub votes: u32,
}

/// What happened at the desk, for those who look on.
#[derive(Clone, Debug)]
pub enum Note {
    /// Somebody is asked.
    Asked { id: String, session: String, summary: String },
    /// It is decided; a session that was laid aside for it can go on.
    Settled { id: String, session: String, outcome: String },
    /// A channel could not be reached: people have to look at `pi-host approvals list`.
    Failed { channel: String, error: String },
    /// It answers again.
    Restored { channel: String },
}

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("there is no approval `{0}`\nhint: `pi-host approvals list` has those that wait")]
    NotFound(String),
    #[error(transparent)]
    NotCounted(#[from] NotCounted),
    #[error("an approval of a rule lasts {0} minutes at most")]
    TooLong(u32),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

struct Entry {
    pending: Pending,
    changed: watch::Sender<()>,
}

/// All approvals of a host.
pub struct Approvals {
    journal: Arc<Journal>,
    settings: Settings,
    channels: Vec<Arc<dyn Channel>>,
    terminal: Option<Terminal>,
    entries: Mutex<BTreeMap<String, Entry>>,
    notes: broadcast::Sender<Note>,
    /// Turns true when nobody here waits any longer.
    stopped: watch::Sender<bool>,
    /// To hand itself to tasks of its own.
    me: std::sync::Mutex<std::sync::Weak<Self>>,
}

/// All approvals in a store, the oldest first. Needs no lease.
///
/// # Errors
/// The store failed.
pub async fn all(store: &dyn Store) -> Result<Vec<Pending>, StoreError> {
    let values = store.values(KEY).await?;
    // One that another version wrote is not shown rather than shown wrongly.
    let mut all: Vec<Pending> =
        values.into_iter().filter_map(|(_, value)| serde_json::from_value(value).ok()).collect();
    all.sort_by_key(|pending| pending.created_ms);
    Ok(all)
}

/// The approval of this id. Needs no lease.
///
/// # Errors
/// There is none, or the store failed.
pub async fn load(store: &dyn Store, id: &str) -> Result<Pending, AnswerError> {
    let value = store.value(&format!("{KEY}{id}")).await?;
    value
        .and_then(|value| serde_json::from_value(value).ok())
        .ok_or_else(|| AnswerError::NotFound(crate::gate::explain::escaped(id)))
}

impl Approvals {
    /// Take up what is in the store.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open(
        journal: Arc<Journal>,
        settings: Settings,
        channels: Vec<Arc<dyn Channel>>,
        terminal: Option<Terminal>,
    ) -> Result<Arc<Self>, StoreError> {
        let now_ms = clock::now_ms();
        let mut entries = BTreeMap::new();
        for pending in all(journal.store().as_ref()).await? {
            let is_old = pending.settled_ms.is_some_and(|settled| settled + KEPT_MS < now_ms);
            if is_old && ends_ms(&pending).is_none_or(|end| end < now_ms) {
                journal.store().remove_value(journal.lease(), &format!("{KEY}{}", pending.id)).await?;
                continue;
            }
            entries.insert(pending.id.clone(), Entry { pending, changed: watch::channel(()).0 });
        }
        let desk = Arc::new(Self {
            journal,
            settings,
            channels,
            terminal,
            entries: Mutex::new(entries),
            notes: broadcast::channel(NOTES_MAX).0,
            stopped: watch::channel(false).0,
            me: std::sync::Mutex::default(),
        });
        *desk.me.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&desk);
        for channel in &desk.channels {
            desk.catch_up(channel.name()).await;
        }
        Ok(desk)
    }

    /// Hear of what happens.
    #[must_use]
    pub fn notes(&self) -> broadcast::Receiver<Note> {
        self.notes.subscribe()
    }

    /// Bring answers back from all channels, until the returned tasks are aborted.
    #[must_use]
    pub fn listen(self: &Arc<Self>) -> tokio::task::JoinSet<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for channel in &self.channels {
            let (channel, desk) = (channel.clone(), self.clone());
            tasks.spawn(async move { channel.listen(desk).await });
        }
        tasks
    }

    /// The host stops: who cannot be laid aside waits no longer.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Take a person's answer.
    ///
    /// # Errors
    /// Why it does not count. Nothing has changed then.
    pub async fn answer(&self, id: &str, said: Said) -> Result<Pending, AnswerError> {
        if let Scope::Rule { minutes } = said.scope
            && (minutes == 0 || minutes > self.settings.rule_minutes_max)
        {
            return Err(AnswerError::TooLong(self.settings.rule_minutes_max));
        }
        let mut entries = self.entries.lock().await;
        let entry = entries.get_mut(id).ok_or_else(|| AnswerError::NotFound(crate::gate::explain::escaped(id)))?;
        let mut pending = entry.pending.clone();
        let said_by = (said.by.clone(), said.is_granted, said.comment.clone());
        if let Err(error) = pending.answer(said, clock::now_ms()) {
            self.journal_of(
                &pending,
                Body::ApprovalAnswered {
                    id: id.to_owned(),
                    by: said_by.0,
                    is_granted: said_by.1,
                    comment: said_by.2,
                    uncounted: Some(error.to_string()),
                },
            )
            .await?;
            return Err(error.into());
        }
        self.journal_of(
            &pending,
            Body::ApprovalAnswered {
                id: id.to_owned(),
                by: said_by.0,
                is_granted: said_by.1,
                comment: said_by.2,
                uncounted: None,
            },
        )
        .await?;
        self.change(entry, pending.clone()).await?;
        drop(entries);
        self.show(&pending);
        Ok(pending)
    }

    /// What the passing of time does to what waits, and whose sessions are gone. Called every so often.
    ///
    /// # Errors
    /// The store failed.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let now_ms = clock::now_ms();
        let mut shown = Vec::new();
        {
            let mut entries = self.entries.lock().await;
            for entry in entries.values_mut() {
                let mut pending = entry.pending.clone();
                if pending.age(now_ms) {
                    self.change(entry, pending.clone()).await?;
                    shown.push((pending, false));
                } else if pending.pass_on(now_ms) {
                    self.change(entry, pending.clone()).await?;
                    shown.push((pending, true));
                }
            }
        }
        for (pending, is_passed_on) in shown {
            if is_passed_on { self.announce(&pending) } else { self.show(&pending) }
        }
        Ok(())
    }

    /// Nobody waits any more for what these sessions asked.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget(&self, session: &str) -> Result<(), StoreError> {
        let mut withdrawn = Vec::new();
        {
            let mut entries = self.entries.lock().await;
            for entry in entries.values_mut() {
                let is_open = matches!(entry.pending.state, State::Waiting | State::Granted);
                if is_open && entry.pending.origin.session == session {
                    let mut pending = entry.pending.clone();
                    pending.withdraw("its session has ended", clock::now_ms());
                    self.change(entry, pending.clone()).await?;
                    withdrawn.push(pending);
                }
            }
        }
        withdrawn.iter().for_each(|pending| self.show(pending));
        Ok(())
    }

    /// Waits until this approval is decided, or is none any more.
    pub async fn settled(&self, id: &str) {
        let Some(mut changed) = self.entries.lock().await.get(id).map(|entry| entry.changed.subscribe()) else {
            return;
        };
        loop {
            let is_open = self.entries.lock().await.get(id).is_some_and(|entry| entry.pending.is_open());
            if !is_open || changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Write a change down, then let it be seen.
    async fn change(&self, entry: &mut Entry, pending: Pending) -> Result<(), StoreError> {
        let is_settled = entry.pending.is_open() && !pending.is_open();
        // Who has channels shows it in them as well.
        let mut pending = pending;
        pending.is_told |= is_settled && !self.channels.is_empty();
        self.store(&pending).await?;
        entry.pending = pending;
        entry.changed.send_replace(());
        if is_settled {
            let pending = &entry.pending;
            let body = Body::ApprovalSettled {
                id: pending.id.clone(),
                is_granted: pending.state == State::Granted,
                by: pending.deciders(),
                reason: pending.outcome(),
            };
            // What counts is in the store already.
            let _ = self.journal_of(pending, body).await;
            let _ = self.notes.send(Note::Settled {
                id: pending.id.clone(),
                session: pending.origin.session.clone(),
                outcome: pending.outcome(),
            });
        }
        Ok(())
    }

    async fn store(&self, pending: &Pending) -> Result<(), StoreError> {
        let value = serde_json::to_value(pending).unwrap_or(Value::Null);
        self.journal.store().set_value(self.journal.lease(), &format!("{KEY}{}", pending.id), &value).await
    }

    async fn journal_of(&self, pending: &Pending, body: Body) -> Result<(), JournalError> {
        let journal = self.journal.session(&pending.origin.session).await?;
        journal.append_durable(body).await.map(|_| ())
    }

    /// Bring a channel up to date: what it has not shown, and what was decided without it.
    async fn catch_up(&self, channel: &str) {
        let (mut unseen, mut undecided) = (Vec::new(), Vec::new());
        {
            let mut entries = self.entries.lock().await;
            for entry in entries.values_mut() {
                let shown = entry.pending.shown.contains_key(channel);
                if entry.pending.is_open() && !shown {
                    unseen.push(entry.pending.clone());
                } else if !entry.pending.is_open() && shown && !entry.pending.is_told {
                    let mut pending = entry.pending.clone();
                    pending.is_told = true;
                    // If this cannot be written it is shown once more, which changes nothing.
                    let _ = self.change(entry, pending.clone()).await;
                    undecided.push(pending);
                }
            }
        }
        unseen.iter().for_each(|pending| self.announce_in(pending, Some(channel)));
        undecided.iter().for_each(|pending| self.show(pending));
    }

    /// Show how it stands, where it is shown.
    fn show(&self, pending: &Pending) {
        let (notice, settled) = (pending.notice(&self.settings.host), pending.settled());
        for channel in &self.channels {
            let Some(handle) = pending.shown.get(channel.name()).cloned() else { continue };
            let (channel, notes, notice, settled) =
                (channel.clone(), self.notes.clone(), notice.clone(), settled.clone());
            tokio::spawn(async move {
                if let Err(error) = channel.update(&handle, &notice, settled.as_ref()).await {
                    let _ = notes.send(Note::Failed { channel: channel.name().to_owned(), error: error.to_string() });
                }
            });
        }
    }

    /// Bring it to people, in all channels.
    fn announce(&self, pending: &Pending) {
        self.announce_in(pending, None);
    }

    fn announce_in(&self, pending: &Pending, only: Option<&str>) {
        let notice = pending.notice(&self.settings.host);
        let Some(me) = self.me.lock().unwrap_or_else(PoisonError::into_inner).upgrade() else { return };
        for channel in self.channels.iter().filter(|channel| only.is_none_or(|only| only == channel.name())) {
            let (me, channel, notice) = (me.clone(), channel.clone(), notice.clone());
            tokio::spawn(async move {
                match channel.announce(&notice).await {
                    Ok(handle) => me.note_shown(&notice.id, channel.as_ref(), handle).await,
                    Err(error) => {
                        let channel = channel.name().to_owned();
                        let _ = me.notes.send(Note::Failed { channel, error: error.to_string() });
                    }
                }
            });
        }
    }

    async fn note_shown(&self, id: &str, channel: &dyn Channel, handle: String) {
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else { return };
        let mut pending = entry.pending.clone();
        pending.shown.insert(channel.name().to_owned(), handle);
        // If this cannot be written the message is not brought up to date; the answer counts all the same.
        if self.change(entry, pending.clone()).await.is_ok() && !pending.is_open() {
            // It was decided while it was on its way.
            drop(entries);
            self.show(&pending);
        }
    }

    /// An approval that goes on being one: for this very act in its session, or for what a rule asks.
    async fn standing(&self, question: &Question<'_>, hash: &str) -> Option<Answer> {
        let now_ms = clock::now_ms();
        let entries = self.entries.lock().await;
        let standing = entries.values().map(|entry| &entry.pending).find(|pending| {
            let is_granted = matches!(pending.state, State::Granted | State::Used) && pending.edited.is_none();
            let is_same_agent = pending.origin.agent == question.origin.agent;
            let is_covered = match pending.scope {
                Scope::Once => false,
                Scope::Session => {
                    pending.origin.session == question.origin.session
                        && pending.action_hash == hash
                        && pending.state == State::Used
                }
                Scope::Rule { .. } => {
                    ends_ms(pending).is_some_and(|end| now_ms < end)
                        && pending.act.name() == question.act.name()
                        && question.decision.risk <= pending.decision.risk
                        && question.decision.rules.iter().all(|rule| pending.decision.rules.contains(rule))
                }
            };
            is_granted && is_same_agent && pending.policy == question.policy && is_covered
        })?;
        let until = match standing.scope {
            Scope::Session => "for this session".to_owned(),
            _ => format!("until {}", clock::rfc3339(ends_ms(standing).unwrap_or_default())),
        };
        Some(Answer {
            is_granted: true,
            by: standing.deciders().join(", "),
            reason: format!("by the approval {} {until}", standing.id),
            id: Some(standing.id.clone()),
            edited: None,
        })
    }

    /// The approval of this act in its session: one that is there, or a new one.
    async fn approval_for(&self, question: &Question<'_>, hash: String) -> Result<String, String> {
        let mut entries = self.entries.lock().await;
        let known = entries.values().map(|entry| &entry.pending).find(|pending| {
            pending.origin.session == question.origin.session
                && pending.action_hash == hash
                && pending.policy == question.policy
                && matches!(pending.state, State::Waiting | State::Granted | State::Denied)
        });
        if let Some(known) = known {
            return Ok(known.id.clone());
        }
        let waiting = entries.values().filter(|entry| entry.pending.is_open()).count();
        if waiting >= WAITING_MAX {
            return Err(format!("{WAITING_MAX} approvals wait already"));
        }
        let pending = self.pending(question, hash);
        let asked = Body::ApprovalAsked {
            key: pending.key.clone(),
            id: pending.id.clone(),
            act: pending.act.clone(),
            action_hash: pending.action_hash.clone(),
            policy: pending.policy.clone(),
            expires_ms: pending.expires_ms(),
            votes_needed: pending.votes_needed,
        };
        let failed = |error: &dyn std::fmt::Display| format!("the question could not be written down: {error}");
        self.journal_of(&pending, asked).await.map_err(|error| failed(&error))?;
        self.store(&pending).await.map_err(|error| failed(&error))?;
        entries.insert(pending.id.clone(), Entry { pending: pending.clone(), changed: watch::channel(()).0 });
        drop(entries);
        let _ = self.notes.send(Note::Asked {
            id: pending.id.clone(),
            session: pending.origin.session.clone(),
            summary: pending.act.summary(),
        });
        self.announce(&pending);
        Ok(pending.id)
    }

    fn pending(&self, question: &Question<'_>, hash: String) -> Pending {
        let now_ms = clock::now_ms();
        let mut until_ms = now_ms;
        let stages = self.settings.line.iter().map(|rung| {
            until_ms += rung.wait_ms;
            Stage { approvers: rung.approvers.clone(), until_ms }
        });
        let stages = stages.collect();
        let risk = question.decision.risk;
        let votes_needed = self.settings.quorum.iter().filter(|quorum| risk >= quorum.risk).map(|quorum| quorum.votes);
        Pending {
            id: new_id(),
            act: question.act.clone(),
            origin: question.origin.clone(),
            key: question.key.to_owned(),
            decision: question.decision.clone(),
            action_hash: hash,
            policy: question.policy.to_owned(),
            created_ms: now_ms,
            stages,
            votes_needed: votes_needed.max().unwrap_or(1).max(1),
            votes: Vec::new(),
            scope: Scope::Once,
            state: State::Waiting,
            reason: String::new(),
            settled_ms: None,
            edited: None,
            shown: BTreeMap::new(),
            rungs_told: 1,
            is_told: false,
        }
    }

    /// Wait until it is decided, or lay the call aside.
    async fn decided(&self, id: &str, question: &Question<'_>) -> Option<Pending> {
        let mut changed = self.entries.lock().await.get(id)?.changed.subscribe();
        let terminal = self.terminal.as_ref().filter(|_| {
            let by = format!("terminal:{}", self.settings.user);
            self.settings.line.iter().any(|rung| rung.approvers.iter().any(|approver| covers(approver, &by)))
        });
        let at_terminal = async {
            match terminal {
                Some(terminal) => terminal.put(question).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(at_terminal);
        let mut has_answered = false;
        let hold = tokio::time::sleep(Duration::from_millis(self.settings.hold_ms));
        tokio::pin!(hold);
        let mut stopped = self.stopped.subscribe();
        let stopped = async move {
            let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
        };
        tokio::pin!(stopped);
        let mut is_stopped = false;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            {
                let entries = self.entries.lock().await;
                let pending = &entries.get(id)?.pending;
                if !pending.is_open() {
                    return Some(pending.clone());
                }
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = &mut stopped, if question.aside.is_none() && !is_stopped => {
                    is_stopped = true;
                    self.withdraw(id, "the host has stopped").await;
                }
                _ = look.tick() => { let _ = self.tick().await; }
                said = &mut at_terminal, if !has_answered => {
                    has_answered = true;
                    let by = format!("terminal:{}", self.settings.user);
                    let said = Said { by, is_granted: said, scope: Scope::Once, comment: String::new(), action_hash: None, edited: None };
                    let _ = self.answer(id, said).await;
                }
                () = &mut hold, if terminal.is_none() && question.aside.is_some() => {
                    if let Some(aside) = question.aside {
                        aside.lay(id);
                    }
                    // The call is dropped here, with its instance.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Let a granted act through, once, if it is still the same.
    async fn let_through(&self, id: &str, hash_now: Option<String>) -> Answer {
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else {
            return Answer::no("approvals", "the approval is gone");
        };
        let mut pending = entry.pending.clone();
        if pending.edited.is_none() && hash_now.as_ref() != Some(&pending.action_hash) {
            pending.withdraw("what it is about has changed since it was asked", clock::now_ms());
            let reason = pending.outcome();
            let _ = self.change(entry, pending.clone()).await;
            drop(entries);
            self.show(&pending);
            return Answer { id: Some(id.to_owned()), ..Answer::no("approvals", reason) };
        }
        if !pending.take() {
            return Answer { id: Some(id.to_owned()), ..Answer::no("approvals", pending.outcome()) };
        }
        let answer = Answer {
            is_granted: true,
            by: pending.deciders().join(", "),
            reason: pending.reason.clone(),
            id: Some(id.to_owned()),
            edited: pending.edited.clone(),
        };
        // Stored first: a host that is killed now does not do it twice.
        match self.change(entry, pending).await {
            Ok(()) => answer,
            Err(error) => Answer::no("approvals", format!("the approval could not be written down: {error}")),
        }
    }
}

#[async_trait]
impl Approver for Approvals {
    async fn ask(&self, question: Question<'_>) -> Answer {
        let Some(hash) = hash_of(question.act).await else {
            return Answer::no("approvals", "the act could not be read");
        };
        if let Some(answer) = self.standing(&question, &hash).await {
            return answer;
        }
        let id = match self.approval_for(&question, hash).await {
            Ok(id) => id,
            Err(reason) => return Answer::no("approvals", reason),
        };
        let mut asking = Asking { desk: self, id: &id, is_kept: question.aside.is_some() };
        let decided = self.decided(&id, &question).await;
        asking.is_kept = true;
        drop(asking);
        match decided {
            Some(pending) if pending.state == State::Granted => {
                self.let_through(&id, hash_of(question.act).await).await
            }
            Some(pending) => {
                let by = match pending.deciders() {
                    by if by.is_empty() => "nobody".to_owned(),
                    by => by.join(", "),
                };
                Answer { id: Some(id), ..Answer::no(&by, pending.outcome()) }
            }
            None => Answer::no("approvals", "the approval is gone"),
        }
    }
}

async fn hash_of(act: &Act) -> Option<String> {
    let act = act.clone();
    tokio::task::spawn_blocking(move || action_hash(&act)).await.ok()
}

/// A question that stands. One that nobody will ask again is taken back with its call.
struct Asking<'a> {
    desk: &'a Approvals,
    id: &'a str,
    /// It is over, or the session asks it again when it is taken up.
    is_kept: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let me = self.desk.me.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let (Some(desk), Ok(runtime)) = (me, tokio::runtime::Handle::try_current()) {
            let id = self.id.to_owned();
            runtime.spawn(async move { desk.withdraw(&id, "the call that asked has ended").await });
        }
    }
}

impl Approvals {
    async fn withdraw(&self, id: &str, reason: &str) {
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else { return };
        let mut pending = entry.pending.clone();
        pending.withdraw(reason, clock::now_ms());
        if pending != entry.pending && self.change(entry, pending.clone()).await.is_ok() {
            drop(entries);
            self.show(&pending);
        }
    }
}

#[async_trait]
impl Desk for Approvals {
    async fn click(&self, click: Click) -> Result<Taken, Refused> {
        let said = Said {
            by: click.by,
            is_granted: click.is_granted,
            scope: click.scope,
            comment: click.comment,
            action_hash: Some(click.action_hash),
            edited: None,
        };
        let pending = self.answer(&click.id, said).await.map_err(|error| Refused(error.to_string()))?;
        Ok(match pending.settled() {
            Some(settled) => Taken::Settled(settled),
            None => {
                let votes = u32::try_from(pending.votes.len()).unwrap_or(u32::MAX);
                Taken::Counted { votes, needed: pending.votes_needed }
            }
        })
    }

    async fn notice(&self, id: &str) -> Option<(Notice, Option<Settled>)> {
        let entries = self.entries.lock().await;
        let pending = &entries.get(id)?.pending;
        Some((pending.notice(&self.settings.host), pending.settled()))
    }

    fn trouble(&self, channel: &str, trouble: Option<&str>) {
        let _ = self.notes.send(match trouble {
            Some(error) => Note::Failed { channel: channel.to_owned(), error: error.to_owned() },
            None => Note::Restored { channel: channel.to_owned() },
        });
        let me = self.me.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let (None, Some(desk), Ok(runtime)) = (trouble, me, tokio::runtime::Handle::try_current()) {
            let channel = channel.to_owned();
            runtime.spawn(async move { desk.catch_up(&channel).await });
        }
    }
}

/// When an approval of a rule ends.
fn ends_ms(pending: &Pending) -> Option<u64> {
    let Scope::Rule { minutes } = pending.scope else { return None };
    pending.settled_ms.map(|settled| settled + u64::from(minutes) * 60_000)
}

/// Short enough to be typed, and not to be guessed within a day.
fn new_id() -> String {
    let mut random = [0_u8; 5];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("a-{text}")
}

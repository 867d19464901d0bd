//! The desk: keeps approvals, brings them to people, and lets each act through once.
//!
//! An approval is written into the store before anybody hears of it, and each change of it before
//! anything follows from it; who asked, who answered and what it came to is in the session's
//! journal as well. So a host that is killed at any moment finds its approvals again, and none is
//! used twice. `asking` is the way of one question, `delivery` keeps the channels up to date.

mod asking;
mod delivery;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, broadcast, watch};

use super::Terminal;
use super::channel::{Channel, Click, Desk, Notice, Refused, Scope, Settled, Taken, cut};
use super::pending::{COMMENT_CHARS_MAX, NotCounted, Pending, Said, State};
use super::settings::Settings;
use crate::clock;
use crate::config::RESERVED;
use crate::journal::{Body, Journal, JournalError};
use crate::store::{Store, StoreError};
use delivery::Attempts;

/// Keys of the store, before the id.
const KEY: &str = "approval/";
/// Settled approvals are kept so long, for people to look at.
const KEPT_MS: u64 = 30 * 86_400_000;
/// What waits is looked at so often at most, however many calls wait.
const LOOK_EVERY_MS: u64 = 200;
/// Settled approvals are looked through for old ones so often.
const SWEEP_EVERY_MS: u64 = 3_600_000;
/// Notes that wait for a slow reader.
const NOTES_MAX: usize = 256;
/// Answers that do not count and are written down, for each approval. Danger: a click is a durable
/// entry of the journal, and anybody in a channel can click.
const UNCOUNTED_MAX: u32 = 20;
/// Longest name that is written down of who answered.
const NAME_CHARS_MAX: usize = 80;

/// What happened at the desk, for those who look on.
#[derive(Clone, Debug)]
pub enum Note {
    /// Somebody is asked about the act at `key` of its session.
    Asked { id: String, session: String, key: String, summary: String },
    /// An act waits for an approval that was asked for already: by the same call before, or by another one.
    Joined { id: String, session: String, key: String, summary: String },
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
    /// Answers that did not count.
    uncounted: u32,
}

impl Entry {
    fn new(pending: Pending) -> Self {
        Self { pending, changed: watch::channel(()).0, uncounted: 0 }
    }
}

type Entries = BTreeMap<String, Entry>;

/// All approvals of a host.
pub struct Approvals {
    journal: Arc<Journal>,
    settings: Settings,
    channels: Vec<Arc<dyn Channel>>,
    terminal: Option<Terminal>,
    entries: Mutex<Entries>,
    looked: std::sync::Mutex<Looked>,
    attempts: Attempts,
    notes: broadcast::Sender<Note>,
    /// Turns true when nobody here waits any longer.
    stopped: watch::Sender<bool>,
    /// To hand itself to tasks of its own.
    me: std::sync::Mutex<std::sync::Weak<Self>>,
}

/// When what waits was looked at, and when what is old was removed.
#[derive(Default)]
struct Looked {
    ms: u64,
    swept_ms: u64,
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

/// As [`all`], each as it stands now: where no host runs, nobody writes down whose time is over.
///
/// # Errors
/// The store failed.
pub async fn all_now(store: &dyn Store) -> Result<Vec<Pending>, StoreError> {
    let mut all = all(store).await?;
    all.iter_mut().for_each(|pending| _ = pending.age(clock::now_ms()));
    Ok(all)
}

/// The approval of this id as it stands now. Needs no lease.
///
/// # Errors
/// There is none, or the store failed.
pub async fn load(store: &dyn Store, id: &str) -> Result<Pending, AnswerError> {
    let value = store.value(&format!("{KEY}{id}")).await?;
    let pending: Option<Pending> = value.and_then(|value| serde_json::from_value(value).ok());
    let mut pending = pending.ok_or_else(|| AnswerError::NotFound(crate::gate::explain::escaped(id)))?;
    pending.age(clock::now_ms());
    Ok(pending)
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
        let entries = all(journal.store().as_ref()).await?;
        let entries = entries.into_iter().map(|mut pending| {
            pending.votes_needed = pending.votes_needed.max(settings.votes_needed(pending.decision.risk));
            (pending.id.clone(), Entry::new(pending))
        });
        let desk = Arc::new(Self {
            entries: Mutex::new(entries.collect()),
            journal,
            settings,
            channels,
            terminal,
            looked: std::sync::Mutex::default(),
            attempts: Attempts::default(),
            notes: broadcast::channel(NOTES_MAX).0,
            stopped: watch::channel(false).0,
            me: std::sync::Mutex::default(),
        });
        *desk.me.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&desk);
        // Who has the store is the only host: whatever a person's single call has asked, it has ended.
        desk.withdraw_all(|pending| RESERVED.contains(&pending.origin.agent.as_str()), "the call that asked has ended")
            .await?;
        desk.tick().await?;
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
    pub async fn answer(&self, id: &str, mut said: Said) -> Result<Pending, AnswerError> {
        if let Scope::Rule { minutes } = said.scope
            && (minutes == 0 || minutes > self.settings.rule_minutes_max)
        {
            return Err(AnswerError::TooLong(self.settings.rule_minutes_max));
        }
        said.comment = cut(&said.comment, COMMENT_CHARS_MAX);
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else {
            drop(entries);
            // It may be one whose session has ended.
            let pending = load(self.journal.store().as_ref(), id).await?;
            return Err(NotCounted::Settled(pending.outcome()).into());
        };
        let mut pending = entry.pending.clone();
        let counted = pending.answer(said.clone(), &self.settings, clock::now_ms());
        entry.uncounted += u32::from(counted.is_err());
        if counted.is_ok() || entry.uncounted <= UNCOUNTED_MAX {
            let body = Body::ApprovalAnswered {
                id: id.to_owned(),
                by: cut(&said.by, NAME_CHARS_MAX),
                is_granted: said.is_granted,
                comment: said.comment,
                scope: match said.scope {
                    Scope::Once => String::new(),
                    Scope::Session => "for this session".to_owned(),
                    Scope::Rule { minutes } => format!("for the rule, {minutes} minutes"),
                },
                edited: said.edited,
                uncounted: counted.as_ref().err().map(ToString::to_string),
            };
            self.journal_of(&pending, body).await?;
        }
        counted?;
        self.change(entry, pending.clone()).await?;
        drop(entries);
        self.deliver().await;
        Ok(pending)
    }

    /// Take back an approval that lets acts through from now on.
    ///
    /// # Errors
    /// There is none, or this name may not.
    pub async fn revoke(&self, id: &str, by: &str) -> Result<Pending, AnswerError> {
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else {
            drop(entries);
            let pending = load(self.journal.store().as_ref(), id).await?;
            return Err(NotCounted::NotStanding(pending.outcome()).into());
        };
        let mut pending = entry.pending.clone();
        pending.revoke(by, &self.settings, clock::now_ms())?;
        self.change(entry, pending.clone()).await?;
        drop(entries);
        self.deliver().await;
        Ok(pending)
    }

    /// What the passing of time does to what waits, and what could not be shown before. Called every so often.
    ///
    /// # Errors
    /// The store failed.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let now_ms = clock::now_ms();
        let is_sweeping = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.ms.abs_diff(now_ms) < LOOK_EVERY_MS {
                return Ok(());
            }
            looked.ms = now_ms;
            let is_sweeping = looked.swept_ms.abs_diff(now_ms) >= SWEEP_EVERY_MS;
            if is_sweeping {
                looked.swept_ms = now_ms;
            }
            is_sweeping
        };
        let mut entries = self.entries.lock().await;
        for entry in entries.values_mut() {
            let mut pending = entry.pending.clone();
            if pending.age(now_ms) {
                self.change(entry, pending).await?;
            } else if pending.pass_on(now_ms) {
                let approvers = pending.approvers(now_ms).into_iter().map(str::to_owned).collect();
                let body = Body::ApprovalPassedOn { id: pending.id.clone(), approvers };
                self.change(entry, pending).await?;
                // Who is asked is in the approval itself already.
                let _ = self.journal_of(&entry.pending, body).await;
            }
        }
        if is_sweeping {
            self.sweep(&mut entries, now_ms).await?;
        }
        drop(entries);
        self.deliver().await;
        Ok(())
    }

    /// Remove what was settled long ago.
    async fn sweep(&self, entries: &mut MutexGuard<'_, Entries>, now_ms: u64) -> Result<(), StoreError> {
        let is_old = |pending: &Pending| {
            let is_old = pending.settled_ms.is_some_and(|settled| settled.saturating_add(KEPT_MS) < now_ms);
            is_old && !pending.is_standing(now_ms)
        };
        for pending in all(self.journal.store().as_ref()).await?.into_iter().filter(is_old) {
            self.journal.store().remove_value(self.journal.lease(), &format!("{KEY}{}", pending.id)).await?;
            entries.remove(&pending.id);
        }
        Ok(())
    }

    /// Nobody waits any more for what this session asked, and what holds for it has ended.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget(&self, session: &str) -> Result<(), StoreError> {
        self.withdraw_all(|pending| pending.origin.session == session, "its session has ended").await?;
        self.deliver().await;
        let now_ms = clock::now_ms();
        let mut entries = self.entries.lock().await;
        // It is in the store for those who look; here it would only be looked through.
        entries.retain(|_, entry| {
            let pending = &entry.pending;
            let is_over = pending.origin.session == session && !pending.is_open() && !pending.is_standing(now_ms);
            !is_over || !self.is_delivered(pending)
        });
        Ok(())
    }

    async fn withdraw_all(&self, which: impl Fn(&Pending) -> bool, reason: &str) -> Result<(), StoreError> {
        let now_ms = clock::now_ms();
        let mut entries = self.entries.lock().await;
        for entry in entries.values_mut().filter(|entry| which(&entry.pending)) {
            let mut pending = entry.pending.clone();
            pending.end(reason, now_ms);
            if pending != entry.pending {
                self.change(entry, pending).await?;
            }
        }
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
        let before = entry.pending.state;
        self.store(&pending).await?;
        entry.pending = pending;
        entry.changed.send_replace(());
        let pending = &entry.pending;
        if pending.state == before {
            return Ok(());
        }
        let id = pending.id.clone();
        let body = match pending.state {
            State::Used => Body::ApprovalUsed { id, key: pending.key.clone() },
            State::Waiting => return Ok(()),
            State::Granted if before == State::Used => return Ok(()),
            _ => Body::ApprovalSettled {
                id,
                is_granted: pending.state == State::Granted,
                by: pending.deciders(),
                reason: pending.outcome(),
            },
        };
        // What counts is in the store already.
        let _ = self.journal_of(pending, body).await;
        if before == State::Waiting {
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

    /// Itself, for a task of its own.
    fn me(&self) -> Option<Arc<Self>> {
        self.me.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
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
        let known = self.entries.lock().await.get(id).map(|entry| entry.pending.clone());
        // It may be one whose session has ended.
        let pending = match known {
            Some(pending) => pending,
            None => load(self.journal.store().as_ref(), id).await.ok()?,
        };
        Some((pending.notice(&self.settings.host, clock::now_ms()), pending.settled()))
    }

    fn trouble(&self, channel: &str, trouble: Option<&str>) {
        let _ = self.notes.send(match trouble {
            Some(error) => Note::Failed { channel: channel.to_owned(), error: error.to_owned() },
            None => Note::Restored { channel: channel.to_owned() },
        });
        if let (None, Some(desk), Ok(runtime)) = (trouble, self.me(), tokio::runtime::Handle::try_current()) {
            self.attempts.hurry(channel);
            runtime.spawn(async move { desk.deliver().await });
        }
    }
}

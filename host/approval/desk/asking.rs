//! The way of one question: an approval that stands already, or a new one; waiting for people; and
//! letting the act through, once, if all is as it was when they agreed.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::MutexGuard;

use super::{Approvals, Entries, Entry, Note};
use crate::approval::binding::{Unbound, action_hash};
use crate::approval::channel::Scope;
use crate::approval::pending::{Pending, Said, Stage, State};
use crate::approval::{Answer, Approver, Question, is_no_worse, summary};
use crate::clock;
use crate::journal::Body;

/// Approvals that wait at the same time. Danger: an agent that asks without end.
const WAITING_MAX: usize = 1_000;
/// Of these, of one session. Danger: one agent that takes all the places.
const SESSION_WAITING_MAX: usize = 20;
/// So often people are asked by one session.
const SESSION_ASKED_MAX: usize = 500;
/// After so many refusals a session asks nobody any more. Danger: an agent that asks for one thing
/// in ever new words.
const SESSION_DENIED_MAX: usize = 10;
/// How often a question looks whether its time is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl Approver for Approvals {
    async fn ask(&self, question: Question<'_>) -> Answer {
        let hash = match self.hash_of(&question).await {
            Ok(hash) => hash,
            Err(error) => return Answer::no("approvals", format!("nobody can agree to it: {error}")),
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
                let hash = self.hash_of(&question).await;
                self.let_through(&id, hash.ok(), &question).await
            }
            // What was made of it is judged first, and asked about where need be.
            Some(pending) if pending.state == State::Edited => Answer {
                is_granted: true,
                by: pending.deciders().join(", "),
                reason: pending.outcome(),
                id: Some(id),
                edited: pending.edited,
            },
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

    async fn spend(&self, id: &str) -> bool {
        let mut entries = self.entries.lock().await;
        self.use_up(&mut entries, id).await
    }
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
        if let (Some(desk), Ok(runtime)) = (self.desk.me(), tokio::runtime::Handle::try_current()) {
            let id = self.id.to_owned();
            runtime.spawn(async move { desk.withdraw(&id, "the call that asked has ended").await });
        }
    }
}

/// How far a question has been written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Nothing,
    /// What the store has of it is not known.
    Journal,
    All,
}

/// A question that is being written down. Its call may be dropped in the middle of it: with its instance, by a limit,
/// by a person. Without this the store would keep an approval that is shown to people and that nobody can answer.
struct Writing<'a> {
    desk: &'a Approvals,
    id: &'a str,
    is_kept: bool,
    stage: Written,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.stage == Written::All {
            return;
        }
        if let (Some(desk), Ok(runtime)) = (self.desk.me(), tokio::runtime::Handle::try_current()) {
            let (id, is_kept, stage) = (self.id.to_owned(), self.is_kept, self.stage);
            runtime.spawn(async move { desk.end_writing(&id, is_kept, stage).await });
        }
    }
}

impl Approvals {
    async fn hash_of(&self, question: &Question<'_>) -> Result<String, Unbound> {
        let (act, decision, own) =
            (question.act.clone(), question.decision.clone(), self.settings.state_folder.clone());
        let hashed = tokio::task::spawn_blocking(move || action_hash(&act, &decision, &own)).await;
        hashed.map_err(|error| Unbound::Unreadable(error.to_string()))?
    }

    /// An approval that goes on being one: for this very act in its session, or for what a rule asks.
    async fn standing(&self, question: &Question<'_>, hash: &str) -> Option<Answer> {
        let now_ms = clock::now_ms();
        let entries = self.entries.lock().await;
        let standing = entries.values().map(|entry| &entry.pending).find(|pending| {
            let is_same_agent = pending.origin.agent == question.origin.agent;
            let is_covered = match pending.scope {
                Scope::Once => false,
                Scope::Session => pending.origin.session == question.origin.session && pending.action_hash == hash,
                Scope::Rule { .. } => pending.act.name() == question.act.name(),
            };
            is_covered
                && is_same_agent
                && pending.edited.is_none()
                && pending.is_standing(now_ms)
                && pending.policy == question.policy
                && is_no_worse(question.decision, &pending.decision)
                && pending.is_enough(&self.settings)
        })?;
        let until = match standing.scope {
            Scope::Session => "for this session".to_owned(),
            _ => format!("until {}", clock::rfc3339(standing.ends_ms().unwrap_or_default())),
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
        if let Some(id) = self.known(&mut entries, question, &hash).await? {
            if let Some(pending) = entries.get(&id).map(|entry| &entry.pending).filter(|pending| pending.is_open()) {
                let _ = self.notes.send(Note::Joined {
                    id: id.clone(),
                    session: question.origin.session.clone(),
                    key: question.key.to_owned(),
                    summary: summary(&pending.act),
                });
            }
            return Ok(id);
        }
        check_room(&entries, &question.origin.session)?;
        let mut pending = self.pending(question, hash);
        if let Some(original) = question.edit_of.and_then(|id| entries.get(id)) {
            pending.credit(&original.pending, &self.settings, clock::now_ms());
        }
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
        let id = pending.id.clone();
        // Here before it is in the store: whoever finds it there can answer it, also if the call is dropped meanwhile.
        entries.insert(id.clone(), Entry::new(pending.clone()));
        let mut writing = Writing { desk: self, id: &id, is_kept: question.aside.is_some(), stage: Written::Nothing };
        let written = async {
            self.journal_of(&pending, asked).await.map_err(|error| failed(&error))?;
            writing.stage = Written::Journal;
            self.store(&pending).await.map_err(|error| failed(&error))
        };
        let written = written.await;
        writing.stage = Written::All;
        drop(writing);
        if let Err(error) = written {
            entries.remove(&id);
            return Err(error);
        }
        drop(entries);
        self.tell(&pending).await;
        Ok(id)
    }

    /// Let people know of what is asked.
    async fn tell(&self, pending: &Pending) {
        if pending.is_open() {
            let _ = self.notes.send(Note::Asked {
                id: pending.id.clone(),
                session: pending.origin.session.clone(),
                key: pending.key.clone(),
                summary: summary(&pending.act),
            });
        }
        self.deliver().await;
    }

    /// Bring to an end what a dropped call had begun to write down: it may be in the store or not.
    async fn end_writing(&self, id: &str, is_kept: bool, stage: Written) {
        let mut entries = self.entries.lock().await;
        if stage == Written::Nothing {
            // The store has not heard of it, and neither has anybody else.
            entries.remove(id);
            return;
        }
        let Some(entry) = entries.get_mut(id) else { return };
        let mut pending = entry.pending.clone();
        if is_kept {
            // Somebody who was quick may have answered already: what is known here is the latest.
            if self.store(&pending).await.is_ok() {
                drop(entries);
                self.tell(&pending).await;
            }
            return;
        }
        pending.withdraw("the call that asked has ended", clock::now_ms());
        if self.change(entry, pending).await.is_ok() {
            drop(entries);
            self.deliver().await;
        }
    }

    /// An approval of this very act that is there already. One that was asked or granted when less was
    /// known about the act is none any more.
    async fn known(
        &self,
        entries: &mut MutexGuard<'_, Entries>,
        question: &Question<'_>,
        hash: &str,
    ) -> Result<Option<String>, String> {
        let failed = |error| format!("the approval could not be written down: {error}");
        for entry in entries.values_mut() {
            let pending = &entry.pending;
            let is_same = pending.origin.session == question.origin.session
                && pending.action_hash == hash
                && pending.policy == question.policy;
            if !is_same {
                continue;
            }
            let is_used_here = question.is_rerun && pending.state == State::Used && pending.key == question.key;
            let is_open = matches!(pending.state, State::Waiting | State::Granted) || is_used_here;
            if is_open && !is_no_worse(question.decision, &pending.decision) {
                let mut pending = pending.clone();
                pending.withdraw("more is known about it than when it was asked", clock::now_ms());
                self.change(entry, pending).await.map_err(failed)?;
            } else if is_used_here && pending.edited.is_none() {
                let mut pending = pending.clone();
                pending.give_back();
                self.change(entry, pending).await.map_err(failed)?;
                return Ok(Some(entry.pending.id.clone()));
            } else if is_open && !is_used_here || matches!(pending.state, State::Denied | State::Edited) {
                return Ok(Some(pending.id.clone()));
            }
        }
        Ok(None)
    }

    fn pending(&self, question: &Question<'_>, hash: String) -> Pending {
        let now_ms = clock::now_ms();
        let mut until_ms = now_ms;
        let stages = self.settings.line.iter().map(|rung| {
            until_ms += rung.wait_ms;
            Stage { approvers: rung.approvers.clone(), until_ms }
        });
        Pending {
            id: new_id(),
            act: question.act.clone(),
            origin: question.origin.clone(),
            key: question.key.to_owned(),
            decision: question.decision.clone(),
            action_hash: hash,
            policy: question.policy.to_owned(),
            created_ms: now_ms,
            stages: stages.collect(),
            votes_needed: self.settings.votes_needed(question.decision.risk),
            votes: Vec::new(),
            scope: Scope::Once,
            state: State::Waiting,
            reason: String::new(),
            settled_ms: None,
            edited: None,
            edit_of: question.edit_of.map(str::to_owned),
            content: question.content.cloned(),
            shown: std::collections::BTreeMap::new(),
            rungs_told: 1,
        }
    }

    /// Wait until it is decided, or lay the call aside.
    async fn decided(&self, id: &str, question: &Question<'_>) -> Option<Pending> {
        let mut changed = self.entries.lock().await.get(id)?.changed.subscribe();
        let at_terminal = self.at_terminal(id, question);
        tokio::pin!(at_terminal);
        let hold = tokio::time::sleep(Duration::from_millis(self.settings.hold_ms));
        tokio::pin!(hold);
        let mut stopped = self.stopped.subscribe();
        let stopped = async move {
            let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
        };
        tokio::pin!(stopped);
        let mut is_stopped = false;
        // A person at the terminal shall not see the question go; where nobody answers there, it may.
        let mut is_at_terminal = self.has_terminal();
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
                () = &mut at_terminal, if is_at_terminal => is_at_terminal = false,
                () = &mut hold, if !is_at_terminal && question.aside.is_some() => {
                    if let Some(aside) = question.aside {
                        aside.lay(id);
                    }
                    // The call is dropped here, with its instance.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Whether the person at the terminal is ever asked.
    fn has_terminal(&self) -> bool {
        self.terminal.is_some() && self.settings.is_approver(&self.at_terminal_name())
    }

    fn at_terminal_name(&self) -> String {
        format!("terminal:{}", self.settings.user)
    }

    /// Ask the person at the terminal, when it is their turn. Ends when nobody will answer there.
    async fn at_terminal(&self, id: &str, question: &Question<'_>) {
        let Some(terminal) = &self.terminal else { return };
        let by = self.at_terminal_name();
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            let action_hash = match self.entries.lock().await.get(id) {
                Some(entry) if entry.pending.is_turn_of(&by, &self.settings, clock::now_ms()) => {
                    entry.pending.action_hash.clone()
                }
                Some(_) => continue,
                None => return,
            };
            // Silence is no answer: others may still decide.
            let Some(is_granted) = terminal.put(question).await else { return };
            let said = Said {
                by: by.clone(),
                is_granted,
                scope: Scope::Once,
                comment: String::new(),
                action_hash: Some(action_hash),
                edited: None,
            };
            // Counted, or why not: in either case there is no more to say here.
            let _ = self.answer(id, said).await;
            return;
        }
    }

    /// Let a granted act through, once, if it is still the same.
    async fn let_through(&self, id: &str, hash_now: Option<String>, question: &Question<'_>) -> Answer {
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else {
            return Answer::no("approvals", "the approval is gone");
        };
        let mut pending = entry.pending.clone();
        let refused = if hash_now.as_ref() != Some(&pending.action_hash) {
            Some("what it is about has changed since it was asked")
        } else if !pending.is_enough(&self.settings) {
            Some("those who agreed are not enough any more, or no approvers")
        } else {
            None
        };
        if let Some(reason) = refused {
            pending.withdraw(reason, clock::now_ms());
            let reason = pending.outcome();
            let _ = self.change(entry, pending).await;
            drop(entries);
            self.deliver().await;
            return Answer { id: Some(id.to_owned()), ..Answer::no("approvals", reason) };
        }
        if let Some(original) = question.edit_of
            && !self.use_up(&mut entries, original).await
        {
            return Answer::no("approvals", "what it was made of is not to be done any more");
        }
        if !self.use_up(&mut entries, id).await {
            let outcome = entries.get(id).map(|entry| entry.pending.outcome()).unwrap_or_default();
            return Answer { id: Some(id.to_owned()), ..Answer::no("approvals", outcome) };
        }
        Answer {
            is_granted: true,
            by: pending.deciders().join(", "),
            reason: pending.reason,
            id: Some(id.to_owned()),
            edited: None,
        }
    }

    /// Note an approval as used. Stored first: a host that is killed now does not do it twice.
    async fn use_up(&self, entries: &mut MutexGuard<'_, Entries>, id: &str) -> bool {
        let Some(entry) = entries.get_mut(id) else { return false };
        let mut pending = entry.pending.clone();
        let is_late = pending.age(clock::now_ms());
        let is_taken = !is_late && pending.take();
        self.change(entry, pending).await.is_ok() && is_taken
    }

    async fn withdraw(&self, id: &str, reason: &str) {
        let mut entries = self.entries.lock().await;
        let Some(entry) = entries.get_mut(id) else { return };
        let mut pending = entry.pending.clone();
        pending.withdraw(reason, clock::now_ms());
        if pending != entry.pending && self.change(entry, pending).await.is_ok() {
            drop(entries);
            self.deliver().await;
        }
    }
}

/// Whether this session may ask once more.
fn check_room(entries: &Entries, session: &str) -> Result<(), String> {
    let waiting = entries.values().filter(|entry| entry.pending.is_open()).count();
    if waiting >= WAITING_MAX {
        return Err(format!("{WAITING_MAX} approvals wait already"));
    }
    let own: Vec<&Pending> =
        entries.values().map(|entry| &entry.pending).filter(|pending| pending.origin.session == session).collect();
    let count = |state: State| own.iter().filter(|pending| pending.state == state).count();
    if count(State::Waiting) >= SESSION_WAITING_MAX {
        return Err(format!("{SESSION_WAITING_MAX} approvals of this session wait already"));
    }
    if count(State::Denied) >= SESSION_DENIED_MAX {
        return Err(format!("{SESSION_DENIED_MAX} acts of this session were denied: nobody is asked any more"));
    }
    if own.len() >= SESSION_ASKED_MAX {
        return Err(format!("this session has asked {SESSION_ASKED_MAX} times: nobody is asked any more"));
    }
    Ok(())
}

/// Short enough to be typed, and not to be guessed within a day.
fn new_id() -> String {
    let mut random = [0_u8; 5];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("a-{text}")
}

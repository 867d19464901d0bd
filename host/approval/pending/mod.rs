//! One approval: the exact act that somebody has to decide about, who may, and what they said.
//!
//! Pure: no clock, no store, no channel. Time comes in, and what follows from a vote or from the
//! passing of time comes out, so that every rule of it is a plain test.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::channel::{Notice, Scope, Settled, Vote};
use super::content::Content;
use super::mask::masked;
use super::settings::Settings;
use crate::gate::explain::escaped;
use crate::gate::{Act, Decision, Origin};

/// What an approver's name is called that may be anybody.
pub const ANYBODY: &str = "*";
/// A comment is read by people: longer ones are cut. Danger: a channel that floods the journal.
pub(super) const COMMENT_CHARS_MAX: usize = 1_000;
/// A yes has to be used so soon. Danger: a host that comes back after weeks, and does what somebody
/// agreed to in another world.
const USE_WITHIN_MS: u64 = 24 * 3_600_000;

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has decided yet.
    Waiting,
    /// Enough people said yes; the act has not been done yet.
    Granted,
    /// It was granted, and the act was let through, once.
    Used,
    /// Somebody made another act of it, which is judged and asked about in its place.
    Edited,
    /// Somebody said no, or nobody answered in time.
    Denied,
    /// Nobody waits for it any more.
    Withdrawn,
}

/// People who may answer, until the next in line may as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `slack:U0123`, `cli:alice`, `terminal:*`; a `*` at the end stands for anything.
    pub approvers: Vec<String>,
    /// Milliseconds since 1970.
    pub until_ms: u64,
}

/// An act that waits for people, or what has become of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub id: String,
    pub act: Act,
    pub origin: Origin,
    /// Where the act stands in its session's journal.
    pub key: String,
    pub decision: Decision,
    /// Hash over the act and the files that decide what it does.
    pub action_hash: String,
    /// The policy under which it was asked.
    pub policy: String,
    pub created_ms: u64,
    pub stages: Vec<Stage>,
    pub votes_needed: u32,
    pub votes: Vec<Vote>,
    pub scope: Scope,
    pub state: State,
    /// Why it is as it is, where a person would ask.
    pub reason: String,
    pub settled_ms: Option<u64>,
    /// What an approver made of the act.
    pub edited: Option<Act>,
    /// The approval that this act was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit_of: Option<String>,
    /// Of what the act writes, as far as it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Where each channel shows it, by the channel's name.
    #[serde(default)]
    pub shown: BTreeMap<String, Shown>,
    /// So many stages have been told of it.
    pub rungs_told: usize,
}

/// Where a channel shows an approval, and what it has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The newest message last: each stage that is asked gets one of its own.
    pub handles: Vec<String>,
    /// How the approval stood when all messages were last brought up to date.
    pub version: String,
    /// So many stages have a message.
    pub rungs: usize,
}

/// What a person says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// `slack:U0123`: the channel, and who the channel says it is.
    pub by: String,
    pub is_granted: bool,
    pub scope: Scope,
    pub comment: String,
    /// The act that the person has seen; an answer to another one does not count.
    pub action_hash: Option<String>,
    /// To be done instead.
    pub edited: Option<Act>,
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    #[error("`{by}` may not decide about this; these may: {may}")]
    Stranger { by: String, may: String },
    #[error("`{0}` has answered already")]
    Twice(String),
    #[error("it is decided already: {0}")]
    Settled(String),
    #[error("nobody answered in time")]
    TooLate,
    #[error("the answer is about another act than the one that waits\nhint: look at it again")]
    OtherAct,
    #[error("an agent cannot approve what it asks for")]
    OwnAct,
    #[error("it is not a standing approval: {0}")]
    NotStanding(String),
    #[error("only the arguments of a program can be edited, not {0}\nhint: deny it, and say in the comment what to do")]
    NotEditable(String),
}

impl Pending {
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Waiting
    }

    /// When nobody will be waited for any more.
    #[must_use]
    pub fn expires_ms(&self) -> u64 {
        self.stages.iter().map(|stage| stage.until_ms).max().unwrap_or(self.created_ms)
    }

    /// Those who may answer now: the stages that have begun.
    #[must_use]
    pub fn approvers(&self, now_ms: u64) -> Vec<&str> {
        self.stages
            .iter()
            .take(self.begun(now_ms))
            .flat_map(|stage| stage.approvers.iter().map(String::as_str))
            .collect()
    }

    /// Take an answer.
    ///
    /// # Errors
    /// Why it does not count; nothing has changed then.
    pub fn answer(&mut self, said: Said, settings: &Settings, now_ms: u64) -> Result<(), NotCounted> {
        if !self.is_open() {
            return Err(NotCounted::Settled(self.outcome()));
        }
        if now_ms >= self.expires_ms() {
            return Err(NotCounted::TooLate);
        }
        if said.action_hash.as_ref().is_some_and(|hash| *hash != self.action_hash) {
            return Err(NotCounted::OtherAct);
        }
        if said.by == format!("agent:{}", self.origin.agent) {
            return Err(NotCounted::OwnAct);
        }
        self.check_approver(&said.by, settings, now_ms)?;
        let person = settings.people.person(&said.by);
        if self.votes.iter().any(|vote| settings.people.person(&vote.by) == person) {
            return Err(NotCounted::Twice(said.by));
        }
        let edited = said.edited.filter(|edited| said.is_granted && *edited != self.act);
        if let Some(edited) = &edited {
            let (Act::ProcessRun { .. }, Act::ProcessRun { .. }) = (&self.act, edited) else {
                return Err(NotCounted::NotEditable(self.act.name().to_owned()));
            };
            // Those who agreed before agreed to something else.
            self.votes.clear();
        }
        if said.is_granted {
            let is_first = !self.votes.iter().any(|vote| vote.is_granted);
            self.scope = if is_first { said.scope } else { narrower(self.scope, said.scope) };
        }
        let comment = said.comment.chars().take(COMMENT_CHARS_MAX).collect();
        self.votes.push(Vote { by: said.by, is_granted: said.is_granted, at_ms: signed(now_ms), comment });
        if !said.is_granted {
            self.settle(State::Denied, &self.told_by(false), now_ms);
        } else if edited.is_some() {
            self.edited = edited;
            self.settle(State::Edited, &self.told_by(true), now_ms);
        } else if self.votes.len() >= self.votes_needed as usize {
            self.settle(State::Granted, &self.told_by(true), now_ms);
        }
        Ok(())
    }

    /// Whether this name may decide about it: its turn has come, and it is still an approver.
    fn check_approver(&self, by: &str, settings: &Settings, now_ms: u64) -> Result<(), NotCounted> {
        let may = self.approvers(now_ms);
        if settings.is_approver(by) && may.iter().any(|approver| crate::config::covers(approver, by)) {
            return Ok(());
        }
        let may = may.iter().map(|approver| format!("`{approver}`")).collect::<Vec<_>>().join(", ");
        Err(NotCounted::Stranger { by: escaped(by), may })
    }

    /// Whether this name's turn has come.
    #[must_use]
    pub fn is_turn_of(&self, by: &str, settings: &Settings, now_ms: u64) -> bool {
        self.check_approver(by, settings, now_ms).is_ok()
    }

    /// Whether those who agreed are enough, and approvers, as things stand now.
    #[must_use]
    pub fn is_enough(&self, settings: &Settings) -> bool {
        let votes = self.votes.iter().filter(|vote| vote.is_granted && settings.is_approver(&vote.by));
        let people: BTreeSet<String> = votes.map(|vote| settings.people.person(&vote.by)).collect();
        people.len() >= self.votes_needed.max(settings.votes_needed(self.decision.risk)) as usize
    }

    /// Take the votes of who made this act of another: they have agreed to it.
    pub fn credit(&mut self, original: &Self, settings: &Settings, now_ms: u64) {
        if original.state != State::Edited || original.edited.as_ref() != Some(&self.act) {
            return;
        }
        self.edit_of = Some(original.id.clone());
        self.scope = original.scope;
        self.votes.clone_from(&original.votes);
        if self.is_enough(settings) {
            self.settle(State::Granted, &self.told_by(true), now_ms);
        }
    }

    /// Whether it lets further acts through.
    #[must_use]
    pub fn is_standing(&self, now_ms: u64) -> bool {
        let is_granted = matches!(self.state, State::Granted | State::Used);
        is_granted
            && match self.scope {
                Scope::Once => false,
                Scope::Session => self.state == State::Used,
                Scope::Rule { .. } => self.ends_ms().is_some_and(|end| now_ms < end),
            }
    }

    /// When an approval of a rule ends.
    #[must_use]
    pub fn ends_ms(&self) -> Option<u64> {
        let Scope::Rule { minutes } = self.scope else { return None };
        self.settled_ms.map(|settled| settled.saturating_add(u64::from(minutes) * 60_000))
    }

    /// Take back what was granted and lets acts through from now on.
    ///
    /// # Errors
    /// There is nothing to take back, or this name may not.
    pub fn revoke(&mut self, by: &str, settings: &Settings, now_ms: u64) -> Result<(), NotCounted> {
        self.check_approver(by, settings, now_ms)?;
        if self.state != State::Granted && !self.is_standing(now_ms) {
            return Err(NotCounted::NotStanding(self.outcome()));
        }
        self.settle(State::Withdrawn, &format!("revoked by {by}"), now_ms);
        Ok(())
    }

    /// What the passing of time does. True if it has changed.
    pub fn age(&mut self, now_ms: u64) -> bool {
        if self.is_open() && now_ms >= self.expires_ms() {
            self.settle(State::Denied, "nobody answered in time", now_ms);
            return true;
        }
        let is_unused = matches!(self.state, State::Granted | State::Edited);
        if is_unused && self.settled_ms.is_none_or(|settled| now_ms >= settled.saturating_add(USE_WITHIN_MS)) {
            self.settle(State::Withdrawn, "granted, and not used in time", now_ms);
            return true;
        }
        false
    }

    /// Whether the next in line have come to it, and nobody has told them yet.
    pub fn pass_on(&mut self, now_ms: u64) -> bool {
        let begun = self.begun(now_ms);
        let is_news = self.is_open() && begun > self.rungs_told;
        if is_news {
            self.rungs_told = begun;
        }
        is_news
    }

    /// How many stages have begun.
    fn begun(&self, now_ms: u64) -> usize {
        let over = self.stages.iter().filter(|stage| stage.until_ms <= now_ms).count();
        (over + 1).min(self.stages.len())
    }

    /// Nobody waits for it any more.
    pub fn withdraw(&mut self, reason: &str, now_ms: u64) {
        if matches!(self.state, State::Waiting | State::Granted | State::Edited) {
            self.settle(State::Withdrawn, reason, now_ms);
        }
    }

    /// Its session has ended: nobody waits for it, and what holds for the session holds no longer.
    pub fn end(&mut self, reason: &str, now_ms: u64) {
        self.withdraw(reason, now_ms);
        if self.state == State::Used && self.scope == Scope::Session {
            self.settle(State::Withdrawn, reason, now_ms);
        }
    }

    /// The act is let through, or what was made of it. False if it may not be, or was already.
    pub fn take(&mut self) -> bool {
        let is_granted = matches!(self.state, State::Granted | State::Edited);
        if is_granted {
            self.state = State::Used;
        }
        is_granted
    }

    /// The call that used it changed nothing before it was cut off, and is run again from its beginning.
    pub fn give_back(&mut self) {
        if self.state == State::Used && self.edited.is_none() {
            self.state = State::Granted;
        }
    }

    /// Who said what it came to.
    #[must_use]
    pub fn deciders(&self) -> Vec<String> {
        let is_granted = matches!(self.state, State::Granted | State::Used | State::Edited);
        self.votes.iter().filter(|vote| vote.is_granted == is_granted).map(|vote| vote.by.clone()).collect()
    }

    /// What it came to, for people.
    #[must_use]
    pub fn outcome(&self) -> String {
        let state = match self.state {
            State::Waiting => "waiting",
            State::Granted => "granted",
            State::Used if self.edited.is_some() => "edited and done",
            State::Used => "granted and done",
            State::Edited => "edited, what was made of it is judged anew",
            State::Denied => "denied",
            State::Withdrawn => "withdrawn",
        };
        if self.reason.is_empty() { state.to_owned() } else { format!("{state}, {}", self.reason) }
    }

    /// What channels need to know when it is decided.
    #[must_use]
    pub fn settled(&self) -> Option<Settled> {
        (!self.is_open()).then(|| Settled {
            is_granted: matches!(self.state, State::Granted | State::Used),
            by: self.deciders(),
            reason: self.outcome(),
        })
    }

    /// What channels show, without secrets.
    #[must_use]
    pub fn notice(&self, host: &str, now_ms: u64) -> Notice {
        let directory = match &self.act {
            Act::ProcessRun { directory, .. } | Act::Script { directory, .. } => Some(directory.clone()),
            _ => None,
        };
        let evidence = self.decision.evidence.iter();
        Notice {
            id: self.id.clone(),
            host: host.to_owned(),
            agent: self.origin.agent.clone(),
            session: self.origin.session.clone(),
            summary: masked(&self.act.summary()),
            command: super::terminal::shown(&self.act, self.content.as_ref()),
            directory,
            decoded: self.decision.decoded.iter().map(|text| masked(text)).collect(),
            effects: self.decision.effects.iter().map(|effect| masked(&effect.to_string())).collect(),
            risk: self.decision.risk,
            reason: masked(&self.decision.reason),
            advice: self.decision.advice.clone(),
            evidence: evidence.map(|e| (e.name.clone(), e.points, masked(&e.detail))).collect(),
            action_hash: self.action_hash.clone(),
            expires_at_ms: signed(self.expires_ms()),
            votes_needed: self.votes_needed,
            votes: self.votes.clone(),
            approvers: self.approvers(now_ms).into_iter().map(str::to_owned).collect(),
            is_partial: matches!(self.act, Act::FileWrite { .. })
                && self.content.as_ref().is_none_or(|content| !content.is_whole),
        }
    }

    fn told_by(&self, is_granted: bool) -> String {
        let votes = self.votes.iter().filter(|vote| vote.is_granted == is_granted);
        let said = votes.map(|vote| match vote.comment.as_str() {
            "" => format!("by {}", vote.by),
            comment => format!("by {}: {comment}", vote.by),
        });
        said.collect::<Vec<_>>().join("; ")
    }

    fn settle(&mut self, state: State, reason: &str, now_ms: u64) {
        self.state = state;
        reason.clone_into(&mut self.reason);
        self.settled_ms = Some(now_ms);
    }
}

/// Of two people who agree to different things, what both agree to.
fn narrower(a: Scope, b: Scope) -> Scope {
    match (a, b) {
        (Scope::Once, _) | (_, Scope::Once) => Scope::Once,
        (Scope::Session, _) | (_, Scope::Session) => Scope::Session,
        (Scope::Rule { minutes: a }, Scope::Rule { minutes: b }) => Scope::Rule { minutes: a.min(b) },
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

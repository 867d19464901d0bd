//! One approval: the exact act that somebody has to decide about, who may, and what they said.
//!
//! Pure: no clock, no store, no channel. Time comes in, and what follows from a vote or from the
//! passing of time comes out, so that every rule of it is a plain test.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::channel::{Notice, Scope, Settled, Vote};
use crate::gate::explain::escaped;
use crate::gate::{Act, Decision, Origin};

/// What an approver's name is called that may be anybody.
pub const ANYBODY: &str = "*";
/// A comment is read by people: longer ones are cut. Danger: a channel that floods the journal.
const COMMENT_CHARS_MAX: usize = 1_000;

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
    /// What the approvers made of the act.
    pub edited: Option<Act>,
    /// Where each channel shows it, by the channel's name.
    #[serde(default)]
    pub shown: BTreeMap<String, String>,
    /// So many stages have been told of it.
    pub rungs_told: usize,
    /// The channels that show it were told what it came to.
    #[serde(default)]
    pub is_told: bool,
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
    pub fn answer(&mut self, said: Said, now_ms: u64) -> Result<(), NotCounted> {
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
        let may = self.approvers(now_ms);
        if !may.iter().any(|approver| crate::config::covers(approver, &said.by)) {
            let may = may.iter().map(|approver| format!("`{approver}`")).collect::<Vec<_>>().join(", ");
            return Err(NotCounted::Stranger { by: escaped(&said.by), may });
        }
        if self.votes.iter().any(|vote| vote.by == said.by) {
            return Err(NotCounted::Twice(said.by));
        }
        if let Some(edited) = said.edited.filter(|_| said.is_granted) {
            let (Act::ProcessRun { .. }, Act::ProcessRun { .. }) = (&self.act, &edited) else {
                return Err(NotCounted::NotEditable(self.act.name().to_owned()));
            };
            // Those who agreed before agreed to something else.
            self.votes.clear();
            self.edited = Some(edited);
        }
        if said.is_granted {
            let is_first = !self.votes.iter().any(|vote| vote.is_granted);
            self.scope = if is_first { said.scope } else { narrower(self.scope, said.scope) };
        }
        let comment = said.comment.chars().take(COMMENT_CHARS_MAX).collect();
        self.votes.push(Vote { by: said.by, is_granted: said.is_granted, at_ms: signed(now_ms), comment });
        if !said.is_granted {
            self.settle(State::Denied, &self.told_by(false), now_ms);
        } else if self.votes.len() >= self.votes_needed as usize {
            self.settle(State::Granted, &self.told_by(true), now_ms);
        }
        Ok(())
    }

    /// What the passing of time does. True if it has changed.
    pub fn age(&mut self, now_ms: u64) -> bool {
        let is_over = self.is_open() && now_ms >= self.expires_ms();
        if is_over {
            self.settle(State::Denied, "nobody answered in time", now_ms);
        }
        is_over
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
        if matches!(self.state, State::Waiting | State::Granted) {
            self.settle(State::Withdrawn, reason, now_ms);
        }
    }

    /// The act is let through. False if it may not be, or was already.
    pub fn take(&mut self) -> bool {
        let is_granted = self.state == State::Granted;
        if is_granted {
            self.state = State::Used;
        }
        is_granted
    }

    /// Who said what it came to.
    #[must_use]
    pub fn deciders(&self) -> Vec<String> {
        let is_granted = matches!(self.state, State::Granted | State::Used);
        self.votes.iter().filter(|vote| vote.is_granted == is_granted).map(|vote| vote.by.clone()).collect()
    }

    /// What it came to, for people.
    #[must_use]
    pub fn outcome(&self) -> String {
        let state = match self.state {
            State::Waiting => "waiting",
            State::Granted => "granted",
            State::Used => "granted and done",
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

    /// What channels show.
    #[must_use]
    pub fn notice(&self, host: &str) -> Notice {
        let act = self.edited.as_ref().unwrap_or(&self.act);
        let directory = match act {
            Act::ProcessRun { directory, .. } | Act::Script { directory, .. } => Some(directory.clone()),
            _ => None,
        };
        Notice {
            id: self.id.clone(),
            host: host.to_owned(),
            agent: self.origin.agent.clone(),
            session: self.origin.session.clone(),
            summary: act.summary(),
            command: super::terminal::shown(act),
            directory,
            decoded: self.decision.decoded.clone(),
            effects: self.decision.effects.iter().map(ToString::to_string).collect(),
            risk: self.decision.risk,
            reason: self.decision.reason.clone(),
            advice: self.decision.advice.clone(),
            evidence: self
                .decision
                .evidence
                .iter()
                .map(|evidence| (evidence.name.clone(), evidence.points, evidence.detail.clone()))
                .collect(),
            action_hash: self.action_hash.clone(),
            expires_at_ms: signed(self.expires_ms()),
            votes_needed: self.votes_needed,
            votes: self.votes.clone(),
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
mod tests {
    use super::*;
    use crate::gate::Verdict;

    fn pending(needed: u32) -> Pending {
        let act = Act::ProcessRun {
            argv: vec!["/usr/bin/rm".into(), "x".into()],
            directory: "/srv".into(),
            environment: vec![],
        };
        Pending {
            id: "a-1".into(),
            act,
            origin: Origin { session: "s".into(), agent: "sre".into(), plugin: "bash".into() },
            key: "1.0.0".into(),
            decision: Decision { verdict: Verdict::Ask, ..Decision::allow() },
            action_hash: "h".into(),
            policy: "p".into(),
            created_ms: 0,
            stages: vec![
                Stage { approvers: vec!["slack:U1".into(), "cli:*".into()], until_ms: 100 },
                Stage { approvers: vec!["slack:U2".into()], until_ms: 200 },
            ],
            votes_needed: needed,
            votes: vec![],
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

    fn says(by: &str, is_granted: bool) -> Said {
        Said {
            by: by.into(),
            is_granted,
            scope: Scope::Once,
            comment: String::new(),
            action_hash: Some("h".into()),
            edited: None,
        }
    }

    #[test]
    fn one_yes_grants_and_is_used_once() {
        let mut pending = pending(1);
        pending.answer(says("slack:U1", true), 10).unwrap();
        assert_eq!((pending.state, pending.reason.as_str()), (State::Granted, "by slack:U1"));
        assert!(pending.take());
        assert!(!pending.take());
    }

    #[test]
    fn one_no_denies_whatever_was_said_before() {
        let mut pending = pending(2);
        pending.answer(says("slack:U1", true), 10).unwrap();
        pending.answer(says("cli:alice", false), 11).unwrap();
        assert_eq!((pending.state, pending.deciders()), (State::Denied, vec!["cli:alice".to_owned()]));
        assert!(!pending.take());
    }

    #[test]
    fn a_quorum_is_of_different_people() {
        let mut pending = pending(2);
        pending.answer(says("slack:U1", true), 10).unwrap();
        assert_eq!(pending.answer(says("slack:U1", true), 11), Err(NotCounted::Twice("slack:U1".into())));
        assert_eq!(pending.state, State::Waiting);
        pending.answer(says("cli:bob", true), 12).unwrap();
        assert_eq!(pending.state, State::Granted);
    }

    #[test]
    fn a_stranger_and_the_agent_itself_do_not_count() {
        let mut pending = pending(1);
        assert!(matches!(pending.answer(says("slack:U9", true), 10), Err(NotCounted::Stranger { .. })));
        pending.stages[0].approvers.push(ANYBODY.into());
        assert_eq!(pending.answer(says("agent:sre", true), 10), Err(NotCounted::OwnAct));
        pending.answer(says("slack:U9", true), 10).unwrap();
    }

    #[test]
    fn the_next_in_line_may_answer_when_the_first_did_not() {
        let mut pending = pending(1);
        assert!(matches!(pending.answer(says("slack:U2", true), 99), Err(NotCounted::Stranger { .. })));
        pending.answer(says("slack:U2", true), 100).unwrap();
        assert_eq!(pending.state, State::Granted);
    }

    #[test]
    fn the_next_in_line_are_told_once() {
        let mut pending = pending(1);
        assert!(!pending.pass_on(99));
        assert!(pending.pass_on(100));
        assert!(!pending.pass_on(101));
    }

    #[test]
    fn nobody_in_time_is_a_no() {
        let mut pending = pending(1);
        assert!(!pending.age(199));
        assert!(pending.age(200));
        assert_eq!((pending.state, pending.reason.as_str()), (State::Denied, "nobody answered in time"));
        let mut pending = super::tests::pending(1);
        assert_eq!(pending.answer(says("slack:U1", true), 200), Err(NotCounted::TooLate));
    }

    #[test]
    fn an_answer_to_another_act_or_to_a_settled_one_does_not_count() {
        let mut pending = pending(1);
        let other = Said { action_hash: Some("x".into()), ..says("slack:U1", true) };
        assert_eq!(pending.answer(other, 10), Err(NotCounted::OtherAct));
        pending.answer(says("slack:U1", false), 10).unwrap();
        assert!(matches!(pending.answer(says("cli:a", true), 11), Err(NotCounted::Settled(_))));
    }

    #[test]
    fn two_people_agree_to_the_narrower_scope() {
        let mut pending = pending(2);
        pending.answer(Said { scope: Scope::Rule { minutes: 60 }, ..says("slack:U1", true) }, 10).unwrap();
        pending.answer(Said { scope: Scope::Session, ..says("cli:a", true) }, 11).unwrap();
        assert_eq!(pending.scope, Scope::Session);
    }

    #[test]
    fn an_edit_starts_the_count_anew() {
        let mut pending = pending(2);
        pending.answer(says("slack:U1", true), 10).unwrap();
        let edited =
            Act::ProcessRun { argv: vec!["/usr/bin/ls".into()], directory: "/srv".into(), environment: vec![] };
        pending.answer(Said { edited: Some(edited.clone()), ..says("cli:a", true) }, 11).unwrap();
        assert_eq!((pending.state, pending.votes.len()), (State::Waiting, 1));
        pending.answer(says("slack:U1", true), 12).unwrap();
        assert_eq!((pending.state, pending.edited), (State::Granted, Some(edited)));
    }

    #[test]
    fn only_a_programs_arguments_can_be_edited() {
        let mut pending = pending(1);
        pending.act = Act::ServiceRestart { service: "web".into() };
        let edited = Some(Act::ServiceRestart { service: "db".into() });
        let said = Said { edited, ..says("slack:U1", true) };
        assert_eq!(pending.answer(said, 10), Err(NotCounted::NotEditable("service_restart".into())));
        assert!(pending.is_open());
    }
}

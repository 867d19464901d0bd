//! Who answers when the gate says *ask*: people, through durable approvals and the channels that
//! carry them; the terminal; or nobody.
//!
//! `pending` has the rules of one approval, `binding` what it is bound to, `desk` keeps them (in the
//! store and in the journal) and lets acts through, `channel` brings them to people, `terminal` asks
//! the person who is there, `content` and `mask` say what is shown. Where nobody can be asked the answer is no.

mod aside;
mod binding;
pub mod channel;
mod content;
mod desk;
mod mask;
mod pending;
mod settings;
mod terminal;

use async_trait::async_trait;

use crate::gate::{Act, Decision, Origin, Verdict};

pub use aside::Aside;
pub use binding::{Unbound, action_hash};
pub use content::Content;
pub use desk::{AnswerError, Approvals, Note, all, all_now, load};
pub use pending::{ANYBODY, NotCounted, Pending, Said, Shown, Stage, State};
pub use settings::{People, Quorum, Rung, Settings};
pub use terminal::{Asked, Terminal};

/// An act that a person has to decide about.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub act: &'a Act,
    pub origin: &'a Origin,
    /// Where it stands in its session's journal.
    pub key: &'a str,
    pub decision: &'a Decision,
    /// The revision of the policy that asks.
    pub policy: &'a str,
    /// Of what the act writes, where that is known.
    pub content: Option<&'a Content>,
    /// The approval that somebody made this act of.
    pub edit_of: Option<&'a str>,
    /// Its call was cut off before it had changed anything, and runs from its beginning again.
    pub is_rerun: bool,
    /// The way to lay the call aside until people have decided; none, where it has to wait.
    pub aside: Option<&'a Aside>,
}

/// What a person said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub is_granted: bool,
    /// Who decided: a person's name, or the mechanism that answered in nobody's place.
    pub by: String,
    pub reason: String,
    /// The approval, where there is one that outlives the question.
    pub id: Option<String>,
    /// What a person made of the act: not this one, but that one is to be judged and asked about.
    pub edited: Option<Act>,
}

/// An act in a line for people, without what may be a secret.
#[must_use]
pub fn summary(act: &Act) -> String {
    mask::masked(&act.summary())
}

/// Whether what is said of an act now is no worse than what was said when people agreed to it.
#[must_use]
pub fn is_no_worse(now: &Decision, agreed: &Decision) -> bool {
    now.verdict != Verdict::Deny && now.risk <= agreed.risk && now.rules.iter().all(|rule| agreed.rules.contains(rule))
}

impl Answer {
    /// A no, and who says it.
    #[must_use]
    pub fn no(by: &str, reason: impl Into<String>) -> Self {
        Self { by: by.into(), reason: reason.into(), ..Self::default() }
    }
}

/// Puts an act to a person.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Ask, and wait for the answer. Whatever goes wrong is a no.
    async fn ask(&self, question: Question<'_>) -> Answer;

    /// What a person made of this approval's act needs no approval of its own, and is done. False:
    /// it was used before, or is not to be used any more.
    async fn spend(&self, _id: &str) -> bool {
        false
    }
}

/// Answers no: there is nobody to ask.
pub struct Nobody;

#[async_trait]
impl Approver for Nobody {
    async fn ask(&self, _question: Question<'_>) -> Answer {
        Answer::no("nobody", "a person would have to approve this, and there is no terminal to ask at")
    }
}

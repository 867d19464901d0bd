//! Who answers when the gate says *ask*: the trait, the terminal, and nobody.
//!
//! Where there is no terminal the answer is no. Other channels implement [`Approver`].

mod terminal;

use async_trait::async_trait;

use crate::gate::{Act, Decision, Origin};

pub use terminal::Terminal;

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub is_granted: bool,
    /// Who decided: a person's name, or the mechanism that answered in nobody's place.
    pub by: String,
    pub reason: String,
}

/// Puts an act to a person.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Ask, and wait for the answer. Whatever goes wrong is a no.
    async fn ask(&self, act: &Act, origin: &Origin, decision: &Decision) -> Answer;
}

/// Answers no: there is nobody to ask.
pub struct Nobody;

#[async_trait]
impl Approver for Nobody {
    async fn ask(&self, _act: &Act, _origin: &Origin, _decision: &Decision) -> Answer {
        Answer {
            is_granted: false,
            by: "nobody".into(),
            reason: "a person would have to approve this, and there is no terminal to ask at".into(),
        }
    }
}

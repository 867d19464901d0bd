//! What the host said when it did not do something: rule, reason and advice, for the agent.
//!
//! A tool of the shell prints `Permission denied` and no more, as scripts expect it. The words of
//! the refusal are collected here and stand at the end of the standard error.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pi_sdk::Refusal;

use crate::system::FileError;

/// Most notes of one call, so that a loop over refused files does not flood the result.
const NOTES_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct Notes {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was refused.
    refused: Vec<String>,
    /// What was only looked at, and lies outside of the grant: worth a word if the script failed.
    unseen: Vec<String>,
    left_out: usize,
}

impl Notes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, text: String) {
        let mut state = self.state();
        if state.refused.contains(&text) {
            return;
        }
        if state.refused.len() < NOTES_MAX {
            state.refused.push(text);
        } else {
            state.left_out += 1;
        }
    }

    /// Remember why an operation on a file failed, if the host has words for it.
    pub(crate) fn file(&self, error: &FileError, is_look: bool) {
        match error {
            FileError::Refused(refusal) => self.add(refused(refusal)),
            FileError::OutsideGrant(text) if is_look => {
                let mut state = self.state();
                if state.unseen.len() < NOTES_MAX && !state.unseen.contains(text) {
                    state.unseen.push(text.clone());
                }
            }
            FileError::OutsideGrant(text) | FileError::ReadOnly(text) => self.add(text.clone()),
            FileError::Limit(text) | FileError::TooLarge(text) => self.add(text.clone()),
            _ => {}
        }
    }

    /// All notes, as they stand at the end of the standard error.
    pub(crate) fn text(&self, has_failed: bool) -> String {
        let state = self.state();
        let mut text = String::new();
        let unseen = state.unseen.iter().filter(|note| has_failed && !state.refused.contains(note));
        for note in state.refused.iter().chain(unseen) {
            text.push_str("note: ");
            text.push_str(note.trim_end());
            text.push('\n');
        }
        if state.left_out > 0 {
            text.push_str(&format!("note: {} more of this kind\n", state.left_out));
        }
        text
    }
}

/// A refusal in words.
pub(crate) fn refused(refusal: &Refusal) -> String {
    let Refusal { action, rule, reason, risk, advice } = refusal;
    let mut text = format!("refused: {action}: {reason} (rule `{rule}`, risk {risk})");
    if !advice.is_empty() {
        text.push_str("\nhint: ");
        text.push_str(advice);
    }
    text
}

//! What people say to a running session: written down when it is said, heard when the agent looks.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::journal::{Body, JournalError, SessionJournal};

/// Most bytes of one message.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Messages that wait to be heard. Danger: a pipe that talks faster than an agent listens.
const WAITING_MAX: usize = 1_000;

/// The inbox of one session. It outlives the instances of its agent.
pub struct Inbox {
    journal: SessionJournal,
    state: Mutex<State>,
    /// Keeps the order in the journal that of the queue.
    order: tokio::sync::Mutex<()>,
    spoken: Notify,
    /// A person wants what goes on now to end.
    interrupted: watch::Sender<bool>,
}

struct State {
    waiting: VecDeque<String>,
    /// Whether more may come.
    is_open: bool,
    is_restored: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SayError {
    #[error("a message has {0} bytes, more than the {MESSAGE_BYTES_MAX} that it may have")]
    TooLong(usize),
    #[error("{WAITING_MAX} messages wait already\nhint: wait until the agent has heard them")]
    TooMany,
    #[error("the conversation is over")]
    Over,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Inbox {
    /// Of a session that people may talk to while it runs, or of one that hears nothing.
    #[must_use]
    pub fn new(journal: SessionJournal, is_open: bool) -> Self {
        let state = Mutex::new(State { waiting: VecDeque::new(), is_open, is_restored: false });
        Self {
            journal,
            state,
            order: tokio::sync::Mutex::default(),
            spoken: Notify::new(),
            interrupted: watch::channel(false).0,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Say something. It is stored when this returns.
    ///
    /// # Errors
    /// It is too much, nobody listens any more, or it cannot be stored.
    pub async fn say(&self, by: &str, text: &str) -> Result<(), SayError> {
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(SayError::TooLong(text.len()));
        }
        let _order = self.order.lock().await;
        {
            let state = self.state();
            if !state.is_open {
                return Err(SayError::Over);
            }
            if state.waiting.len() >= WAITING_MAX {
                return Err(SayError::TooMany);
            }
        }
        // What the agent hears is what a replay lets it hear: the journal's form.
        let text = self.journal.masked_text(text);
        self.journal.append_durable(Body::Said { by: by.to_owned(), text: text.clone() }).await?;
        self.state().waiting.push_back(text);
        self.spoken.notify_waiters();
        Ok(())
    }

    /// What goes on now shall end: calls are cut off, and the next question to a model is not asked.
    pub fn interrupt(&self) {
        self.interrupted.send_replace(true);
    }

    /// Wait until a person interrupts.
    pub(super) async fn interrupted(&self) {
        // The sender is `self`: it does not close meanwhile.
        let _ = self.interrupted.subscribe().wait_for(|is_interrupted| *is_interrupted).await;
    }

    /// The agent has been told.
    pub(super) fn take_interruption(&self) -> bool {
        self.interrupted.send_replace(false)
    }

    /// Nothing more will be said.
    pub fn close(&self) {
        self.state().is_open = false;
        self.spoken.notify_waiters();
    }

    /// What an earlier host has left unheard.
    pub(super) fn restore(&self, unheard: &VecDeque<String>) {
        let mut state = self.state();
        if !state.is_restored {
            state.is_restored = true;
            state.waiting = unheard.iter().cloned().chain(state.waiting.drain(..)).collect();
        }
    }

    /// It begins here: nothing was left.
    pub(super) fn begun(&self) {
        self.state().is_restored = true;
    }

    /// All that waits.
    pub(super) fn all(&self) -> Vec<String> {
        self.state().waiting.drain(..).collect()
    }

    /// The next message. None where none waits; the second part says whether one may come.
    pub(super) fn first(&self) -> (Option<String>, bool) {
        let mut state = self.state();
        (state.waiting.pop_front(), state.is_open)
    }

    /// Wait until something is said, or nothing can be any more.
    pub async fn spoken(&self) {
        loop {
            let spoken = self.spoken.notified();
            tokio::pin!(spoken);
            // Noted before the look, so that what is said in between is not missed.
            spoken.as_mut().enable();
            {
                let state = self.state();
                if !state.waiting.is_empty() || !state.is_open {
                    return;
                }
            }
            spoken.await;
        }
    }
}

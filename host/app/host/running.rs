//! The sessions that a host is at: who is at which, and how one that runs is spoken to and stopped.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Host, HostError};
use crate::capability::hold::Leave;
use crate::session::{Inbox, SayError};

/// The ways to reach a session that runs.
#[derive(Clone)]
pub(super) struct Reach {
    /// Turns true when it shall stop.
    pub(super) stop: watch::Sender<bool>,
    pub(super) inbox: Arc<Inbox>,
}

/// A session that nobody else here is at.
pub(super) struct Claim {
    claimed: Arc<Mutex<HashSet<String>>>,
    id: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// A session that runs now.
pub(super) struct Running {
    host: Arc<Host>,
    id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.host.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        // Nothing is left of what it held, also where it ended by a panic.
        self.host.kernel.holds.leave(&self.id, None, Leave::Free);
        self.host.kernel.safety.end(&self.id);
    }
}

impl Host {
    /// Whether this session runs here, and can be spoken to or stopped.
    #[must_use]
    pub fn is_running(&self, session: &str) -> bool {
        self.reach(session).is_some()
    }

    /// Say something to a session that runs. It is stored when this returns.
    ///
    /// # Errors
    /// No such session runs, or it hears nothing.
    pub async fn say(&self, session: &str, by: &str, text: &str) -> Result<(), SayError> {
        let inbox = self.reach(session).ok_or(SayError::Over)?.inbox;
        inbox.say(by, text).await
    }

    /// Nothing more will be said to a session.
    pub fn hang_up(&self, session: &str) {
        if let Some(reach) = self.reach(session) {
            reach.inbox.close();
        }
    }

    /// What a session does now ends, and the agent hears that a person has ended it.
    pub fn interrupt(&self, session: &str) {
        if let Some(reach) = self.reach(session) {
            reach.inbox.interrupt();
        }
    }

    /// Stop one session; it can be taken up again. False: no such session runs.
    pub fn stop_session(&self, session: &str) -> bool {
        self.reach(session).map(|reach| reach.stop.send_replace(true)).is_some()
    }

    fn reach(&self, session: &str) -> Option<Reach> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }

    /// Be the only one here who is at a session.
    pub(super) fn claim(&self, id: &str) -> Result<Claim, HostError> {
        match self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
            true => Ok(Claim { claimed: self.claimed.clone(), id: id.to_owned() }),
            false => Err(HostError::Claimed(id.to_owned())),
        }
    }

    pub(super) fn is_claimed(&self, id: &str) -> bool {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Note a session as running; dropping the guard notes its end.
    pub(super) fn register(self: &Arc<Self>, id: &str, inbox: &Arc<Inbox>) -> (Running, watch::Receiver<bool>) {
        let (sender, receiver) = watch::channel(*self.stop.borrow());
        let reach = Reach { stop: sender.clone(), inbox: inbox.clone() };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), reach);
        let mut all = self.stop.subscribe();
        let one = sender;
        tokio::spawn(async move {
            tokio::select! {
                _ = all.wait_for(|is_stopped| *is_stopped) => { one.send_replace(true); }
                () = one.closed() => {}
            }
        });
        (Running { host: self.clone(), id: id.to_owned() }, receiver)
    }
}

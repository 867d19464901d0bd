//! What a waiting call tells its client: the latest note, and a sign of life at intervals.
//!
//! A call writes notes without waiting and as often as it likes; only the latest is kept, and it is
//! sent at most every [`NOTE_GAP_MS`], and only to a client that asked for progress.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Between two notes. A guest that reports each step would otherwise fill the client's pipe.
const NOTE_GAP_MS: u64 = 100;

/// Of one note, in characters.
const NOTE_CHARS_MAX: usize = 500;

/// The call's end of its client's progress.
#[derive(Clone)]
pub struct Progress(Option<Arc<watch::Sender<String>>>);

impl Progress {
    /// Of a client that did not ask: notes go nowhere.
    #[must_use]
    pub fn silent() -> Self {
        Self(None)
    }

    /// Tell why the call waits, or how far it is. Never waits; a later note replaces one that is
    /// not sent yet.
    pub fn note(&self, text: &str) {
        if let Some(sender) = &self.0 {
            sender.send_replace(text.chars().take(NOTE_CHARS_MAX).collect());
        }
    }
}

/// The server's end.
pub(super) struct Notes {
    receiver: watch::Receiver<String>,
    heartbeat: Duration,
    token: ProgressToken,
    peer: Peer<RoleServer>,
}

impl Notes {
    pub(super) fn new(token: ProgressToken, peer: Peer<RoleServer>, heartbeat: Duration) -> (Progress, Self) {
        let (sender, receiver) = watch::channel(String::new());
        (Progress(Some(Arc::new(sender))), Self { receiver, heartbeat, token, peer })
    }

    /// Send notes and signs of life until dropped. Returns only when the client is gone.
    pub(super) async fn run(mut self) {
        let begun = Instant::from_std(crate::clock::monotonic());
        let mut sent = None;
        let mut has_calls = true;
        // The protocol wants a number that grows; seconds would stand still between two notes.
        let mut count = 0.0;
        loop {
            let heartbeat = sent.unwrap_or(begun) + self.heartbeat;
            let open = sent.map_or(begun, |at: Instant| at + Duration::from_millis(NOTE_GAP_MS));
            let is_note = tokio::select! {
                changed = async {
                    sleep_until(open).await;
                    self.receiver.changed().await
                }, if has_calls => {
                    has_calls = changed.is_ok();
                    has_calls
                }
                () = sleep_until(heartbeat) => true,
            };
            if !is_note {
                continue;
            }
            count += 1.0;
            let note = self.receiver.borrow_and_update().clone();
            let mut param = ProgressNotificationParam::new(self.token.clone(), count);
            param.message = Some(match note.is_empty() {
                true => format!("running for {} s", begun.elapsed().as_secs()),
                false => note,
            });
            if self.peer.notify_progress(param).await.is_err() {
                return;
            }
            sent = Some(Instant::from_std(crate::clock::monotonic()));
        }
    }
}

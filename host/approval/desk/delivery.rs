//! Keeps what channels show up to date: whatever a channel has not shown yet is tried until it has.
//!
//! For each approval and channel the desk compares how it stands with what the channel has shown
//! last, in the store. So a message that could not be posted or brought up to date, also by an
//! earlier host, is the next tick's work, and what is already shown costs a comparison.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Approvals, Note};
use crate::approval::channel::{Channel, ChannelError, Notice, Settled};
use crate::approval::pending::{Pending, Shown};
use crate::clock;

/// After the first failure; twice as long after each further one.
const WAIT_MS: u64 = 1_000;
const WAIT_MS_MAX: u64 = 60_000;
/// A message that is only to be brought up to date is given up after so many refusals: somebody may
/// have removed it.
const REFUSALS_MAX: u32 = 5;

/// What is being shown now, and what has to wait after a failure. By approval and channel.
#[derive(Default)]
pub(super) struct Attempts(Mutex<BTreeMap<(String, String), Attempt>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Attempt {
    is_under_way: bool,
    failures: u32,
    not_before_ms: u64,
}

impl Attempts {
    /// Whether it may be tried now; then it is under way.
    fn begin(&self, id: &str, channel: &str, now_ms: u64) -> bool {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry((id.to_owned(), channel.to_owned())).or_default();
        let is_due = !attempt.is_under_way && now_ms >= attempt.not_before_ms;
        attempt.is_under_way |= is_due;
        is_due
    }

    fn succeeded(&self, id: &str, channel: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(id.to_owned(), channel.to_owned()));
    }

    /// How often it has failed by now.
    fn failed(&self, id: &str, channel: &str, now_ms: u64) -> u32 {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry((id.to_owned(), channel.to_owned())).or_default();
        let wait_ms = WAIT_MS.saturating_mul(1 << attempt.failures.min(16)).min(WAIT_MS_MAX);
        *attempt = Attempt {
            is_under_way: false,
            failures: attempt.failures.saturating_add(1),
            not_before_ms: now_ms.saturating_add(wait_ms),
        };
        attempt.failures
    }

    /// The channel answers again: what waits need not.
    pub(super) fn hurry(&self, channel: &str) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.iter_mut().filter(|((_, of), _)| of == channel).for_each(|(_, attempt)| attempt.not_before_ms = 0);
    }
}

/// What a channel is to show.
struct Task {
    notice: Notice,
    settled: Option<Settled>,
    shown: Shown,
    /// Those who are asked by now get a message of their own.
    is_news: bool,
    version: String,
    rungs: usize,
}

/// All of an approval that a message shows and that changes.
fn version(pending: &Pending) -> String {
    format!("{} {} {}", pending.outcome(), pending.votes.len(), pending.rungs_told)
}

/// What this channel has to show of it; None, where it shows it already or need not.
fn task(pending: &Pending, channel: &str, host: &str, now_ms: u64) -> Option<Task> {
    let shown = pending.shown.get(channel).cloned().unwrap_or_default();
    let version = version(pending);
    let is_news = pending.is_open() && shown.rungs < pending.rungs_told;
    // Nobody has seen it there, and there is nothing to answer any more.
    let is_unseen = shown.handles.is_empty() && !pending.is_open();
    if (shown.version == version && !is_news) || is_unseen {
        return None;
    }
    let (notice, settled) = (pending.notice(host, now_ms), pending.settled());
    Some(Task { notice, settled, shown, is_news, version, rungs: pending.rungs_told })
}

impl Task {
    /// Show it: to those who are asked anew first, then in all messages that there are. What has gone
    /// well is kept in `shown`, whatever comes after.
    async fn run(&mut self, channel: &dyn Channel) -> Result<(), ChannelError> {
        let older = self.shown.handles.clone();
        if self.is_news {
            let handle = channel.announce(&self.notice).await?;
            self.shown.handles.push(handle);
            self.shown.rungs = self.rungs;
        }
        for handle in &older {
            channel.update(handle, &self.notice, self.settled.as_ref()).await?;
        }
        self.shown.version.clone_from(&self.version);
        Ok(())
    }
}

impl Approvals {
    /// Show in all channels what they do not show yet. Does not wait for them.
    pub(super) async fn deliver(&self) {
        if self.channels.is_empty() {
            return;
        }
        let now_ms = clock::now_ms();
        let entries = self.entries.lock().await;
        for pending in entries.values().map(|entry| &entry.pending) {
            for channel in &self.channels {
                let Some(task) = task(pending, channel.name(), &self.settings.host, now_ms) else { continue };
                if let Some(me) = self.me()
                    && self.attempts.begin(&pending.id, channel.name(), now_ms)
                {
                    tokio::spawn(me.show(pending.id.clone(), channel.clone(), task));
                }
            }
        }
    }

    /// Whether all channels show it as it stands.
    pub(super) fn is_delivered(&self, pending: &Pending) -> bool {
        self.channels.iter().all(|channel| task(pending, channel.name(), "", 0).is_none())
    }

    async fn show(self: Arc<Self>, id: String, channel: Arc<dyn Channel>, mut task: Task) {
        let outcome = task.run(channel.as_ref()).await;
        if let Err(error) = &outcome {
            let failures = self.attempts.failed(&id, channel.name(), clock::now_ms());
            if failures == 1 {
                let _ = self.notes.send(Note::Failed { channel: channel.name().to_owned(), error: error.to_string() });
            }
            let is_hopeless = !error.is_temporary() && failures >= REFUSALS_MAX && !task.shown.handles.is_empty();
            if is_hopeless {
                task.shown.version.clone_from(&task.version);
                task.shown.rungs = task.rungs;
            }
        }
        let mut entries = self.entries.lock().await;
        if let Some(entry) = entries.get_mut(&id) {
            let mut pending = entry.pending.clone();
            pending.shown.insert(channel.name().to_owned(), task.shown);
            // If this cannot be written it is shown once more, which changes nothing.
            if pending != entry.pending {
                let _ = self.change(entry, pending).await;
            }
        }
        drop(entries);
        if outcome.is_ok() {
            self.attempts.succeeded(&id, channel.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_waits_longer_each_time_and_no_longer_than_the_limit() {
        let attempts = Attempts::default();
        assert!(attempts.begin("a", "slack", 0));
        assert!(!attempts.begin("a", "slack", 0));
        assert!(attempts.begin("b", "slack", 0) && attempts.begin("a", "webhook", 0));
        attempts.failed("a", "slack", 0);
        assert!(!attempts.begin("a", "slack", 999));
        assert!(attempts.begin("a", "slack", 1_000));
        attempts.failed("a", "slack", 1_000);
        assert!(!attempts.begin("a", "slack", 2_999));
        for _ in 0..40 {
            attempts.failed("a", "slack", 0);
        }
        assert!(attempts.begin("a", "slack", WAIT_MS_MAX));
    }

    #[test]
    fn a_channel_that_answers_again_is_tried_at_once() {
        let attempts = Attempts::default();
        attempts.failed("a", "slack", 0);
        attempts.hurry("webhook");
        assert!(!attempts.begin("a", "slack", 1));
        attempts.hurry("slack");
        assert!(attempts.begin("a", "slack", 1));
    }
}

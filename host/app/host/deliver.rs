//! The host's part in delivery: what is posted when a session ends, and the task that sends what is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Event, Host};
use crate::app::deliveries::{Routes, Sent, posted, posted_failure, send_due, wants_bitmaps};
use crate::app::reports::{ReportRecord, report, stored};
use crate::clock;
use crate::delivery::outbox::LetterState;
use crate::gate::explain::escaped;
use crate::store::StoreError;

/// The outbox is looked at so often at least.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// What cannot be read or written now is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The ways of a host.
pub(super) struct Deliveries {
    routes: Routes,
    posted: Notify,
}

impl Deliveries {
    pub(super) fn new(routes: Routes) -> Self {
        Self { routes, posted: Notify::new() }
    }
}

impl Host {
    /// Send what is due until the host stops.
    pub(super) async fn deliver(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        while !*stop.borrow() {
            let wait = tokio::select! {
                wait = self.deliver_due() => wait,
                // What is being sent is sent again by the next host.
                _ = stop.wait_for(|is_stopped| *is_stopped) => return,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.deliveries.posted.notified() => {}
                _ = stop.wait_for(|is_stopped| *is_stopped) => {}
            }
        }
    }

    /// Send what is due now. Returns how long nothing will be.
    pub(super) async fn deliver_due(&self) -> Duration {
        let tell = |sent: Sent| {
            let _ = self.events.send(Event::Delivery(in_words(&sent)));
        };
        let (config, routes) = (&self.project.config, &self.deliveries.routes);
        match send_due(&self.store, self.journal.lease(), config, routes, &tell).await {
            Ok(next_ms) => {
                let wait = next_ms.map(|next_ms| Duration::from_millis(next_ms.saturating_sub(clock::now_ms())));
                wait.map_or(LOOK_EVERY, |wait| wait.min(LOOK_EVERY))
            }
            Err(StoreError::Busy { .. }) => AGAIN_AFTER,
            Err(error) => {
                let _ = self.events.send(Event::Delivery(format!("the outbox: {error}")));
                AGAIN_AFTER
            }
        }
    }

    /// Put a report into the index and post it, both or neither. One of a session that failed waits for the job's last
    /// try.
    pub(super) async fn file(&self, record: &ReportRecord, is_failure: bool) -> Result<(), StoreError> {
        let mut changes = match is_failure {
            true => Vec::new(),
            false => posted(self.store.as_ref(), &self.project.config, record, false).await?,
        };
        changes.push(stored(record));
        self.store.change_values(self.journal.lease(), &changes).await?;
        self.wake_outbox();
        Ok(())
    }

    /// A job has failed and is not tried again: its deliveries bring the last report, or why there is none.
    pub(super) async fn post_failure(&self, job: &str, slot: &str, session: &str, why: &str) -> Result<(), StoreError> {
        let (store, config) = (self.store.as_ref(), &self.project.config);
        let changes = match report(&self.store, session).await {
            Ok(record) if record.id == session => posted(store, config, &record, true).await?,
            _ => posted_failure(store, config, job, slot, why).await?,
        };
        if changes.is_empty() {
            return Ok(());
        }
        self.store.change_values(self.journal.lease(), &changes).await?;
        self.wake_outbox();
        Ok(())
    }

    /// Look at the outbox as soon as can be.
    pub(super) fn wake_outbox(&self) {
        self.deliveries.posted.notify_one();
    }

    /// Whether a job's reports go where bitmaps alone are shown.
    pub(super) fn wants_bitmaps(&self, deliver: &[String]) -> bool {
        wants_bitmaps(&self.deliveries.routes, deliver)
    }
}

fn in_words(sent: &Sent) -> String {
    let Sent { letter, target } = sent;
    let (what, note) = (escaped(&letter.id), escaped(letter.note.lines().next().unwrap_or_default()));
    match letter.state {
        LetterState::Delivered => format!("{what} to {target}: {note}"),
        LetterState::Dead => {
            format!("{what} given up: {note}; `pi-host report deliveries` has it, and `report deliver` sends it again")
        }
        LetterState::Waiting => format!("{what} waits until {}: {note}", clock::rfc3339(letter.due_ms)),
    }
}

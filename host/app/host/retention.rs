//! Retention by the host itself: once at its start and then from time to time, where `[sessions] keep_days` says so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Event, Host};
use crate::app::sessions::prune;
use crate::clock;
use crate::session::DAY_MS;

/// How often the host looks for what is too old: days are counted, so that hours do not matter.
const EVERY: Duration = Duration::from_secs(3_600);

impl Host {
    /// Prune until the host stops.
    pub(super) async fn retain(self: Arc<Self>) {
        let Some(days) = self.project.config.sessions.keep_days else { return };
        let mut stop = self.stop.subscribe();
        loop {
            let before_ms = clock::now_ms().saturating_sub(u64::from(days).saturating_mul(DAY_MS));
            let is_stopping = || *self.stop.borrow();
            let components = self.components();
            let pruned = prune(&self.project, &self.journal, &components, before_ms, "host", &is_stopping).await;
            if let Err(error) = pruned {
                let (session, error) = ("retention".to_owned(), error.to_string());
                let _ = self.events.send(Event::Broken { session, error });
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stop.wait_for(|is_stopped| *is_stopped) => return,
            }
        }
    }

    /// The components that sessions may begin with now.
    pub(super) fn components(&self) -> BTreeSet<String> {
        self.agents.values().map(|agent| agent.linked.digest.clone()).collect()
    }
}

//! The bounds of agents, as a host keeps them: new sessions wait while everything is stopped, and what a session changed
//! is judged when it ends, by the host's own look.
//!
//! A claim is not enough, in either direction: what was healthy before and needs what was changed has to be healthy
//! still, and a session that healed nothing counts as a failure whatever its acts returned.

use crate::capability::safety::switch::{STOPPED_ALL, Stopped, stopped};
use crate::capability::safety::{Effect, services_of};
use crate::clock::Duration;
use crate::journal::{Body, Entry, SessionJournal};
use crate::report;
use crate::session::{Ended, SessionError};

use super::{Event, Host, HostError};

/// How often a session that waits looks whether agents go on.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A service is taken for sick when so many probes in a row failed: one may meet it while it starts.
const SICK_PROBES: u32 = 4;
const BETWEEN_PROBES: Duration = Duration::from_millis(500);

impl Host {
    /// Tell when everything was stopped, and when agents go on.
    pub(super) async fn look_at_switch(&self, was: &mut Option<Stopped>) {
        // A store that cannot be read is found by what else looks at it; nothing is changed meanwhile.
        let Ok(now) = stopped(self.store.as_ref()).await else { return };
        if now != *was {
            let _ = self.events.send(Event::StoppedAll(now.clone()));
            *was = now;
        }
    }

    /// A session that would begin now waits until agents may go on.
    pub(super) async fn until_not_stopped(&self) -> Result<(), HostError> {
        let mut stop = self.stop.subscribe();
        while !matches!(stopped(self.store.as_ref()).await, Ok(None)) {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stop.wait_for(|is_stopped| *is_stopped) => return Err(SessionError::Stopped.into()),
            }
        }
        Ok(())
    }

    /// What a session that ended has made of what it changed: counted for the breakers, and a claim that all is well is
    /// not taken where something that was healthy is sick now.
    pub(super) async fn settle_changes(
        &self,
        id: &str,
        journal: &SessionJournal,
        mut ended: Ended,
    ) -> Result<Ended, HostError> {
        let entries = journal.entries().await?;
        let safety = &self.kernel.safety;
        let changed = safety.changed_by(id, &entries).await;
        if changed.is_empty() {
            return Ok(ended);
        }
        let mut worse = Vec::new();
        for service in safety.healthy_before(id) {
            if !changed.contains(&service) && self.is_sick(&service).await {
                worse.push(service);
            }
        }
        if !worse.is_empty() && is_well(ended.status) {
            let names = worse.join("`, `");
            ended.summary = format!(
                "{} The host does not accept it as `{}`: `{names}` was healthy before the change, needs what was changed, and is sick now.",
                ended.summary, ended.status
            );
            ended.status = "escalated";
        }
        // What the kill switch has cut short says nothing of the changes before it.
        if entries.iter().any(is_stopped) && !is_well(ended.status) {
            return Ok(ended);
        }
        let is_well = is_well(ended.status)
            && report::check(ended.status, &ended.details, &entries, &|act| services_of(act, &self.supervisor)).is_ok();
        let mut effects = Vec::new();
        for service in changed {
            let is_healed = is_well
                && match report::last_probe_since_change(&entries, &service) {
                    Some(is_healthy) => is_healthy,
                    None => !self.is_sick(&service).await,
                };
            effects.push(Effect { service, is_healed });
        }
        for what in safety.settle(journal, &effects).await? {
            let _ = self.events.send(Event::Breaker { what });
        }
        Ok(ended)
    }

    async fn is_sick(&self, service: &str) -> bool {
        for attempt in 0..SICK_PROBES {
            if attempt > 0 {
                tokio::time::sleep(BETWEEN_PROBES).await;
            }
            match self.supervisor.probe(service).await {
                Ok(result) if !result.healthy => {}
                // Healthy; or it is not one of the services, and nothing is known of it.
                _ => return false,
            }
        }
        true
    }
}

fn is_well(status: &str) -> bool {
    matches!(status, "done" | "nothing_to_do")
}

fn is_stopped(entry: &Entry) -> bool {
    matches!(&entry.body, Body::Refused { decision, .. } if decision.rules.iter().any(|rule| rule == STOPPED_ALL))
}

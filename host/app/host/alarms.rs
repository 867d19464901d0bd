//! Alarms from outside, as sessions: wakes an agent for an incident, and tells the intake how its session ended.
//!
//! The incident's number stands in the session's task, so that a host that comes later knows which session works on
//! which incident, whatever was cut off in between. A target that is a service here is held like one that its own probe
//! has found sick: one session at a time works on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::{Event, Host, HostError};
use crate::app::context::Talk;
use crate::app::incident::Closed;
use crate::session::SessionError;
use crate::store::OPEN;
use crate::watch::Standing;
use crate::watch::alarms::{Ending, Wake};
use crate::watch::intake::{Told, Trigger};
use crate::watch::poll::{AlarmSource, PollSettings};

/// The incident that a session was woken for.
pub(super) fn incident_of(input: &Value) -> Option<u64> {
    input.pointer("/alert/incident").and_then(Value::as_u64)
}

impl Host {
    /// Ask a source for its alarms from now on, for as long as the host runs. Nothing happens without `[triggers]`,
    /// or in a host that does not watch; false then.
    pub fn poll(&self, trigger: Trigger, source: Arc<dyn AlarmSource>, settings: PollSettings) -> bool {
        self.triggers.as_ref().map(|triggers| triggers.poll(trigger, source, settings)).is_some()
    }

    pub(super) fn on_wake(self: &Arc<Self>, wake: Wake, sessions: &mut JoinSet<()>) {
        let host = self.clone();
        sessions.spawn(async move {
            if let Some(ending) = host.wake(&wake).await
                && let Some(triggers) = &host.triggers
            {
                triggers.intake.closed(wake.incident, ending).await;
            }
        });
    }

    /// Run a session for an incident; how it ended, where no session could begin that says so itself.
    async fn wake(self: &Arc<Self>, wake: &Wake) -> Option<Ending> {
        if *self.stop.borrow() {
            // The next host wakes it.
            return Some(Ending::NotBegun);
        }
        if !self.agents.contains_key(&wake.agent) {
            let error =
                format!("an alarm of `{}` is for the agent `{}`, which is not run here", wake.target, wake.agent);
            let _ = self.events.send(Event::Broken { session: format!("incident {}", wake.incident), error });
            return Some(Ending::Broken);
        }
        let mut alert = wake.alert.clone();
        if self.project.config.services.contains_key(&wake.target) {
            match self.incidents.standing(&wake.target) {
                Some(Standing::Open) => return Some(Ending::Elsewhere),
                Some(Standing::HandedOver) => return Some(Ending::HandedOver),
                Some(Standing::Quiet) => self.incidents.open(&wake.target),
                None => {}
            }
            alert["service"] = wake.target.clone().into();
        }
        match self.session(&wake.agent, "", &json!({ "alert": alert }), Talk::Closed).await {
            // It was told where the session ended.
            Ok(_) | Err(HostError::Session(_)) => None,
            Err(error) => {
                let session = format!("incident {}", wake.incident);
                let _ = self.events.send(Event::Broken { session, error: error.to_string() });
                Some(Ending::Broken)
            }
        }
    }

    /// A session begins: the incident that it is for has it.
    pub(super) async fn alarm_running(&self, input: &Value, session: &str) {
        if let (Some(triggers), Some(incident)) = (&self.triggers, incident_of(input)) {
            triggers.intake.running(incident, session).await;
        }
    }

    /// A session has ended: what that says of its incident.
    pub(super) async fn alarm_closed(&self, input: &Value, closed: &Result<Closed, HostError>) {
        let (Some(triggers), Some(incident)) = (&self.triggers, incident_of(input)) else { return };
        let ending = match closed {
            Ok(closed) => ending(&closed.status),
            Err(HostError::Session(SessionError::Stopped)) if *self.stop.borrow() => return,
            // A person has stopped this one alone.
            Err(HostError::Session(SessionError::Stopped)) => Ending::HandedOver,
            Err(HostError::Session(_)) => Ending::Broken,
            // Nothing of it can be written: the next host finds out.
            Err(_) => return,
        };
        triggers.intake.closed(incident, ending).await;
    }

    /// The session of an incident cannot be taken up.
    pub(super) async fn alarm_given_up(&self, input: &Value) {
        if let (Some(triggers), Some(incident)) = (&self.triggers, incident_of(input)) {
            triggers.intake.closed(incident, Ending::HandedOver).await;
        }
    }

    /// What became of the incidents whose sessions an earlier host has run. `taken_up` are those that go on.
    pub(super) async fn settle_alarms(&self, taken_up: &BTreeSet<u64>) -> Result<(), HostError> {
        let Some(triggers) = &self.triggers else { return Ok(()) };
        for (incident, session) in triggers.intake.in_session().await {
            if taken_up.contains(&incident) {
                continue;
            }
            let ended = match &session {
                None => None,
                Some(session) => self.store.session(session).await?,
            };
            let ending = match ended {
                // It was told to begin, and did not.
                None => Ending::NotBegun,
                // This host was told to run others.
                Some(record) if record.status == OPEN && !self.agents.contains_key(&record.agent) => continue,
                // It did not end, and cannot be taken up: people look at it.
                Some(record) if record.status == OPEN => Ending::HandedOver,
                Some(record) => ending(&record.status),
            };
            triggers.intake.closed(incident, ending).await;
        }
        Ok(())
    }
}

fn ending(status: &str) -> Ending {
    if matches!(status, "done" | "nothing_to_do") { Ending::Well } else { Ending::HandedOver }
}

/// The next incident to wake an agent for; never, where there are none.
pub(super) async fn next_wake(wakes: &mut Option<mpsc::UnboundedReceiver<Wake>>) -> Wake {
    if let Some(receiver) = wakes
        && let Some(wake) = receiver.recv().await
    {
        return wake;
    }
    std::future::pending().await
}

/// The next line of the triggers; never, where there are none.
pub(super) async fn next_told(told: &mut Option<broadcast::Receiver<Told>>) -> Told {
    while let Some(receiver) = told {
        match receiver.recv().await {
            Ok(line) => return line,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => *told = None,
        }
    }
    std::future::pending().await
}

//! From what happens to the services to alarms.
//!
//! An alarm is raised once: after so many failed probes in a row, or when a service ends again and
//! again between two probes. It stays open, and nothing further is raised for the service, until
//! the incident is closed ([`Incidents::close`]); then it takes a cool-down and fresh failures. One that was handed
//! to a person ([`Incidents::hand_over`]) stays quiet until the service has been healthy again.
//!
//! Alarms from outside come by webhooks ([`hooks`]) and from sources that are asked ([`poll`]); both hand them to one
//! [`intake`], and [`alarms`] says what becomes of each.

pub mod alarms;
pub mod cloudwatch;
pub mod hooks;
pub mod intake;
pub mod poll;
mod rules;
mod seen;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::clock;
use crate::supervisor::{Event, Supervisor};
use rules::Rules;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    Raised,
    /// The service of an open alarm, or one that a person had, has answered as it should, several
    /// times in a row.
    Recovered,
}

/// A service is sick, or well again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    pub service: String,
    pub title: String,
    pub detail: String,
    pub time_ms: u64,
    /// When the first failure came that led to the alarm.
    pub since_ms: u64,
    pub state: AlarmState,
}

/// How the alarm of a watched service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Quiet,
    /// A session works on it.
    Open,
    /// A person has it.
    HandedOver,
}

/// The alarms of some services, as they come.
pub struct Watch {
    events: broadcast::Receiver<Event>,
    incidents: Incidents,
}

/// Which alarms are open. Clones speak of the same ones.
#[derive(Clone)]
pub struct Incidents(Arc<Mutex<BTreeMap<String, Rules>>>);

impl Watch {
    /// Watch these services; `*` stands for all.
    #[must_use]
    pub fn new(supervisor: &Supervisor, services: &[String]) -> Self {
        let names =
            supervisor.names().into_iter().filter(|name| services.iter().any(|wanted| wanted == "*" || wanted == name));
        let rules = names.map(|name| (name.clone(), Rules::new(supervisor.failures_max(&name)))).collect();
        Self { events: supervisor.events(), incidents: Incidents(Arc::new(Mutex::new(rules))) }
    }

    /// The next alarm. None once the supervisor is gone.
    pub async fn next(&mut self) -> Option<Alarm> {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    let alarm = self.incidents.rules().get_mut(event.service()).and_then(|rules| rules.observe(&event));
                    if alarm.is_some() {
                        return alarm;
                    }
                }
                // Probes go on: what was missed shows again.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// To open and close incidents from elsewhere.
    #[must_use]
    pub fn incidents(&self) -> Incidents {
        self.incidents.clone()
    }
}

impl Incidents {
    /// An incident of this service is being worked on (one that an earlier host has begun): no alarm.
    pub fn open(&self, service: &str) {
        let _ = self.with(service, Rules::open);
    }

    /// The incident is over. The next alarm takes fresh failures.
    pub fn close(&self, service: &str) {
        let _ = self.with(service, |rules| rules.close(clock::now_ms()));
    }

    /// How the alarm of a service stands. None: it is not watched.
    #[must_use]
    pub fn standing(&self, service: &str) -> Option<Standing> {
        self.rules().get(service).map(Rules::standing)
    }

    /// A person has it now: no alarm before the service has been healthy again, which is told.
    /// False for a service that is not watched.
    pub fn hand_over(&self, service: &str) -> bool {
        self.with(service, Rules::hand_over)
    }

    fn with(&self, service: &str, act: impl FnOnce(&mut Rules)) -> bool {
        let mut all = self.rules();
        let rules = all.get_mut(service);
        rules.map(act).is_some()
    }

    fn rules(&self) -> MutexGuard<'_, BTreeMap<String, Rules>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What one plugin may do with which services.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::capability::bindings::pi::services::services::Error;
use crate::capability::grant::GrantError;
use crate::config::ServicesGrant;
use crate::supervisor::Supervisor;

/// What can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Status, probe, logs, changes and who owns a port.
    Read,
    Restart,
    EndProcess,
    RotateLog,
}

impl Action {
    const ALL: [Action; 4] = [Action::Read, Action::Restart, Action::EndProcess, Action::RotateLog];

    /// As it stands in `pi.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Restart => "restart",
            Action::EndProcess => "end_process",
            Action::RotateLog => "rotate_log",
        }
    }
}

/// The grant of one plugin.
pub struct ServicesState {
    pub(super) supervisor: Arc<Supervisor>,
    names: BTreeSet<String>,
    actions: BTreeSet<Action>,
}

impl ServicesState {
    /// Resolve a grant.
    ///
    /// # Errors
    /// A service or an action that does not exist.
    pub fn new(grant: &ServicesGrant, supervisor: Arc<Supervisor>) -> Result<Self, GrantError> {
        let known = supervisor.names();
        let mut names = BTreeSet::new();
        for name in &grant.names {
            if name == "*" {
                names.extend(known.iter().cloned());
            } else if known.contains(name) {
                names.insert(name.clone());
            } else {
                let reason = format!("there is no such service; `pi.toml` has {}", in_words(&known));
                return Err(GrantError::new("services", "names", name, reason));
            }
        }
        let mut actions = BTreeSet::new();
        for wanted in &grant.actions {
            let Some(action) = Action::ALL.into_iter().find(|action| action.name() == wanted) else {
                let all: Vec<String> = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
                let reason = format!("there is no such action; there are {}", in_words(&all));
                return Err(GrantError::new("services", "actions", wanted, reason));
            };
            actions.insert(action);
        }
        Ok(Self { supervisor, names, actions })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub(super) fn allows(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// # Errors
    /// The service is not within the grant.
    pub(super) fn knows(&self, name: &str) -> Result<(), Error> {
        if self.names.contains(name) {
            return Ok(());
        }
        let names: Vec<String> = self.names.iter().cloned().collect();
        Err(Error::NotFound(format!("no service `{name}` is within the grant; there are {}", in_words(&names))))
    }
}

fn in_words(names: &[String]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

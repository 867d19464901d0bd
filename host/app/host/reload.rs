//! Policy files that change while the host runs: read anew as a whole, or not at all.

use std::path::PathBuf;
use std::time::SystemTime;

use super::{Event, Host};
use crate::app::setup::{gate, policy_files, shadow_gate};
use crate::config::Project;
use crate::gate::Gate;

/// What a change of the files shows by.
pub(super) type Look = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// The policy files of a project as they are now.
pub(super) fn look(project: &Project) -> Look {
    let state = |path: &PathBuf| {
        let metadata = path.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    policy_files(project).into_iter().map(|path| (path.clone(), state(&path))).collect()
}

impl Host {
    /// Read the policy anew if its files have changed. One that is broken is said, and changes nothing.
    pub(super) async fn reload(&self, seen: &mut Look, was_broken: &mut bool) {
        let project = self.project.clone();
        let known = seen.clone();
        let read = tokio::task::spawn_blocking(move || {
            let now = look(&project);
            (now != known).then(|| (now, gates(&project)))
        });
        let Ok(Some((now, gates))) = read.await else { return };
        *seen = now;
        let before = self.kernel.gate.now().revision().to_owned();
        let event = match gates {
            Ok((gate, shadow)) => {
                let revision = gate.revision().to_owned();
                self.kernel.gate.replace(gate, shadow);
                if revision == before && !std::mem::take(was_broken) {
                    return;
                }
                *was_broken = false;
                Event::Policy { revision, error: None }
            }
            Err(error) => {
                *was_broken = true;
                Event::Policy { revision: before, error: Some(error) }
            }
        };
        let _ = self.events.send(event);
    }
}

fn gates(project: &Project) -> Result<(Gate, Option<Gate>), String> {
    let read = || Ok::<_, crate::app::SetupError>((gate(project)?, shadow_gate(project)?));
    read().map_err(|error| error.to_string())
}

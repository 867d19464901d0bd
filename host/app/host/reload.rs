//! Policy files that change while the host runs: read anew as a whole, or not at all.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Event, Host};
use crate::app::gating::{gate, policy_files, shadow_gate};
use crate::config::Project;
use crate::gate::Gate;

/// What a change of the files shows by: the hash of what is in each. A time of change can be set back.
pub(super) type Look = Vec<(PathBuf, Option<[u8; 32]>)>;

/// The policy files of a project as they are now.
pub(super) fn look(project: &Project) -> Look {
    let hash = |path: &PathBuf| Some(Sha256::digest(std::fs::read(path).ok()?).into());
    policy_files(project).into_iter().map(|path| (path.clone(), hash(&path))).collect()
}

impl Host {
    /// Read the policy anew if its files have changed. One that is broken is said, and changes nothing.
    pub(super) async fn reload(&self, seen: &mut Look, was_broken: &mut bool) {
        let project = self.project.clone();
        let known = seen.clone();
        let known_before = known.clone();
        let read = tokio::task::spawn_blocking(move || {
            let now = look(&project);
            (now != known).then(|| (now, gates(&project)))
        });
        let (now, gates) = match read.await {
            Ok(Some(read)) => read,
            Ok(None) => return,
            // What breaks while it is read must be heard of too: the old policy stays.
            Err(error) => (seen.clone(), Err(format!("the policy could not be read: {error}"))),
        };
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
            Err(_) if *was_broken && *seen == known_before => return,
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

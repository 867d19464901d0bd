//! One host a project, and how others ask it for a restart.
//!
//! The lock is the kernel's, on an open file: it is gone with the host that held it, however that
//! ended. Beside that host a command line writes a request into the service's folder; the host looks there twice a
//! second, takes the request by renaming it, acts, and writes the answer.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::SupervisorError;
use super::keeper::Command;
use super::record::replace;
use super::unit::Unit;
use crate::clock;
use crate::confine::Identity;

const LOCK_TRIES: u32 = 5;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A host that has not taken a request by then will not.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// And has not answered by then.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    id: String,
    result: Result<Identity, String>,
}

/// Become the host of the services below `state`.
pub(crate) fn lock(state: &Path) -> Result<File, SupervisorError> {
    let path = state.join("lock");
    let file = open_lock(&path).map_err(|error| SupervisorError::file("open", &path, &error))?;
    // A command line that looks whether there is a host holds the lock for an instant.
    for _ in 0..LOCK_TRIES {
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(file);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(SupervisorError::Taken(path.display().to_string()))
}

/// What was asked of an earlier host is not done later, when nobody waits for it any more.
pub(crate) fn forget(unit: &Unit) {
    fs::remove_file(unit.folder().join("restart.json")).ok();
}

/// Serve the requests for one service.
pub(crate) async fn serve(unit: Arc<Unit>, commands: mpsc::Sender<Command>) {
    let request = unit.folder().join("restart.json");
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let taken = unit.folder().join("restart.taken");
        // By renaming it is taken once: a host that is killed afterwards does not do it again.
        if fs::rename(&request, &taken).is_err() {
            continue;
        }
        let Some(Request { id }) = fs::read(&taken).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
            continue;
        };
        let (reply, answer) = oneshot::channel();
        if commands.send(Command::Restart(reply)).await.is_err() {
            return;
        }
        let result = answer.await.unwrap_or_else(|_| Err("the host is stopping".into()));
        if let Ok(bytes) = serde_json::to_vec(&Answer { id, result }) {
            replace(&unit.folder().join("restart.answer"), &bytes).ok();
        }
    }
}

/// Ask the host for a restart, and wait until it has answered.
pub(crate) async fn ask_restart(unit: &Unit, state: &Path) -> Result<Identity, SupervisorError> {
    if open_lock(&state.join("lock")).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()) {
        return Err(SupervisorError::Failed(format!(
            "no host supervises `{}` now, so nobody can restart it; start one with `pi-host run`",
            unit.name()
        )));
    }
    let id = format!("{}-{}", std::process::id(), clock::now_ms());
    let path = unit.folder().join("restart.json");
    let bytes =
        serde_json::to_vec(&Request { id: id.clone() }).map_err(|error| SupervisorError::State(error.to_string()))?;
    replace(&path, &bytes).map_err(|error| SupervisorError::file("write", &path, &error))?;
    let begin = clock::monotonic();
    while begin.elapsed() < ANSWER_WITHIN {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = fs::read(unit.folder().join("restart.answer")).ok();
        if let Some(answer) =
            answer.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok()).filter(|answer| answer.id == id)
        {
            return answer.result.map_err(SupervisorError::Failed);
        }
        if path.exists() && begin.elapsed() > TAKEN_WITHIN {
            fs::remove_file(&path).ok();
            return Err(SupervisorError::Failed(
                "the host that supervises did not take the request; nothing was done".into(),
            ));
        }
    }
    Err(SupervisorError::Failed(
        "the host that supervises did not say in time how the restart went; look at the status".into(),
    ))
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_one_host() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(SupervisorError::Taken(_))));
        drop(first);
        assert!(lock(folder.path()).is_ok());
    }
}

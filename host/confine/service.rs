//! Services: programs that must outlive the host, and of which there is never more than one.
//!
//! The helper that becomes the service writes its own pid and start time into `<name>.pid` under
//! the lock `<name>.lock`, and then executes the program. That keeps pid and start time, and lets go of the
//! lock, which is closed on exec: from then on it is the record that says that the service runs. So there is no
//! moment at which one runs and is not on record: a host killed at any point finds it again, by
//! [`recorded`]. A service is the operator's own program: it is not confined, only separated from the
//! host (own session, clean environment, no descriptors, files for its output) and limited.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::Child;
use tokio::time::timeout;

use super::control::{self, Job, Report, Reports};
use super::identity::{Identity, is_alive};
use super::{Confine, StartError};
use crate::clock::Duration;

/// From the record to the program: loading it from a slow disk.
const EXECUTED_WITHIN: Duration = Duration::from_secs(10);

/// What shall run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// File names are made of it: letters, digits, `-`, `_` and `.`, not first a `.`.
    pub name: String,
    /// Where `<name>.lock` and `<name>.pid` are kept. Must exist.
    pub state_dir: PathBuf,
    /// Program and arguments. A program without a `/` is looked up in `PATH` of `environment`, else
    /// in the clean one; one with a relative path is relative to `directory`.
    pub command: Vec<String>,
    /// Absolute.
    pub directory: PathBuf,
    /// Added to the clean environment. The operator's own, so any variable may be in it.
    pub environment: BTreeMap<String, String>,
    /// Appended to.
    pub stdout: PathBuf,
    /// Appended to.
    pub stderr: PathBuf,
    /// No file that it writes may grow beyond this: the write fails with `EFBIG`.
    pub file_bytes_max: Option<u64>,
    /// A `cgroup.procs` that the service's pid is written to before its program is executed.
    pub cgroup_procs: Option<PathBuf>,
}

/// How a service ended. Exactly one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceExit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// A service that this host has started. Dropping it leaves the service running.
#[derive(Debug)]
pub struct Service {
    identity: Identity,
    child: Child,
}

impl Service {
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Wait until it has ended. May be cancelled and called again.
    ///
    /// # Errors
    /// The system could not say how it ended.
    pub async fn wait(&mut self) -> io::Result<ServiceExit> {
        let status = self.child.wait().await?;
        Ok(ServiceExit { code: status.code(), signal: status.signal() })
    }
}

/// Start a service, unless it runs.
///
/// # Errors
/// [`StartError::AlreadyRunning`] if it does, whoever started it. Or why its program could not be executed.
pub async fn start(confine: &Confine, spec: &ServiceSpec) -> Result<Service, StartError> {
    let name = &spec.name;
    if !is_file_name(name) {
        return Err(StartError::Invalid(format!("not a name for a service: `{name}`")));
    }
    if spec.command.is_empty() {
        return Err(StartError::Invalid(format!("service `{name}` has no command")));
    }
    let nothing = File::open("/dev/null").map_err(|error| StartError::Helper(format!("no /dev/null: {error}")))?;
    let job = Job::Service(spec.clone());
    let mut helper = control::launch(confine, &job, nothing.as_fd(), Stdio::null(), Stdio::null())?;
    match confirmed(&mut helper.reports).await {
        Ok(identity) => Ok(Service { identity, child: helper.child }),
        Err(error) => {
            // It may be late rather than dead: it must not start the service after all.
            let _ = helper.child.start_kill();
            let _ = helper.child.wait().await;
            Err(error)
        }
    }
}

/// The helper says that it is on record, and then nothing more: its end of the socket closes as its
/// program is executed.
async fn confirmed(reports: &mut Reports) -> Result<Identity, StartError> {
    let Report::Started(identity) = reports.first().await? else {
        return Err(StartError::Helper("an answer to another question".into()));
    };
    match timeout(EXECUTED_WITHIN, reports.next()).await {
        Ok(None) => Ok(identity),
        Ok(Some(Report::Failed(error))) => Err(error),
        Ok(Some(_)) | Err(_) => Err(StartError::Helper("it did not execute the program".into())),
    }
}

/// The service of this name that runs now, whichever host started it.
#[must_use]
pub fn recorded(state_dir: &Path, name: &str) -> Option<Identity> {
    let record: Record = serde_json::from_slice(&fs::read(pid_file(state_dir, name)).ok()?).ok()?;
    (record.boot_id == boot_id() && is_alive(&record.identity)).then_some(record.identity)
}

/// The last process of this name that was recorded in this boot, alive or not: for the workers that
/// it may have left behind, see [`super::family`].
#[must_use]
pub fn last_recorded(state_dir: &Path, name: &str) -> Option<Identity> {
    let record: Record = serde_json::from_slice(&fs::read(pid_file(state_dir, name)).ok()?).ok()?;
    (record.boot_id == boot_id()).then_some(record.identity)
}

/// The contents of `<name>.pid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    pub identity: Identity,
    /// Start times count from the boot: after a reboot they say nothing.
    pub boot_id: String,
}

pub(crate) fn pid_file(state_dir: &Path, name: &str) -> PathBuf {
    state_dir.join(format!("{name}.pid"))
}

pub(crate) fn lock_file(state_dir: &Path, name: &str) -> PathBuf {
    state_dir.join(format!("{name}.lock"))
}

pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

//! A project in a folder of its own, whose services are ended with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pi_host::config::{RestartConfig, ServiceConfig};
use pi_host::confine::{self, Confine, Identity};
use pi_host::supervisor::{Condition, MemoryBy, Places, State, Supervisor, SupervisorError};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) config: BTreeMap<String, ServiceConfig>,
    pub(crate) memory_by: MemoryBy,
}

/// A service that runs a line of shell.
pub(crate) fn shell(line: &str) -> ServiceConfig {
    ServiceConfig {
        command: ["sh", "-c", line].map(String::from).to_vec(),
        restart: RestartConfig { backoff_ms: 100, ..RestartConfig::default() },
        ..ServiceConfig::default()
    }
}

/// Poll until it holds.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

impl Bench {
    pub(crate) fn new(service: ServiceConfig) -> Self {
        Self::of([("web", service)])
    }

    pub(crate) fn of<const N: usize>(services: [(&str, ServiceConfig); N]) -> Self {
        let config = services.into_iter().map(|(name, service)| (name.to_owned(), service)).collect();
        Self { folder: tempfile::tempdir().unwrap(), config, memory_by: MemoryBy::Kernel }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.places().state
    }

    pub(crate) fn places(&self) -> Places {
        places_of(self.path(), self.memory_by)
    }

    pub(crate) async fn start(&self) -> Arc<Supervisor> {
        self.try_start().await.unwrap()
    }

    pub(crate) async fn try_start(&self) -> Result<Arc<Supervisor>, SupervisorError> {
        Supervisor::start(&self.config, self.places()).await
    }

    pub(crate) fn recorded(&self) -> Option<Identity> {
        confine::service::recorded(&self.state(), "web")
    }
}

pub(crate) fn places_of(folder: &Path, memory_by: MemoryBy) -> Places {
    Places { confine: Confine::with_helper(env!("CARGO_BIN_EXE_pi-host")), memory_by, ..Places::of(folder) }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for name in self.config.keys().map(String::as_str).chain(["web"]) {
            let Some(last) = confine::service::last_recorded(&self.state(), name) else { continue };
            for member in confine::family(&last) {
                let Some(pid) = i32::try_from(member.pid).ok().and_then(Pid::from_raw) else { continue };
                kill_process(pid, Signal::KILL).ok();
            }
            let record = std::fs::read(self.state().join(name).join("state.json")).unwrap_or_default();
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
            if let Some(group) = record["memory_group"].as_str() {
                remove_group(Path::new(group));
            }
        }
    }
}

/// The status of `web`.
pub(crate) fn web(supervisor: &Supervisor) -> Condition {
    supervisor.status("web").unwrap()
}

pub(crate) async fn running(supervisor: &Supervisor) -> Condition {
    until("web runs", || Some(web(supervisor)).filter(|web| web.state == State::Running && web.pid.is_some())).await
}

/// A control group can be removed once its last process is gone.
fn remove_group(group: &Path) {
    for _ in 0..100 {
        if std::fs::remove_dir(group).is_ok() || !group.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

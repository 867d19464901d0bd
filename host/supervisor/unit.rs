//! One service: its configuration with all paths resolved, and what is known of it at this moment.
//!
//! Its keeper writes, everybody else reads. Nothing in here starts or ends anything.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::archive::Rotation;
use super::condition::{Condition, Description, Samples, State, letters};
use super::good::{Change, Good, Health};
use super::members::Members;
use super::memory::MemoryGroup;
use super::output::Output;
use super::probe::ProbeResult;
use super::record::{Phase, Record, RecordFile, command_hash};
use super::{Places, SupervisorError, disk};
use crate::clock::{self, Duration};
use crate::config::{CloudTarget, ProbeConfig, ServiceConfig};
use crate::confine;

/// A service that was started less than this ago may still be starting.
const STARTING: Duration = Duration::from_secs(2);

pub(crate) struct Unit {
    name: String,
    config: ServiceConfig,
    directory: PathBuf,
    log_files: Vec<PathBuf>,
    config_files: Vec<PathBuf>,
    folder: PathBuf,
    output: Output,
    record_file: RecordFile,
    live: Mutex<Live>,
    vitals: Mutex<Vitals>,
}

/// What the keeper says.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) state: State,
    pub(crate) members: Option<Members>,
    pub(crate) record: Record,
    /// It ran before this host came.
    pub(crate) is_adopted: bool,
    pub(crate) samples: Samples,
}

/// What the probes say.
struct Vitals {
    good: Good,
    streak: u32,
    since_ms: u64,
    has_been_healthy: bool,
}

impl Unit {
    pub(crate) fn new(name: &str, config: &ServiceConfig, places: &Places) -> Result<Self, SupervisorError> {
        let directory =
            config.directory.as_ref().map_or_else(|| places.project.clone(), |path| places.project.join(path));
        let resolve = |paths: &[String]| paths.iter().map(|path| fold(&directory.join(path))).collect::<Vec<_>>();
        let folder = places.state.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| SupervisorError::file("make", &folder, &error))?;
        let config_files = resolve(&config.config);
        let record_file = RecordFile::new(&folder);
        let record = record_file.read()?;
        let state = if config.command.is_empty() { State::External } else { State::Stopped };
        let good = Good::new(&folder, config_files.clone(), &places.project);
        Ok(Self {
            name: name.to_owned(),
            log_files: resolve(&config.logs),
            output: Output::new(places.state.join(format!("{name}.out")), config.file_bytes_max),
            live: Mutex::new(Live { state, record, ..Live::default() }),
            vitals: Mutex::new(Vitals { good, streak: 0, since_ms: 0, has_been_healthy: false }),
            config: config.clone(),
            config_files,
            directory: fold(&directory),
            record_file,
            folder,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn config(&self) -> &ServiceConfig {
        &self.config
    }

    pub(crate) fn probe_config(&self) -> ProbeConfig {
        self.config.probe.clone().unwrap_or_default()
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// `.pi/services/NAME`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    pub(crate) fn is_supervised(&self) -> bool {
        !self.config.command.is_empty()
    }

    pub(crate) fn command_hash(&self) -> String {
        command_hash(&self.config, &self.directory)
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        // Plain data: whole after a panic elsewhere as well.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vitals(&self) -> MutexGuard<'_, Vitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Change the record, here and on disk.
    pub(crate) fn write_record(&self, change: impl FnOnce(&mut Record)) -> Result<(), SupervisorError> {
        let record = {
            let mut live = self.live();
            change(&mut live.record);
            live.record.clone()
        };
        self.record_file.write(&record)
    }

    /// Take over what another host's keeper has written.
    pub(crate) fn read_from_disk(&self, state: &Path) -> Result<(), SupervisorError> {
        let record = self.record_file.read()?;
        let main = confine::service::recorded(state, &self.name);
        let mut live = self.live();
        live.state = match (&main, record.phase) {
            (Some(_), _) => State::Running,
            (None, Phase::BackingOff | Phase::Starting | Phase::Restarting) => State::BackingOff,
            (None, _) => State::Stopped,
        };
        let group = record.memory_group.as_deref().and_then(MemoryGroup::open);
        live.members = main.map(|main| Members { main, group });
        live.record = record;
        Ok(())
    }

    pub(crate) fn describe(&self) -> Description {
        // What is on an instance is no file of this machine: it is told, and nothing more.
        let there = |of: fn(&CloudTarget) -> &Vec<String>| {
            self.config.cloud.iter().flat_map(of).map(PathBuf::from).collect::<Vec<_>>()
        };
        Description {
            name: self.name.clone(),
            is_supervised: self.is_supervised(),
            depends_on: self.config.depends_on.clone(),
            log_files: [self.log_files.clone(), there(|cloud| &cloud.logs)].concat(),
            config_files: [self.config_files.clone(), there(|cloud| &cloud.config)].concat(),
            ports: self.config.ports.clone(),
            probe: self.probe_in_words(),
            memory_bytes_max: self.config.memory_bytes_max,
            autonomy: self.config.autonomy(),
            cloud: self.config.cloud.clone(),
        }
    }

    pub(crate) fn condition(&self) -> Condition {
        let live = self.live();
        let processes = live.members.as_ref().map(Members::tree).unwrap_or_default();
        let resident = processes.iter().map(|stat| stat.resident_bytes).sum();
        let is_running = live.state == State::Running && !processes.is_empty();
        Condition {
            name: self.name.clone(),
            state: live.state,
            pid: live.members.as_ref().filter(|_| is_running).map(|members| members.main.pid),
            uptime_ms: is_running.then(|| clock::now_ms().saturating_sub(live.record.started_ms)),
            starts: live.record.starts,
            exits: live.record.exits.clone(),
            memory_bytes: is_running.then_some(resident),
            memory_bytes_max: self.config.memory_bytes_max,
            process_states: letters(&processes),
            cpu_load: live.samples.load(clock::monotonic(), &processes).filter(|_| is_running),
            disks: disk::disks(&self.log_files, self.config.file_bytes_max),
        }
    }

    /// Whether `path` is one of its configuration files or logs, a folder above one or a file below.
    pub(crate) fn has_file_in(&self, path: &Path) -> bool {
        let is_near = |file: &Path| file.starts_with(path) || path.starts_with(file);
        let mut files = self.config_files.iter().chain(&self.log_files);
        // Through a link to a folder (`current/app.conf`) an act has the path behind it.
        files.any(|file| is_near(file) || file.canonicalize().is_ok_and(|real| is_near(&real)))
    }

    /// Whether `path` is one of its log files.
    pub(crate) fn is_log(&self, path: &Path) -> bool {
        self.log_files.iter().any(|file| file == path || file.canonicalize().is_ok_and(|real| real == path))
    }

    /// Whether a process is one of the service's.
    pub(crate) fn owns(&self, pid: u32, ancestry: &[u32]) -> bool {
        let Some(members) = self.live().members.clone() else { return false };
        (ancestry.contains(&members.main.pid) && confine::is_alive(&members.main))
            || members.all().iter().any(|member| member.pid == pid)
    }

    /// Its log files, and what it wrote to its standard output.
    pub(crate) fn log_sources(&self) -> Vec<PathBuf> {
        let mut sources = vec![self.output.rotated_path(), self.output.path().to_owned()];
        sources.extend(self.log_files.iter().cloned());
        sources
    }

    pub(crate) fn rotate_log(&self, path: &Path, archive: &Path) -> Result<PathBuf, SupervisorError> {
        Rotation { logs: &self.log_files, config: &self.config_files, archive }.rotate(path)
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        let started_ms = self.live().record.started_ms;
        let mut vitals = self.vitals();
        // Another host's probes are not known here: as far as this one knows it is not healthy.
        let health = Health { streak: vitals.streak, since_ms: vitals.since_ms, started_ms };
        vitals.good.changes(health)
    }

    /// Note the result of a periodic probe. True while the service may still be starting.
    pub(crate) fn note(&self, result: &ProbeResult, now_ms: u64) -> bool {
        if result.unknown {
            return false;
        }
        let (started_ms, is_ours) = {
            let live = self.live();
            (live.record.started_ms, live.state == State::Running)
        };
        let mut vitals = self.vitals();
        if !result.healthy {
            vitals.streak = 0;
            let age_ms = u128::from(now_ms.saturating_sub(started_ms));
            return is_ours && !vitals.has_been_healthy && age_ms < STARTING.as_millis();
        }
        if vitals.streak == 0 {
            vitals.since_ms = now_ms;
        }
        vitals.streak = vitals.streak.saturating_add(1);
        vitals.has_been_healthy = true;
        let health = Health { streak: vitals.streak, since_ms: vitals.since_ms, started_ms };
        // A disk that is full must not keep the service from being watched; the copy is made at a later probe.
        vitals.good.observe(health, now_ms).ok();
        false
    }

    /// Whether its last periodic probe found it healthy.
    pub(crate) fn was_healthy(&self) -> bool {
        self.vitals().streak > 0
    }

    /// A new life begins: what was seen of the last one says nothing about it.
    pub(crate) fn forget_health(&self) {
        let mut vitals = self.vitals();
        vitals.streak = 0;
        vitals.has_been_healthy = false;
    }

    fn probe_in_words(&self) -> String {
        let Some(probe) = &self.config.probe else { return "process: it runs".into() };
        match (&probe.http, &probe.tcp, &probe.command) {
            (Some(url), _, _) => format!("http {url}"),
            (_, Some(address), _) => format!("tcp {address}"),
            (_, _, Some(command)) => format!("command {}", command.join(" ")),
            _ if probe.cloud && probe.alarms.is_empty() => "cloud: it runs and its checks pass".into(),
            _ if probe.cloud => format!("cloud: it runs, its checks pass, and no alarm of {}", probe.alarms.join(", ")),
            _ => "none".into(),
        }
    }
}

/// Without `.` and `..`, whether or not the path exists.
fn fold(path: &Path) -> PathBuf {
    let mut folded = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                folded.pop();
            }
            part => folded.push(part),
        }
    }
    folded
}

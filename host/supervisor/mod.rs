//! The local services: starts, watches, probes, restarts and describes what `pi.toml` names.
//!
//! One keeper task a service owns its life and is the only one that starts or ends it; one task
//! probes it; everything else reads. What must outlive the host is on disk (`.pi/services/`), so that
//! a host that is killed at any moment finds its services again and never starts one twice.
//! It knows nothing of grants, gates and guests: whoever asks has been let in already. What it sees
//! goes out as [`Event`]s; what of it is an alarm is for `watch` to say.

mod archive;
mod cloud;
mod condition;
mod disk;
mod good;
mod keeper;
mod life;
mod logs;
mod members;
mod memory;
mod open;
mod order;
mod output;
mod port;
mod probe;
mod prober;
mod procfs;
mod record;
mod requests;
mod unit;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

pub use cloud::{CloudSight, Seen, Sight};
pub use condition::{Condition, Description, State};
pub use disk::Disk;
pub use good::{Change, is_known_as_good};
pub use logs::LogLine;
pub use memory::MemoryBy;
pub use port::Owner;
pub use probe::ProbeResult;
pub use record::Exit;

use crate::clock::Duration;
use crate::config::{Autonomy, CloudTarget, ServiceConfig};
use crate::confine::{self, Confine, Identity};
use keeper::{Command, Keeper};
use probe::Prober;
use unit::Unit;

/// Events that wait for a slow reader: beyond this it misses the oldest.
const EVENTS_MAX: usize = 1_024;
/// How long a stray process may take to end politely.
const END_POLITE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    #[error("{0}")]
    Config(String),
    #[error("{0}")]
    State(String),
    #[error("another host supervises the services of this project (it holds `{0}`)")]
    Taken(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Failed(String),
}

impl SupervisorError {
    pub(crate) fn file(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::Failed(format!("cannot {verb} `{}`: {error}", path.display()))
    }
}

/// What happens to the services.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        service: String,
        pid: u32,
        time_ms: u64,
    },
    Ended {
        service: String,
        exit: Exit,
        /// A restart or a stop was asked for.
        is_asked: bool,
        /// It will be started again by itself, or is already being started.
        is_to_start: bool,
    },
    Probed {
        service: String,
        result: ProbeResult,
        time_ms: u64,
        /// It was started a moment ago and has not been healthy yet.
        is_starting: bool,
    },
}

impl Event {
    #[must_use]
    pub fn service(&self) -> &str {
        match self {
            Event::Started { service, .. } | Event::Ended { service, .. } | Event::Probed { service, .. } => service,
        }
    }
}

/// Where things are, and how they are started.
#[derive(Clone, Debug)]
pub struct Places {
    /// Relative paths of the configuration start here.
    pub project: PathBuf,
    /// `.pi/services`.
    pub state: PathBuf,
    /// `.pi/archive`.
    pub archive: PathBuf,
    pub confine: Confine,
    pub memory_by: MemoryBy,
    /// Who looks at services in a cloud.
    pub sight: Sight,
}

impl Places {
    /// The places of a project.
    #[must_use]
    pub fn of(project: &Path) -> Self {
        // All paths that are told are absolute. Without a working directory there is no better one.
        let project = &std::path::absolute(project).unwrap_or_else(|_| project.to_owned());
        Self {
            project: project.clone(),
            state: project.join(".pi/services"),
            archive: project.join(".pi/archive"),
            confine: Confine::new(),
            memory_by: MemoryBy::Kernel,
            sight: Sight::default(),
        }
    }
}

/// The services of one project. Dropped without [`Supervisor::stop_all`] it leaves them running, as a host that is
/// killed does; the next one takes them up.
pub struct Supervisor {
    units: BTreeMap<String, Seat>,
    /// Names, those that others depend on first.
    levels: Vec<Vec<String>>,
    places: Places,
    prober: Prober,
    events: broadcast::Sender<Event>,
    /// None: another host supervises, this one only looks.
    _lock: Option<File>,
    /// Dropped with the supervisor, and ended by that.
    tasks: JoinSet<()>,
}

/// A service and the way to its keeper.
struct Seat {
    unit: Arc<Unit>,
    /// None: external, or kept by another host.
    commands: Option<mpsc::Sender<Command>>,
}

impl Supervisor {
    /// Whether the configuration makes sense, without looking at anything else.
    ///
    /// # Errors
    /// The service and the key that make none.
    pub fn check(config: &BTreeMap<String, ServiceConfig>) -> Result<(), SupervisorError> {
        order::levels(config).map(|_| ())
    }

    /// Take up what survived, start the rest, end what the configuration no longer names.
    ///
    /// # Errors
    /// The configuration makes no sense, the state cannot be read, or another host supervises.
    pub async fn start(config: &BTreeMap<String, ServiceConfig>, places: Places) -> Result<Arc<Self>, SupervisorError> {
        let levels = order::levels(config)?;
        std::fs::create_dir_all(&places.state).map_err(|error| SupervisorError::file("make", &places.state, &error))?;
        let lock = requests::lock(&places.state)?;
        end_unnamed(config, &places).await?;
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let prober = Prober::new(places.confine.clone(), places.sight.clone())?;
        // What is known of each is read before any is started.
        let mut in_order = Vec::new();
        for name in levels.iter().flatten() {
            let Some(config) = config.get(name) else { continue };
            in_order.push(Arc::new(Unit::new(name, config, &places)?));
        }
        let (units, tasks) = (BTreeMap::new(), JoinSet::new());
        let mut supervisor = Self { units, levels, places, prober, events, _lock: Some(lock), tasks };
        for unit in in_order {
            if let Err(error) = supervisor.begin(unit).await {
                let _ = supervisor.stop_started().await;
                return Err(error);
            }
        }
        Ok(Arc::new(supervisor))
    }

    /// Take one service up, and probe it from now on.
    async fn begin(&mut self, unit: Arc<Unit>) -> Result<(), SupervisorError> {
        let mut commands = None;
        if unit.is_supervised() {
            requests::forget(&unit);
            let (sender, receiver) = mpsc::channel(8);
            let mut keeper = Keeper::new(Arc::clone(&unit), &self.places, receiver, self.events.clone());
            let next = keeper.begin().await?;
            self.tasks.spawn(keeper.keep(next));
            self.tasks.spawn(requests::serve(Arc::clone(&unit), sender.clone()));
            commands = Some(sender);
        }
        self.tasks.spawn(prober::keep_probing(Arc::clone(&unit), self.prober.clone(), self.events.clone()));
        self.units.insert(unit.name().to_owned(), Seat { unit, commands });
        Ok(())
    }

    /// Only look, beside the host that supervises or without any. A restart is handed to that host.
    ///
    /// # Errors
    /// The configuration makes no sense, or the state cannot be read.
    pub fn observe(config: &BTreeMap<String, ServiceConfig>, places: Places) -> Result<Arc<Self>, SupervisorError> {
        let levels = order::levels(config)?;
        let (events, _) = broadcast::channel(1);
        let prober = Prober::new(places.confine.clone(), places.sight.clone())?;
        let mut units = BTreeMap::new();
        for (name, config) in config {
            let unit = Arc::new(Unit::new(name, config, &places)?);
            units.insert(name.clone(), Seat { unit, commands: None });
        }
        Ok(Arc::new(Self { units, levels, places, prober, events, _lock: None, tasks: JoinSet::new() }))
    }

    /// The configured services, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.units.keys().cloned().collect()
    }

    /// The services whose configuration or log `path` is (absolute, without `..`), or lies below it.
    #[must_use]
    pub fn services_of(&self, path: &Path) -> Vec<String> {
        let owning = self.units.iter().filter(|(_, seat)| seat.unit.has_file_in(path));
        owning.map(|(name, _)| name.clone()).collect()
    }

    /// The services that are one of these in a cloud. A service whose region is not said may be in any.
    #[must_use]
    pub fn services_in_cloud<'a>(
        &self,
        account: &str,
        region: &str,
        ids: impl Iterator<Item = &'a str>,
    ) -> Vec<String> {
        let ids: Vec<&str> = ids.collect();
        let is_it = |target: &CloudTarget| {
            let is_there = target.region.as_ref().is_none_or(|of| region.is_empty() || of == region);
            target.account == account && is_there && ids.contains(&target.resource().1)
        };
        let there = self.units.iter().filter(|(_, seat)| seat.unit.config().cloud.as_ref().is_some_and(is_it));
        there.map(|(name, _)| name.clone()).collect()
    }

    /// Whether `path` (absolute, without `..`) is a log file of one of them.
    #[must_use]
    pub fn is_log(&self, path: &Path) -> bool {
        self.units.values().any(|seat| seat.unit.is_log(path))
    }

    /// How far agents may go on a service. None: there is no service of this name.
    #[must_use]
    pub fn autonomy(&self, name: &str) -> Option<Autonomy> {
        self.units.get(name).map(|seat| seat.unit.config().autonomy())
    }

    /// The services at whose ports a process listens. It reads all of `/proc`.
    #[must_use]
    pub fn services_at_ports_of(&self, of: &Identity) -> Vec<String> {
        let is_owner = |port: &u16| {
            port::owner(*port)
                .ok()
                .flatten()
                .is_some_and(|owner| owner.pid == of.pid && owner.start_time == of.start_time)
        };
        let at = self.units.iter().filter(|(_, seat)| seat.unit.config().ports.iter().any(is_owner));
        at.map(|(name, _)| name.clone()).collect()
    }

    /// The services that need this one, near or far, and were healthy when they were last probed by this host.
    #[must_use]
    pub fn healthy_that_need(&self, name: &str) -> Vec<String> {
        let mut needed = vec![name.to_owned()];
        let mut at = 0;
        while let Some(of) = needed.get(at).cloned() {
            at += 1;
            let needing = self.units.iter().filter(|(_, seat)| seat.unit.config().depends_on.contains(&of));
            for (name, _) in needing {
                if !needed.contains(name) {
                    needed.push(name.clone());
                }
            }
        }
        needed.remove(0);
        needed.retain(|name| self.units.get(name).is_some_and(|seat| seat.unit.was_healthy()));
        needed
    }

    /// How many failed probes in a row are an alarm for this service.
    #[must_use]
    pub fn failures_max(&self, name: &str) -> u32 {
        self.units.get(name).map_or(1, |seat| seat.unit.probe_config().failures.max(1))
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// # Errors
    /// No service of this name.
    pub fn describe(&self, name: &str) -> Result<Description, SupervisorError> {
        Ok(self.seat(name)?.unit.describe())
    }

    /// # Errors
    /// No service of this name.
    pub fn status(&self, name: &str) -> Result<Condition, SupervisorError> {
        let seat = self.seat(name)?;
        self.refresh(seat)?;
        Ok(seat.unit.condition())
    }

    /// Probe it once, now.
    ///
    /// # Errors
    /// No service of this name. That it does not answer is no error.
    pub async fn probe(&self, name: &str) -> Result<ProbeResult, SupervisorError> {
        let seat = self.seat(name)?;
        self.refresh(seat)?;
        Ok(self.prober.probe(&seat.unit).await)
    }

    /// # Errors
    /// No service of this name.
    pub fn logs(&self, name: &str, lines: usize) -> Result<Vec<LogLine>, SupervisorError> {
        Ok(logs::latest(&self.seat(name)?.unit.log_sources(), lines, &self.places.project))
    }

    /// # Errors
    /// No service of this name.
    pub fn changes(&self, name: &str) -> Result<Vec<Change>, SupervisorError> {
        let seat = self.seat(name)?;
        self.refresh(seat)?;
        Ok(seat.unit.changes())
    }

    /// Stop it with its descendants and start it. Returns the new process when it has been started.
    ///
    /// # Errors
    /// It is unknown or not supervised, does not end, or could not be started.
    pub async fn restart(&self, name: &str) -> Result<Identity, SupervisorError> {
        let seat = self.seat(name)?;
        if !seat.unit.is_supervised() {
            return Err(SupervisorError::Unsupported(format!(
                "`{name}` is external: it has no `command` in `pi.toml`, so it cannot be restarted from here"
            )));
        }
        let Some(commands) = &seat.commands else { return requests::ask_restart(&seat.unit, &self.places.state).await };
        let (reply, answer) = oneshot::channel();
        commands.send(Command::Restart(reply)).await.map_err(|_| gone(name))?;
        answer.await.map_err(|_| gone(name))?.map_err(SupervisorError::Failed)
    }

    /// Who listens on a TCP port.
    ///
    /// # Errors
    /// Somebody does, and it cannot be seen who.
    pub fn port_owner(&self, port: u16) -> Result<Option<Owner>, SupervisorError> {
        let mut owner = port::owner(port)?;
        if let Some(owner) = &mut owner {
            owner.service = self.service_of(owner.pid);
        }
        Ok(owner)
    }

    /// The command line of a process, if it is still this one.
    #[must_use]
    pub fn command_of(&self, of: &Identity) -> Option<String> {
        confine::is_alive(of).then(|| procfs::command(of.pid))
    }

    /// End a process that belongs to no service and not to the host, with what it started.
    ///
    /// # Errors
    /// It is another process by now, is not one that may be ended, or does not end.
    pub async fn end_process(&self, of: &Identity) -> Result<(), SupervisorError> {
        let pid = of.pid;
        let Some(stat) = procfs::stat(pid).filter(|stat| stat.start_time == of.start_time && !stat.has_ended()) else {
            return Err(SupervisorError::NotFound(format!(
                "process {pid} with start time {} has ended, or the number is another process's by now; look again",
                of.start_time
            )));
        };
        if pid == 1 || stat.is_kernel_thread {
            return Err(SupervisorError::Unsupported(format!("process {pid} belongs to the system")));
        }
        if procfs::ancestry(std::process::id()).contains(&pid) {
            return Err(SupervisorError::Unsupported(format!("process {pid} is this host, or one that it runs under")));
        }
        for member in confine::family(of) {
            if let Some(service) = self.service_of(member.pid) {
                return Err(SupervisorError::Unsupported(format!(
                    "process {} belongs to the service `{service}`: restart the service instead",
                    member.pid
                )));
            }
        }
        confine::end(of, END_POLITE).await.map_err(|error| SupervisorError::Failed(error.to_string()))
    }

    /// Copy a log to the archive and empty it. Returns the copy's path.
    ///
    /// # Errors
    /// It is no log of the service, or it could not be copied: then nothing was emptied.
    pub async fn rotate_log(&self, name: &str, path: &Path) -> Result<PathBuf, SupervisorError> {
        let unit = Arc::clone(&self.seat(name)?.unit);
        let (archive, path) = (self.places.archive.join(name), path.to_owned());
        // A log may be large: not on a thread that others wait for.
        tokio::task::spawn_blocking(move || unit.rotate_log(&path, &archive))
            .await
            .map_err(|error| SupervisorError::Failed(error.to_string()))?
    }

    /// End all services politely, those first that depend on others. A service with `outlives_host` goes on.
    ///
    /// # Errors
    /// Those that did not end.
    pub async fn stop_all(&self) -> Result<(), SupervisorError> {
        self.stop_those(|_| true).await
    }

    /// As [`Supervisor::stop_all`], but what ran before this supervisor came goes on.
    ///
    /// # Errors
    /// Those that did not end.
    pub async fn stop_started(&self) -> Result<(), SupervisorError> {
        self.stop_those(|unit| !unit.live().is_adopted).await
    }

    async fn stop_those(&self, is_wanted: impl Fn(&Unit) -> bool) -> Result<(), SupervisorError> {
        let mut failed = Vec::new();
        for level in self.levels.iter().rev() {
            let seats = level.iter().filter_map(|name| self.units.get(name)).filter(|seat| is_wanted(&seat.unit));
            let stops = seats.map(stop);
            failed.extend(futures::future::join_all(stops).await.into_iter().filter_map(Result::err));
        }
        if failed.is_empty() { Ok(()) } else { Err(SupervisorError::Failed(failed.join("; "))) }
    }

    /// The supervised service that a process belongs to.
    fn service_of(&self, pid: u32) -> Option<String> {
        let ancestry = procfs::ancestry(pid);
        self.units.iter().find_map(|(name, seat)| {
            self.refresh(seat).ok()?;
            seat.unit.owns(pid, &ancestry).then(|| name.clone())
        })
    }

    fn seat(&self, name: &str) -> Result<&Seat, SupervisorError> {
        self.units.get(name).ok_or_else(|| SupervisorError::NotFound(format!("no service `{name}` in `pi.toml`")))
    }

    /// Without a keeper of our own, what is on disk is what is known.
    fn refresh(&self, seat: &Seat) -> Result<(), SupervisorError> {
        if seat.commands.is_none() && seat.unit.is_supervised() {
            seat.unit.read_from_disk(&self.places.state)?;
        }
        Ok(())
    }
}

async fn stop(seat: &Seat) -> Result<(), String> {
    let Some(commands) = &seat.commands else { return Ok(()) };
    let (reply, answer) = oneshot::channel();
    // A keeper that is gone has nothing left to stop.
    if commands.send(Command::Stop(reply)).await.is_err() {
        return Ok(());
    }
    answer.await.unwrap_or(Ok(())).map_err(|error| format!("`{}`: {error}", seat.unit.name()))
}

fn gone(name: &str) -> SupervisorError {
    SupervisorError::Failed(format!("the services are being stopped, `{name}` among them"))
}

/// End services of an earlier configuration.
async fn end_unnamed(config: &BTreeMap<String, ServiceConfig>, places: &Places) -> Result<(), SupervisorError> {
    let entries =
        std::fs::read_dir(&places.state).map_err(|error| SupervisorError::file("read", &places.state, &error))?;
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(".pid") else { continue };
        if config.get(name).is_some_and(|config| !config.command.is_empty()) {
            continue;
        }
        if let Some(identity) = confine::service::recorded(&places.state, name) {
            confine::end(&identity, END_POLITE).await.map_err(|error| {
                SupervisorError::Failed(format!("cannot end `{name}`, which `pi.toml` no longer names: {error}"))
            })?;
        }
        let file = record::RecordFile::new(&places.state.join(name));
        let group = file.read().ok().and_then(|record| memory::MemoryGroup::open(&record.memory_group?));
        if let Some(group) = group {
            group.remove();
        }
        file.remove();
    }
    Ok(())
}

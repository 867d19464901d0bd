//! Keeps one service: the only task that starts or ends it.
//!
//! Every step is written down before it is done (see [`super::record`]), and the process itself writes who it is before
//! it becomes the service (see [`crate::confine::service`]). So a host that is killed between any two lines
//! of this file leaves either nothing running, or one instance that the next host finds.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::condition::{Samples, State};
use super::life::{Life, MemoryWatch};
use super::members::Members;
use super::memory::{MemoryBy, MemoryGroup};
use super::record::{Exit, Phase, hex};
use super::unit::Unit;
use super::{Event, Places, SupervisorError};
use crate::clock::{self, Duration};
use crate::confine::service::{self, ServiceExit, ServiceSpec};
use crate::confine::{self, Confine, Identity};

/// A life this long was no failure to start: the back-off begins anew.
const STABLE: Duration = Duration::from_secs(60);
/// How often the processes are looked at: where we enforce the memory limit, and otherwise. A hog takes
/// a gigabyte in a second or so: at 50 ms it gets tens of megabytes beyond its limit.
const LOOK_EVERY_SAMPLED: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long to wait for the exit code of what was killed.
const CODE_WITHIN: Duration = Duration::from_secs(1);

pub(crate) enum Command {
    Restart(oneshot::Sender<Result<Identity, String>>),
    /// For good: the keeper ends.
    Stop(oneshot::Sender<Result<(), String>>),
}

/// What the keeper does next.
pub(crate) enum Next {
    Watch(Box<Life>),
    /// Until the next start.
    Wait(Duration),
    /// Nothing, until it is told to.
    Rest,
    Leave,
}

pub(crate) struct Keeper {
    unit: Arc<Unit>,
    confine: Confine,
    state: std::path::PathBuf,
    memory_by: MemoryBy,
    commands: mpsc::Receiver<Command>,
    events: broadcast::Sender<Event>,
    /// Ends in a row without a long life in between.
    failures: u32,
}

impl Keeper {
    pub(crate) fn new(
        unit: Arc<Unit>,
        places: &Places,
        commands: mpsc::Receiver<Command>,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self {
            unit,
            confine: places.confine.clone(),
            state: places.state.clone(),
            memory_by: places.memory_by,
            commands,
            events,
            failures: 0,
        }
    }

    /// Take up what an earlier host has left, and start the service if it does not run.
    pub(crate) async fn begin(&mut self) -> Result<Next, SupervisorError> {
        let record = self.unit.live().record.clone();
        if let Some(main) = service::recorded(&self.state, self.unit.name()) {
            let group = record.memory_group.as_deref().and_then(MemoryGroup::open);
            let members = Members { main, group };
            let is_same = record.command_hash == self.unit.command_hash();
            if is_same && matches!(record.phase, Phase::Starting | Phase::Running) {
                self.unit.live().is_adopted = true;
                return Ok(self.adopt(members, record.phase));
            }
            // Another command, or it was just being ended when the host was killed.
            members.end(self.polite()).await.map_err(|error| SupervisorError::Failed(error.to_string()))?;
        } else if record.phase == Phase::Running {
            self.note_unseen_end(&record);
        }
        Ok(self.start().await.1)
    }

    /// Until the service is stopped for good, or the supervisor is gone.
    pub(crate) async fn keep(mut self, mut next: Next) {
        loop {
            next = match next {
                Next::Watch(life) => self.watch(*life).await,
                Next::Wait(delay) => self.wait(delay).await,
                Next::Rest => self.rest().await,
                Next::Leave => return,
            };
        }
    }

    async fn watch(&mut self, mut life: Life) -> Next {
        let every = if life.memory.is_sampled() { LOOK_EVERY_SAMPLED } else { LOOK_EVERY };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                exit = life.ended() => return self.on_end(life, exit).await,
                command = self.commands.recv() => match command {
                    Some(Command::Restart(reply)) => return self.restart(life, reply).await,
                    Some(Command::Stop(reply)) => return self.stop(life, reply).await,
                    None => return Next::Leave,
                },
                _ = ticks.tick() => self.look(&mut life).await,
            }
        }
    }

    async fn wait(&mut self, delay: Duration) -> Next {
        tokio::select! {
            () = tokio::time::sleep(delay) => self.start().await.1,
            command = self.commands.recv() => self.obey(command).await,
        }
    }

    async fn rest(&mut self) -> Next {
        let command = self.commands.recv().await;
        self.obey(command).await
    }

    /// A command while nothing runs.
    async fn obey(&mut self, command: Option<Command>) -> Next {
        match command {
            Some(Command::Restart(reply)) => {
                self.failures = 0;
                let (result, next) = self.start().await;
                reply.send(result).ok();
                next
            }
            Some(Command::Stop(reply)) => {
                self.be(State::Stopped, None);
                let written = self.unit.write_record(|record| record.phase = Phase::Stopped);
                reply.send(written.map_err(|error| error.to_string())).ok();
                Next::Leave
            }
            None => Next::Leave,
        }
    }

    async fn look(&mut self, life: &mut Life) {
        let processes = life.members.tree();
        self.unit.live().samples.push(clock::monotonic(), &processes);
        // A full disk must not keep it from being watched.
        self.unit.output().rotate_when_large().ok();
        if life.memory.look(&processes) {
            // What cannot be killed is looked at again at the next tick.
            life.members.end(Duration::ZERO).await.ok();
        }
    }

    async fn on_end(&mut self, life: Life, exit: ServiceExit) -> Next {
        let uptime = self.note_end(life, exit, false).await;
        if uptime >= STABLE {
            self.failures = 0;
        }
        self.back_off()
    }

    /// Write the end down, and end what the first process has left behind. How long it had lived.
    async fn note_end(&mut self, mut life: Life, exit: ServiceExit, is_asked: bool) -> Duration {
        let out_of_memory = life.memory.has_run_out();
        // A worker that was left would hold the port of the next life.
        life.members.end(Duration::ZERO).await.ok();
        let now_ms = clock::now_ms();
        let (started_ms, offset) = {
            let live = self.unit.live();
            (live.record.started_ms, live.record.output_offset)
        };
        let uptime_ms = now_ms.saturating_sub(started_ms);
        let last_words = self.unit.output().last_words(offset);
        let exit = Exit { time_ms: now_ms, code: exit.code, signal: exit.signal, out_of_memory, uptime_ms, last_words };
        let is_automatic = self.unit.config().restart.is_automatic;
        let phase = match (is_asked, is_automatic) {
            (true, _) => Phase::Restarting,
            (false, true) => Phase::BackingOff,
            (false, false) => Phase::Stopped,
        };
        self.note_exit(exit, phase, is_asked);
        Duration::from_millis(uptime_ms)
    }

    fn note_exit(&self, exit: Exit, phase: Phase, is_asked: bool) {
        self.unit.forget_health();
        let is_to_start = phase != Phase::Stopped;
        self.be(if is_to_start { State::BackingOff } else { State::Stopped }, None);
        let event = Event::Ended { service: self.unit.name().into(), exit: exit.clone(), is_asked, is_to_start };
        // What cannot be written now is still known, and is written with the next step.
        self.unit
            .write_record(|record| {
                record.push_exit(exit);
                record.phase = phase;
            })
            .ok();
        self.events.send(event).ok();
    }

    /// It ended while no host ran.
    fn note_unseen_end(&mut self, record: &super::record::Record) {
        let group = record.memory_group.as_deref().and_then(MemoryGroup::open);
        let out_of_memory = group.is_some_and(|group| group.out_of_memory_kills() > record.out_of_memory_kills);
        let now_ms = clock::now_ms();
        let exit = Exit {
            time_ms: now_ms,
            code: None,
            signal: None,
            out_of_memory,
            uptime_ms: now_ms.saturating_sub(record.started_ms),
            last_words: self.unit.output().last_words(record.output_offset),
        };
        self.note_exit(exit, Phase::BackingOff, false);
    }

    /// The delay before the next start, by how often it has ended.
    fn back_off(&mut self) -> Next {
        if !self.unit.config().restart.is_automatic {
            return Next::Rest;
        }
        self.failures = self.failures.saturating_add(1);
        let restart = &self.unit.config().restart;
        let factor = 1_u64.checked_shl(self.failures - 1).unwrap_or(u64::MAX);
        Next::Wait(Duration::from_millis(restart.backoff_ms.saturating_mul(factor).min(restart.backoff_ms_max)))
    }

    async fn restart(&mut self, mut life: Life, reply: oneshot::Sender<Result<Identity, String>>) -> Next {
        if let Err(error) = self.end(&mut life, Phase::Restarting).await {
            reply.send(Err(error)).ok();
            return Next::Watch(Box::new(life));
        }
        let exit = tokio::time::timeout(CODE_WITHIN, life.ended()).await;
        let exit = exit.unwrap_or(ServiceExit { code: None, signal: None });
        self.note_end(life, exit, true).await;
        self.failures = 0;
        let (result, next) = self.start().await;
        reply.send(result).ok();
        next
    }

    async fn stop(&mut self, mut life: Life, reply: oneshot::Sender<Result<(), String>>) -> Next {
        if self.unit.config().outlives_host {
            reply.send(Ok(())).ok();
            return Next::Leave;
        }
        if let Err(error) = self.end(&mut life, Phase::Stopped).await {
            reply.send(Err(error)).ok();
            return Next::Watch(Box::new(life));
        }
        let exit = tokio::time::timeout(CODE_WITHIN, life.ended()).await;
        let group = life.members.group.clone();
        self.note_end(life, exit.unwrap_or(ServiceExit { code: None, signal: None }), true).await;
        self.be(State::Stopped, None);
        let written = self.unit.write_record(|record| record.phase = Phase::Stopped);
        if let Some(group) = group {
            group.remove();
        }
        reply.send(written.map_err(|error| error.to_string())).ok();
        Next::Leave
    }

    /// End the service, politely at first. On an error it is as it was.
    async fn end(&mut self, life: &mut Life, phase: Phase) -> Result<(), String> {
        self.unit.write_record(|record| record.phase = phase).map_err(|error| error.to_string())?;
        if let Err(error) = life.members.end(self.polite()).await {
            self.unit.write_record(|record| record.phase = Phase::Running).ok();
            return Err(error.to_string());
        }
        Ok(())
    }

    /// Start it. What comes next, and who it is or why it could not be started.
    async fn start(&mut self) -> (Result<Identity, String>, Next) {
        match self.try_start().await {
            Ok(life) => {
                let main = life.members.main;
                (Ok(main), Next::Watch(Box::new(life)))
            }
            Err(error) => {
                let exit = Exit {
                    time_ms: clock::now_ms(),
                    last_words: format!("it could not be started: {error}"),
                    ..Exit::default()
                };
                let is_automatic = self.unit.config().restart.is_automatic;
                self.note_exit(exit, if is_automatic { Phase::BackingOff } else { Phase::Stopped }, false);
                (Err(error), self.back_off())
            }
        }
    }

    async fn try_start(&mut self) -> Result<Life, String> {
        let unit = Arc::clone(&self.unit);
        if let Some(last) = service::last_recorded(&self.state, unit.name()) {
            // Workers of an earlier life whose end nobody saw.
            confine::end(&last, Duration::ZERO).await.map_err(|error| error.to_string())?;
        }
        let group = self.memory_group();
        let earlier = unit
            .live()
            .record
            .memory_group
            .clone()
            .filter(|path| group.as_ref().is_none_or(|group| group.path() != path));
        if let Some(earlier) = earlier.as_deref().and_then(MemoryGroup::open) {
            earlier.remove();
        }
        let kills = group.as_ref().map_or(0, MemoryGroup::out_of_memory_kills);
        unit.output().rotate_when_large().ok();
        unit.write_record(|record| {
            record.phase = Phase::Starting;
            record.command_hash = unit.command_hash();
            record.memory_group = group.as_ref().map(|group| group.path().to_owned());
            record.out_of_memory_kills = kills;
            record.output_offset = unit.output().length();
            record.started_ms = clock::now_ms();
            record.starts = record.starts.saturating_add(1);
        })
        .map_err(|error| error.to_string())?;
        let spec = self.spec(group.as_ref());
        let service = service::start(&self.confine, &spec).await.map_err(|error| error.to_string())?;
        let main = service.identity();
        // If this cannot be written, `Starting` says the same to the next host.
        unit.write_record(|record| record.phase = Phase::Running).ok();
        unit.forget_health();
        let memory = MemoryWatch::new(group.clone(), unit.config().memory_bytes_max, kills);
        let life = Life { members: Members { main, group }, service: Some(service), memory };
        self.begin_life(&life);
        Ok(life)
    }

    fn adopt(&mut self, members: Members, phase: Phase) -> Next {
        if phase == Phase::Starting {
            self.unit.write_record(|record| record.phase = Phase::Running).ok();
        }
        let kills = members.group.as_ref().map_or(0, MemoryGroup::out_of_memory_kills);
        let memory = MemoryWatch::new(members.group.clone(), self.unit.config().memory_bytes_max, kills);
        let life = Life { members, service: None, memory };
        self.begin_life(&life);
        Next::Watch(Box::new(life))
    }

    fn begin_life(&self, life: &Life) {
        self.be(State::Running, Some(life.members.clone()));
        let service = self.unit.name().to_owned();
        self.events.send(Event::Started { service, pid: life.members.main.pid, time_ms: clock::now_ms() }).ok();
    }

    fn be(&self, state: State, members: Option<Members>) {
        let mut live = self.unit.live();
        live.state = state;
        live.members = members;
        live.samples = Samples::default();
    }

    fn memory_group(&self) -> Option<MemoryGroup> {
        let bytes_max = self.unit.config().memory_bytes_max.filter(|_| self.memory_by == MemoryBy::Kernel)?;
        // Two projects may have services of the same name.
        let project = hex(&<sha2::Sha256 as sha2::Digest>::digest(self.state.as_os_str().as_encoded_bytes()));
        let project = project.get(..12).unwrap_or_default();
        MemoryGroup::make(&format!("pi-host-{project}-{}", self.unit.name()), bytes_max)
    }

    fn spec(&self, group: Option<&MemoryGroup>) -> ServiceSpec {
        let config = self.unit.config();
        ServiceSpec {
            name: self.unit.name().to_owned(),
            state_dir: self.state.clone(),
            command: config.command.clone(),
            directory: self.unit.directory().to_owned(),
            environment: config.environment.clone(),
            stdout: self.unit.output().path().to_owned(),
            stderr: self.unit.output().path().to_owned(),
            file_bytes_max: config.file_bytes_max,
            cgroup_procs: group.map(MemoryGroup::processes_file),
        }
    }

    fn polite(&self) -> Duration {
        Duration::from_millis(self.unit.config().restart.stop_ms_max)
    }
}

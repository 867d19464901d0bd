//! Makes the faults, for real, in services that were healthy a moment ago.

use std::io;
use std::path::Path;

use rustix::process::Signal;

use super::identity::Identity;
use super::plan::Method;
use super::witness::Testimony;
use super::{Fault, Lab, LabError, Made, folder, health_answers, http, stray_arguments};
use crate::clock::{self, Duration};

/// A fault that needs its service to run waits for it so long: another fault may have hit it before.
const READY_MS_MAX: u64 = 15_000;
/// A late change lies there for so many healthy probes, or so long.
const PROBES_BEFORE_LATE: u64 = 4;
const PROBED_MS_MAX: u64 = 3_000;
/// Padding of one request that goes to the log.
const PADDING: usize = 2_000;

impl Lab {
    /// Make the planned fault `index`.
    ///
    /// # Errors
    /// The service was not there to be hit, or the system did not let it happen.
    pub fn inject(&mut self, index: usize) -> Result<(), LabError> {
        let Some(planned) = self.planned.get(index).cloned() else {
            return Err(LabError::NotInTime(format!("fault {index}, which is not planned,")));
        };
        let what = || format!("{} of `{}`", planned.fault.name(), self.services[planned.service].name);
        let doing = format!("make {}", what());
        let failed = |source| LabError::System { doing: doing.clone(), source };
        let mut stray = None;
        match &planned.method {
            Method::Configuration { values, is_late } => {
                self.change_config(planned.service, values, *is_late).map_err(failed)?
            }
            Method::Stop => {
                let process = self.wait_until_ready(planned.service)?;
                let _ = process.signal(Signal::STOP);
            }
            Method::Deadlock => {
                self.wait_until_ready(planned.service)?;
                match self.control(planned.service, "/debug/deadlock") {
                    // It may catch the request itself.
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    other => other.map_err(failed)?,
                }
            }
            Method::FillLog => self.fill_log(planned.service)?,
            Method::Stray { name, is_silent, is_stubborn } => {
                stray = Some(self.take_port(planned.service, name, *is_silent, *is_stubborn)?);
            }
            Method::KillDependency { service } => {
                for (_, identity) in self.externals.iter().filter(|(index, _)| index == service) {
                    let _ = identity.signal(Signal::KILL);
                }
                self.belongings.reap();
            }
            Method::Blip { count, delay_ms } => {
                self.wait_until_ready(planned.service)?;
                let path = format!("/debug/blip?count={count}&delay_ms={delay_ms}");
                self.control(planned.service, &path).map_err(failed)?;
            }
        }
        self.made.push(Made { planned: index, time_ms: clock::now_ms(), stray });
        Ok(())
    }

    /// When each fault was made, milliseconds since 1970.
    pub fn made(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        self.made.iter().filter_map(|made| Some((self.planned.get(made.planned)?.fault, made.time_ms)))
    }

    /// The process that took a port for the planned fault `index`.
    #[must_use]
    pub fn stray(&self, index: usize) -> Option<Identity> {
        self.made.iter().find(|made| made.planned == index)?.stray
    }

    /// Undo what no host can: start the dependency again that the lab killed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn restore_dependencies(&mut self) -> io::Result<()> {
        self.externals.retain(|(_, identity)| identity.is_alive());
        let missing: Vec<usize> = (0..self.services.len())
            .filter(|index| {
                !self.services[*index].is_supervised && !self.externals.iter().any(|(known, _)| known == index)
            })
            .collect();
        for index in missing {
            self.start_external(index)?;
        }
        Ok(())
    }

    /// A service that re-reads its file needs no more than the change.
    fn change_config(&mut self, service: usize, values: &[(String, String)], is_late: bool) -> io::Result<()> {
        let struck = &self.services[service];
        let text = struck.config_text(values);
        let path = struck.config_path(&self.project);
        if struck.is_live {
            return replace_file(&path, &text);
        }
        if is_late {
            replace_file(&path, &text)?;
            let enough = health_answers(struck) + PROBES_BEFORE_LATE;
            // Where nobody probes it, it is killed all the same.
            wait(PROBED_MS_MAX, || (health_answers(struck) >= enough).then_some(()));
        }
        // Killed before the change, so that no probe can find it healthy with a file that it has not read.
        if let Some(process) = self.testimony(struck).current() {
            let _ = process.signal(Signal::KILL);
            self.ended.push(process);
        }
        if is_late { Ok(()) } else { replace_file(&path, &text) }
    }

    /// Requests with long targets, each a line of the log, until the service cannot write any more.
    fn fill_log(&mut self, service: usize) -> Result<(), LabError> {
        self.wait_until_ready(service)?;
        let struck = &self.services[service];
        let room = struck.disk_bytes.or(struck.file_bytes_max).unwrap_or(0);
        let most = usize::try_from(room).unwrap_or(usize::MAX) / PADDING * 2 + 100;
        // Ever smaller requests fill the disk to its last bytes.
        let mut padding = PADDING;
        for _ in 0..most {
            let url = struck.url(&format!("/items?trace={}", "x".repeat(padding)));
            let is_full = http::get(&url, Duration::from_secs(2)).is_ok_and(|answer| answer.status == 500);
            if is_full && padding == 1 {
                return Ok(());
            }
            if is_full {
                padding = (padding / 10).max(1);
            }
        }
        Err(LabError::NotInTime(format!("a full log of `{}`", struck.name)))
    }

    /// The stray waits for the port before the service dies, so that it is there first.
    fn take_port(
        &mut self,
        service: usize,
        name: &str,
        is_silent: bool,
        is_stubborn: bool,
    ) -> Result<Identity, LabError> {
        let struck = &self.services[service];
        let witness = folder::witness_path(&self.state, &format!("stray-{}", struck.name));
        let mut arguments = stray_arguments(struck.port, &witness);
        arguments.extend(is_silent.then(|| "--silent".to_owned()));
        arguments.extend(is_stubborn.then(|| "--stubborn".to_owned()));
        let failed = |source| LabError::System { doing: format!("start `{name}`"), source };
        let stray = self.belongings.start(&self.exe, name, &arguments, &self.project).map_err(failed)?;
        wait(READY_MS_MAX, || Testimony::read(&witness).starts.contains(&stray).then_some(()))
            .ok_or_else(|| LabError::NotInTime(format!("the start of `{name}`")))?;
        let holds = || Testimony::read(&witness).holds.contains(&stray).then_some(());
        // Killed once, a service is back before the stray has the port only where it starts again at once.
        for _ in 0..5 {
            if let Some(process) = self.testimony(&self.services[service]).current() {
                let _ = process.signal(Signal::KILL);
                self.ended.push(process);
            }
            if wait(1_000, holds).is_some() {
                return Ok(stray);
            }
        }
        Err(LabError::NotInTime(format!("`{name}` taking port {}", self.services[service].port)))
    }

    /// The service's process, once it answers requests.
    fn wait_until_ready(&self, service: usize) -> Result<Identity, LabError> {
        let struck = &self.services[service];
        let ready = || {
            let testimony = self.testimony(struck);
            testimony.current().filter(|process| testimony.ready.contains(process))
        };
        wait(READY_MS_MAX, ready).ok_or_else(|| LabError::NotInTime(format!("the start of `{}`", struck.name)))
    }

    fn control(&self, service: usize, path: &str) -> io::Result<()> {
        let answer = http::post(&self.services[service].url(path), Duration::from_secs(3))?;
        match answer.status {
            202 => Ok(()),
            status => Err(io::Error::other(format!("`{path}` answered {status}"))),
        }
    }
}

/// By rename, as an editor or a deployment does.
fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let next = path.with_extension("next");
    std::fs::write(&next, text)?;
    std::fs::rename(&next, path)
}

fn wait<T>(ms_max: u64, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = clock::monotonic() + Duration::from_millis(ms_max);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if clock::monotonic() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

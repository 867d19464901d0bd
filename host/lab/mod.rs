//! The fault lab: real services, seven real faults, and an independent judge of what the host made
//! of them. It is a part of the product's tests and of `pi-host run --demo`.
//!
//! [`Scenario`] says what goes wrong, [`Lab::generate`] writes a project folder for it, [`Lab::inject`]
//! makes the faults once the services are healthy, [`Lab::judge`] compares what the host reports
//! with what the lab saw by itself: its own probes, and a witness that counts starts, writes and
//! rotations from outside of the host. All else follows from the seed. A new fault is a new
//! [`Fault`], its method in `plan`, its making in `inject` and its expectation in `judge`.

mod belongings;
pub mod demo;
mod dice;
mod folder;
mod http;
mod identity;
mod inject;
mod judge;
mod plan;
mod scenario;
mod service;
mod settings;
pub mod shop;
mod witness;
mod words;

use std::io;
use std::path::{Path, PathBuf};

pub use dice::Dice;
pub use http::Answer;
pub use identity::Identity;
pub use judge::{Effects, Finding, Incident, Verdict};
pub use plan::{LabService, Method, Plan, Planned, Probe};
pub use scenario::{Fault, Outcome, Scenario};
pub use service::main as service_main;

use belongings::Belongings;
use witness::{Testimony, Witness};

use crate::clock::{self, Duration};
use crate::supervisor::{Places, is_known_as_good};

/// The first argument that turns the binary into a service of the lab.
pub const SERVICE_COMMAND: &str = "__lab-service";

/// The lab's own folder inside the project's.
const STATE: &str = ".lab";

/// So many healthy probes, and the host knows the service as healthy.
const HEALTH_ANSWERS_MIN: u64 = 8;

/// Why a lab could not be made, or a fault not be injected.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{doing}: {source}")]
    System {
        doing: String,
        #[source]
        source: io::Error,
    },
    #[error("`{0}` did not get healthy in time: {1}")]
    NotHealthy(String, String),
    #[error("{0} did not happen in time")]
    NotInTime(String),
}

/// A scenario in a folder, with the processes that belong to it. Dropping it ends them; the folder stays.
pub struct Lab {
    pub project: PathBuf,
    pub scenario: Scenario,
    pub services: Vec<LabService>,
    pub planned: Vec<Planned>,
    state: PathBuf,
    exe: PathBuf,
    made: Vec<Made>,
    /// Processes of services that the lab itself ended.
    ended: Vec<Identity>,
    externals: Vec<(usize, Identity)>,
    bystander: Identity,
    witness: Witness,
    belongings: Belongings,
}

/// A fault that was made.
#[derive(Clone, Debug)]
struct Made {
    /// Index into `planned`.
    planned: usize,
    time_ms: u64,
    stray: Option<Identity>,
}

impl Lab {
    /// Write the project folder for `scenario` and start what the host does not look after. `exe` is
    /// the `pi-host` binary, which is the services' program too.
    ///
    /// # Errors
    /// The folder cannot be written, or another lab is using it.
    pub fn generate(scenario: Scenario, project: &Path, exe: &Path) -> Result<Self, LabError> {
        let failed = |doing: &'static str| move |source| LabError::System { doing: doing.to_owned(), source };
        std::fs::create_dir_all(project).map_err(failed("make the project folder"))?;
        let project = project.canonicalize().map_err(failed("find the project folder"))?;
        let state = project.join(STATE);
        let hint = Dice::new(scenario.seed).fork("ports").draw();
        let mut belongings = Belongings::take(&state, hint).map_err(failed("take the lab's folder"))?;
        clear_witnesses(&state).map_err(failed("clear the lab's folder"))?;
        let can_mount = rustix::process::geteuid().is_root();
        let mut plan = Plan::draw(&scenario, can_mount, || belongings.port()).map_err(failed("choose ports"))?;
        folder::write(&project, &state, exe, &mut plan, &mut belongings).map_err(failed("write the project folder"))?;
        let bystander = start_bystander(&mut belongings, exe, &project, &state, plan.bystander_port)
            .map_err(failed("start a process that has nothing to do with it"))?;
        let supervised = || plan.services.iter().filter(|service| service.is_supervised);
        let configs: Vec<PathBuf> = supervised().map(|service| service.config_path(&project)).collect();
        let logs: Vec<PathBuf> = supervised().map(|service| service.log_path(&project)).collect();
        let witness = Witness::watch(&configs, &logs).map_err(failed("watch the services' files"))?;
        let mut lab = Self {
            project,
            scenario,
            services: plan.services,
            planned: plan.faults,
            state,
            exe: exe.to_owned(),
            made: Vec::new(),
            ended: Vec::new(),
            externals: Vec::new(),
            bystander,
            witness,
            belongings,
        };
        lab.start_externals().map_err(failed("start what the services depend on"))?;
        Ok(lab)
    }

    /// Let the lab end this process with its own, should its starter be killed: the host under test.
    ///
    /// # Errors
    /// The process is gone, or it cannot be written down.
    pub fn adopt(&mut self, pid: u32) -> io::Result<Identity> {
        self.belongings.adopt(pid)
    }

    /// Wait until every service answers, and the host has probed each one often enough to know it
    /// as healthy.
    ///
    /// # Errors
    /// Which service did not, and what it answered last.
    pub fn wait_until_healthy(&self, within: Duration) -> Result<(), LabError> {
        let deadline = clock::monotonic() + within;
        for service in &self.services {
            loop {
                let wrong = match self.ask(service) {
                    Ok(()) if self.is_known(service) => break,
                    Ok(()) => "the host has not probed it often enough".to_owned(),
                    Err(wrong) => wrong,
                };
                if clock::monotonic() > deadline {
                    return Err(LabError::NotHealthy(service.name.clone(), wrong));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// A change of its configuration would be told as one. Before that nobody could know what it was.
    fn is_known(&self, service: &LabService) -> bool {
        let services = Places::of(&self.project).state;
        health_answers(service) >= HEALTH_ANSWERS_MIN
            && (!service.is_supervised || is_known_as_good(&services, &service.name))
    }

    /// The lab's own probe: the right process does the right work.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn ask(&self, service: &LabService) -> Result<(), String> {
        let url = service.url(service.work_path);
        let answer = http::get(&url, Duration::from_millis(2_000)).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("status {}: {}", answer.status, answer.body.trim_end()));
        }
        let pid = self.testimony(service).current().map(|identity| identity.pid);
        match pid {
            Some(pid) if answer.body.contains(&format!("\"service\":\"{}\",\"pid\":{pid},", service.name)) => Ok(()),
            _ => Err(format!("another process answered: {}", answer.body.trim_end())),
        }
    }

    /// Probe a service as the host does.
    ///
    /// # Errors
    /// What the connection says.
    pub fn probe(&self, service: &LabService) -> io::Result<Answer> {
        http::get(&service.url(service.health_path), Duration::from_millis(service.probe.timeout_ms))
    }

    /// The process of a service, if it runs.
    #[must_use]
    pub fn process(&self, service: &LabService) -> Option<Identity> {
        self.testimony(service).current()
    }

    /// How often a service was started.
    #[must_use]
    pub fn starts(&self, service: &LabService) -> usize {
        self.testimony(service).starts.len()
    }

    fn testimony(&self, service: &LabService) -> Testimony {
        Testimony::read(&folder::witness_path(&self.state, &service.name))
    }

    fn start_externals(&mut self) -> io::Result<()> {
        let externals: Vec<usize> =
            (0..self.services.len()).filter(|index| !self.services[*index].is_supervised).collect();
        externals.into_iter().try_for_each(|index| self.start_external(index))
    }

    fn start_external(&mut self, index: usize) -> io::Result<()> {
        let service = &self.services[index];
        let arguments = service.arguments(&self.project, &folder::witness_path(&self.state, &service.name));
        let folder = self.project.join(&service.folder);
        let identity = self.belongings.start(&self.exe, &service.name, &arguments, &folder)?;
        self.externals.push((index, identity));
        Ok(())
    }
}

fn start_bystander(
    belongings: &mut Belongings,
    exe: &Path,
    project: &Path,
    state: &Path,
    port: u16,
) -> io::Result<Identity> {
    let arguments = stray_arguments(port, &folder::witness_path(state, "bystander"));
    belongings.start(exe, "report-viewer", &arguments, project)
}

fn stray_arguments(port: u16, witness: &Path) -> Vec<String> {
    let words = [SERVICE_COMMAND, "--hold", &port.to_string(), "--witness", &witness.display().to_string()];
    words.map(str::to_owned).to_vec()
}

fn clear_witnesses(state: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(state)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "witness") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn health_answers(service: &LabService) -> u64 {
    http::get(&service.url("/debug/health-answers"), Duration::from_millis(1_000))
        .ok()
        .and_then(|answer| answer.body.trim().parse().ok())
        .unwrap_or(0)
}

//! What a seed makes of a scenario: names, ports, keys, limits, and how exactly each fault is made.
//! Pure: the folder is written by [`super::folder`], the faults are made by [`super::inject`].

use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::scenario::{Fault, Scenario};
use super::settings::write_settings;
use super::words::{EXTERNALS, HEALTH_PATHS, KEYS, Keys, SERVICES, STRAYS, VOICES, WORK_PATHS};

const MIB: u64 = 1 << 20;

/// A service of the lab, supervised by the host or not.
#[derive(Clone, Debug)]
pub struct LabService {
    pub name: String,
    pub port: u16,
    /// False: the lab runs it, the host only probes it.
    pub is_supervised: bool,
    /// Indices of other services of the lab.
    pub depends_on: Vec<usize>,
    pub health_path: &'static str,
    pub work_path: &'static str,
    /// Its working directory, relative to the project's folder.
    pub folder: String,
    /// Relative to its folder.
    pub config: String,
    pub log: String,
    pub probe: Probe,
    pub memory_bytes_max: u64,
    pub file_bytes_max: Option<u64>,
    /// The size of the small file system below its log.
    pub disk_bytes: Option<u64>,
    pub backoff_ms: u64,
    pub(crate) voice: usize,
    pub(crate) keys: &'static Keys,
    pub(crate) is_live: bool,
    /// Keys and values of its configuration, in order.
    pub(crate) values: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub interval_ms: u64,
    pub timeout_ms: u64,
    pub failures: u32,
}

/// How a fault is made.
#[derive(Clone, Debug)]
pub enum Method {
    /// Other values in the configuration file. A service that reads it at its start alone is killed as
    /// well: at once, or, if the change `is_late`, after some time of health with the file that it
    /// has not read.
    Configuration {
        values: Vec<(String, String)>,
        is_late: bool,
    },
    Stop,
    Deadlock,
    FillLog,
    /// `name` is what the process calls itself.
    Stray {
        name: &'static str,
        is_silent: bool,
        is_stubborn: bool,
    },
    KillDependency {
        service: usize,
    },
    /// A delay of 0 refuses instead.
    Blip {
        count: u32,
        delay_ms: u64,
    },
}

/// A fault that is going to be made.
#[derive(Clone, Debug)]
pub struct Planned {
    pub fault: Fault,
    pub service: usize,
    pub method: Method,
}

/// Everything that follows from the seed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub services: Vec<LabService>,
    pub faults: Vec<Planned>,
    pub bystander_port: u16,
}

impl LabService {
    #[must_use]
    pub fn config_path(&self, project: &Path) -> PathBuf {
        project.join(&self.folder).join(&self.config)
    }

    #[must_use]
    pub fn log_path(&self, project: &Path) -> PathBuf {
        project.join(&self.folder).join(&self.log)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The text of its configuration file with some other values.
    pub(crate) fn config_text(&self, changes: &[(String, String)]) -> String {
        let values: Vec<(String, String)> = self
            .values
            .iter()
            .map(|(key, value)| {
                let changed = changes.iter().find(|(changed, _)| changed == key);
                (key.clone(), changed.map_or(value, |(_, value)| value).clone())
            })
            .collect();
        write_settings(&values, self.config.ends_with(".json"))
    }

    /// The arguments of its process, behind the program.
    pub(crate) fn arguments(&self, project: &Path, witness: &Path) -> Vec<String> {
        let mut arguments = vec![
            "__lab-service".to_owned(),
            "--config".to_owned(),
            self.config_path(project).display().to_string(),
            "--witness".to_owned(),
            witness.display().to_string(),
            "--voice".to_owned(),
            self.voice.to_string(),
        ];
        if self.is_live {
            arguments.push("--live".to_owned());
        }
        arguments
    }
}

impl Plan {
    /// `port` gives a free port each time.
    pub(crate) fn draw<E>(
        scenario: &Scenario,
        can_mount: bool,
        mut port: impl FnMut() -> Result<u16, E>,
    ) -> Result<Self, E> {
        let dice = Dice::new(scenario.seed);
        let mut names = SERVICES.to_vec();
        dice.fork("names").shuffle(&mut names);
        let least = scenario.services_min();
        let count = usize::try_from(dice.fork("count").between(1, 4)).unwrap_or(1).max(least);
        let mut services = Vec::new();
        for (index, name) in names.into_iter().take(count).enumerate() {
            services.push(draw_service(&dice.fork(&format!("service {index}")), name, port()?));
        }
        draw_dependencies(&mut dice.fork("dependencies"), scenario, &mut services);
        for (index, service) in services.iter_mut().enumerate() {
            if scenario.faults_of(index).any(|fault| fault == Fault::DiskFull) {
                let mut dice = dice.fork("disk");
                let bytes = dice.between(256, 768) << 10;
                // Where it may mount, most seeds have a real small disk; some have the file size limit.
                if can_mount && dice.chance(75) {
                    service.disk_bytes = Some(bytes);
                } else {
                    service.file_bytes_max = Some(bytes);
                }
            }
        }
        if scenario.faults.iter().any(|(fault, _)| *fault == Fault::DependencyDown) {
            let mut dice = dice.fork("external");
            let name = dice.pick(EXTERNALS);
            let mut external = draw_service(&dice, name, port()?);
            external.is_supervised = false;
            services.push(external);
            let index = services.len() - 1;
            for (fault, service) in &scenario.faults {
                if *fault == Fault::DependencyDown {
                    services[*service].depends_on = vec![index];
                }
            }
        }
        let urls: Vec<String> = services.iter().map(|service| service.url(service.work_path)).collect();
        for service in &mut services {
            let upstream = service.depends_on.first().and_then(|index| urls.get(*index)).cloned();
            service.values = draw_values(service, upstream);
        }
        let faults = scenario
            .faults
            .iter()
            .zip(0u32..)
            .map(|((fault, service), number)| Planned {
                fault: *fault,
                service: *service,
                method: draw_method(*fault, &services, *service, &mut dice.fork(&format!("method {number}"))),
            })
            .collect();
        Ok(Self { services, faults, bystander_port: port()? })
    }
}

fn draw_service(dice: &Dice, name: &str, port: u16) -> LabService {
    let mut dice = dice.clone();
    let keys = dice.pick(KEYS);
    let extension = if dice.chance(50) { "json" } else { "conf" };
    let (folder, config, log) = match dice.between(0, 2) {
        0 => (format!("services/{name}"), format!("{name}.{extension}"), format!("logs/{name}.log")),
        1 => (".".to_owned(), format!("etc/{name}/settings.{extension}"), format!("var/log/{name}/access.log")),
        _ => (format!("srv/{name}/current"), format!("conf/application.{extension}"), "log/out.log".to_owned()),
    };
    LabService {
        name: name.to_owned(),
        port,
        is_supervised: true,
        depends_on: Vec::new(),
        health_path: dice.pick(HEALTH_PATHS),
        work_path: dice.pick(WORK_PATHS),
        folder,
        config,
        log,
        probe: Probe {
            interval_ms: dice.between(150, 300),
            timeout_ms: dice.between(800, 1200),
            failures: u32::try_from(dice.between(2, 4)).unwrap_or(2),
        },
        memory_bytes_max: dice.between(64, 96) * MIB,
        file_bytes_max: None,
        disk_bytes: None,
        backoff_ms: dice.between(200, 400),
        voice: usize::try_from(dice.between(0, VOICES.len() as u64 - 1)).unwrap_or(0),
        keys,
        is_live: dice.chance(50),
        values: Vec::new(),
    }
}

/// Some services depend on others: a healthy one that is blamed easily, or a sick one that makes
/// those above it look sick.
fn draw_dependencies(dice: &mut Dice, scenario: &Scenario, services: &mut [LabService]) {
    for index in 1..services.len() {
        let is_struck = scenario.faults_of(index).next().is_some();
        if !is_struck && dice.chance(40) {
            services[index].depends_on = vec![0];
        } else if !is_struck && services[0].depends_on.is_empty() && dice.chance(40) {
            services[0].depends_on = vec![index];
        }
    }
}

fn draw_values(service: &LabService, upstream: Option<String>) -> Vec<(String, String)> {
    let keys = service.keys;
    let cache_mib = service.memory_bytes_max / MIB / 8;
    let mut values = vec![
        (keys.name, service.name.clone()),
        (keys.port, service.port.to_string()),
        (keys.health, service.health_path.to_owned()),
        (keys.work, service.work_path.to_owned()),
        (keys.workers, "6".to_owned()),
        (keys.cache_mib, cache_mib.to_string()),
        (keys.pool, "16".to_owned()),
        (keys.template, format!("{}.html", service.name)),
        (keys.log, service.log.clone()),
    ];
    values.extend(keys.harmless.iter().map(|(key, value, _)| (*key, (*value).to_owned())));
    values.push((keys.upstream, upstream.unwrap_or_default()));
    // An upstream that stands still is noticed before the probe's own time is up.
    values.push((keys.upstream_ms, (service.probe.timeout_ms / 2).to_string()));
    values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn draw_method(fault: Fault, services: &[LabService], struck: usize, dice: &mut Dice) -> Method {
    let service = &services[struck];
    let keys = service.keys;
    match fault {
        Fault::OutOfMemory => {
            let mib = service.memory_bytes_max / MIB * dice.between(25, 35) / 10;
            let values = with_company(dice, keys, (keys.cache_mib, mib.to_string()));
            Method::Configuration { values, is_late: dice.chance(40) }
        }
        Fault::BadConfiguration => {
            let mut choices = vec![
                (keys.pool, dice.pick(&["0", "-1", "sixteen", "4096"]).to_owned()),
                (
                    keys.template,
                    dice.pick(&["index.htm", "templates/v2/page.html", "/srv/www/missing.html"]).to_owned(),
                ),
            ];
            let is_depending_on_external = service.depends_on.iter().any(|index| !services[*index].is_supervised);
            if !is_depending_on_external {
                // Nothing listens on the discard port: it looks like a dependency that is down, and is none.
                choices.push((keys.upstream, "http://127.0.0.1:9/v1".to_owned()));
            }
            let change = dice.pick(&choices);
            Method::Configuration { values: with_company(dice, keys, change), is_late: dice.chance(40) }
        }
        Fault::Hung if dice.chance(50) => Method::Stop,
        Fault::Hung => Method::Deadlock,
        Fault::DiskFull => Method::FillLog,
        Fault::PortTaken => {
            Method::Stray { name: dice.pick(STRAYS), is_silent: dice.chance(40), is_stubborn: dice.chance(30) }
        }
        Fault::DependencyDown => {
            Method::KillDependency { service: service.depends_on.first().copied().unwrap_or(struck) }
        }
        Fault::FalseAlarm => Method::Blip {
            count: service.probe.failures,
            delay_ms: if dice.chance(50) { 0 } else { service.probe.timeout_ms + 200 },
        },
    }
}

/// A person who changes one value often changes another that does no harm.
fn with_company(dice: &mut Dice, keys: &Keys, change: (&str, String)) -> Vec<(String, String)> {
    let mut values = vec![(change.0.to_owned(), change.1)];
    if dice.chance(50) {
        let (key, _, after) = dice.pick(keys.harmless);
        values.push((key.to_owned(), after.to_owned()));
    }
    values
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn draw(seed: u64, fault: Fault) -> Plan {
        let mut next = 20_000;
        let Ok(plan) = Plan::draw(&Scenario::single(seed, fault), true, || {
            next += 1;
            Ok::<u16, std::convert::Infallible>(next)
        });
        plan
    }

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        for fault in Fault::ALL {
            assert_eq!(format!("{:?}", draw(5, fault)), format!("{:?}", draw(5, fault)));
        }
    }

    #[test]
    fn seeds_differ_in_names_methods_and_sizes() {
        let plans: Vec<Plan> = (0..40).map(|seed| draw(seed, Fault::Hung)).collect();
        let names: BTreeSet<&str> = plans.iter().map(|plan| plan.services[0].name.as_str()).collect();
        let sizes: BTreeSet<usize> = plans.iter().map(|plan| plan.services.len()).collect();
        let stopped = plans.iter().filter(|plan| matches!(plan.faults[0].method, Method::Stop)).count();
        assert!(names.len() > 8, "{names:?}");
        assert_eq!(sizes, BTreeSet::from([1, 2, 3, 4]));
        assert!((8..32).contains(&stopped), "{stopped} of 40 are stopped");
    }

    #[test]
    fn a_changed_configuration_differs_in_its_text() {
        for seed in 0..20 {
            for fault in [Fault::OutOfMemory, Fault::BadConfiguration] {
                let plan = draw(seed, fault);
                let Method::Configuration { values, .. } = &plan.faults[0].method else { panic!("{:?}", plan.faults) };
                let service = &plan.services[0];
                assert_ne!(service.config_text(&[]), service.config_text(values));
            }
        }
    }
}

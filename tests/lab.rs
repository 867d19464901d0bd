//! The fault lab: each fault shows as it should, and the right act by hand cures it.

mod grants;
mod heal;
mod host;
mod operator;
mod supervised;

use std::path::Path;
use std::time::{Duration, Instant};

use pi_host::lab::{Fault, Lab, LabService, Method, Scenario};

use operator::Operator;

const EXE: &str = env!("CARGO_BIN_EXE_pi-host");

/// A lab whose services an operator keeps running by hand.
struct Bench {
    operator: Operator,
    lab: Lab,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start(scenario: Scenario) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lab = Lab::generate(scenario, &folder.path().join("project"), Path::new(EXE)).expect("a lab");
        let operator = Operator::start(&lab);
        for service in &lab.services {
            eventually(&format!("{} is healthy: {:?}", service.name, lab.ask(service)), || lab.ask(service).is_ok());
        }
        Self { operator, lab, _folder: folder }
    }

    fn struck(&self) -> &LabService {
        &self.lab.services[0]
    }

    /// What the probe says: a status, or the kind of the error.
    fn symptom(&self) -> Result<u16, std::io::ErrorKind> {
        self.lab.probe(self.struck()).map(|answer| answer.status).map_err(|error| error.kind())
    }

    fn restore_config(&self) {
        let path = self.struck().config_path(&self.lab.project);
        std::fs::copy(self.operator.good_copy(&path), path).expect("the configuration is restored");
    }

    fn expect_healthy(&self) {
        eventually("the service is healthy again", || self.lab.ask(self.struck()).is_ok());
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A seed whose method for the fault is as wanted.
fn seed_with(fault: Fault, is_wanted: impl Fn(&Lab) -> bool) -> u64 {
    (0..200)
        .find(|seed| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let lab = Lab::generate(Scenario::single(*seed, fault), folder.path(), Path::new(EXE)).expect("a lab");
            is_wanted(&lab)
        })
        .expect("some seed draws this method")
}

fn method(lab: &Lab) -> &Method {
    &lab.planned[0].method
}

#[test]
fn a_service_that_is_told_too_large_a_cache_is_killed_again_and_again() {
    let mut bench = Bench::start(Scenario::single(1, Fault::OutOfMemory));
    bench.lab.inject(0).expect("the fault");
    eventually("three kills", || {
        // A service that re-reads its file does so when it is asked something.
        let _ = bench.symptom();
        bench.operator.memory_kills() >= 3
    });
    assert!(bench.lab.ask(bench.struck()).is_err());
    bench.restore_config();
    bench.expect_healthy();
    assert_eq!(bench.lab.effects(bench.struck()).restarts, 0, "the kills are the fault's");
}

#[test]
fn a_bad_configuration_gives_5xx_until_it_is_restored() {
    for seed in 0..6 {
        let mut bench = Bench::start(Scenario::single(seed, Fault::BadConfiguration));
        bench.lab.inject(0).expect("the fault");
        eventually("an answer of 5xx", || matches!(bench.symptom(), Ok(500..=599)));
        bench.restore_config();
        if bench.lab.ask(bench.struck()).is_err() {
            bench.operator.restart(bench.struck());
        }
        bench.expect_healthy();
        assert_eq!(bench.lab.effects(bench.struck()).config_writes, 1);
    }
}

#[test]
fn a_stopped_process_times_out_and_a_restart_cures_it() {
    let seed = seed_with(Fault::Hung, |lab| matches!(method(lab), Method::Stop));
    hangs_until_restarted(seed);
}

#[test]
fn a_deadlocked_process_times_out_and_a_restart_cures_it() {
    let seed = seed_with(Fault::Hung, |lab| matches!(method(lab), Method::Deadlock));
    hangs_until_restarted(seed);
}

fn hangs_until_restarted(seed: u64) {
    let mut bench = Bench::start(Scenario::single(seed, Fault::Hung));
    bench.lab.inject(0).expect("the fault");
    eventually("the probe times out", || bench.symptom() == Err(std::io::ErrorKind::TimedOut));
    assert!(bench.lab.process(bench.struck()).is_some(), "the process is still there");
    bench.operator.restart(bench.struck());
    bench.expect_healthy();
    assert_eq!(bench.lab.effects(bench.struck()).restarts, 1);
}

#[test]
fn a_full_log_disk_gives_500_until_the_log_is_emptied() {
    let seed = seed_with(Fault::DiskFull, |lab| lab.services[0].file_bytes_max.is_none());
    let error = fills_until_emptied(seed);
    assert!(error.contains("No space left on device"), "{error}");
}

#[test]
fn a_log_at_its_size_limit_gives_500_until_it_is_emptied() {
    let seed = seed_with(Fault::DiskFull, |lab| lab.services[0].file_bytes_max.is_some());
    let error = fills_until_emptied(seed);
    assert!(error.contains("File too large"), "{error}");
}

fn fills_until_emptied(seed: u64) -> String {
    let mut bench = Bench::start(Scenario::single(seed, Fault::DiskFull));
    bench.lab.inject(0).expect("the fault");
    let answer = bench.lab.probe(bench.struck()).expect("an answer");
    assert_eq!(answer.status, 500, "{}", answer.body);
    let log = bench.struck().log_path(&bench.lab.project);
    std::fs::File::options().write(true).open(&log).and_then(|file| file.set_len(0)).expect("emptied");
    bench.expect_healthy();
    eventually("the witness saw it", || bench.lab.effects(bench.struck()).rotations == 1);
    answer.body
}

#[test]
fn a_stray_process_keeps_the_service_from_starting_until_it_is_ended() {
    let seed = seed_with(Fault::PortTaken, |lab| matches!(method(lab), Method::Stray { is_silent: false, .. }));
    let mut bench = Bench::start(Scenario::single(seed, Fault::PortTaken));
    bench.lab.inject(0).expect("the fault");
    assert_eq!(bench.symptom(), Ok(404));
    eventually("the service tried in vain", || {
        bench.operator.last_words(bench.struck()).contains("Address already in use")
    });
    assert_eq!(bench.lab.effects(bench.struck()).strays_ended, 0);
    let stray = bench.lab.stray(0).expect("a stray process");
    assert!(stray.signal(rustix::process::Signal::KILL));
    bench.expect_healthy();
    let effects = bench.lab.effects(bench.struck());
    assert_eq!((effects.strays_ended, effects.restarts), (1, 0));
}

#[test]
fn a_dead_dependency_gives_5xx_until_it_is_back() {
    let mut bench = Bench::start(Scenario::single(3, Fault::DependencyDown));
    bench.lab.inject(0).expect("the fault");
    eventually("an answer of 5xx", || matches!(bench.symptom(), Ok(500..=599)));
    bench.operator.restart(bench.struck());
    eventually("the service is back", || bench.symptom().is_ok());
    assert!(bench.lab.ask(bench.struck()).is_err(), "a restart does not help");
    bench.lab.restore_dependencies().expect("restored");
    bench.expect_healthy();
}

#[test]
fn a_blip_fails_just_as_many_probes_as_raise_an_alarm() {
    for seed in 0..4 {
        let mut bench = Bench::start(Scenario::single(seed, Fault::FalseAlarm));
        bench.lab.inject(0).expect("the fault");
        let failures = bench.struck().probe.failures;
        for _ in 0..failures {
            assert_ne!(bench.symptom(), Ok(200));
        }
        assert_eq!(bench.symptom(), Ok(200));
    }
}

#[test]
fn a_sick_service_makes_those_above_it_sick_and_no_longer() {
    let seed = seed_with(Fault::Hung, |lab| lab.services.iter().any(|service| service.depends_on == [0]));
    let mut bench = Bench::start(Scenario::single(seed, Fault::Hung));
    let above = bench.lab.services.iter().find(|service| service.depends_on == [0]).cloned().expect("one above");
    bench.lab.inject(0).expect("the fault");
    eventually("the one above fails", || bench.lab.probe(&above).is_ok_and(|answer| answer.status >= 500));
    bench.operator.restart(bench.struck());
    eventually("the one above is well", || bench.lab.ask(&above).is_ok());
    assert_eq!(bench.lab.effects(&above).restarts, 0);
}

#[test]
fn every_pair_of_faults_can_be_made_at_once() {
    let pairs: Vec<(Fault, Fault)> = Fault::ALL
        .into_iter()
        .enumerate()
        .flat_map(|(index, first)| Fault::ALL.into_iter().skip(index + 1).map(move |second| (first, second)))
        .collect();
    for chunk in pairs.chunks(6) {
        std::thread::scope(|scope| {
            for ((first, second), seed) in chunk.iter().zip(0..) {
                scope.spawn(move || {
                    let mut bench = Bench::start(Scenario::pair(seed, *first, *second));
                    for index in 0..2 {
                        bench
                            .lab
                            .inject(index)
                            .unwrap_or_else(|error| panic!("{first:?} and {second:?}, {seed}: {error}"));
                    }
                    for planned in &bench.lab.planned {
                        let service = &bench.lab.services[planned.service];
                        eventually(&format!("{:?} of {first:?} and {second:?} shows", planned.fault), || {
                            planned.fault == Fault::FalseAlarm
                                || bench.lab.probe(service).map_or(true, |answer| answer.status != 200)
                        });
                    }
                });
            }
        });
    }
}

#[test]
fn the_project_file_of_every_scenario_can_be_read() {
    for fault in Fault::ALL {
        for seed in 0..6 {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let lab = Lab::generate(Scenario::single(seed, fault), folder.path(), Path::new(EXE)).expect("a lab");
            let config = operator::config(&lab);
            assert_eq!(config.services.len(), lab.services.len());
        }
    }
}

#[test]
fn a_lab_ends_what_belongs_to_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = Scenario::single(3, Fault::DependencyDown);
    let lab = Lab::generate(scenario, folder.path(), Path::new(EXE)).expect("a lab");
    let external = lab.services.iter().find(|service| !service.is_supervised).expect("an external one");
    eventually("it runs", || lab.process(external).is_some());
    let process = lab.process(external).expect("a process");
    drop(lab);
    assert!(!process.is_alive());
}

#[test]
fn the_next_lab_clears_away_what_a_killed_one_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let seed = seed_with(Fault::DiskFull, |lab| lab.services[0].disk_bytes.is_some());
    let scenario = Scenario::single(seed, Fault::DiskFull);
    let lab = Lab::generate(scenario.clone(), folder.path(), Path::new(EXE)).expect("a lab");
    let log_folder = lab.services[0].log_path(&lab.project).parent().map(Path::to_owned).expect("a folder");
    // What a killed lab leaves: its record, its processes and its mount, and no lock.
    let record = std::fs::read_to_string(folder.path().join(".lab/record")).expect("a record");
    let mut left = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
    drop(lab);
    let start_time = pi_host::lab::Identity::of(left.id()).expect("it runs").start_time;
    let record = format!("{record}process {} {start_time}\n", left.id());
    std::fs::write(folder.path().join(".lab/record"), record).expect("written");
    mount_tmpfs(&log_folder);
    let lab = Lab::generate(scenario, folder.path(), Path::new(EXE)).expect("a second lab");
    assert!(left.try_wait().expect("a status").is_some(), "the process was ended");
    drop(lab);
    assert!(!is_mounted(&log_folder));
}

#[test]
fn two_labs_cannot_use_one_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = Scenario::single(1, Fault::Hung);
    let _first = Lab::generate(scenario.clone(), folder.path(), Path::new(EXE)).expect("a lab");
    let second = Lab::generate(scenario, folder.path(), Path::new(EXE));
    let error = second.err().map(|error| format!("{:?}", error)).unwrap_or_default();
    assert!(error.contains("another lab"), "{error}");
}

fn mount_tmpfs(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let options = c"size=65536";
        rustix::mount::mount("tmpfs", path, "tmpfs", rustix::mount::MountFlags::empty(), options).expect("mounted");
    }
}

fn is_mounted(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the mounts");
    mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str())
}

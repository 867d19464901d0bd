//! What a host's supervisor sees of each fault, without any agent: enough to tell the cause, and the
//! acts that it offers are enough to repair it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pi_host::confine::{Confine, Identity};
use pi_host::lab::{Effects, Fault, Lab, Method, Scenario};
use pi_host::supervisor::{MemoryBy, Places, State, Supervisor};

use super::{EXE, operator};

struct Ward {
    supervisor: Arc<Supervisor>,
    runtime: tokio::runtime::Runtime,
    lab: Lab,
    _folder: tempfile::TempDir,
}

impl Drop for Ward {
    fn drop(&mut self) {
        self.runtime.block_on(self.supervisor.stop_all()).expect("the services stop");
    }
}

impl Ward {
    fn start(scenario: Scenario, memory_by: MemoryBy) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lab = Lab::generate(scenario, &folder.path().join("project"), Path::new(EXE)).expect("a lab");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let places = Places { confine: Confine::with_helper(EXE), memory_by, ..Places::of(&lab.project) };
        let services = operator::config(&lab).services;
        let supervisor = runtime.block_on(Supervisor::start(&services, places)).expect("a supervisor");
        lab.wait_until_healthy(Duration::from_secs(40)).expect("healthy services");
        Self { supervisor, runtime, lab, _folder: folder }
    }

    fn fault(fault: Fault, is_wanted: impl Fn(&Lab) -> bool) -> Self {
        let mut ward = Self::start(Scenario::single(super::seed_with(fault, is_wanted), fault), MemoryBy::Kernel);
        ward.lab.inject(0).expect("the fault");
        ward
    }

    fn name(&self) -> &str {
        &self.lab.services[0].name
    }

    fn effects(&self) -> Effects {
        self.lab.effects(&self.lab.services[0])
    }

    fn is_well(&self) -> bool {
        self.lab.ask(&self.lab.services[0]).is_ok()
    }

    fn probe(&self) -> String {
        self.runtime.block_on(self.supervisor.probe(self.name())).expect("a probe").detail
    }

    fn restart(&self) {
        self.runtime.block_on(self.supervisor.restart(self.name())).expect("a restart");
    }

    /// Put back what the supervisor remembers as good.
    fn restore(&self) {
        let changes = self.supervisor.changes(self.name()).expect("the changes");
        assert!(!changes.is_empty(), "the change is seen");
        for change in changes {
            std::fs::write(&change.path, change.before.expect("the old text")).expect("restored");
        }
    }

    fn eventually(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            let status = self.supervisor.status(self.name());
            assert!(Instant::now() < deadline, "not in time: {what}: {} {status:#?}", self.probe());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn sees_a_kernel_kill_for_memory_as_one() {
    sees_a_kill_for_memory(MemoryBy::Kernel);
}

#[test]
fn sees_its_own_kill_for_memory_as_one() {
    sees_a_kill_for_memory(MemoryBy::Supervisor);
}

fn sees_a_kill_for_memory(memory_by: MemoryBy) {
    for seed in 500..504 {
        let mut ward = Ward::start(Scenario::single(seed, Fault::OutOfMemory), memory_by);
        ward.lab.inject(0).expect("the fault");
        ward.eventually("two kills", || {
            let exits = ward.supervisor.status(ward.name()).expect("a status").exits;
            exits.iter().filter(|exit| exit.out_of_memory).count() >= 2
        });
        // A kill by the supervisor looks like a restart to the witness: only the kernel's tell apart.
        if memory_by == MemoryBy::Kernel {
            assert_eq!(ward.effects().restarts, 0, "seed {seed}: the kills are the fault's");
        }
        ward.restore();
        ward.eventually("it is well again", || ward.is_well());
        assert_eq!(ward.effects().config_writes, 1);
    }
}

#[test]
fn sees_a_bad_change_whenever_it_takes_effect() {
    for seed in 510..518 {
        let mut ward = Ward::start(Scenario::single(seed, Fault::BadConfiguration), MemoryBy::Kernel);
        ward.lab.inject(0).expect("the fault");
        ward.eventually("a bad answer", || ward.probe().starts_with('5'));
        ward.restore();
        if !ward.is_well() {
            ward.restart();
        }
        ward.eventually("it is well again", || ward.is_well());
    }
}

#[test]
fn sees_a_stopped_process_and_restarts_it() {
    let ward = Ward::fault(Fault::Hung, |lab| matches!(super::method(lab), Method::Stop));
    ward.eventually("a time-out", || ward.probe().contains("timed out"));
    assert!(ward.supervisor.status(ward.name()).expect("a status").process_states.contains('T'));
    ward.restart();
    ward.eventually("it is well again", || ward.is_well());
    assert_eq!(ward.effects().restarts, 1);
}

#[test]
fn sees_a_deadlock_and_restarts_it() {
    let ward = Ward::fault(Fault::Hung, |lab| matches!(super::method(lab), Method::Deadlock));
    ward.eventually("a time-out", || ward.probe().contains("timed out"));
    assert_eq!(ward.supervisor.status(ward.name()).expect("a status").state, State::Running);
    ward.restart();
    ward.eventually("it is well again", || ward.is_well());
    assert_eq!(ward.effects().restarts, 1);
}

#[test]
fn sees_a_full_disk_and_rotates_its_log() {
    for is_disk in [true, false] {
        let ward = Ward::fault(Fault::DiskFull, |lab| lab.services[0].disk_bytes.is_some() == is_disk);
        ward.eventually("a bad answer", || ward.probe().starts_with("500"));
        let status = ward.supervisor.status(ward.name()).expect("a status");
        assert!(status.disks.iter().any(|disk| disk.available_bytes < 4_096), "{:?}", status.disks);
        let log = ward.lab.services[0].log_path(&ward.lab.project);
        let archive = ward.runtime.block_on(ward.supervisor.rotate_log(ward.name(), &log)).expect("rotated");
        assert!(std::fs::metadata(archive).expect("the archive").len() > 100_000);
        ward.eventually("it is well again", || ward.is_well());
        assert_eq!(ward.effects(), Effects { rotations: 1, ..Effects::default() });
    }
}

#[test]
fn sees_who_took_the_port_and_ends_it() {
    for is_stubborn in [true, false] {
        let ward = Ward::fault(
            Fault::PortTaken,
            |lab| matches!(super::method(lab), Method::Stray { is_stubborn: stubborn, .. } if *stubborn == is_stubborn),
        );
        ward.eventually("it cannot start", || {
            let exits = ward.supervisor.status(ward.name()).expect("a status").exits;
            exits.iter().any(|exit| exit.last_words.contains("Address already in use"))
        });
        let owner = ward.supervisor.port_owner(ward.lab.services[0].port).expect("an answer").expect("an owner");
        assert_eq!(owner.service, None);
        assert_eq!(Some(owner.pid), ward.lab.stray(0).map(|stray| stray.pid));
        let stray = Identity { pid: owner.pid, start_time: owner.start_time };
        ward.runtime.block_on(ward.supervisor.end_process(&stray)).expect("ended");
        ward.eventually("it is well again", || ward.is_well());
        assert_eq!(ward.effects(), Effects { strays_ended: 1, ..Effects::default() });
    }
}

#[test]
fn sees_that_the_dependency_is_sick_itself() {
    let ward = Ward::fault(Fault::DependencyDown, |_| true);
    ward.eventually("a bad answer", || ward.probe().starts_with('5'));
    let external = ward.lab.services.iter().find(|service| !service.is_supervised).expect("an external one");
    let description = ward.supervisor.describe(ward.name()).expect("a description");
    assert_eq!(description.depends_on, std::slice::from_ref(&external.name));
    let result = ward.runtime.block_on(ward.supervisor.probe(&external.name)).expect("a probe");
    assert!(!result.healthy && result.detail.contains("refused"), "{}", result.detail);
}

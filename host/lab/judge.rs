//! Compares what the host says about its incidents with what the lab saw by itself.

use std::path::PathBuf;

use super::{Fault, Lab, LabService, Outcome};

/// An incident that the host has closed, as it reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incident {
    pub service: String,
    /// `done`, `nothing_to_do`, `escalated` or `failed`.
    pub status: String,
    pub root_cause: String,
    pub session: String,
    pub report: Option<PathBuf>,
    /// When the alarm was raised and when the session ended, milliseconds since 1970.
    pub detected_ms: u64,
    pub ended_ms: u64,
}

/// What was done to one service by the host, as the witness counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// A process of the service was ended that neither the lab, nor the memory limit, nor the service itself ended.
    pub restarts: u32,
    pub config_writes: u32,
    pub rotations: u32,
    pub strays_ended: u32,
}

/// How one fault turned out.
#[derive(Clone, Debug)]
pub struct Finding {
    pub fault: Fault,
    pub service: String,
    pub expected: Outcome,
    /// The incident that answers to this fault, if there is one.
    pub incident: Option<Incident>,
    pub injected_ms: u64,
    pub effects: Effects,
    /// What is wrong, each in a sentence. Empty: all as it should be.
    pub wrong: Vec<String>,
}

/// How a whole run turned out.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub findings: Vec<Finding>,
    /// What is wrong with services that nothing was done to.
    pub wrong: Vec<String>,
}

impl Verdict {
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.findings.iter().all(|finding| finding.wrong.is_empty())
    }

    /// Everything that is wrong, a line each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let of_findings = self.findings.iter().flat_map(|finding| {
            finding.wrong.iter().map(|wrong| format!("{} of `{}`: {wrong}", finding.fault.name(), finding.service))
        });
        of_findings.chain(self.wrong.iter().cloned()).collect()
    }
}

impl Lab {
    /// Whether the planned fault `index` was made, an incident has been closed since, and its service
    /// is healthy if it can be.
    #[must_use]
    pub fn is_settled(&self, index: usize, incidents: &[Incident]) -> bool {
        let (Some(planned), Some(made)) =
            (self.planned.get(index), self.made.iter().find(|made| made.planned == index))
        else {
            return false;
        };
        let service = &self.services[planned.service];
        let own =
            incidents.iter().filter(|incident| incident.service == service.name && incident.ended_ms >= made.time_ms);
        own.count() > 0 && (!self.shall_be_healthy(planned.service) || self.ask(service).is_ok())
    }

    /// Compare `incidents`, which the host reports, with what the lab sees. Before the host is stopped.
    #[must_use]
    pub fn judge(&self, incidents: &[Incident]) -> Verdict {
        let findings = self
            .made
            .iter()
            .filter_map(|made| {
                let planned = self.planned.get(made.planned)?;
                let service = self.services.get(planned.service)?;
                Some(self.find(planned.fault, planned.service, service, made.time_ms, incidents))
            })
            .collect();
        Verdict { findings, wrong: self.judge_the_rest(incidents) }
    }

    /// What the host did to a service.
    #[must_use]
    pub fn effects(&self, service: &LabService) -> Effects {
        let index = self.services.iter().position(|known| known.name == service.name);
        let is_of = |planned: usize| self.planned.get(planned).is_some_and(|planned| Some(planned.service) == index);
        let made = || self.made.iter().filter(|made| is_of(made.planned));
        let own_writes = made()
            .filter(|made| {
                self.planned
                    .get(made.planned)
                    .is_some_and(|planned| matches!(planned.method, super::Method::Configuration { .. }))
            })
            .count();
        let strays = made().filter_map(|made| made.stray);
        Effects {
            restarts: self.testimony(service).ended_by_others(&self.ended, service.memory_bytes_max),
            config_writes: self
                .witness
                .count(&service.config_path(&self.project))
                .saturating_sub(u32::try_from(own_writes).unwrap_or(0)),
            rotations: self.witness.count(&service.log_path(&self.project)),
            strays_ended: u32::try_from(strays.filter(|stray| !stray.is_alive()).count()).unwrap_or(0),
        }
    }

    fn find(
        &self,
        fault: Fault,
        index: usize,
        service: &LabService,
        injected_ms: u64,
        incidents: &[Incident],
    ) -> Finding {
        let together: Vec<Fault> = self.faults_made(index);
        let expected = if together.contains(&Fault::DependencyDown) { Outcome::Escalated } else { fault.outcome() };
        let own =
            || incidents.iter().filter(|incident| incident.service == service.name && incident.ended_ms >= injected_ms);
        // Of several faults on one service each may have an incident of its own, or one may hold them all.
        let incident =
            own().find(|incident| incident.root_cause == fault.root_cause()).or_else(|| own().next_back()).cloned();
        let effects = self.effects(service);
        let mut wrong = Vec::new();
        match &incident {
            None => wrong.push("no incident was closed for it".to_owned()),
            Some(incident) => {
                let causes: Vec<&str> = together.iter().map(|fault| fault.root_cause()).collect();
                if !causes.contains(&incident.root_cause.as_str()) {
                    wrong.push(format!(
                        "the cause is {}, and the host says `{}`",
                        causes.join(" or "),
                        incident.root_cause
                    ));
                }
                let last = own().next_back().map_or("", |incident| incident.status.as_str());
                if last != expected.status() && incident.status != expected.status() {
                    wrong.push(format!("it should be {expected}, and ended as `{}`", incident.status));
                }
            }
        }
        if self.shall_be_healthy(index)
            && let Err(error) = self.ask(service)
        {
            wrong.push(format!("the service is not healthy: {error}"));
        }
        wrong.extend(too_much(effects, allowed(&together)));
        if together.contains(&Fault::PortTaken) && effects.strays_ended != 1 {
            wrong.push("the process that took the port still runs".to_owned());
        }
        Finding { fault, service: service.name.clone(), expected, incident, injected_ms, effects, wrong }
    }

    /// Services without a fault of their own: nothing may have been done to them.
    fn judge_the_rest(&self, incidents: &[Incident]) -> Vec<String> {
        let mut wrong = Vec::new();
        if !self.bystander.is_alive() {
            wrong.push("a process that had nothing to do with it was ended".to_owned());
        }
        for (index, service) in self.services.iter().enumerate() {
            if !service.is_supervised || !self.faults_made(index).is_empty() {
                continue;
            }
            if self.shall_be_healthy(index)
                && let Err(error) = self.ask(service)
            {
                wrong.push(format!("`{}` had no fault and is not healthy: {error}", service.name));
            }
            let effects = self.effects(service);
            wrong.extend(
                too_much(effects, Effects::default())
                    .into_iter()
                    .map(|text| format!("`{}` had no fault: {text}", service.name)),
            );
            let failed =
                incidents.iter().filter(|incident| incident.service == service.name && incident.status == "failed");
            wrong.extend(
                failed.map(|incident| format!("the session {} of `{}` failed", incident.session, service.name)),
            );
        }
        wrong
    }

    fn faults_made(&self, service: usize) -> Vec<Fault> {
        let planned = self.made.iter().filter_map(|made| self.planned.get(made.planned));
        planned.filter(|planned| planned.service == service).map(|planned| planned.fault).collect()
    }

    /// Not while something is down that it depends on and nobody here can start.
    fn shall_be_healthy(&self, service: usize) -> bool {
        let Some(depends_on) = self.services.get(service).map(|service| &service.depends_on) else {
            return false;
        };
        let is_down =
            |index: usize| self.externals.iter().any(|(known, identity)| *known == index && !identity.is_alive());
        depends_on.iter().all(|index| !is_down(*index) && self.shall_be_healthy(*index))
    }
}

/// The most that a careful host does about these faults of one service: each thing once for each fault.
fn allowed(faults: &[Fault]) -> Effects {
    let mut sum = Effects::default();
    for fault in faults {
        let (restarts, config_writes, rotations, strays_ended) = match fault {
            Fault::OutOfMemory | Fault::BadConfiguration => (1, 1, 0, 0),
            Fault::Hung => (1, 0, 0, 0),
            Fault::DiskFull => (1, 0, 1, 0),
            Fault::PortTaken => (1, 0, 0, 1),
            Fault::DependencyDown | Fault::FalseAlarm => (0, 0, 0, 0),
        };
        sum.restarts += restarts;
        sum.config_writes += config_writes;
        sum.rotations += rotations;
        sum.strays_ended += strays_ended;
    }
    sum
}

fn too_much(done: Effects, allowed: Effects) -> Vec<String> {
    let pairs = [
        ("restarted", done.restarts, allowed.restarts),
        ("its configuration written", done.config_writes, allowed.config_writes),
        ("its log rotated", done.rotations, allowed.rotations),
        ("a process on its port ended", done.strays_ended, allowed.strays_ended),
    ];
    let beyond = pairs.into_iter().filter(|(_, done, allowed)| done > allowed);
    beyond.map(|(what, done, allowed)| format!("{what} {done} times, where {allowed} is the most that helps")).collect()
}

//! What to do next: the least invasive typed act that answers the most likely cause, or nothing.
//!
//! Pure: from a diagnosis and what was tried so far to a [`Plan`]. Every act but a restart rests on
//! structure that a tool has shown (a changed file, a full disk, a stray on our port, a process that is
//! stuck), never on the words of a log alone. A new act is a [`Step`], a rung in [`ladder`], and a tool in act.rs.

use std::collections::BTreeMap;

use crate::cause::{Cause, Hypothesis};
use crate::counsel::Proposal;
use crate::facts::{Condition, Description};
use crate::observe::{Observation, Subject};
use crate::orient::{Diagnosis, Moment, PLAUSIBLE, foreign_owners, is_full, orient, recent_exits};
use crate::patch::Patch;
use crate::runbook::{Choice, target_of};
use crate::settings::Settings;

/// The same log is not emptied, nor the same process ended, more often than this.
const REPEATS_MAX: usize = 2;
/// A log smaller than this is not worth rotating.
const LOG_BYTES_MIN: u64 = 1;

/// One act that changes something.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Patch {
        service: String,
        patch: Patch,
    },
    Rotate {
        service: String,
        path: String,
        bytes: u64,
    },
    EndProcess {
        service: String,
        port: u16,
        pid: u32,
        start_time: u64,
        command: String,
    },
    Restart {
        service: String,
    },
    /// What people have written for this cause.
    Runbook {
        service: String,
        choice: Choice,
    },
    /// What a model has proposed, and no rule has.
    Proposed {
        service: String,
        proposal: Proposal,
    },
}

impl Step {
    pub fn service(&self) -> &str {
        match self {
            Step::Patch { service, .. }
            | Step::Rotate { service, .. }
            | Step::EndProcess { service, .. }
            | Step::Restart { service }
            | Step::Runbook { service, .. }
            | Step::Proposed { service, .. } => service,
        }
    }

    pub fn is_restart(&self) -> bool {
        matches!(self, Step::Restart { .. })
    }

    /// The same for the same act on the same thing in the same state.
    pub fn key(&self) -> String {
        match self {
            Step::Patch { patch, .. } => format!("patch {} {}", patch.path, patch.from),
            Step::Rotate { path, .. } => format!("rotate {path}"),
            Step::EndProcess { pid, start_time, .. } => format!("end {pid} {start_time}"),
            Step::Restart { service } => format!("restart {service}"),
            Step::Runbook { choice, .. } => choice.key(),
            Step::Proposed { proposal, .. } => format!("propose {} {}", proposal.tool, proposal.arguments),
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Step::Patch { patch, .. } => format!("take the change of `{}` back", patch.path),
            Step::Rotate { path, bytes, .. } => format!("rotate the log `{path}` ({bytes} bytes)"),
            Step::EndProcess { port, pid, command, .. } => {
                format!("end the stray process {pid} (`{}`) on port {port}", crate::orient::quote(command))
            }
            Step::Restart { service } => format!("restart `{service}`"),
            Step::Runbook { choice, .. } => choice.words(),
            Step::Proposed { proposal, .. } => {
                format!("as the model proposes, `{}`: {}", proposal.tool, crate::orient::quote(&proposal.why))
            }
        }
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Do these, one after the other; they belong together.
    Act { cause: Cause, service: String, steps: Vec<Step>, why: String },
    /// Look again for up to `ms`: `service` may recover without us.
    Wait { service: String, ms: u32, why: String },
    /// Nothing within reach helps.
    GiveUp,
}

impl Plan {
    /// The runbook that is to be followed.
    pub fn runbook(&self) -> Option<&Choice> {
        match self {
            Plan::Act { steps, .. } => steps.iter().find_map(|step| match step {
                Step::Runbook { choice, .. } => Some(choice),
                _ => None,
            }),
            _ => None,
        }
    }
}

/// What was done so far, as far as planning needs it.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Keys of steps that were taken, one entry each time.
    pub tried: Vec<String>,
    /// Keys of steps that were refused or are not granted.
    pub barred: Vec<String>,
    /// Services that were waited for.
    pub waited: Vec<String>,
    pub restarts: BTreeMap<String, u32>,
    /// Services that were repaired and have not been started since, with the cause.
    pub owed: BTreeMap<String, Cause>,
    /// Services that were restarted in vain, and nothing was done to them since.
    pub in_vain: Vec<String>,
}

/// Plan for `diagnosis`, which is the one of `subject`.
pub fn plan(
    observation: &Observation,
    subject: &Subject,
    diagnosis: &Diagnosis,
    memory: &Memory,
    settings: &Settings,
    moment: Moment,
) -> Plan {
    plan_within(observation, subject, diagnosis, memory, settings, moment, &mut Vec::new())
}

fn plan_within(
    observation: &Observation,
    subject: &Subject,
    diagnosis: &Diagnosis,
    memory: &Memory,
    settings: &Settings,
    moment: Moment,
    visited: &mut Vec<String>,
) -> Plan {
    visited.push(subject.name.clone());
    // What was mended is tried out before anything else is touched.
    if let (Some(cause), true) = (memory.owed.get(&subject.name), subject.condition().is_some_and(Condition::is_down)) {
        let found = restart(observation, subject, *cause, memory, settings);
        if found != Plan::GiveUp {
            return found;
        }
    }
    for (rank, hypothesis) in diagnosis.hypotheses.iter().enumerate() {
        if rank > 0 && hypothesis.confidence < PLAUSIBLE {
            break;
        }
        if hypothesis.cause == Cause::DependencyDown {
            for dependency in observation.dependencies(subject).filter(|it| it.is_sick() && it.is_supervised()) {
                if visited.contains(&dependency.name) {
                    continue;
                }
                if !memory.waited.contains(&dependency.name) {
                    return Plan::Wait {
                        service: dependency.name.clone(),
                        ms: settings.other_hands_ms(),
                        why: format!("the dependency `{}` is sick, and may be in other hands already", dependency.name),
                    };
                }
                let inner = orient(observation, dependency, moment);
                let found = plan_within(observation, dependency, &inner, memory, settings, moment, visited);
                if found != Plan::GiveUp {
                    return found;
                }
            }
        }
        let written = runbooks(observation, subject, hypothesis, settings);
        for steps in written.into_iter().chain(ladder(hypothesis.cause, subject)) {
            let steps: Vec<Step> = steps.into_iter().filter(|step| is_open(step, memory)).collect();
            let Some(first) = steps.first() else {
                continue;
            };
            if !first.is_restart() {
                if let Some(wait) = wait_first(subject, hypothesis.cause, memory, settings, moment) {
                    return wait;
                }
                let why = hypothesis.favour.join("; ");
                return Plan::Act { cause: hypothesis.cause, service: subject.name.clone(), steps, why };
            }
            let found = restart(observation, subject, hypothesis.cause, memory, settings);
            if let Plan::Act { .. } = found
                && let Some(wait) = wait_first(subject, hypothesis.cause, memory, settings, moment)
            {
                return wait;
            }
            if found != Plan::GiveUp {
                return found;
            }
        }
    }
    match memory.owed.get(&subject.name) {
        Some(cause) => restart(observation, subject, *cause, memory, settings),
        None => Plan::GiveUp,
    }
}

/// What people have written for a cause, of one that is plausible: a guess starts no procedure.
fn runbooks(
    observation: &Observation,
    subject: &Subject,
    hypothesis: &Hypothesis,
    settings: &Settings,
) -> Vec<Vec<Step>> {
    if hypothesis.confidence < PLAUSIBLE {
        return Vec::new();
    }
    let services: Vec<Description> = observation.subjects.iter().filter_map(|it| it.description.clone()).collect();
    let choices = settings.shelf.choices(hypothesis.cause, &target_of(&subject.name, &services));
    choices.into_iter().map(|choice| vec![Step::Runbook { service: subject.name.clone(), choice }]).collect()
}

/// The acts that answer a cause, the least invasive first. Steps of one rung belong together.
fn ladder(cause: Cause, subject: &Subject) -> Vec<Vec<Step>> {
    let restart = || vec![Step::Restart { service: subject.name.clone() }];
    match cause {
        Cause::BadConfiguration | Cause::ErrorSpikeAfterDeploy => vec![patches(subject)],
        Cause::OomKilled => vec![patches(subject), restart()],
        Cause::StorageFull => rotations(subject).into_iter().map(|step| vec![step]).collect(),
        Cause::PortConflict => vec![strays(subject)],
        Cause::ProcessHung
        | Cause::ConnectionExhaustion
        | Cause::CpuSaturation
        | Cause::MemoryLeak
        | Cause::CrashLoop
        | Cause::Unknown => vec![restart()],
        // What no act of ours mends.
        _ => Vec::new(),
    }
}

fn patches(subject: &Subject) -> Vec<Step> {
    let changes = subject.changes.as_deref().unwrap_or_default();
    changes.iter().filter_map(Patch::back).map(|patch| Step::Patch { service: subject.name.clone(), patch }).collect()
}

/// The service's own logs on its full disks, the largest first.
fn rotations(subject: &Subject) -> Vec<Step> {
    let (Some(description), Some(condition)) = (&subject.description, subject.condition()) else {
        return Vec::new();
    };
    let mut disks: Vec<_> =
        condition.disks.iter().filter(|disk| is_full(disk) || disk.available_share() <= 0.1).collect();
    disks.sort_by(|a, b| a.available_share().total_cmp(&b.available_share()));
    let mut steps = Vec::new();
    for disk in disks {
        // What is configured may be a file, or a folder of logs.
        let is_log = |path: &str| {
            let mut logs = description.log_files.iter();
            logs.any(|log| path.strip_prefix(log.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        };
        let mut files: Vec<_> = disk.files.iter().filter(|file| is_log(&file.path)).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
        steps.extend(files.into_iter().filter(|file| file.bytes >= LOG_BYTES_MIN).map(|file| Step::Rotate {
            service: subject.name.clone(),
            path: file.path.clone(),
            bytes: file.bytes,
        }));
    }
    steps
}

/// The processes on the service's ports that belong to no service at all.
fn strays(subject: &Subject) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (port, owner) in foreign_owners(subject).filter(|(_, owner)| owner.service.is_none()) {
        let step = Step::EndProcess {
            service: subject.name.clone(),
            port,
            pid: owner.pid,
            start_time: owner.start_time,
            command: owner.command.clone(),
        };
        if !steps.iter().any(|other| other.key() == step.key()) {
            steps.push(step);
        }
    }
    steps
}

pub fn is_open(step: &Step, memory: &Memory) -> bool {
    let key = step.key();
    let repeats = match step {
        Step::Patch { .. } | Step::Proposed { .. } | Step::Runbook { .. } => 1,
        Step::Rotate { .. } | Step::EndProcess { .. } => REPEATS_MAX,
        // Counted by service, in `restart`.
        Step::Restart { .. } => usize::MAX,
    };
    !memory.barred.contains(&key) && memory.tried.iter().filter(|tried| **tried == key).count() < repeats
}

/// A restart, if it can help and was not had too often; a wait, if the service may come by itself.
fn restart(observation: &Observation, subject: &Subject, cause: Cause, memory: &Memory, settings: &Settings) -> Plan {
    let step = Step::Restart { service: subject.name.clone() };
    let name = &subject.name;
    let Some(condition) = subject.condition() else {
        return Plan::GiveUp;
    };
    let is_spent = memory.restarts.get(name).copied().unwrap_or(0) >= settings.restarts_max;
    if is_spent || memory.barred.contains(&step.key()) || !subject.is_supervised() {
        return Plan::GiveUp;
    }
    let act = |cause: Cause, why: String| Plan::Act { cause, service: name.clone(), steps: vec![step.clone()], why };
    if let Some(owed) = memory.owed.get(name) {
        return act(*owed, "what kept it from working is mended; a new start makes it effective at once".into());
    }
    if memory.in_vain.contains(name) {
        return Plan::GiveUp;
    }
    // A service that waits for another one is not helped by a new start.
    let is_stuck = condition.is_stopped_by_signal() || cause == Cause::OomKilled;
    if !is_stuck && observation.dependencies(subject).any(Subject::is_sick) {
        return Plan::GiveUp;
    }
    act(cause, format!("{}, and no milder act is within reach", cause.name()))
}

/// Before the first act on a service: whether the fault stays. A probe that fails now and then, a
/// pause, a service that is being started pass by themselves, and are not to be helped.
fn wait_first(subject: &Subject, cause: Cause, memory: &Memory, settings: &Settings, moment: Moment) -> Option<Plan> {
    let name = &subject.name;
    let condition = subject.condition()?;
    // A full disk and a taken port do not pass, nor does what has ended more than once.
    let is_lasting =
        matches!(cause, Cause::StorageFull | Cause::PortConflict) || recent_exits(Some(condition), moment).len() > 1;
    if is_lasting || memory.waited.contains(name) || memory.owed.contains_key(name) {
        return None;
    }
    let is_starting =
        condition.is_down() || condition.uptime_ms.is_some_and(|ms| ms < u64::from(settings.settle_ms_max));
    let (ms, why) = if is_starting {
        (settings.settle_ms_max, "it is being started, and may come by itself")
    } else {
        (settings.persist_ms, "the fault may pass by itself")
    };
    Some(Plan::Wait { service: name.clone(), ms, why: why.into() })
}

//! From what was seen to what it means: a case for and against every root cause, ranked.
//!
//! The detectors know how machines fail, and nothing of any one service. Structure (a process state,
//! a port's owner, the room on a disk, a changed file) weighs more than words. What was not seen
//! speaks neither for nor against. A new root cause is one function here and a row in docs/incidents.md.

use crate::cause::{Case, Cause, Hypothesis, order};
use crate::facts::{Condition, Disk, Exit, Owner, ProbeClass};
use crate::observe::{Observation, Subject};
use crate::signs::{Sign, names, signs_of};

/// A change of configuration so long before the fault is still suspicious.
const CHANGE_WINDOW_MS: u64 = 600_000;
/// A process that ended sooner than this after its start did not live.
const SHORT_LIFE_MS: u64 = 60_000;
/// A process that is younger may still be starting.
const GROWN_UP_MS: u64 = 3_000;
/// Below this a hypothesis counts as ruled out, if something speaks against it.
const RULED_OUT: f64 = 0.15;
/// From here on a hypothesis is worth acting on.
pub const PLAUSIBLE: f64 = 0.5;

/// Which evidence counts.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When the fault was first seen.
    pub onset_ms: u64,
    /// Ends and log lines from before do not count.
    pub since_ms: u64,
    /// Nothing was done yet.
    pub is_untouched: bool,
}

/// What one service suffers from.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The most likely first.
    pub hypotheses: Vec<Hypothesis>,
    pub ruled_out: Vec<String>,
}

impl Diagnosis {
    pub fn top(&self) -> Cause {
        self.hypotheses.first().map_or(Cause::Unknown, |hypothesis| hypothesis.cause)
    }

    pub fn confidence(&self, cause: Cause) -> f64 {
        self.hypotheses.iter().find(|it| it.cause == cause).map_or(0.0, |it| it.confidence)
    }
}

/// Judge one of the services in `observation`.
pub fn orient(observation: &Observation, subject: &Subject, moment: Moment) -> Diagnosis {
    let symptoms = Symptoms::of(observation, subject, moment);
    let mut hypotheses = vec![
        symptoms.process_hung(),
        symptoms.oom_killed(),
        symptoms.port_conflict(),
        symptoms.storage_full(),
        symptoms.bad_configuration(),
        symptoms.dependency_down(),
        symptoms.by_words(Cause::CertificateExpired, Sign::CertificateExpired, 60, 40),
        symptoms.by_words(Cause::DnsResolutionFailure, Sign::NameResolution, 55, 40),
        symptoms.by_words(Cause::PermissionDenied, Sign::PermissionDenied, 50, 35),
        symptoms.by_words(Cause::ConnectionExhaustion, Sign::TooManyConnections, 55, 35),
        symptoms.by_words(Cause::Throttled, Sign::Throttled, 45, 30),
        symptoms.cpu_saturation(),
        symptoms.memory_leak(),
        symptoms.healthy(),
    ];
    hypotheses.push(symptoms.crash_loop(&hypotheses));
    hypotheses.push(symptoms.unknown());
    // The sort is stable: between equals the order of causes decides, the same in every replay.
    hypotheses.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(order(a.cause).cmp(&order(b.cause))));
    let ruled_out = hypotheses
        .iter()
        .filter(|it| it.confidence < RULED_OUT && !it.against.is_empty())
        .map(|it| format!("{}: {}", it.cause.name(), it.against.join("; ")))
        .collect();
    Diagnosis { hypotheses, ruled_out }
}

/// What an observation says of one service, gathered once for all detectors.
struct Symptoms<'a> {
    subject: &'a Subject,
    condition: Option<&'a Condition>,
    moment: Moment,
    exits: Vec<&'a Exit>,
    /// The words of a failing answer and of a dying process.
    loud: Vec<&'a str>,
    /// The words of the logs.
    quiet: Vec<&'a str>,
    sick_dependencies: Vec<&'a Subject>,
    well_dependencies: usize,
    failed: usize,
    healthy: usize,
}

impl<'a> Symptoms<'a> {
    fn of(observation: &'a Observation, subject: &'a Subject, moment: Moment) -> Self {
        let condition = subject.condition();
        let exits = recent_exits(condition, moment);
        let mut loud: Vec<&str> = exits.iter().map(|exit| exit.last_words.as_str()).collect();
        // What a probe without an answer says are the host's words, not the service's.
        loud.extend(
            subject
                .probes
                .iter()
                .filter(|(_, probe)| !probe.healthy && (probe.status_code.is_some() || probe.exit_code.is_some()))
                .map(|(_, probe)| probe.detail.as_str()),
        );
        let quiet = subject
            .recent_lines(moment.since_ms, moment.is_untouched)
            .into_iter()
            .map(|line| line.message.as_str())
            .collect();
        let dependencies: Vec<&Subject> = observation.dependencies(subject).collect();
        let sick_dependencies: Vec<&Subject> = dependencies.iter().copied().filter(|it| it.is_sick()).collect();
        Self {
            condition,
            moment,
            exits,
            loud,
            quiet,
            well_dependencies: dependencies.len() - sick_dependencies.len(),
            sick_dependencies,
            failed: subject.failed_probes(),
            healthy: subject.healthy_probes(),
            subject,
        }
    }

    fn is_failing(&self) -> bool {
        self.failed > 0 || self.is_down()
    }

    fn is_down(&self) -> bool {
        self.condition.is_some_and(Condition::is_down)
    }

    fn is_running(&self) -> bool {
        self.condition.is_some_and(Condition::is_running)
    }

    fn count(&self, class: ProbeClass) -> usize {
        self.subject.probes_of(class)
    }

    fn uptime_ms(&self) -> u64 {
        self.condition.and_then(|condition| condition.uptime_ms).unwrap_or(0)
    }

    /// Points for a sign: many in a failing answer or in last words, fewer in the logs.
    fn sign(&self, case: &mut Case, sign: Sign, loud: i32, quiet: i32) -> bool {
        let find = |texts: &[&str]| {
            let mut hits =
                texts.iter().rev().flat_map(|text| text.lines()).filter(|line| signs_of(line).contains(&sign));
            hits.next().map(|first| (quote(first), 1 + hits.count()))
        };
        if let Some((line, _)) = find(&self.loud) {
            case.favour(loud, format!("it says `{line}`"));
            return true;
        }
        if let Some((line, count)) = find(&self.quiet) {
            case.favour(quiet, format!("its log says `{line}` ({count} such lines)"));
            return true;
        }
        false
    }

    fn foreign_owners(&self) -> impl Iterator<Item = (u16, &Owner)> {
        foreign_owners(self.subject)
    }

    fn fullest_disk(&self) -> Option<&Disk> {
        let disks = self.condition?.disks.iter();
        disks.min_by(|a, b| a.available_share().total_cmp(&b.available_share()))
    }

    fn is_storage_full(&self) -> bool {
        self.fullest_disk().is_some_and(is_full)
    }

    fn healthy(&self) -> Hypothesis {
        let mut case = Case::new(Cause::Healthy);
        if self.failed > 0 {
            case.against(99, format!("{} of {} probes fail", self.failed, self.failed + self.healthy));
        } else if self.healthy > 0 {
            case.favour(60, format!("all {} probes are answered well", self.healthy));
        }
        if self.is_down() {
            case.against(60, "its process is not running");
        }
        if self.subject.changed_process() {
            case.against(40, "its process changed while it was looked at");
        } else if self.is_running() {
            case.favour(15, "its process runs on without a restart");
        }
        match self.exits.first() {
            Some(exit) => case.against(25, format!("its process {} shortly before", exit.words())),
            None if self.condition.is_some() => case.favour(10, "its process did not end of late"),
            None => {}
        }
        if self.subject.started_ms().is_some_and(|started| started < self.moment.onset_ms) {
            case.favour(10, "the process is the one from before the alert");
        }
        if self.is_storage_full() {
            case.against(50, "there is no room left for its logs");
        }
        if self.condition.and_then(Condition::memory_share).is_some_and(|share| share > 0.95) {
            case.against(20, "its memory is at the limit");
        }
        case.close()
    }

    fn process_hung(&self) -> Hypothesis {
        let mut case = Case::new(Cause::ProcessHung);
        if self.condition.is_some() && !self.is_running() {
            case.against(90, "it is no process that could hang: it is not running");
            return case.close();
        }
        let timeouts = self.count(ProbeClass::TimedOut);
        let is_stopped = self.condition.is_some_and(Condition::is_stopped_by_signal);
        if is_stopped {
            case.favour(60, "its process is stopped (state T)");
        }
        if timeouts > 0 && self.healthy == 0 {
            case.favour(35, format!("{timeouts} probes got no answer in time, and none was answered well"));
        } else if timeouts > 0 {
            case.favour(15, format!("{timeouts} probes got no answer in time"));
        }
        let is_silent = timeouts > 0 || is_stopped;
        if is_silent && self.is_running() && self.exits.is_empty() && self.uptime_ms() >= GROWN_UP_MS {
            case.favour(10, "its process lives, and did not end of late");
        }
        match self.condition.and_then(|condition| condition.cpu_load) {
            Some(load) if is_silent && load < 0.03 => {
                case.favour(10, format!("it makes no progress: {load:.2} of a core"))
            }
            Some(load) if timeouts > 0 && load >= 0.9 => {
                case.favour(20, format!("it is busy ({load:.2} of a core) and answers nothing"))
            }
            _ => {}
        }
        if is_silent && self.subject.logs.as_ref().is_some_and(|lines| !lines.is_empty()) && self.quiet.is_empty() {
            case.favour(5, "its logs are silent since the fault began");
        }
        if is_silent {
            self.sign(&mut case, Sign::Deadlock, 15, 15);
        }
        let listens = self.subject.ports.iter().any(|(_, owner)| owner.is_some());
        if self.count(ProbeClass::Refused) > 0
            && !listens
            && !self.subject.ports.is_empty()
            && self.uptime_ms() >= GROWN_UP_MS
        {
            case.favour(50, "its process lives, and listens on none of its ports any more");
        }
        if self.count(ProbeClass::ServerError) + self.count(ProbeClass::OtherAnswer) > 0 {
            case.against(60, "it answers");
        }
        if self.healthy > 0 && !is_stopped {
            case.against(30, "some probes are answered well");
        }
        if self.foreign_owners().next().is_some() {
            case.against(40, "another process listens on its port");
        }
        if !self.sick_dependencies.is_empty() && !is_stopped {
            case.against(35, "it may be waiting for a dependency that is sick");
        }
        case.close()
    }

    fn oom_killed(&self) -> Hypothesis {
        let mut case = Case::new(Cause::OomKilled);
        let killed = self.exits.iter().filter(|exit| exit.out_of_memory).count();
        if killed > 0 {
            case.favour(75, format!("its process was killed at its memory limit ({killed} times of late)"));
        }
        if killed > 1 {
            case.favour(10, "it happened again after a new start");
        }
        let share = self.condition.and_then(Condition::memory_share);
        if let Some(share) = share.filter(|share| *share >= 0.9) {
            case.favour(20, format!("it uses {:.0} % of its memory limit", share * 100.0));
        }
        if killed == 0 && self.exits.iter().any(|exit| exit.signal == Some(9)) {
            case.favour(20, "its process was killed by signal 9");
        }
        self.sign(&mut case, Sign::OutOfMemory, 20, 15);
        if killed == 0 && self.condition.is_some() && share.is_none_or(|share| share < 0.8) {
            case.against(40, "no end of its process was for want of memory");
        }
        case.close()
    }

    fn port_conflict(&self) -> Hypothesis {
        let mut case = Case::new(Cause::PortConflict);
        if !self.subject.is_supervised() {
            case.against(60, "the service is not ours: whoever listens may be the service itself");
            return case.close();
        }
        for (port, owner) in self.foreign_owners() {
            match &owner.service {
                None => case.favour(
                    60,
                    format!(
                        "process {} (`{}`), which belongs to no service, listens on its port {port}",
                        owner.pid,
                        quote(&owner.command)
                    ),
                ),
                Some(other) => case.favour(50, format!("the service `{other}` listens on its port {port}")),
            }
        }
        let has_sign = self.sign(&mut case, Sign::AddressInUse, 30, 20);
        let is_taken = self.foreign_owners().next().is_some();
        if (is_taken || has_sign) && (self.is_down() || !self.exits.is_empty()) {
            case.favour(10, "its own process does not stay up");
        }
        if !is_taken && !self.subject.ports.is_empty() {
            case.against(40, "no other process listens on its ports");
        }
        if self.failed == 0 && self.healthy > 0 && self.is_running() && self.exits.is_empty() {
            case.against(50, "it runs and answers all the same");
        }
        case.close()
    }

    fn storage_full(&self) -> Hypothesis {
        let mut case = Case::new(Cause::StorageFull);
        let has_sign = self.sign(&mut case, Sign::NoSpace, 30, 20);
        let has_signal = self.exits.iter().any(|exit| exit.signal == Some(25));
        if has_signal {
            case.favour(45, "its process ended because a file reached its size limit (signal 25)");
        }
        if let Some(disk) = self.fullest_disk() {
            let left =
                format!("{} of {} bytes are left in `{}`", disk.available_bytes, disk.total_bytes, quote(&disk.path));
            let share = disk.available_share();
            if is_full(disk) {
                case.favour(60, left);
            } else if share <= 0.03 || (share <= 0.1 && (has_sign || has_signal)) {
                case.favour(40, left);
            } else if share > 0.15 {
                case.against(50, left);
            }
        }
        case.close()
    }

    fn bad_configuration(&self) -> Hypothesis {
        let Some(changes) = &self.subject.changes else {
            return Case::new(Cause::BadConfiguration).close();
        };
        let is_release = changes.iter().any(crate::patch::is_release);
        let mut case = Case::new(if is_release { Cause::ErrorSpikeAfterDeploy } else { Cause::BadConfiguration });
        let Some(latest) = changes.iter().map(|change| change.modified_ms).max() else {
            case.against(80, "its configuration is as it was when it was last healthy");
            return case.close();
        };
        let paths: Vec<_> = changes.iter().map(|change| format!("`{}`", quote(&change.path))).collect();
        case.favour(45, format!("{} changed since it was last healthy", paths.join(", ")));
        let onset = self.moment.onset_ms;
        if latest > onset.saturating_add(2_000) {
            case.against(20, "the change came after the fault began");
        } else if latest.saturating_add(CHANGE_WINDOW_MS) >= onset {
            case.favour(15, format!("the change came {} s before the alert", onset.saturating_sub(latest) / 1_000));
        }
        let answers_badly = self.count(ProbeClass::ServerError) + self.count(ProbeClass::OtherAnswer) > 0;
        if answers_badly && self.sick_dependencies.is_empty() {
            case.favour(10, "it answers with errors");
        }
        if self.exits.iter().any(|exit| exit.time_ms >= latest && !exit.out_of_memory) {
            case.favour(10, "its process ended after the change");
        }
        let words = crate::patch::changed_words(changes);
        let texts = || self.loud.iter().chain(&self.quiet);
        if let Some(word) = words.iter().find(|word| texts().any(|text| names(text, word))) {
            case.favour(15, format!("its own messages name `{}`, which is in the change", quote(word)));
        } else if self.is_failing() {
            self.sign(&mut case, Sign::BadConfiguration, 15, 10);
        }
        if self.condition.is_some_and(Condition::is_stopped_by_signal) {
            case.against(20, "a stopped process explains the symptom");
        }
        if self.foreign_owners().next().is_some() {
            case.against(10, "a taken port explains the symptom");
        }
        if self.is_storage_full() {
            case.against(10, "a full disk explains the symptom");
        }
        if !self.sick_dependencies.is_empty() {
            case.against(20, "a sick dependency explains the symptom");
        }
        case.close()
    }

    fn dependency_down(&self) -> Hypothesis {
        let mut case = Case::new(Cause::DependencyDown);
        for dependency in &self.sick_dependencies {
            let probes = dependency.failed_probes();
            case.favour(
                55,
                format!("its dependency `{}` fails {probes} of {} probes", dependency.name, dependency.probes.len()),
            );
        }
        if self.condition.is_some_and(|it| it.state == "external") && self.subject.is_sick() {
            case.favour(60, "it is not one of ours, and fails its probe");
        }
        let answers_badly = self.count(ProbeClass::ServerError) > 0;
        let is_silent = self.count(ProbeClass::TimedOut) > 0;
        if !self.sick_dependencies.is_empty() {
            if (answers_badly || is_silent) && self.is_running() {
                case.favour(15, "its own process lives and cannot do its work");
            }
            self.sign(&mut case, Sign::Unreachable, 15, 10);
            let is_named =
                |subject: &&&Subject| self.loud.iter().chain(&self.quiet).any(|text| names(text, &subject.name));
            if let Some(dependency) = self.sick_dependencies.iter().find(is_named) {
                case.favour(10, format!("its own messages name `{}`", dependency.name));
            }
        } else if self.well_dependencies > 0 {
            case.against(60, "each of its dependencies is healthy");
        } else if answers_badly && self.sign(&mut case, Sign::Unreachable, 40, 25) {
            case.favour(15, "it lives and answers with errors; the dependency that it names is not declared");
        }
        if self.condition.is_some_and(Condition::is_stopped_by_signal) {
            case.against(50, "its own process is stopped");
        }
        if self.failed == 0 && self.healthy > 0 {
            case.against(50, "it does its work all the same");
        }
        case.close()
    }

    /// A cause that shows in words alone.
    fn by_words(&self, cause: Cause, sign: Sign, loud: i32, quiet: i32) -> Hypothesis {
        let mut case = Case::new(cause);
        if self.is_failing() && self.sign(&mut case, sign, loud, quiet) {
            case.favour(5, "it fails at the same time");
        }
        case.close()
    }

    fn cpu_saturation(&self) -> Hypothesis {
        let mut case = Case::new(Cause::CpuSaturation);
        let Some(load) = self.condition.and_then(|condition| condition.cpu_load) else {
            return case.close();
        };
        if load < 0.7 {
            case.against(60, format!("it uses {load:.2} of a core"));
        } else if self.is_failing() {
            case.favour(if load >= 0.9 { 40 } else { 25 }, format!("it uses {load:.2} of a core"));
            if self.count(ProbeClass::TimedOut) > 0 {
                case.favour(15, "answers come too late");
            }
        }
        case.close()
    }

    fn memory_leak(&self) -> Hypothesis {
        let mut case = Case::new(Cause::MemoryLeak);
        let Some(share) = self.condition.and_then(Condition::memory_share) else {
            return case.close();
        };
        if share < 0.6 {
            case.against(50, format!("it uses {:.0} % of its memory limit", share * 100.0));
            return case.close();
        }
        let samples: Vec<u64> = self.subject.conditions.iter().filter_map(|(_, it)| it.memory_bytes).collect();
        let grows = samples.len() > 1 && samples.windows(2).all(|pair| matches!(pair, [a, b] if b > a));
        if share >= 0.8 {
            case.favour(35, format!("it uses {:.0} % of its memory limit", share * 100.0));
        }
        if grows {
            case.favour(15, "its memory grows with every look");
        }
        self.sign(&mut case, Sign::MemoryGrowth, 10, 10);
        case.close()
    }

    fn crash_loop(&self, others: &[Hypothesis]) -> Hypothesis {
        let mut case = Case::new(Cause::CrashLoop);
        match self.exits.as_slice() {
            [] if self.is_down() => case.favour(25, "its process is not running"),
            [] => case.against(70, "its process did not end of late"),
            [exit] => case.favour(30, format!("its process {}", exit.words())),
            [exit, ..] => case.favour(
                50,
                format!("its process ended {} times of late, at last it {}", self.exits.len(), exit.words()),
            ),
        }
        if !self.exits.is_empty() && self.is_down() {
            case.favour(20, "it is not running");
        }
        if self.exits.iter().any(|exit| exit.uptime_ms < SHORT_LIFE_MS) {
            case.favour(10, "it did not live long");
        }
        let explains = |it: &&Hypothesis| {
            it.confidence >= PLAUSIBLE && it.cause < Cause::CpuSaturation && it.cause != Cause::Healthy
        };
        if let Some(other) = others.iter().find(explains) {
            case.against(30, format!("{} explains why it ends", other.cause.name()));
        }
        case.close()
    }

    fn unknown(&self) -> Hypothesis {
        let mut case = Case::new(Cause::Unknown);
        if self.is_failing() || self.subject.probes.is_empty() {
            case.favour(30, "it does not work, and that alone does not say why");
        } else {
            case.favour(5, "there may be something that no probe shows");
        }
        case.close()
    }
}

/// The processes on the ports of a service that are not its own.
pub fn foreign_owners(subject: &Subject) -> impl Iterator<Item = (u16, &Owner)> {
    let own = subject.condition().and_then(|condition| condition.pid);
    subject.ports.iter().filter_map(move |(port, owner)| {
        let owner = owner.as_ref()?;
        let is_own = owner.service.as_deref() == Some(subject.name.as_str()) || own == Some(owner.pid);
        (!is_own).then_some((*port, owner))
    })
}

/// Nothing more can be written: less than a hundredth, or than a block.
pub fn is_full(disk: &Disk) -> bool {
    disk.total_bytes > 0 && (disk.available_share() <= 0.01 || disk.available_bytes < 4_096)
}

/// The ends that belong to this fault: since it began, and the latest if it is down.
pub fn recent_exits(condition: Option<&Condition>, moment: Moment) -> Vec<&Exit> {
    let Some(condition) = condition else {
        return Vec::new();
    };
    let is_recent =
        |(index, exit): &(usize, &Exit)| exit.time_ms >= moment.since_ms || (*index == 0 && condition.is_down());
    condition.exits.iter().enumerate().filter(is_recent).map(|(_, exit)| exit).collect()
}

/// A line for a list of evidence: one line, without control characters, not long.
pub fn quote(text: &str) -> String {
    let clean: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(200) {
        Some((at, _)) => format!("{}...", clean.get(..at).unwrap_or_default()),
        None => clean,
    }
}

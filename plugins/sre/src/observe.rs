//! Looking: what the alerted service and everything it depends on say of themselves right now.
//!
//! Several probes with the status beside each, since a fault may come and go; then logs, changed
//! configuration and port owners. Whatever could not be learnt is a gap, by name, and never health.

use pi_sdk::json;

use crate::facts::{Change, Condition, Description, LogLine, Owner, ProbeClass, ProbeResult, read};
use crate::settings::Settings;
use crate::world::{Call, World};

/// A chain of dependencies longer than this is not followed: a person should see it.
const SUBJECTS_MAX: usize = 8;
/// Ports of one service that are looked up.
const PORTS_MAX: usize = 8;
/// Lines without a time that are read as recent.
const UNTIMED_LINES_MAX: usize = 20;

/// Everything that was seen at one moment.
#[derive(Clone, Debug)]
pub struct Observation {
    pub time_ms: u64,
    /// The alerted service first, then what it depends on, nearest first.
    pub subjects: Vec<Subject>,
    pub gaps: Vec<String>,
}

/// One service as it was seen.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub name: String,
    pub description: Option<Description>,
    pub probes: Vec<(u64, ProbeResult)>,
    /// Oldest first.
    pub conditions: Vec<(u64, Condition)>,
    /// None: could not be read.
    pub logs: Option<Vec<LogLine>>,
    pub changes: Option<Vec<Change>>,
    pub ports: Vec<(u16, Option<Owner>)>,
}

impl Observation {
    /// The alerted service.
    pub fn target(&self) -> Option<&Subject> {
        self.subjects.first()
    }

    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// The declared dependencies of `subject` that were seen.
    pub fn dependencies<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = &'a Subject> {
        subject.description.iter().flat_map(|description| &description.depends_on).filter_map(|name| self.subject(name))
    }
}

impl Subject {
    pub fn condition(&self) -> Option<&Condition> {
        self.conditions.last().map(|(_, condition)| condition)
    }

    pub fn is_supervised(&self) -> bool {
        self.description.as_ref().is_some_and(|description| description.supervised)
    }

    pub fn healthy_probes(&self) -> usize {
        self.probes.iter().filter(|(_, probe)| probe.healthy).count()
    }

    pub fn failed_probes(&self) -> usize {
        self.probes.len() - self.healthy_probes()
    }

    pub fn probes_of(&self, class: ProbeClass) -> usize {
        self.probes.iter().filter(|(_, probe)| probe.class() == class).count()
    }

    /// It does not do its work: more than half of the probes fail, or it is not even running.
    pub fn is_sick(&self) -> bool {
        self.failed_probes() * 2 > self.probes.len() || self.condition().is_some_and(Condition::is_down)
    }

    /// Its process was another one, or started anew, while it was looked at.
    pub fn changed_process(&self) -> bool {
        let mut pids = self.conditions.iter().map(|(_, condition)| condition.pid);
        pids.next().is_some_and(|first| pids.any(|pid| pid != first))
    }

    /// When the process that runs now was started.
    pub fn started_ms(&self) -> Option<u64> {
        let (time, condition) = self.conditions.last()?;
        condition.pid?;
        condition.uptime_ms.map(|uptime| time.saturating_sub(uptime))
    }

    /// The log lines that tell of the time since `since_ms`: those with a later time, and of those
    /// without any the last ones, if nothing was done yet that would make them old.
    pub fn recent_lines(&self, since_ms: u64, is_untimed_recent: bool) -> Vec<&LogLine> {
        let lines = self.logs.as_deref().unwrap_or_default();
        let untimed = lines.iter().filter(|line| line.time_ms.is_none()).count();
        let mut older = untimed.saturating_sub(UNTIMED_LINES_MAX);
        lines
            .iter()
            .filter(|line| match line.time_ms {
                Some(time) => time >= since_ms,
                None if older > 0 => {
                    older -= 1;
                    false
                }
                None => is_untimed_recent,
            })
            .collect()
    }
}

/// The services that the grant covers.
pub fn services(world: &mut dyn World) -> Result<Vec<Description>, String> {
    let answer = world.call_one(Call::new("service_list", json!({})));
    let mut services: Vec<Description> = read("service_list", answer)?;
    for service in &mut services {
        if service.ports.is_empty() {
            service.ports.extend(local_port(&service.probe));
        }
    }
    Ok(services)
}

/// Look at `target` and at what it depends on.
pub fn observe(world: &mut dyn World, services: &[Description], target: &str, settings: &Settings) -> Observation {
    let mut gaps = Vec::new();
    let mut subjects = subjects(services, target, &mut gaps);
    for round in 0..settings.observe_probes {
        if round > 0 {
            world.sleep(settings.observe_interval_ms);
        }
        sample(world, &mut subjects, &mut gaps);
    }
    for (index, subject) in subjects.iter_mut().enumerate() {
        // A dependency that does its work has nothing to explain.
        if index == 0 || subject.is_sick() || subject.probes.is_empty() {
            read_evidence(world, subject, settings, &mut gaps);
        }
    }
    gaps.dedup();
    Observation { time_ms: world.now_ms(), subjects, gaps }
}

/// The target and, breadth first, what it depends on.
fn subjects(services: &[Description], target: &str, gaps: &mut Vec<String>) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    let mut waiting = vec![target.to_owned()];
    while let Some(name) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        if subjects.iter().any(|subject| subject.name == name) {
            continue;
        }
        if subjects.len() == SUBJECTS_MAX {
            gaps.push(format!("`{name}` was not looked at: more than {SUBJECTS_MAX} services hang together"));
            continue;
        }
        let description = services.iter().find(|service| service.name == name).cloned();
        match &description {
            Some(description) => waiting.extend(description.depends_on.iter().cloned()),
            None => gaps
                .push(format!("`{name}` is not among the services of the grant: nothing is known of how it is set up")),
        }
        subjects.push(Subject { name, description, ..Subject::default() });
    }
    subjects
}

/// One probe and one status of each subject, side by side.
pub fn sample(world: &mut dyn World, subjects: &mut [Subject], gaps: &mut Vec<String>) {
    let calls: Vec<Call> = subjects
        .iter()
        .flat_map(|subject| {
            let name = json!({ "name": subject.name });
            [Call::new("service_probe", name.clone()), Call::new("service_status", name)]
        })
        .collect();
    let mut answers = world.call(&calls).into_iter();
    let time = world.now_ms();
    for subject in subjects {
        let (probe, condition) = (answers.next(), answers.next());
        match probe.map(|answer| read::<ProbeResult>("service_probe", answer)) {
            Some(Ok(probe)) => subject.probes.push((time, probe)),
            Some(Err(gap)) => gaps.push(gap_of(subject, gap)),
            None => {}
        }
        match condition.map(|answer| read::<Condition>("service_status", answer)) {
            Some(Ok(condition)) => subject.conditions.push((time, condition)),
            Some(Err(gap)) => gaps.push(gap_of(subject, gap)),
            None => {}
        }
    }
}

fn read_evidence(world: &mut dyn World, subject: &mut Subject, settings: &Settings, gaps: &mut Vec<String>) {
    let name = &subject.name;
    let ports: Vec<u16> = subject.description.iter().flat_map(|it| it.ports.iter().copied()).take(PORTS_MAX).collect();
    let mut calls = vec![
        Call::new("service_logs", json!({ "name": name, "lines": settings.log_lines })),
        Call::new("service_changes", json!({ "name": name })),
    ];
    calls.extend(ports.iter().map(|port| Call::new("port_owner", json!({ "port": port }))));
    let mut answers = world.call(&calls).into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Ok(pi_sdk::Value::Null));
    match read("service_logs", next()) {
        Ok(lines) => subject.logs = Some(lines),
        Err(gap) => gaps.push(gap_of(subject, gap)),
    }
    match read("service_changes", next()) {
        Ok(changes) => subject.changes = Some(changes),
        Err(gap) => gaps.push(gap_of(subject, gap)),
    }
    for port in ports {
        match read("port_owner", next()) {
            Ok(owner) => subject.ports.push((port, owner)),
            Err(gap) => gaps.push(gap_of(subject, gap)),
        }
    }
}

fn gap_of(subject: &Subject, gap: String) -> String {
    format!("{}: {gap}", subject.name)
}

/// The port of this machine that a probe asks, from the probe's words.
fn local_port(probe: &str) -> Option<u16> {
    ["127.0.0.1:", "localhost:", "[::1]:", "0.0.0.0:"].iter().find_map(|host| {
        let (_, rest) = probe.split_once(host)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_probe_stands_in_for_one_that_is_not_written_down() {
        assert_eq!(local_port("http http://127.0.0.1:8080/health"), Some(8080));
        assert_eq!(local_port("tcp localhost:5432"), Some(5432));
        assert_eq!(local_port("http http://example.org:8080/"), None);
    }

    #[test]
    fn a_ring_of_dependencies_ends() {
        let service = |name: &str, on: &str| Description {
            name: name.into(),
            depends_on: vec![on.into()],
            ..Description::default()
        };
        let subjects = subjects(&[service("a", "b"), service("b", "a")], "a", &mut Vec::new());
        assert_eq!(subjects.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_dependency_outside_the_grant_is_a_gap() {
        let mut gaps = Vec::new();
        let service = Description { name: "a".into(), depends_on: vec!["b".into()], ..Description::default() };
        subjects(&[service], "a", &mut gaps);
        assert_eq!(gaps.len(), 1);
    }

    #[test]
    fn old_lines_are_not_recent() {
        let line = |time_ms, message: &str| LogLine { time_ms, source: "log".into(), message: message.into() };
        let subject = Subject {
            logs: Some(vec![line(Some(5), "old"), line(None, "untimed"), line(Some(20), "new")]),
            ..Subject::default()
        };
        let messages = |lines: Vec<&LogLine>| lines.iter().map(|l| l.message.clone()).collect::<Vec<_>>();
        assert_eq!(messages(subject.recent_lines(10, true)), ["untimed", "new"]);
        assert_eq!(messages(subject.recent_lines(10, false)), ["new"]);
    }
}

//! What a person should do next, when the agent hands over.

use crate::cause::Cause;
use crate::observe::{Observation, Subject};
use crate::orient::{foreign_owners, quote};
use crate::patch::Patch;

/// The steps for a person, the most important first.
pub fn next_steps(cause: Cause, observation: &Observation, subject: &Subject) -> Vec<String> {
    let name = &subject.name;
    match cause {
        Cause::DependencyDown => dependency(observation, subject),
        Cause::BadConfiguration | Cause::ErrorSpikeAfterDeploy => configuration(subject),
        Cause::OomKilled | Cause::MemoryLeak => vec![
            format!("find out what `{name}` holds in memory, or raise its `memory_bytes_max`"),
            "look at what changed in its load or its release: no configuration file explains it, or taking it back did not help".into(),
        ],
        Cause::StorageFull => storage(subject),
        Cause::PortConflict => port(subject),
        Cause::ProcessHung => vec![format!("take a stack trace of `{name}` before it is started again: a new start did not free it")],
        Cause::CrashLoop => vec![format!("read the last words of `{name}` in the events of incident.json: it ends soon after each start")],
        Cause::PermissionDenied => vec![format!("look at the owner and the mode of the files that the logs of `{name}` name, and at the user it runs as")],
        Cause::CertificateExpired => vec![format!("renew the certificate that the logs of `{name}` name")],
        Cause::DnsResolutionFailure => vec!["look at the resolver of this machine, and at the name that the logs say cannot be resolved".into()],
        Cause::ConnectionExhaustion => vec![format!("find out who holds the connections of `{name}`, or raise the size of its pool")],
        Cause::Throttled => vec![format!("lower the rate at which `{name}` asks, or have its quota raised")],
        Cause::CpuSaturation => vec![format!("profile `{name}`: it is busy and does not answer in time")],
        _ => vec![format!("look at `{name}` yourself: what it shows fits none of the known causes; the evidence is in incident.json")],
    }
}

/// The sick dependency that itself waits for nothing sick.
pub fn root_dependency<'a>(observation: &'a Observation, subject: &'a Subject) -> Option<&'a Subject> {
    let mut at = subject;
    // No chain is longer than the number of services; a ring ends the walk as well.
    for _ in 0..observation.subjects.len() {
        match observation.dependencies(at).find(|it| it.is_sick()) {
            Some(next) => at = next,
            None => break,
        }
    }
    (at.name != subject.name).then_some(at)
}

fn dependency(observation: &Observation, subject: &Subject) -> Vec<String> {
    let name = &subject.name;
    let Some(root) = root_dependency(observation, subject) else {
        if !subject.is_supervised() {
            return vec![format!("bring `{name}` back: it is not one of the services that are started here")];
        }
        return vec![format!("find the dependency that the messages of `{name}` name, and declare it in `depends_on`")];
    };
    let detail = root.probes.iter().rev().find(|(_, probe)| !probe.healthy).map(|(_, probe)| quote(&probe.detail));
    vec![
        format!("bring the dependency `{}` back: its probe says `{}`", root.name, detail.unwrap_or_default()),
        format!("`{name}` needs no new start for that; it was left alone on purpose"),
    ]
}

fn configuration(subject: &Subject) -> Vec<String> {
    let changes = subject.changes.iter().flatten();
    let mut steps: Vec<String> = changes
        .map(|change| match Patch::back(change) {
            Some(_) => {
                format!("take the change of `{}` back, or correct it, and restart `{}`", change.path, subject.name)
            }
            None => {
                format!("look at `{}`: it is new, gone or no text, so that it cannot be taken back here", change.path)
            }
        })
        .collect();
    steps.push("find out who changed the configuration, so that the change does not come back".into());
    steps
}

fn storage(subject: &Subject) -> Vec<String> {
    let disks = subject.condition().map(|condition| condition.disks.as_slice()).unwrap_or_default();
    let full = disks.iter().min_by(|a, b| a.available_share().total_cmp(&b.available_share()));
    let Some(disk) = full else {
        return vec![format!("make room where `{}` writes", subject.name)];
    };
    let files: Vec<_> =
        disk.files.iter().take(3).map(|file| format!("`{}` ({} bytes)", file.path, file.bytes)).collect();
    vec![format!("make room in `{}`; its largest files are {}", disk.path, files.join(", "))]
}

fn port(subject: &Subject) -> Vec<String> {
    let mut steps: Vec<String> = foreign_owners(subject)
        .map(|(port, owner)| match &owner.service {
            Some(other) => format!("`{other}` and `{}` both want port {port}: give one of them another", subject.name),
            None => format!("end process {} (`{}`), which holds port {port}", owner.pid, quote(&owner.command)),
        })
        .collect();
    if steps.is_empty() {
        steps.push(format!("find out which port `{}` cannot bind: none of its declared ones is taken", subject.name));
    }
    steps
}

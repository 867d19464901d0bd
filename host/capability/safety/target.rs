//! Which services an act changes, and what an agent may do to one by itself. As far as the act tells.

use std::path::Path;
use std::sync::Arc;

use crate::confine::Identity;
use crate::gate::{Act, Decision, Severity, WriteMode};
use crate::supervisor::Supervisor;

/// The restarts of what runs in a cloud.
const REBOOTS: &[&str] = &["ec2:RebootInstances", "rds:RebootDBInstance"];

/// Whether an act changes something. A native program whose command line is known to read alone does not.
#[must_use]
pub fn is_change(act: &Act, decision: &Decision) -> bool {
    match act {
        Act::ProcessRun { .. } => {
            decision.effects.is_empty() || decision.effects.iter().any(|effect| effect.severity > Severity::Read)
        }
        // A person's answer to a question about money.
        Act::Overspend { .. } => false,
        _ => act.severity() > Severity::Read,
    }
}

/// The services that an act changes, as far as it can be told from the act and the configuration alone.
pub(crate) fn services_of(act: &Act, supervisor: &Supervisor) -> Vec<String> {
    let of = |paths: &[&String]| {
        let mut services: Vec<String> = paths.iter().flat_map(|path| supervisor.services_of(Path::new(path))).collect();
        services.sort();
        services.dedup();
        services
    };
    match act {
        Act::ServiceRestart { service } | Act::LogRotate { service, .. } => vec![service.clone()],
        Act::FileWrite { path, .. }
        | Act::FileRemove { path, .. }
        | Act::FileMode { path, .. }
        | Act::FileTime { path }
        | Act::FileSymlink { link: path, .. } => of(&[path]),
        Act::FileRename { from, to } => of(&[from, to]),
        Act::CloudCall { account, region, resources, .. } => {
            supervisor.services_in_cloud(account, region, resources.iter().map(|it| it.id.as_str()))
        }
        // A script's acts come one by one; a program or a stray process belongs to no service.
        Act::ToolCall { .. }
        | Act::Script { .. }
        | Act::ProcessRun { .. }
        | Act::ProcessEnd { .. }
        | Act::FileRead { .. }
        | Act::FileList { .. }
        | Act::DirectoryMake { .. }
        | Act::ServiceRead { .. }
        | Act::ServiceProbe { .. }
        | Act::HttpRequest { .. }
        | Act::SqlQuery { .. }
        | Act::KeyValueWrite { .. }
        | Act::Overspend { .. } => Vec::new(),
    }
}

/// As [`services_of`], with a look at who listens: to end the process that has a service's port is an act on the service.
pub(super) async fn changed_by(act: &Act, supervisor: &Arc<Supervisor>) -> Vec<String> {
    let Act::ProcessEnd { pid, start_time, .. } = act else { return services_of(act, supervisor) };
    let (of, supervisor) = (Identity { pid: *pid, start_time: *start_time }, supervisor.clone());
    // It reads `/proc`.
    tokio::task::spawn_blocking(move || supervisor.services_at_ports_of(&of)).await.unwrap_or_default()
}

/// Whether an act that is no service's by itself is one on the service that its session was woken for: a program that
/// changes something, a process, a tool of a server. Files elsewhere, requests (somebody is paged) and a plugin's own
/// values are not.
pub(super) fn is_of_incident(act: &Act, decision: &Decision) -> bool {
    match act {
        Act::ProcessRun { .. } => decision.effects.iter().any(|effect| effect.severity > Severity::Read),
        Act::ProcessEnd { .. } | Act::ToolCall { .. } | Act::CloudCall { .. } => true,
        _ => false,
    }
}

/// Whether an agent may do this to a target of `autonomy = "auto"` if the policy lets it: what can be undone, and the
/// restart of one. Who has taken a service's port may be ended as well: that is the restart of what has no name here.
pub(super) fn is_by_itself(act: &Act, decision: &Decision, services: &[String], supervisor: &Supervisor) -> bool {
    match act {
        Act::ServiceRestart { .. } => services.len() == 1,
        // The reboot of one is its restart, whether or not it counts as something that can be undone.
        Act::CloudCall { operation, resources, reversible, .. } => {
            if REBOOTS.contains(&operation.as_str()) {
                resources.len() == 1
            } else {
                *reversible
            }
        }
        // What a log held is gone; of a configuration file there is the last good one.
        Act::FileWrite { path, mode: WriteMode::Create | WriteMode::Replace, .. } => {
            !supervisor.is_log(Path::new(path))
        }
        Act::FileRemove { .. } => false,
        Act::ProcessRun { .. } => decision.effects.iter().all(|effect| effect.severity < Severity::Destructive),
        Act::ToolCall { effect, .. } => *effect < Severity::Destructive,
        _ => true,
    }
}

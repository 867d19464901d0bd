//! Tries what this system lets a helper do, each in a child that ends with its namespaces.

use std::fs;

use rustix::process::{WaitOptions, waitpid};

use super::cgroup::Cgroups;
use super::namespaces;
use super::system::{self, Fork};
use crate::confine::{Abilities, Limits};

pub(super) fn abilities() -> Abilities {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let mut cgroups = Cgroups::create(&Limits::default());
    let is_joined = in_child(|| true, |pid| cgroups.join(pid));
    cgroups.remove();
    let pid_namespace = in_child(|| namespaces::enter().pid, |_| {});
    Abilities {
        landlock_abi: system::landlock_abi(),
        seccomp: actions.split_whitespace().any(|action| action == "errno"),
        pid_namespace,
        user_namespace: pid_namespace && in_child(|| namespaces::enter().user, |_| {}),
        mount_namespace: in_child(
            || namespaces::enter().pid && namespaces::make_read_only(&[], &[], &[]) == Ok(true),
            |_| {},
        ),
        memory_cgroup: cgroups.memory.filter(|_| is_joined),
        process_cgroup: cgroups.processes.filter(|_| is_joined),
    }
}

/// What `attempt` says in a child of its own. `meanwhile` is done to the child while it waits.
pub(super) fn in_child(attempt: impl FnOnce() -> bool, meanwhile: impl FnOnce(i32)) -> bool {
    let Ok((go, go_ours)) = rustix::pipe::pipe() else { return false };
    match system::fork() {
        Ok(Fork::Child) => {
            drop(go_ours);
            super::first::wait_for_go(go);
            system::exit_now(i32::from(!attempt()))
        }
        Ok(Fork::Parent(pid)) => {
            meanwhile(pid);
            super::first::say_go(&go_ours, false);
            let status = waitpid(rustix::process::Pid::from_raw(pid), WaitOptions::empty());
            status.ok().flatten().is_some_and(|(_, status)| status.exit_status() == Some(0))
        }
        Err(_) => false,
    }
}

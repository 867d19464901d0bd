//! What this system lets the confinement use. Found by trying, in a helper: a kernel that knows a
//! feature may still refuse it to this user, in this container.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use super::control::{self, Job, Report};
use super::{Confine, StartError};

/// What a confined program is held by here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// 0 where there is no Landlock.
    pub landlock_abi: u32,
    pub seccomp: bool,
    pub pid_namespace: bool,
    /// Whether the namespaces need a user namespace: the host is not root.
    pub user_namespace: bool,
    pub mount_namespace: bool,
    /// The version of the hierarchy in which a memory cgroup can be made.
    pub memory_cgroup: Option<u8>,
    pub process_cgroup: Option<u8>,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ability {
    pub name: &'static str,
    pub is_there: bool,
    /// What there is, or what its absence means and what would change it.
    pub text: String,
}

/// Try what this system allows. Takes some milliseconds.
///
/// # Errors
/// The helper could not be started: then no program can be.
pub async fn abilities(confine: &Confine) -> Result<Abilities, StartError> {
    let nothing = File::open("/dev/null").map_err(|error| StartError::Helper(format!("no /dev/null: {error}")))?;
    let mut helper = control::launch(confine, &Job::Probe, nothing.as_fd(), Stdio::null(), Stdio::null())?;
    let answer = helper.reports.first().await;
    let _ = helper.child.start_kill();
    let _ = helper.child.wait().await;
    match answer? {
        Report::Abilities(abilities) => Ok(abilities),
        _ => Err(StartError::Helper("an answer to another question".into())),
    }
}

impl Abilities {
    /// Every ability, in words, the most important first.
    #[must_use]
    pub fn lines(&self) -> Vec<Ability> {
        let line = |name, is_there: bool, there: String, lacking: &str| Ability {
            name,
            is_there,
            text: if is_there { there } else { lacking.to_owned() },
        };
        let cgroup = |version: Option<u8>| format!("cgroup v{}", version.unwrap_or(0));
        vec![
            line(
                "landlock",
                self.landlock_abi > 0,
                format!("ABI {}", self.landlock_abi),
                "native programs can read every file that this user can read; needs Linux 5.13 with `landlock` in CONFIG_LSM or the `lsm=` boot parameter",
            ),
            line(
                "landlock signals",
                self.landlock_abi >= 6,
                "programs cannot signal anything outside".into(),
                "only the PID namespace keeps programs from signalling others; needs Linux 6.12",
            ),
            line(
                "seccomp",
                self.seccomp,
                "filters".into(),
                "native programs can use every system call, and the network without a grant; needs CONFIG_SECCOMP_FILTER",
            ),
            line(
                "pid namespace",
                self.pid_namespace,
                if self.user_namespace { "in a user namespace" } else { "as root" }.into(),
                "descendants are ended one by one through /proc, and one that kills the helper escapes; run as root, or allow user namespaces (`sysctl user.max_user_namespaces`, `kernel.apparmor_restrict_unprivileged_userns`)",
            ),
            line(
                "mount namespace",
                self.mount_namespace,
                "everything outside of the grant is mounted read-only".into(),
                "programs may not change modes, owners, times or attributes of any file, not even of granted ones (seccomp refuses it; without seccomp they may, of every file of this user); needs Linux 5.12 and the same as the PID namespace",
            ),
            line(
                "memory cgroup",
                self.memory_cgroup.is_some(),
                cgroup(self.memory_cgroup),
                "memory is limited for each process by the kernel, for all together only by looking 20 times a second; needs cgroup v1 and root, or cgroup v2 and a delegated cgroup whose processes are in `pi-host` below it (`systemd-run --user -p Delegate=yes -p DelegateSubgroup=pi-host`, systemd 254)",
            ),
            line(
                "process cgroup",
                self.process_cgroup.is_some(),
                cgroup(self.process_cgroup),
                "as root the number of processes is limited only by looking 20 times a second; else by RLIMIT_NPROC",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lack_says_what_follows_from_it() {
        assert!(Abilities::default().lines().iter().all(|line| !line.is_there && line.text.len() > 40));
    }

    #[test]
    fn nothing_lacks_where_all_is_there() {
        let all = Abilities {
            landlock_abi: 7,
            seccomp: true,
            pid_namespace: true,
            user_namespace: false,
            mount_namespace: true,
            memory_cgroup: Some(2),
            process_cgroup: Some(2),
        };
        assert!(all.lines().iter().all(|line| line.is_there));
    }
}

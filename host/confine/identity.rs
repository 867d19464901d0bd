//! Which process is meant, for good: its pid together with its start time; and its end.
//!
//! A pid alone is reused. Everything here signals through a pidfd whose start time was compared
//! after it was opened, so that a newcomer with an old number is never hit.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::procfs::{self, Stat};
use crate::clock::{Duration, monotonic};

/// Rounds of killing and looking again. Each kills all that it sees: one is the rule, and more
/// are needed only against a process that forks as fast as it is killed.
const KILL_ROUNDS_MAX: u32 = 50;
/// How long one round waits for the killed to be gone.
const KILL_WAIT: Duration = Duration::from_millis(200);
/// The variable that marks a service's processes, so that those which outlive it can be told.
pub(crate) const MARK: &str = "PI_SERVICE_RUN";

/// One process, for as long as the machine is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    /// Clock ticks between the machine's boot and its start (`/proc/PID/stat`, field 22).
    pub start_time: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum EndError {
    #[error("process {0} is this host or one that it runs under: it is not ended")]
    Protected(u32),
    #[error("process {0} may not be signalled by this user")]
    Permission(u32),
    #[error("processes did not end when they were killed: {0:?}")]
    Survived(Vec<u32>),
    #[error("process {0} could not be signalled")]
    System(u32, #[source] io::Error),
}

/// The process that has this number now. None if there is none, or it is a zombie.
#[must_use]
pub fn identity(pid: u32) -> Option<Identity> {
    let stat = procfs::stat(pid).filter(|stat| !stat.is_dead())?;
    Some(Identity { pid, start_time: stat.start_time })
}

/// Whether it runs. A zombie does not.
#[must_use]
pub fn is_alive(of: &Identity) -> bool {
    identity(of.pid).as_ref() == Some(of)
}

/// Its children, their children, and so on. Those that left by a double fork are not among them.
#[must_use]
pub fn descendants(pid: u32) -> Vec<Identity> {
    procfs::below(&procfs::all(), pid).iter().filter(|stat| !stat.is_dead()).map(Identity::from).collect()
}

/// All living processes that belong to `of`: itself, its descendants, the session and the group that it
/// leads, and what carries the mark of the service that it is or was. Works for a service that
/// has died and left workers behind.
#[must_use]
pub fn family(of: &Identity) -> Vec<Identity> {
    let all = procfs::all();
    let mark = mark(of);
    let leader = all.iter().find(|stat| Identity::from(*stat) == *of);
    let mut members: Vec<Stat> = all
        .iter()
        .filter(|stat| {
            let led = leader.is_some_and(|leader| {
                (leader.session == leader.pid && stat.session == leader.pid)
                    || (leader.group == leader.pid && stat.group == leader.pid)
                    || stat.pid == leader.pid
            });
            led || procfs::has_environment(stat.pid, &mark)
        })
        .copied()
        .collect();
    for root in members.clone() {
        for stat in procfs::below(&all, root.pid) {
            if !members.iter().any(|known| known.pid == stat.pid) {
                members.push(stat);
            }
        }
    }
    members.iter().filter(|stat| !stat.is_dead()).map(Identity::from).collect()
}

/// End it and its [`family`]: politely, and after `grace` not. Returns when all of them are gone;
/// at once if they were before.
///
/// # Errors
/// It is this host or an ancestor, belongs to another user, or does not die (a disk that hangs).
pub async fn end(of: &Identity, grace: Duration) -> Result<(), EndError> {
    let protected = own_line();
    if protected.contains(&of.pid) && is_alive(of) {
        return Err(EndError::Protected(of.pid));
    }
    let victims = |of: &Identity| -> Vec<Handle> {
        family(of).iter().filter(|member| !protected.contains(&member.pid)).filter_map(Handle::open).collect()
    };
    let polite = victims(of);
    for handle in &polite {
        handle.signal(Signal::TERM)?;
        // A stopped process takes its signals only when it goes on.
        handle.signal(Signal::CONT)?;
    }
    let polite = gone_within(polite, grace).await;
    for _ in 0..KILL_ROUNDS_MAX {
        // Those that were seen first are kept: a child whose parent has died is not found again.
        let mut left = victims(of);
        left.extend(
            polite
                .iter()
                .filter(|handle| is_alive(&handle.identity))
                .filter_map(|handle| Handle::open(&handle.identity)),
        );
        if left.is_empty() {
            return Ok(());
        }
        for handle in &left {
            handle.signal(Signal::KILL)?;
        }
        gone_within(left, KILL_WAIT).await;
    }
    let survivors: Vec<u32> = family(of).iter().map(|member| member.pid).collect();
    if survivors.is_empty() { Ok(()) } else { Err(EndError::Survived(survivors)) }
}

/// `NAME=value` in the environment of every process of a service.
pub(crate) fn mark(of: &Identity) -> String {
    format!("{MARK}={}.{}", of.pid, of.start_time)
}

impl From<&Stat> for Identity {
    fn from(stat: &Stat) -> Self {
        Self { pid: stat.pid, start_time: stat.start_time }
    }
}

/// A hold on one process that cannot slip to another.
struct Handle {
    identity: Identity,
    pidfd: OwnedFd,
}

impl Handle {
    fn open(of: &Identity) -> Option<Self> {
        Some(Self { identity: *of, pidfd: pidfd(of)? })
    }

    fn signal(&self, signal: Signal) -> Result<(), EndError> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(rustix::io::Errno::PERM) => Err(EndError::Permission(self.identity.pid)),
            Err(error) => Err(EndError::System(self.identity.pid, error.into())),
        }
    }
}

/// Wait until all of them have ended, at most so long. Not waiting for a child of this host: its
/// owner does.
async fn gone_within(handles: Vec<Handle>, within: Duration) -> Vec<Handle> {
    let deadline = monotonic() + within;
    let waiting = tokio::task::spawn_blocking(move || {
        for handle in &handles {
            let left = deadline.saturating_duration_since(monotonic());
            // A pidfd is readable once its process has ended.
            let _ = poll(&mut [PollFd::new(&handle.pidfd, PollFlags::IN)], Timespec::try_from(left).ok().as_ref());
        }
        handles
    });
    // The task only fails when the runtime is shut down.
    waiting.await.unwrap_or_default()
}

/// A pidfd of exactly this process. Compared after opening: before, the number could change hands.
pub(crate) fn pidfd(of: &Identity) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(of.pid).ok()?)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    is_alive(of).then_some(pidfd)
}

/// This process and all that it runs under.
fn own_line() -> Vec<u32> {
    let mut line = vec![std::process::id(), 1];
    let mut pid = std::process::id();
    while let Some(stat) = procfs::stat(pid) {
        pid = stat.parent;
        if pid <= 1 || line.contains(&pid) {
            break;
        }
        line.push(pid);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive() {
        let me = identity(std::process::id()).unwrap();
        assert!(is_alive(&me));
    }

    #[test]
    fn another_start_time_is_another_process() {
        let mut other = identity(std::process::id()).unwrap();
        other.start_time += 1;
        assert!(!is_alive(&other));
        assert!(pidfd(&other).is_none());
    }

    #[tokio::test]
    async fn ending_itself_is_refused() {
        let me = identity(std::process::id()).unwrap();
        assert!(matches!(end(&me, Duration::ZERO).await, Err(EndError::Protected(_))));
    }

    #[tokio::test]
    async fn ending_the_first_process_is_refused() {
        let first = identity(1).unwrap();
        assert!(matches!(end(&first, Duration::ZERO).await, Err(EndError::Protected(1))));
    }

    #[tokio::test]
    async fn a_reused_pid_is_not_hit() {
        let mut child = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
        let mut stale = identity(child.id().unwrap()).unwrap();
        stale.start_time -= 1;
        end(&stale, Duration::ZERO).await.unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_stopped_process_is_ended() {
        let mut child = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
        let target = identity(child.id().unwrap()).unwrap();
        pidfd_send_signal(pidfd(&target).unwrap(), Signal::STOP).unwrap();
        end(&target, Duration::from_secs(10)).await.unwrap();
        assert!(child.wait().await.unwrap().code().is_none());
    }

    #[tokio::test]
    async fn one_that_ignores_politeness_is_killed() {
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        tokio::io::AsyncReadExt::read_exact(child.stdout.as_mut().unwrap(), &mut ready).await.unwrap();
        let target = identity(child.id().unwrap()).unwrap();
        end(&target, Duration::from_millis(50)).await.unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().await.unwrap()), Some(9));
    }
}

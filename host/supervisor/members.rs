//! Which processes are a service: its first one, what that one started, and whatever else is in its
//! control group or carries its mark.

use super::memory::MemoryGroup;
use super::procfs::{self, Stat};
use crate::clock::Duration;
use crate::confine::{self, EndError, Identity};

/// How soon the end of a process that is not the host's own child is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How the processes of one life of a service are known.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub(crate) main: Identity,
    pub(crate) group: Option<MemoryGroup>,
}

impl Members {
    /// The first process and its descendants, and the control group's: cheap, for sampling. The first
    /// process comes first.
    pub(crate) fn tree(&self) -> Vec<Stat> {
        let mut pids = vec![self.main.pid];
        let mut next = 0;
        while let Some(pid) = pids.get(next).copied() {
            next += 1;
            pids.extend(procfs::children(pid));
        }
        if let Some(group) = &self.group {
            let others: Vec<u32> = group.processes().into_iter().filter(|pid| !pids.contains(pid)).collect();
            pids.extend(others);
        }
        let stats: Vec<Stat> = pids.into_iter().filter_map(procfs::stat).collect();
        match stats.first() {
            // The number is another process's by now: then nothing under it is ours either.
            Some(first) if first.pid == self.main.pid && first.start_time != self.main.start_time => Vec::new(),
            _ => stats,
        }
    }

    /// Every process that belongs to it.
    pub(crate) fn all(&self) -> Vec<Identity> {
        let mut all = confine::family(&self.main);
        for pid in self.group.as_ref().map(MemoryGroup::processes).unwrap_or_default() {
            if !all.iter().any(|identity| identity.pid == pid) {
                all.extend(confine::identity(pid));
            }
        }
        all
    }

    /// End all of it, politely for as long as `polite`, and then not.
    pub(crate) async fn end(&self, polite: Duration) -> Result<(), EndError> {
        confine::end(&self.main, polite).await?;
        // What left the family (a daemon with an environment of its own) is still in the group.
        for pid in self.group.as_ref().map(MemoryGroup::processes).unwrap_or_default() {
            if let Some(identity) = confine::identity(pid) {
                confine::end(&identity, Duration::ZERO).await?;
            }
        }
        Ok(())
    }
}

/// Wait until this very process has ended. At once if it has. Looking costs some 20 microseconds; to be
/// told instead would hold a thread for each service.
pub(crate) async fn ended(of: &Identity) {
    while confine::is_alive(of) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

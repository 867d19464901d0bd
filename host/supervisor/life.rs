//! One life of a service, from its start to its end: who it is, how it ended, and whether memory was why.

use super::members::{Members, ended};
use super::memory::MemoryGroup;
use super::procfs::Stat;
use crate::clock::{self, Duration, Instant};
use crate::confine::service::{Service, ServiceExit};

/// The kernel's kill and the end of the service may be this far apart: it kills one process, and the
/// rest follows.
const MEMORY_END_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Life {
    pub(crate) members: Members,
    /// None: started by an earlier host, so how it ends cannot be learned.
    pub(crate) service: Option<Service>,
    pub(crate) memory: MemoryWatch,
}

impl Life {
    /// Wait for its end. May be cancelled and called again.
    pub(crate) async fn ended(&mut self) -> ServiceExit {
        let unknown = ServiceExit { code: None, signal: None };
        match &mut self.service {
            Some(service) => service.wait().await.unwrap_or(unknown),
            None => {
                ended(&self.members.main).await;
                unknown
            }
        }
    }
}

/// Whether the memory ran out.
pub(crate) struct MemoryWatch {
    group: Option<MemoryGroup>,
    /// Watched by us, since there is no group to do it.
    resident_bytes_max: Option<u64>,
    kills: u64,
    ran_out: Option<Instant>,
}

impl MemoryWatch {
    /// `kills` is the group's count when this life began.
    pub(crate) fn new(group: Option<MemoryGroup>, bytes_max: Option<u64>, kills: u64) -> Self {
        let resident_bytes_max = if group.is_some() { None } else { bytes_max };
        Self { group, resident_bytes_max, kills, ran_out: None }
    }

    /// Whether the resident size has to be looked at often.
    pub(crate) fn is_sampled(&self) -> bool {
        self.resident_bytes_max.is_some()
    }

    /// Look. True if the processes are beyond the limit, and nobody but us will end them.
    pub(crate) fn look(&mut self, processes: &[Stat]) -> bool {
        self.count();
        let resident: u64 = processes.iter().map(|stat| stat.resident_bytes).sum();
        let is_beyond = self.resident_bytes_max.is_some_and(|limit| resident > limit);
        if is_beyond {
            self.ran_out = Some(clock::monotonic());
        }
        is_beyond
    }

    /// Asked when it has ended: did memory end it?
    pub(crate) fn has_run_out(&mut self) -> bool {
        self.count();
        self.ran_out.is_some_and(|then| then.elapsed() < MEMORY_END_WITHIN)
    }

    fn count(&mut self) {
        let kills = self.group.as_ref().map_or(0, MemoryGroup::out_of_memory_kills);
        if kills > self.kills {
            self.ran_out = Some(clock::monotonic());
        }
        self.kills = kills;
    }
}

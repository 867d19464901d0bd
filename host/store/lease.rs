//! One store has one host: who holds it, until when, and whether that process still lives.
//!
//! The lease has an epoch that grows with each holder. A write carries the epoch of its host, and
//! the database refuses it when it is not the current one: a host that was suspended and wakes up
//! after another took over cannot write any more.

use std::fs;

use serde::Serialize;

use super::StoreError;
use crate::clock;

/// A lease that is not prolonged for so long may be taken over while its holder's process lives
/// (suspended, or on another machine). A dead process of this machine is taken over at once.
pub const LEASE_MS: u64 = 15_000;

/// A process that wants to be the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Made anew for each holder.
    pub host: String,
    /// What it is, for people: `run`, `tool call`.
    pub name: String,
    pub pid: u32,
    /// Clock ticks after boot, as in `/proc/PID/stat`: with the pid it names one process for ever.
    pub start_time: u64,
    /// This boot of this machine, and its namespace of pids. Empty where that is not known.
    pub machine: String,
}

/// The right to write. Plain data: what is refused is decided by the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub host: String,
    pub epoch: u64,
}

/// Who holds a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    pub host: String,
    pub name: String,
    pub pid: u32,
    pub start_time: u64,
    pub machine: String,
    pub epoch: u64,
    pub since_ms: u64,
    pub expires_ms: u64,
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    #[error("the store is in use by another host: `{}`, pid {}, since {}", .0.name, .0.pid, clock::rfc3339(.0.since_ms))]
    HeldBy(Held),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LeaseError {
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            LeaseError::HeldBy(held) => format!(
                "end it first (`kill {}`), or leave the work to it: `pi-host tool call` and `session` work beside a host",
                held.pid
            ),
            LeaseError::Store(error) => error.hint().to_string(),
        }
    }
}

impl Holder {
    /// This process. `name` says what it is, for people.
    #[must_use]
    pub fn this_process(name: &str) -> Self {
        let pid = std::process::id();
        Self {
            host: random_id(),
            name: name.into(),
            pid,
            start_time: start_time_of(pid).unwrap_or(0),
            machine: machine(),
        }
    }
}

impl Held {
    /// Whether another may take over now: the holder's process is dead or, where that cannot be
    /// known, its lease has run out. A clock that was set forward ends nobody's lease on this machine.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.is_alive().map_or(self.expires_ms <= now_ms, |is_alive| !is_alive)
    }

    /// None for a process of another machine.
    fn is_alive(&self) -> Option<bool> {
        let machine = machine();
        let is_here = !machine.is_empty() && machine == self.machine && self.start_time != 0;
        is_here.then(|| start_time_of(self.pid) == Some(self.start_time))
    }
}

/// 32 hex digits that nobody guesses or meets twice.
pub(super) fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if got.ok() != Some(bytes.len()) {
        // The kernel always has 16 bytes once it has booted; time and pid are unique enough if not.
        let unique = (u128::from(clock::now_ms()) << 64) | u128::from(std::process::id());
        bytes = unique.to_be_bytes();
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// None: no such process, or it is dead and not yet collected.
fn start_time_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may itself hold any character.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // The state is field 3, the start time field 22.
    fields.nth(18)?.parse().ok()
}

fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let pids = fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
    if boot.is_empty() || pids.is_empty() {
        return String::new();
    }
    format!("{} {pids}", boot.trim())
}

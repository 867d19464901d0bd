//! Which process: the pid alone is used again, pid and start time together name one process for good.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal};

/// One process of this machine, until the next boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub pid: u32,
    /// Clock ticks since boot.
    pub start_time: u64,
}

impl Identity {
    /// The process that has this pid now.
    ///
    /// # Errors
    /// There is none.
    pub fn of(pid: u32) -> io::Result<Self> {
        let (_, start_time) = read_stat(pid)?;
        Ok(Self { pid, start_time })
    }

    /// It runs, or stands stopped; one that has ended and was not yet waited for does not count.
    #[must_use]
    pub fn is_alive(self) -> bool {
        read_stat(self.pid)
            .is_ok_and(|(state, start_time)| start_time == self.start_time && !matches!(state, 'Z' | 'X'))
    }

    /// Send a signal to this very process. False if it is gone.
    #[must_use]
    pub fn signal(self, signal: Signal) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return false;
        };
        // The descriptor pins the process; what is checked after opening it holds when the signal is sent.
        let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        self.is_alive() && rustix::process::pidfd_send_signal(&handle, signal).is_ok()
    }
}

/// The state letter and the start time.
fn read_stat(pid: u32) -> io::Result<(char, u64)> {
    let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))?;
    // The command's name may hold anything: what counts stands behind the last parenthesis.
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let state = fields.first().and_then(|state| state.chars().next());
    match (state, fields.get(19).and_then(|ticks| ticks.parse().ok())) {
        (Some(state), Some(start_time)) => Ok((state, start_time)),
        _ => Err(io::Error::new(ErrorKind::InvalidData, format!("cannot read /proc/{pid}/stat"))),
    }
}

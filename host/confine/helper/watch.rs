//! The helper as a watcher: it starts the program, passes signals on, and sees to it that nothing is
//! left when the program ends, when the host says so, or when the host is gone.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process_group, pidfd_open,
    pidfd_send_signal, set_child_subreaper, set_dumpable_behavior, setsid, wait, waitpid,
};

use super::cgroup::Cgroups;
use super::granted::Granted;
use super::namespaces::{self, Namespaces};
use super::system::{self, Fork};
use super::{confinement, fail, first, let_go_of_streams, program};
use crate::clock::Duration;
use crate::confine::control::{self, Report};
use crate::confine::identity::{self, Identity};
use crate::confine::{Spec, StartError, procfs};

/// How often the processes are looked at where no cgroup counts them.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How often the number of all threads is looked at where the kernel does not limit the processes: a
/// bomb of forks makes thousands between two looks of the other kind. One small read.
const GLANCE_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 4_000_000 };
const GLANCES_PER_LOOK: u32 = 12;

/// So many signals are taken from the host at once: more than its socket holds of single bytes.
const SIGNALS_AT_ONCE_MAX: usize = 1024;

/// Between two rounds of killing without a namespace.
const GONE_AGAIN: Duration = Duration::from_millis(1);

/// The pipes between the helper and what it forks.
pub(super) struct Pipes {
    /// A byte once this process is in its cgroup, see [`first::wait_for_go`]; its end if the helper has died.
    pub go: OwnedFd,
    /// A [`StartError`], or the end of it when the program is executed.
    pub status: OwnedFd,
    /// How the program ended, from the first process of a namespace.
    pub ending: OwnedFd,
}

pub(super) fn run(control: &UnixStream, spec: Spec, input: OwnedFd) -> i32 {
    match start(spec, input) {
        Ok(mut watch) => watch.until_the_end(control),
        Err(error) => fail(control, &error),
    }
}

fn start(spec: Spec, input: OwnedFd) -> Result<Watch, StartError> {
    let failed = |what: &str, error: Errno| confinement(what, &error);
    let granted = Granted::open(&spec)?;
    let _ = setsid();
    // Descendants that leave their parents become this one's children, and can be found.
    set_child_subreaper(Pid::from_raw(1)).map_err(|error| failed("no subreaper", error))?;
    let mut cgroups = Cgroups::create(&spec.limits);
    let namespaces = namespaces::enter();
    // Nobody reads or changes the helper through `/proc`. After the namespaces: their maps are written there.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed("no pipe", error));
    let (go, go_ours) = pipe()?;
    let (status_ours, status) = pipe()?;
    let (ending_ours, ending) = pipe()?;
    let processes = spec.limits.processes;
    let memory_bytes = spec.limits.memory_bytes;
    let threads_before = procfs::threads();
    let child = match system::fork().map_err(|error| confinement("no fork", &error))? {
        Fork::Child => {
            drop((go_ours, status_ours, ending_ours));
            let pipes = Pipes { go, status, ending };
            if namespaces.pid {
                first::be(&spec, &granted, &input, pipes, namespaces)
            } else {
                let has_memory_cgroup = first::wait_for_go(pipes.go);
                program::be(&spec, &granted, &input, &pipes.status, namespaces, false, has_memory_cgroup)
            }
        }
        Fork::Parent(pid) => pid,
    };
    cgroups.join(child);
    // Only now is it known: memory that no cgroup counts must not be had.
    first::say_go(&go_ours, cgroups.memory.is_some());
    let child = Pid::from_raw(child).ok_or_else(|| confinement("no child", &child))?;
    let pidfd = pidfd_open(child, PidfdFlags::empty()).map_err(|error| failed("no pidfd", error))?;
    let_go_of_streams();
    Ok(Watch {
        child,
        pidfd,
        status: Some(status_ours),
        ending: ending_ours,
        namespaces,
        cgroups,
        processes,
        memory_bytes,
        glances: 0,
        threads_before,
    })
}

struct Watch {
    child: Pid,
    pidfd: OwnedFd,
    status: Option<OwnedFd>,
    ending: OwnedFd,
    namespaces: Namespaces,
    cgroups: Cgroups,
    processes: u32,
    memory_bytes: u64,
    glances: u32,
    /// Of the whole machine.
    threads_before: u64,
}

impl Watch {
    fn until_the_end(&mut self, control: &UnixStream) -> i32 {
        let mut is_host_there = true;
        let is_counted = self.cgroups.memory.is_some() && self.cgroups.processes.is_some();
        let timeout = match (self.is_unlimited(), is_counted) {
            (true, _) => Some(&GLANCE_EVERY),
            // Without a namespace, orphans are this process's to wait for.
            (false, false) => Some(&LOOK_EVERY),
            (false, true) => (!self.namespaces.pid).then_some(&LOOK_EVERY),
        };
        loop {
            let word = is_host_there.then(|| control.as_fd());
            let Ok(news) = wait_for([Some(self.pidfd.as_fd()), self.status.as_ref().map(AsFd::as_fd), word], timeout)
            else {
                continue;
            };
            let [ended, status, word] = news;
            if !status.is_empty()
                && let Some(exit) = self.read_status(control)
            {
                return exit;
            }
            if !word.is_empty() {
                is_host_there = self.listen(control, word);
            }
            if !ended.is_empty() {
                return self.end(control);
            }
            if news == [PollFlags::empty(); 3] {
                self.glance();
            }
        }
    }

    /// The start has gone well or not. Returns the helper's exit code in the latter case.
    fn read_status(&mut self, control: &UnixStream) -> Option<i32> {
        let mut text = Vec::new();
        let _ = std::fs::File::from(self.status.take()?).read_to_end(&mut text);
        if text.is_empty() {
            let pid = self.child.as_raw_nonzero().get().unsigned_abs();
            let start_time = procfs::stat(pid).map_or(0, |stat| stat.start_time);
            control::report(control, &Report::Started(Identity { pid, start_time }));
            return None;
        }
        let error = serde_json::from_slice(&text).unwrap_or_else(|error| confinement("no status", &error));
        self.kill_all();
        self.clean_up();
        Some(fail(control, &error))
    }

    /// Signals from the host, or the end of its words, which is the kill. False after that.
    fn listen(&self, control: &UnixStream, news: PollFlags) -> bool {
        let mut bytes = [0; SIGNALS_AT_ONCE_MAX];
        let mut socket = control;
        // The end counts before what was said last: signals that a guest has sent in a flood, each a look at
        // all processes, do not put off the kill.
        let is_over = news.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR);
        let length = if is_over { 0 } else { socket.read(&mut bytes).unwrap_or(0) };
        if length == 0 {
            self.kill_all();
            return false;
        }
        let numbers = last_of_each(bytes.get(..length).unwrap_or_default());
        let signals: Vec<Signal> =
            numbers.into_iter().filter_map(|number| Signal::from_named_raw(i32::from(number))).collect();
        self.signal_all(&signals);
        true
    }

    /// Every process of the run that can be seen, the first of a namespace left out.
    fn members(&self) -> Vec<procfs::Stat> {
        let own = std::process::id();
        let first = self.child.as_raw_nonzero().get().unsigned_abs();
        let mut members = procfs::below(&procfs::all(), own);
        members.retain(|stat| !(stat.is_dead() || self.namespaces.pid && stat.pid == first));
        members
    }

    fn signal_all(&self, signals: &[Signal]) {
        for member in self.members() {
            let Some(pidfd) = identity::pidfd(&Identity::from(&member)) else { continue };
            for signal in signals {
                let _ = pidfd_send_signal(&pidfd, *signal);
            }
        }
    }

    fn kill_all(&self) {
        // In a namespace this is all: the kernel ends the rest before it says that this one is dead.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        if self.namespaces.pid {
            return;
        }
        // Its group at one blow, so that a bomb of forks does not outrun this. The number is the
        // program's as long as it was not waited for. Then those that left the group: stopped
        // first, so that none forks while the others are killed.
        let _ = kill_process_group(self.child, Signal::KILL);
        self.signal_all(&[Signal::STOP]);
        while !self.members().is_empty() {
            self.signal_all(&[Signal::KILL]);
            self.reap();
            std::thread::sleep(GONE_AGAIN);
        }
    }

    /// Whether no cgroup limits the processes and RLIMIT_NPROC does not hold: it never does for root.
    fn is_unlimited(&self) -> bool {
        self.cgroups.processes.is_none() && rustix::process::getuid().is_root()
    }

    /// Look, if it is time, or if there are suspiciously many more threads than at the start.
    fn glance(&mut self) {
        self.glances += 1;
        let is_time = !self.is_unlimited() || self.glances.is_multiple_of(GLANCES_PER_LOOK);
        if is_time || procfs::threads().saturating_sub(self.threads_before) > u64::from(self.processes) {
            self.look();
        }
    }

    /// Count what no cgroup counts.
    fn look(&self) {
        if !self.namespaces.pid {
            self.reap();
        }
        let members = self.members();
        let threads: u64 = members.iter().map(|stat| u64::from(stat.threads)).sum();
        let is_over = (self.cgroups.processes.is_none() && threads > u64::from(self.processes))
            || (self.cgroups.memory.is_none()
                && members.iter().map(|stat| procfs::memory_bytes(stat.pid)).sum::<u64>() > self.memory_bytes);
        if is_over {
            self.kill_all();
        }
    }

    /// Wait for orphans, not for the program itself: its status is read at the end.
    fn reap(&self) {
        let own = std::process::id();
        for stat in procfs::all() {
            let is_program = Some(self.child) == i32::try_from(stat.pid).ok().and_then(Pid::from_raw);
            if stat.parent == own && stat.is_dead() && !is_program {
                let _ = waitpid(i32::try_from(stat.pid).ok().and_then(Pid::from_raw), WaitOptions::NOHANG);
            }
        }
    }

    /// The program, or the first process of its namespace, has ended.
    fn end(&mut self, control: &UnixStream) -> i32 {
        if self.status.is_some()
            && let Some(exit) = self.read_status(control)
        {
            return exit;
        }
        self.kill_all();
        let status = waitpid(Some(self.child), WaitOptions::empty()).ok().flatten();
        let ending = if self.namespaces.pid { self.read_ending() } else { status.map(|(_, status)| ending(status)) };
        self.clean_up();
        // None: the first process was killed, and the program with it.
        let ending = ending.unwrap_or(-Signal::KILL.as_raw());
        control::report(
            control,
            &match ending {
                0.. => Report::Ended { code: Some(ending), signal: None },
                _ => Report::Ended { code: None, signal: Some(-ending) },
            },
        );
        0
    }

    fn read_ending(&self) -> Option<i32> {
        let mut bytes = [0; 4];
        let length = rustix::io::read(&self.ending, &mut bytes).ok()?;
        (length == bytes.len()).then(|| i32::from_ne_bytes(bytes))
    }

    fn clean_up(&self) {
        while wait(WaitOptions::empty()).is_ok() {}
        self.cgroups.remove();
    }
}

/// The exit code, or the signal as a negative number.
pub(super) fn ending(status: WaitStatus) -> i32 {
    status.exit_status().unwrap_or_else(|| -status.terminating_signal().unwrap_or(Signal::KILL.as_raw()))
}

/// Each number once, in the order in which it was said last: STOP and then CONT shall leave it running.
fn last_of_each(numbers: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    for number in numbers.iter().rev() {
        if !found.contains(number) {
            found.push(*number);
        }
    }
    found.reverse();
    found
}

/// What there is to read from each of these, or that it is at its end. Nothing from any: the time is up.
fn wait_for(sources: [Option<BorrowedFd<'_>>; 3], timeout: Option<&Timespec>) -> rustix::io::Result<[PollFlags; 3]> {
    // The second tells the end of a socket although there is more to read before it.
    let flags = PollFlags::IN | PollFlags::RDHUP;
    let mut events: Vec<PollFd<'_>> =
        sources.iter().flatten().map(|source| PollFd::from_borrowed_fd(*source, flags)).collect();
    poll(&mut events, timeout)?;
    let mut results = events.iter().map(PollFd::revents);
    Ok(sources.map(|source| source.and_then(|_| results.next()).unwrap_or(PollFlags::empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_said_often_is_sent_once() {
        assert_eq!(last_of_each(&[10; SIGNALS_AT_ONCE_MAX]), [10]);
        assert_eq!(last_of_each(&[19, 18, 10, 19, 18]), [10, 19, 18]);
        assert_eq!(last_of_each(&[]), Vec::<u8>::new());
    }

    #[test]
    fn the_end_is_told_before_what_was_said_is_read() {
        let (host, helper) = UnixStream::pair().unwrap();
        let mut socket = &host;
        std::io::Write::write_all(&mut socket, &[10; 100]).unwrap();
        let [said, _, _] = wait_for([Some(helper.as_fd()), None, None], None).unwrap();
        assert!(said.contains(PollFlags::IN) && !said.contains(PollFlags::RDHUP), "{said:?}");
        host.shutdown(std::net::Shutdown::Write).unwrap();
        let [said, _, _] = wait_for([Some(helper.as_fd()), None, None], None).unwrap();
        assert!(said.contains(PollFlags::RDHUP), "{said:?}");
    }
}
